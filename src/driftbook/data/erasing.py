"""Takes the rows of one person out of all Parquet files of a use case and its prediction log, and keeps them out.

Files are written beside their place and renamed. What is being rewritten is noted before the first file is touched, so
that a command that was killed can be given again and still tells of every file. That the source still gives the row
must not bring it back, nor be taken for a changed source: the identifier's digest, salted, is kept, and every batch
read from the source is read without it.

Rows that were served are named by their prediction, the person is their entity: which predictions are a person's say
the log and what lies in ``answers``. Those are therefore emptied last, so that a command that was killed finds them.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.config import Settings, UseCase
from driftbook.errors import ConfigError
from driftbook.serving.log_eraser import LogTraces, erase_logged, find_logged
from driftbook.storage import load_json, read_parquet, write_json, write_parquet

ERASED, UNDER_WAY = "erased.json", "erasing.json"
KINDS = ("batches", "targets", "predictions", "quarantine", "answers")
TEXTS = (".ipynb", ".html", ".json", ".csv")


@dataclass(frozen=True)
class Traces:
    """Where a person is found: ``rows`` by file that can be rewritten, the log, and what can only be named.

    ``predictions`` are the identifiers of what the service answered about the person, as far as anything tells.
    """

    rows: dict[Path, int]
    log: LogTraces
    predictions: frozenset[str]
    models: tuple[str, ...]
    pages: tuple[Path, ...]
    raw: tuple[Path, ...]


def find_traces(case: UseCase, settings: Settings, identifier: str) -> Traces:
    """Every file of a use case that holds a row of the person, and models that learned from one.

    Parameters
    ----------
    identifier
        Value of the declared ``columns.id``, as text.

    Raises
    ------
    ConfigError
        If the use case declares no identifier, so that nobody can be found.
    StateError
        If the prediction log cannot be searched.
    """
    if case.columns.id is None:
        raise ConfigError(
            f"use case {case.name!r} declares no columns.id, so the rows of one person cannot be found; declare the "
            "column that identifies a row, or remove the rows from the source and begin anew (driftbook reset)"
        )
    folder, reports = settings.data_folder(case.name), settings.reports_folder / case.name
    files = [path for kind in KINDS for path in sorted((folder / kind).rglob("*.parquet"))]
    files += sorted(reports.rglob("*.parquet"))
    files = [path for path in files if not path.name.startswith(".")]
    served = _predictions_of(files, case, identifier)
    log = find_logged(
        settings.prediction_log_url,
        settings.spill_folder(case.name),
        use_case=case.name,
        entity=identifier,
        predictions=served,
    )
    predictions = frozenset({*served, *log.predictions})
    names = {identifier, *predictions}
    counted = {path: _rows_of(path, case, names).height for path in files}
    rows = {path: count for path, count in counted.items() if count}
    pages = [path for path in sorted(reports.rglob("*")) if path.suffix in TEXTS and path.name != "ledger.jsonl"]
    raw = [path for path in sorted(settings.raw_folder(case.name).glob("*")) if path.is_file()]
    raw += sorted(settings.spill_folder(case.name).glob("*.unreadable"))
    return Traces(
        rows,
        log,
        predictions,
        models=_models(case, settings, rows, names),
        pages=_holding(pages, names),
        raw=_holding(raw, names),
    )


def erase(case: UseCase, settings: Settings, identifier: str, traces: Traces) -> list[Path]:
    """Rewrite files and log without the person's rows; all files rewritten, also by a call that was killed.

    Call :func:`finish_erasing` once that is recorded.
    """
    folder = settings.data_folder(case.name)
    note: list[str] = load_json(folder / UNDER_WAY) if (folder / UNDER_WAY).exists() else []
    names = sorted({*note, *(path.relative_to(settings.root).as_posix() for path in traces.rows)})
    if names or traces.log.rows:
        write_json(folder / UNDER_WAY, names)
        _remember(folder, identifier)
    telling = [path for path in traces.rows if path.is_relative_to(folder / "answers")]
    _rewrite([path for path in traces.rows if path not in telling], case, {identifier, *traces.predictions})
    if traces.log.rows:
        erase_logged(
            settings.prediction_log_url,
            settings.spill_folder(case.name),
            use_case=case.name,
            entity=identifier,
            predictions=traces.predictions,
        )
    _rewrite(telling, case, {identifier, *traces.predictions})
    return [settings.root / name for name in names]


def is_erasing(case: UseCase, settings: Settings) -> bool:
    """Whether something was taken out that is not recorded yet, if only from the log."""
    return (settings.data_folder(case.name) / UNDER_WAY).exists()


def finish_erasing(case: UseCase, settings: Settings) -> None:
    """Say that what was rewritten is recorded."""
    (settings.data_folder(case.name) / UNDER_WAY).unlink(missing_ok=True)


def without_erased(frame: pl.DataFrame, folder: Path, *, column: str | None) -> pl.DataFrame:
    """A frame without the rows of persons who were erased from the use case in ``folder``.

    Examples
    --------
    >>> without_erased(pl.DataFrame({"row_id": ["a", "b"]}), Path("nowhere"), column="row_id").height
    2
    """
    if column is None or column not in frame.columns or not (folder / ERASED).exists():
        return frame
    is_erased = erased_from(folder)
    return frame.filter(pl.Series([not is_erased(value) for value in _texts(frame, column)], dtype=pl.Boolean))


def erased_from(folder: Path) -> Callable[[str | None], bool]:
    """Tells whether an identifier is one of a person who was erased from the use case in ``folder``.

    Examples
    --------
    >>> erased_from(Path("nowhere"))("c-1")
    False
    """
    if not (folder / ERASED).exists():
        return lambda identifier: False
    record: dict[str, Any] = load_json(folder / ERASED)
    salt, gone = str(record["salt"]), set(record["digests"])
    return lambda identifier: _digest(salt, identifier) in gone


def _rewrite(paths: Iterable[Path], case: UseCase, names: Collection[str]) -> None:
    for path in paths:
        frame = read_parquet(path)
        write_parquet(path, frame.filter(~_is_person(frame, case, names)))


def _predictions_of(files: Iterable[Path], case: UseCase, identifier: str) -> set[str]:
    """Rows that name the person as their entity, and themselves by their prediction."""
    found: set[str] = set()
    for path in files:
        schema = pl.read_parquet_schema(path)
        for column in {"entity", case.columns.id} & set(schema) if "row_id" in schema else ():
            frame = read_parquet(path)
            is_theirs = pl.Series([text == identifier for text in _texts(frame, str(column))], dtype=pl.Boolean)
            found |= {text for text in _texts(frame.filter(is_theirs), "row_id") if text is not None}
    return found


def _rows_of(path: Path, case: UseCase, names: Collection[str]) -> pl.DataFrame:
    frame = read_parquet(path)
    return frame.filter(_is_person(frame, case, names))


def _is_person(frame: pl.DataFrame, case: UseCase, names: Collection[str]) -> pl.Series:
    """Whether a row is the person's: by its ``row_id``, or where rows were served or set aside by what names them."""
    found = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    for column in {"row_id", "entity", case.columns.id} & set(frame.columns):
        found |= pl.Series([text in names for text in _texts(frame, str(column))], dtype=pl.Boolean)
    return found


