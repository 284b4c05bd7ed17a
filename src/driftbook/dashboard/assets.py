"""The files a browser loads: a fixed list, made at the start, each in memory and packed.

What is not on the list does not exist, so that no path leads anywhere else. Their address holds a digest of them all:
a browser may keep them for good, and asks for new ones after an upgrade.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TYPES = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".woff": "font/woff"}


@dataclass(frozen=True, eq=False)
class Asset:
    """A file for browsers; read when it is first asked for."""

    type: str
    read: Callable[[], bytes]

    @cached_property
    def content(self) -> bytes:
        """Its bytes."""
        return self.read()

    @cached_property
    def packed(self) -> bytes:
        """The same, gzipped."""
        return gzip.compress(self.content, mtime=0)


@dataclass(frozen=True)
class Assets:
    """Files by the names under which they are asked for, and the digest that is part of their address.

    Examples
    --------
    >>> assets = load_assets({"dashboard/": TEMPLATE})
    >>> "dashboard/page.css" in assets.files, "dashboard/login.html" in assets.files
    (True, False)
    """

    files: Mapping[str, Asset]
    digest: str


TEMPLATE = Path(__file__).parent / "template"


def load_assets(folders: Mapping[str, Path]) -> Assets:
    """List the files of folders that browsers may load.

    Parameters
    ----------
    folders
        A folder for each beginning of a name, e.g. ``{"voila/": Path("…/static")}``; folders within count too.
    """
    paths = {
        f"{prefix}{path.relative_to(folder).as_posix()}": path
        for prefix, folder in folders.items()
        for path in sorted(folder.rglob("*"))
        if path.suffix in TYPES and path.is_file()
    }
    whole = hashlib.sha256()
    for name, path in paths.items():
        whole.update(f"{name} {path.stat().st_size} {path.stat().st_mtime_ns}\n".encode())
    return Assets(
        {name: Asset(TYPES[path.suffix], path.read_bytes) for name, path in paths.items()}, whole.hexdigest()[:12]
    )
