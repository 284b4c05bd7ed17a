"""From a table to a ``usecase.yaml``: what ``driftbook init`` does.

Everything guessed is written down with its reason, in the file and in the notes, for a person to put right; nothing is
decided silently. The text is read back through the use case's own rules before anything is written, so what is written
loads. Rows without a time are dealt to days; how many a day follows from the wish for twenty batches of history.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

from driftbook.config import Settings, UseCase
from driftbook.config.base import parse
from driftbook.data.dealing import COMMON_FORMATS
from driftbook.data.declaration import Found, dealt_stream, render, timed_stream
from driftbook.data.roles import as_text, guess_roles, guess_task
from driftbook.data.sniffing import Form, sniff
from driftbook.data.sources import read_file
from driftbook.errors import ConfigError, DataError, StateError, UnknownNameError
from driftbook.storage import sha256_file, write_text, writing

MIN_ROWS = 100
MAX_LOST_SHARE = 0.05  # of rows that an identifier may lose
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@dataclass(frozen=True)
class Declaration:
    """A declared use case: its ``usecase.yaml`` as ``text``, and notes on what was guessed for a person to read."""

    name: str
    text: str
    notes: tuple[str, ...]


def declare_use_case(
    file: Path,
    *,
    target: str,
    time: str | None = None,
    id: str | None = None,
    name: str | None = None,
    settings: Settings,
) -> Declaration:
    """Look at a table and declare a use case for it; nothing is written.

    Parameters
    ----------
    file
        CSV (any separator, compressed or not, with or without header) or Parquet.
    target, time, id
        Columns: what to predict, when a row happened, what names it. Columns of a file without header are called
        ``column_1``, ``column_2``, and so on.
    name
        Of the use case; made from the file's name when absent.

    Raises
    ------
    UnknownNameError
        If a named column is not there.
    DataError
        If the file cannot be read, or no model can be made for the target.
    ConfigError
        If the name cannot be used.
    """
    chosen = _use_case_name(name, file, settings)
    target, time, id = target.strip(), time and time.strip(), id and id.strip()  # as header names lose their blanks
    form = sniff(file, target=target)
    table = read_file(file, separator=form.separator, encoding=form.encoding, header=form.header)
    for column in (target, time, id):
        if column is not None and column not in table.columns:
            raise UnknownNameError("column", column, table.columns)
    if table.height < MIN_ROWS:
        raise DataError(f"{file.name} has {table.height} rows; expected {MIN_ROWS} or more to train and watch a model")
    task = guess_task(table[target])
    given = {column for column in (time, id) if column}
    stream = timed_stream(table[time]) if time else dealt_stream(table.height)
    formats = sorted({None, stream.time_format}, key=str) if time else (None, *COMMON_FORMATS)
    roles = guess_roles(table, target=target, given=given, has_types=form.is_parquet, time_formats=formats)
    text = render(Found(file=file, form=form, target=target, time=time, id=id, task=task, roles=roles, stream=stream))
    parse(UseCase, {"name": chosen, **yaml.safe_load(text)}, source=f"data/{chosen}/usecase.yaml")
    notes = [*_form_notes(form), task.note, *_target_notes(table[target]), *_id_notes(table, id), *roles.notes]
    notes += _left_out_notes(roles.left_out)
    return Declaration(name=chosen, text=text, notes=(*notes, *stream.notes))


def write_declaration(declaration: Declaration, file: Path, *, settings: Settings) -> Path:
    """Copy the declared file to the use case's raw folder and write its ``usecase.yaml``; the path of the latter.

    Raises
    ------
    StateError
        If another file of that name lies in the raw folder.
    ConfigError
        If the use case exists by now.
    """
    folder = settings.data_folder(declaration.name)
    _check_new(declaration.name, settings)
    raw = settings.raw_folder(declaration.name) / file.name
    if raw.exists() and sha256_file(raw) != sha256_file(file):
        raise StateError(
            f"{raw.name} lies in data/{declaration.name}/raw with other content; remove it or choose another name"
        )
    if not raw.exists():
        with writing(raw) as beside:
            shutil.copyfile(file, beside)
    return write_text(folder / "usecase.yaml", declaration.text)


def _use_case_name(name: str | None, file: Path, settings: Settings) -> str:
    stem = file.name.partition(".")[0]
    spelt = unicodedata.normalize("NFC", stem).lower().translate(_UMLAUTS)
    plain = "".join(each for each in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(each))
    made = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    chosen = name or (made if made[:1].isalpha() else f"table_{made}".rstrip("_"))
    if not _NAME.fullmatch(chosen):
        raise ConfigError(f"the name {chosen!r} cannot be used: expected small letters, digits and _, a letter first")
    _check_new(chosen, settings)
    return chosen


def _check_new(name: str, settings: Settings) -> None:
    if (settings.data_folder(name) / "usecase.yaml").exists():
        raise ConfigError(
            f"use case {name!r} exists already; give another name (--name) or remove data/{name}/usecase.yaml"
        )


def _form_notes(form: Form) -> list[str]:
    found = [] if form.header is None else [f"no header found: the columns are called column_1 to {form.header[-1]}"]
    return found if form.encoding == "utf8" else [*found, f"not UTF-8: read as {form.encoding}"]


def _target_notes(target: pl.Series) -> list[str]:
    missing = as_text(target).null_count()
    return [f"{missing} rows have no target: they are scored, but nothing is learnt from them"] if missing else []


def _left_out_notes(left_out: dict[str, str]) -> list[str]:
    """One note per reason."""
    reasons = sorted(set(left_out.values()), key=lambda each: (not each.startswith("WARNING"), each))
    return [f"left out {', '.join(c for c in left_out if left_out[c] == each)}: {each}" for each in reasons]


def _id_notes(table: pl.DataFrame, id: str | None) -> list[str]:
    """Rows that the identifier would lose; an error where it names no rows at all."""
    if id is None:
        return []
    lost = table.height - table[id].drop_nulls().n_unique()
    if lost > MAX_LOST_SHARE * table.height:
        raise DataError(
            f"identifier {id!r} repeats or is missing in {lost} of {table.height} rows; expected one value a row: "
            "choose another column or none"
        )
    return [f"{lost} rows without an identifier of their own will be quarantined"] if lost else []