def _models(case: UseCase, settings: Settings, rows: Iterable[Path], names: Collection[str]) -> tuple[str, ...]:
    """Versions whose training rows include one of the person's, by the days they were trained on."""
    batches = [path for path in rows if path.is_relative_to(settings.data_folder(case.name) / "batches")]
    times = [time for path in batches for time in _rows_of(path, case, names)["event_time"].to_list()]
    found = []
    for path in sorted(settings.models_folder(case.name).glob("v*/training.json")):
        training = load_json(path)
        first, last = (date.fromisoformat(str(training.get(key, ""))[:10] or "0001-01-01") for key in _TRAINED)
        if any(first <= time.date() <= last for time in times):
            found.append(path.parent.name)
    return tuple(found)


_TRAINED = ("trained_from", "trained_until")


def _holding(paths: Iterable[Path], names: Collection[str]) -> tuple[Path, ...]:
    """Files that hold one of the names as a word of its own."""
    anyone = b"|".join(re.escape(name.encode()) for name in sorted(names))
    word = re.compile(rb"(?<![\w-])(?:" + anyone + rb")(?![\w-])")
    return tuple(path for path in paths if word.search(path.read_bytes()))


def _remember(folder: Path, identifier: str) -> None:
    path = folder / ERASED
    record: dict[str, Any] = load_json(path) if path.exists() else {"salt": secrets.token_hex(16), "digests": []}
    digests = sorted({*record["digests"], _digest(str(record["salt"]), identifier)})
    write_json(path, {**record, "digests": digests})


def _digest(salt: str, identifier: str | None) -> str:
    return hashlib.sha256(f"{salt}{identifier}".encode()).hexdigest()


def _texts(frame: pl.DataFrame, column: str) -> list[str | None]:
    texts: list[str | None] = frame[column].cast(pl.String, strict=False).str.strip_chars().to_list()
    return texts
