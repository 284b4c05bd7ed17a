"""The familiar view: Evidently's own drift page beside ours, on a bounded sample, never the source of a decision.

Evidently costs seconds to import and gives up on columns that real tables have (all missing, infinite values,
dates), so such columns are left out by name and whatever else fails ends in a small page that says what failed.
Its random identifiers are replaced in the order of their appearance: the same inputs give the same page.
"""

from __future__ import annotations

import os
import re
import warnings
from html import escape
from pathlib import Path

import polars as pl

from driftbook.config import UseCase
from driftbook.errors import DriftError
from driftbook.reports.page import STYLESHEET, page
from driftbook.storage import write_text
from driftbook.tables import format_value

EVIDENTLY_PAGE = "evidently_drift.html"
MAX_ROWS = 2000
_HOME = '<a href="../../index.html">← all reports</a>'
_WAY_BACK = f'{_HOME} · <a href="05_analyse_drift.html">05 analyse drift</a>'
_IDENTIFIER = re.compile(
    r"(?<![0-9a-zA-Z+/])(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?![0-9a-zA-Z+/=])"
)


def write_evidently(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    *,
    case: UseCase,
    path: Path,
    seed: int,
    max_rows: int = MAX_ROWS,
) -> str | None:
    """Write Evidently's drift page of two frames; on any failure a page that says so.

    Parameters
    ----------
    reference, current
        Frames with the features of the use case and, if there, ``prediction`` and ``prediction_score``.
    case
        Says which columns are numeric and which categorical.
    path
        Where the page goes; written atomically, whatever happens.
    seed
        Of the sample.
    max_rows
        Rows taken from each side; the page says so.

    Returns
    -------
    None, or what failed: a build never fails because of this page.
    """
    try:
        kinds, left_out = _kinds(reference, current, case)
        if not kinds:
            raise DriftError("reference and current rows have no column with values in common")
        sides = [_sample(frame, kinds, rows=max_rows, seed=seed) for frame in (reference, current)]
        text = _render(sides[0], sides[1], kinds=kinds)
        note = _note(reference, current, sides, left_out=left_out)
        write_text(path, _stable(re.sub(r"<body[^>]*>", lambda found: found.group() + note, text, count=1)))
    except Exception as error:
        fault = f"{type(error).__name__}: {str(error).strip() or 'no message'}".splitlines()[0][:300]
        body = f"<main><p>{_WAY_BACK}</p><h1>No Evidently page</h1><p>Evidently could not compare these rows.</p>"
        body += f"<pre>{escape(fault)}</pre>"
        body += "<p>Nothing else depends on this page: drift is judged in notebook 05.</p></main>"
        write_text(path, page(f"{case.title}: no Evidently page", body, stylesheet=STYLESHEET))
        return fault
    return None


def _kinds(reference: pl.DataFrame, current: pl.DataFrame, case: UseCase) -> tuple[dict[str, str], list[str]]:
    """Kind of each column that Evidently can compare, and the names of those it cannot."""
    wanted = dict.fromkeys(case.columns.numeric, "numeric") | dict.fromkeys(case.columns.categorical, "categorical")
    wanted |= {"prediction_score": "numeric", "prediction": "categorical"}
    both = [name for name in wanted if name in reference.columns and name in current.columns]
    usable = [name for name in both if all(_values(frame, name, wanted[name]).len() for frame in (reference, current))]
    return {name: wanted[name] for name in usable}, [name for name in both if name not in usable]


def _values(frame: pl.DataFrame, name: str, kind: str) -> pl.Series:
    values = frame[name].cast(pl.Float64 if kind == "numeric" else pl.String, strict=False).drop_nulls()
    return values.filter(values.is_finite()) if kind == "numeric" else values


def _sample(frame: pl.DataFrame, kinds: dict[str, str], *, rows: int, seed: int) -> pl.DataFrame:
    chosen = frame.sample(rows, seed=seed) if frame.height > rows else frame
    casts = []
    for name, kind in kinds.items():
        value = pl.col(name).cast(pl.Float64 if kind == "numeric" else pl.String, strict=False)
        casts.append(pl.when(value.is_finite()).then(value).alias(name) if kind == "numeric" else value)
    return chosen.select(casts)


def _render(reference: pl.DataFrame, current: pl.DataFrame, *, kinds: dict[str, str]) -> str:
    os.environ["DO_NOT_TRACK"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(
            numerical_columns=[name for name, kind in kinds.items() if kind == "numeric"],
            categorical_columns=[name for name, kind in kinds.items() if kind == "categorical"],
        )
        both = (Dataset.from_pandas(side.to_pandas(), data_definition=definition) for side in (current, reference))
        snapshot = Report([DataDriftPreset()]).run(*both)
        text: str = snapshot.get_html_str(as_iframe=False)
    return text


def _note(reference: pl.DataFrame, current: pl.DataFrame, sides: list[pl.DataFrame], *, left_out: list[str]) -> str:
    counts = [
        f"{format_value(s.height)} of {format_value(f.height)}"
        for s, f in zip(sides, (reference, current), strict=True)
    ]
    text = f"Evidently's view of the newest batch, on a seeded sample: {counts[0]} reference rows, {counts[1]} current "
    text += "rows. Evidently's own limits apply here and may differ from ours: driftbook decides from all rows, in 05."
    text += f" Left out, nothing to compare: {', '.join(left_out)}." if left_out else ""
    style = "font:14px/1.5 system-ui,sans-serif;padding:12px 24px;background:#eef2f6;color:#1d2530;"
    style += "position:sticky;left:0;max-width:100vw;box-sizing:border-box"
    looks = "<style>body{min-width:900px}.driftbook a{color:#1f63b8}</style>"  # on a phone its table can be panned
    return f'{looks}<p class="driftbook" style="{style};margin:0">{_WAY_BACK}<br>{escape(text)}</p>'


def _stable(text: str) -> str:
    """Random identifiers renamed in order of appearance, machine paths removed."""
    seen: dict[str, str] = {}

    def rename(found: re.Match[str]) -> str:
        old = found.group()
        new = seen.setdefault(old.replace("-", ""), f"{len(seen) + 1:032x}")
        return new if "-" not in old else f"{new[:8]}-{new[8:12]}-{new[12:16]}-{new[16:20]}-{new[20:]}"

    return _IDENTIFIER.sub(rename, text)
