"""Which pages of the audit reports the dashboard serves: the executed notebooks and Evidently's page, nothing else.

A report folder also holds records and tables, which are no business of a browser. So a page is found by checking what
was asked for against what there may be, never by joining paths and hoping. Pages are shown in a sandbox, because they
hold scripts that were written when the notebook ran.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from driftbook.config import Settings

EVIDENTLY = "evidently_drift"
SANDBOX = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; frame-ancestors 'self'; form-action 'none'"
)
_USE_CASE = re.compile(r"[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*")


def page_names(settings: Settings) -> set[str]:
    """Names of the pages a report may hold."""
    return {EVIDENTLY, *(path.stem for path in (settings.root / "notebooks").glob("*.ipynb"))}


def find_page(settings: Settings, use_case: str, day: str, name: str) -> Path | None:
    """The file of a page, or ``None`` if there is no such page; ``name`` is without ``.html``.

    Examples
    --------
    >>> settings = Settings(root=Path("desk"))
    >>> find_page(settings, "churn", "2026-06-30", "../../../etc/passwd") is None
    True
    """
    if not _USE_CASE.fullmatch(use_case) or not _is_day(day) or name not in page_names(settings):
        return None
    folder = settings.reports_folder.resolve()
    path = folder / use_case / day / f"{name}.html"
    return path if path.is_file() and path.resolve() == path else None  # equal: no link on the way leads elsewhere


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
