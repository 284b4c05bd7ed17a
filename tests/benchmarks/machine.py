"""What a figure is worth without: the machine, its load, the versions; and the environment every measurement gets.

On AMD's Zen 4 numpy chooses an AVX-512 sort whose central instruction is microcoded there: 52 ns a row where its AVX2
sort takes 9 (numpy pull request 32690). So on Zen 4 all, peers included, run with that instruction set disabled; on
other machines nobody is touched.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from driftbook.processor import VARIABLE, avx512_name, is_slow_with_avx512

PACKAGES = ("driftbook", "numpy", "scipy", "polars", "pyarrow", "pandas", "evidently")
CPU_INFO, MEMORY_INFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")
SILENT = {
    "DO_NOT_TRACK": "1",
    "EVIDENTLY_DISABLE_TELEMETRY": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
}
CALM = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def facts() -> dict[str, Any]:
    """Processor, cores, memory, system, versions and the load right now."""
    return {
        "processor": _field(CPU_INFO, "model name") or platform.processor() or "unknown",
        "family": _field(CPU_INFO, "cpu family"),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "avx512_sort_disabled": needs_plain_sort(),
        "load": os.getloadavg(),
    }


def needs_plain_sort() -> bool:
    """Whether numpy's AVX-512 sort is the slow one on this processor."""
    return CPU_INFO.is_file() and is_slow_with_avx512(CPU_INFO.read_text(encoding="utf-8"))


def environment(*, plain_sort: bool, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables of a measurement: one thread for BLAS and OpenMP, no telemetry, ``tests`` on the path."""
    kept = {key: value for key, value in (base or os.environ).items() if not key.startswith("NPY_")}
    found = {**kept, **CALM, **SILENT, "PYTHONPATH": str(Path(__file__).parents[1])}
    if plain_sort:
        found[VARIABLE] = avx512_name()
    return found


def _field(path: Path, key: str) -> str:
    if not path.is_file():
        return ""
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _memory_gib() -> float | None:
    total = _field(MEMORY_INFO, "MemTotal").split()
    return round(int(total[0]) / 2**20, 1) if total else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
