"""driftbook keeps machine-learning models honest in production.

Import the module you need (``from driftbook.drift.engine import analyse_drift``); nothing heavy is
imported here, so that ``import driftbook`` stays cheap for dashboards and command-line tools. ``from driftbook import
compare`` compares any two tables; it is imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftbook.comparison import Comparison as Comparison
    from driftbook.comparison import compare as compare

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in ("Comparison", "compare"):
        raise AttributeError(f"module 'driftbook' has no attribute {name!r}")
    from driftbook import comparison

    return getattr(comparison, name)
