"""What processes take, told by Linux: a family of them, their processor time, their memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def family(pid: int) -> list[int]:
    """A process and all that it and its own have started, itself first."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [pid]
    for child in children.read_text().split() if children.exists() else ():
        found += family(int(child))
    return found


def ticks(processes: Sequence[int]) -> int:
    """Processor time used so far, in ticks; a process that has ended counts no more."""
    used = 0
    for pid in processes:
        path = Path(f"/proc/{pid}/stat")
        if path.exists():
            used += sum(map(int, path.read_text().rpartition(")")[2].split()[11:13]))
    return used


def shared_bytes(pid: int) -> int:
    """Memory of a process, what it shares counted in proportion (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return 1024 * int(line.split()[1])
    return 0
