"""Which of numpy's sorts suits the processor.

From AVX-512 on numpy sorts with an instruction that AMD's Zen 4 carries out in microcode: 52 ns a row, where its
AVX2 sort takes 9 (numpy pull request 32690). A sort is most of what drift costs, so on these processors our own
processes start without that set of instructions. It has to be said before numpy is loaded, and changes no result;
other processors, and who has chosen for himself, are left alone. ``python -m driftbook.processor COMMAND …`` starts any
command so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
FAMILY = "25"  # Zen 3 and Zen 4; of the two only Zen 4 knows AVX-512
FIRST_CORE = 8_192  # bytes
VARIABLE = "NPY_DISABLE_CPU_FEATURES"
RENAMED_IN = (2, 4)  # numpy's version since which the set has another name


def choose_sort() -> None:
    """Let this process and those it starts sort well; to be called before numpy is loaded."""
    os.environ.update(sort_environment(_cpu_info(), os.environ))


def sort_environment(cpu_info: str, present: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment ``present``.

    Parameters
    ----------
    cpu_info
        The text of Linux' ``/proc/cpuinfo``; empty elsewhere.

    Examples
    --------
    >>> sort_environment("vendor_id : GenuineIntel", {})
    {}
    """
    if VARIABLE in present or not is_slow_with_avx512(cpu_info):
        return {}
    return {VARIABLE: avx512_name()}


def avx512_name() -> str:
    """How the installed numpy calls the set of instructions."""
    from importlib import metadata

    major, minor = (int(part) for part in metadata.version("numpy").split(".")[:2])
    return "X86_V4" if (major, minor) >= RENAMED_IN else "AVX512_SKX"


def is_slow_with_avx512(cpu_info: str) -> bool:
    r"""Whether the text describes a Zen 4.

    Examples
    --------
    >>> is_slow_with_avx512("vendor_id : AuthenticAMD\ncpu family : 25\nflags : sse2 avx2 avx512f")
    True
    """
    fields: dict[str, str] = {}
    for line in cpu_info.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    is_amd = fields.get("vendor_id") == "AuthenticAMD"
    return is_amd and fields.get("cpu family") == FAMILY and "avx512f" in fields.get("flags", "").split()


def _cpu_info() -> str:
    """The part on the first core, which is enough; of hundreds the whole text takes a while."""
    if not CPU_INFO.is_file():
        return ""
    with CPU_INFO.open("rb") as stream:
        return stream.read(FIRST_CORE).decode(errors="replace")


if __name__ == "__main__":
    choose_sort()
    os.execvp(sys.argv[1], sys.argv[1:])
