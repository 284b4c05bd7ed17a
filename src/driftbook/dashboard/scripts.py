"""The widgets' scripts as one file: they come in ninety pieces, asked for one after another.

Voila's page and the widgets are built by webpack, which loads a piece when it is needed. Each costs a question and an
answer, and some are asked for only when others have run. What every page needs is therefore sent as one file, before
the script that would ask for it; what is not in it, of another release perhaps, is loaded as ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from driftbook.dashboard.assets import Asset, Assets

MAIN, SCRIPTS = "voila/voila.js", "widgets/scripts.js"
WIDGETS = "extensions/@jupyter-widgets/jupyterlab-manager/static/"
MANAGER = "extensions/@voila-dashboards/widgets-manager8/static/"
# numbers of the pieces that a page of the locked releases asks for; a test in a browser finds what is missing
PIECES = {
    "voila/": "9151 9212 5764 8135 3992 9582 8925 7883 7556 6049 1670 6573 3311 4135 1621 3916 3649 8487 9684 4041 143 "
    "7155 3144 1601 4972 9890 5312 6468 3459 630 5688 2930 73 1187 4173 7483 431 3989 8766 4729 6382 5044 7598 9081 "
    "7770 3249 4653 8862 9981 5767 4222 8773 3307 6008 8017 457 4371 2829 7259 6074 4875 4486 6305 7393 225 614 1996 "
    "2121 2772 2296 7245 5992",
    WIDGETS: "7 704 170 84 32 452 967 160 718 121",
    MANAGER: "883 496",
}


def bundled(assets: Assets, pieces: Mapping[str, str] = PIECES) -> Assets:
    """The same files, and the pieces that are there as one more.

    Parameters
    ----------
    pieces
        Their numbers, with blanks between, by the beginning of their names; behind a number there may be a digest.
    """
    names = []
    for prefix, numbers in pieces.items():
        there = {name.removeprefix(prefix).partition(".")[0]: name for name in assets.files if name.startswith(prefix)}
        names += [there[number] for number in numbers.split() if number in there]
    if not names:
        return assets
    parts = [assets.files[name] for name in names]
    bundle = Asset(parts[0].type, lambda: _together(parts))
    digest = hashlib.sha256(" ".join([assets.digest, *names]).encode()).hexdigest()[:12]
    return Assets({**assets.files, SCRIPTS: bundle}, digest)


def asked_for_early(assets: Assets) -> list[str]:
    """What a browser may load while the page is still made: all that it will ask for."""
    entries = [name for name in assets.files if "/remoteEntry." in name and name.startswith((WIDGETS, MANAGER))]
    return [name for name in (SCRIPTS, MAIN, *entries) if name in assets.files]


def pack(assets: Assets) -> None:
    """Pack what every visitor asks for before the first one comes; it takes a fifth of a second."""
    for name in asked_for_early(assets):
        len(assets.files[name].packed)


def _together(parts: Sequence[Asset]) -> bytes:
    """Scripts as one, each in a function of its own, so that what one says of itself ("use strict") holds for no other.

    webpack's pieces may be there before what asks for them: they wait in a list.
    """
    return b"".join(b"(function(){" + part.content + b"\n})();\n" for part in parts)
