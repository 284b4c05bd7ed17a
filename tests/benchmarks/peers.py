"""Environments of the peers that do not share ours, set up outside the checkout with all telemetry off.

Versions are pinned, so that a figure can be had again. A peer that cannot be installed is not passed over in silence:
the results say so and why.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import environment

PEERS = {
    "nannyml": (
        "nannyml==0.13.1",
        "numpy==2.4.6",
        "pandas==2.3.3",
        "scikit-learn==1.6.1",
        "statsmodels==0.15.0",
        "pyarrow",
    ),
    "whylogs": ("whylogs[viz]==1.6.4", "numpy==2.4.6", "pandas==2.3.3", "setuptools"),
}
LONGEST_INSTALL_S = 900


class NotInstallableError(Exception):
    """A peer cannot be had on this machine; the message says why."""


def default_folder() -> Path:
    """Where the environments are kept between runs."""
    return Path(tempfile.gettempdir()) / "driftbook-benchmarks"


def python_of(peer: str, folder: Path) -> Path:
    """The Python of a peer's environment, set up on first use.

    Raises
    ------
    NotInstallableError
        If it cannot be installed, or not be imported once it is.
    """
    home = folder / f"peer-{peer}"
    python, ready = home / "bin" / "python", home / ".ready"
    if ready.is_file():
        return python
    _run([*_maker(home)], peer)
    _run([*_installer(python), *PEERS[peer]], peer)
    _run([str(python), "-c", f"import {peer}"], peer)
    ready.touch()
    return python


def _maker(home: Path) -> list[str]:
    if shutil.which("uv"):
        return ["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(home)]
    return [sys.executable, "-m", "venv", str(home)]


def _installer(python: Path) -> list[str]:
    if shutil.which("uv"):
        return ["uv", "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _run(command: list[str], peer: str) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=LONGEST_INSTALL_S,
            env=environment(plain_sort=False),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstallableError(f"{peer}: {type(error).__name__}") from error
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NotInstallableError(
            f"{peer} on Python {sys.version.split()[0]}: {said[-1] if said else 'no reason given'}"
        )
