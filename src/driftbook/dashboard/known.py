"""What was known of a use case at the end of a day: the one thing the pages read.

Builds leave a journal in the database, and tables and records beside their notebooks. The newest report's tables hold
all days; here they are cut to one day, by the day on which a row could be known and by the versions there were. So a
page of a past day shows what a person could have seen then: no later data, no later targets, no later opinion.

Reading is remembered until ``stamp`` changes, so that turning a page reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from driftbook.config import Policy, Settings, UseCase
from driftbook.dashboard.book import Book, Found, find_use_cases, of_one_stamp, read_book, stamp
from driftbook.errors import StateError
from driftbook.storage import load_json, read_parquet
from driftbook.timeline.journal import Entry

__all__ = ["Found", "Known", "find_use_cases", "load_known", "stamp"]

KNOWN_BY = ("known_on", "day", "batch_id")  # the first of these a table has says when a row could be known
ISO_DAY = 10  # characters of a batch's name that are its day
OPEN_DAYS = 4  # a day is cut out anew in no time, and each one that is kept takes its memory
BROKEN = "it was changed or broken"


@dataclass(frozen=True, eq=False)
class Known:
    """A use case as it was known at the end of ``day``.

    Parameters
    ----------
    days
        All judged days, oldest first.
    entries
        The journal up to ``day``, oldest first; never empty.
    report
        Folder of the newest complete report; its tables hold all days and are cut by :meth:`table`.
    office
        Version numbers of champion, challenger and previous; on the newest day with the orders given since.
    """

    settings: Settings
    case: UseCase
    policy: Policy
    day: date
    days: tuple[date, ...]
    entries: tuple[Entry, ...]
    report: Path
    office: Mapping[str, int | None]
    is_newest: bool
    book: Book = field(repr=False)
    mark: str = ""

    @cached_property
    def versions(self) -> frozenset[int]:
        """Every version that had been trained by ``day``."""
        played = {number for entry in self.entries for number in (*entry["during"].values(), *entry["office"].values())}
        trained = {(entry.get("trained") or {}).get("version") for entry in self.entries}
        return frozenset(number for number in played | trained | set(self.office.values()) if number is not None)

    def table(self, name: str, *, column: str | None = None) -> pl.DataFrame:
        """A table of the newest report, cut to what was known on ``day``.

        Parameters
        ----------
        column
            Of a table with a row for each column: those of one only, which is all that is read then.

        Raises
        ------
        StateError
            If it is not there or broken, naming the file and the command that writes it anew.
        """
        key = (name, column)
        if key not in self._cut:
            self._cut[key] = self._as_known(self._whole(name, column))
        return self._cut[key]

    def record(self, name: str) -> Any:
        """A record (``summary``, ``manifest`` …) of the report of ``day``, or of the last report before it.

        Raises
        ------
        StateError
            If no report was written by ``day``, or its record is not there.
        """
        reports = [each for each in self.book.reports if each <= self.day]
        if not reports:
            first = f"; the first is of {self.book.reports[0]}" if self.book.reports else ""
            raise StateError(
                f"{self.case.name} has no report of {self.day} or before{first}. {self._build(self.day)} writes one."
            )
        path = self.settings.report_folder(self.case.name, reports[-1]) / f"{name}.json"
        return self._json(path, again=self._build(reports[-1]))

    @property
    def report_day(self) -> date:
        """The day of the report whose tables are read."""
        return date.fromisoformat(self.report.name)

    @property
    def record_day(self) -> date | None:
        """The day of the report that :meth:`record` reads; None where there is none."""
        return max((each for each in self.book.reports if each <= self.day), default=None)

    def training(self, version: int) -> dict[str, Any]:
        """The training record of a version: its metrics, gate and lineage.

        Raises
        ------
        StateError
            If it is not there.
        """
        path = self.settings.models_folder(self.case.name) / f"v{version}" / "training.json"
        record: dict[str, Any] = self._json(path, again=self._build(self.days[-1]))
        return record

    def alerts(self) -> pl.DataFrame:
        """Alerts raised by ``day``, worded as they were then, newest first, with what persons had said of them.

        Returns
        -------
        ``key, severity, subject, message, first_batch, last_batch, known_on`` of ``alerts_days``, and ``state``,
        ``note``, ``actor``, ``changed_at`` (text, UTC), and ``goes_on``: whether it lasts on ``day``.
        """
        told = self.table("alerts_days").sort("known_on", maintain_order=True).unique("key", keep="last")
        until = None if self.is_newest else datetime.combine(self.day, time.max)
        states = self.book.alert_states(until=until)
        goes_on = pl.col("last_batch").str.head(ISO_DAY) >= self.day.isoformat()
        joined = told.join(states, on="key", how="left").with_columns(
            pl.col("state").fill_null("open"), goes_on=goes_on
        )
        return joined.sort("last_batch", "key", descending=[True, False])

    def alert_changes(self) -> pl.DataFrame:
        """What was said of the alerts by the end of ``day``, oldest first; on the newest day until now."""
        changes = self.book.alert_changes
        return changes if self.is_newest else changes.filter(pl.col("at").str.head(ISO_DAY) <= self.day.isoformat())

    def history(self) -> pl.DataFrame:
        """Changes of the deployment that counted by ``day``, oldest first; on the newest day also those given since."""
        changes = self.book.history
        if self.is_newest:
            return changes
        given = [order["revision"] for order in self.book.orders]  # an order counts from the day after its own
        late = pl.col("revision").is_in(given) & (pl.col("day") == self.day)
        return changes.filter((pl.col("day") <= self.day) & ~late)

    def orders(self) -> list[Entry]:
        """What persons ordered since the last judged day; nothing on an earlier day."""
        if not self.is_newest:
            return []
        return [order for order in self.book.orders if order["day"] >= self.days[-1].isoformat()]

    @cached_property
    def _cut(self) -> dict[tuple[str, str | None], pl.DataFrame]:
        return {}

    def _whole(self, name: str, column: str | None) -> pl.DataFrame:
        path, again = self.report / f"{name}.parquet", self._build(self.report_day)
        tables, key = self.book.tables, (name, column)
        if key in tables:
            return tables[key]
        if not path.is_file():
            raise StateError(f"expected {self._shown(path)}, found no such file. {again} writes it anew.")
        try:
            tables[key] = read_parquet(path, where=None if column is None else pl.col("column") == column)
        except StateError:
            raise StateError(
                f"{self._shown(path)} cannot be read: it was changed or broken. {again} writes it anew."
            ) from None
        return tables[key]

    def _as_known(self, whole: pl.DataFrame) -> pl.DataFrame:
        by = next((name for name in KNOWN_BY if name in whole.columns), None)
        known = pl.lit(True)
        if by is not None:
            when = pl.col(by).str.head(ISO_DAY).str.to_date() if whole.schema[by] == pl.String else pl.col(by)
            known = when <= self.day
        if "version" in whole.columns:
            known = known & (pl.col("version").is_in(list(self.versions)) | pl.col("version").is_null())
        cut = whole.filter(known)
        return whole if cut.height == whole.height else cut  # of the newest day nothing is there twice

    def _json(self, path: Path, *, again: str) -> Any:
        if not path.is_file():
            raise StateError(f"expected {self._shown(path)}, found no such file. {again} writes it anew.")
        try:
            return load_json(path)
        except StateError:
            raise StateError(
                f"{self._shown(path)} cannot be read: it was changed or broken. {again} writes it anew."
            ) from None

    def _shown(self, path: Path) -> str:
        """A path as a visitor may see it: below the workbench."""
        return path.relative_to(self.settings.root).as_posix()

    def _build(self, day: date) -> str:
        return f"`driftbook build --use-case {self.case.name} --as-of {day}`"


def load_known(settings: Settings, use_case: str, day: date | None = None, *, mark: str = "") -> Known:
    """A use case as it was known at the end of a judged day; of the newest unless ``day`` is one.

    Parameters
    ----------
    mark
        A ``stamp`` taken just before, to save taking another one.

    Raises
    ------
    StateError
        If it was never built; the message has the command.
    """
    mark = mark or stamp(settings)
    days = read_book(settings, mark, use_case).days
    return _known(settings, mark, use_case, day if day in days else days[-1])


@of_one_stamp(OPEN_DAYS)
def _known(settings: Settings, mark: str, use_case: str, day: date) -> Known:
    book = read_book(settings, mark, use_case)
    days, newest = book.days, day == book.days[-1]
    entries = book.entries[: days.index(day) + 1]
    in_force = book.office
    now = {name: getattr(in_force, name) for name in ("champion", "challenger", "previous")}
    return Known(
        settings=settings,
        case=book.case,
        policy=book.policy,
        day=day,
        days=days,
        entries=entries,
        report=settings.report_folder(book.case.name, book.reports[-1] if book.reports else days[-1]),
        office=now if newest else entries[-1]["office"],
        is_newest=newest,
        book=book,
        mark=mark,
    )
