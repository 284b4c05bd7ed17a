"""What a comparison found: the long table, the verdict, one row per column, findings; it shows itself everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from driftbook import __version__
from driftbook.comparison.shapes import Shape
from driftbook.comparison.verdict import Verdict
from driftbook.config import Policy
from driftbook.errors import DataError
from driftbook.storage import canonical_json, write_json, write_text

FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Two tables compared.

    ``table`` is the long table (one row per column and method), ``columns`` has one row per column, the farthest
    beyond its limit first, ``findings`` what else should be known, ``shapes`` the distributions of both sides,
    ``why`` the causes in sentences. ``titles`` and ``rows`` are those of the reference and the current table.
    """

    table: pl.DataFrame
    verdict: Verdict
    columns: pl.DataFrame
    findings: pl.DataFrame
    shapes: Mapping[str, Shape]
    policy: Policy
    titles: tuple[str, str]
    rows: tuple[int, int]
    why: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether the tables differ by more than chance."""
        return self.verdict.drifted

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """Where the limits come from, and how to read ``chance``, in sentences."""
        found = [each for each in self.table["origin"].drop_nulls().unique(maintain_order=True).to_list() if each]
        if self.surprise == "chance":
            return (
                f"Limits: {found[0]}, over all columns and methods together.",
                "Chance: how probable anything so surprising is anywhere in a table without drift.",
            )
        return (f"Limits: policy {self.policy.name}{''.join(f', {each}' for each in found[:1])}.",)

    @property
    def surprise(self) -> str:
        """The column of ``table`` that says how surprising a row is: ``chance`` where limits are calibrated."""
        return "chance" if self.table["chance"].is_not_null().any() else "p_value"

    def record(self) -> dict[str, Any]:
        """All of it as plain values: what the JSON holds."""
        before, after = ({"title": title, "rows": rows} for title, rows in zip(self.titles, self.rows, strict=True))
        verdict = self.verdict
        return {
            "format": FORMAT,
            "verdict": {"status": verdict.status, "drifted": verdict.drifted, "sentences": list(verdict.sentences)},
            "reference": before,
            "current": after,
            "policy": self.policy.model_dump(mode="json", include={"name", "drift"}),
            "rows": self.table.to_dicts(),
            "columns": self.columns.to_dicts(),
            "findings": self.findings.to_dicts(),
            "why": list(self.why),
            "versions": {"driftbook": __version__, "polars": version("polars"), "numpy": version("numpy")},
        }

    def to_json(self) -> str:
        """The record as JSON: the same bytes for the same tables."""
        return canonical_json(self.record())

    def to_html(self) -> str:
        """One self-contained page."""
        from driftbook.comparison.page import whole_page

        return whole_page(self)

    def to_text(self) -> str:
        """The verdict and the long table for a terminal."""
        from driftbook.comparison.terminal import as_text

        return as_text(self)

    def write_json(self, path: Path) -> Path:
        """Write the record atomically."""
        return _written(path, lambda: write_json(path, self.record()))

    def write_html(self, path: Path) -> Path:
        """Write the page atomically."""
        return _written(path, lambda: write_text(path, self.to_html()))

    def __repr__(self) -> str:
        return str(self.verdict)

    def _repr_html_(self) -> str:
        from driftbook.comparison.page import fragment

        return fragment(self)


def _written(path: Path, write: Callable[[], Path]) -> Path:
    """Write, or say plainly why that place cannot be written to."""
    try:
        return write()
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror or error}); give another place") from error
