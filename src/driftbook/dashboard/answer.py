"""The answer for a use case as known on a day: one word, one plain sentence, and the few numbers behind it.

Written for a person who never saw a notebook: what the word means, what happened, what is done about it. The word is
the report's own status, from the alerts that still last on that day; the sentence is taken from the journal, and where
that says nothing wrong but an alert lasts, from the alert. So neither can contradict the records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from driftbook.audit.ledger import read_ledger
from driftbook.dashboard.business import next_run
from driftbook.dashboard.known import Known
from driftbook.dashboard.parts import Tile
from driftbook.decisions.alerts import Alert, status
from driftbook.errors import DriftbookError, StateError
from driftbook.tables import NOTHING, Tone, format_value
from driftbook.timeline.verdict import OUTLIER, PREDICTIONS, WHOLE, WORDS
from driftbook.words import CHANGES

ENTHRONED = ("appoint", "promote", "rollback")
ALERT = ("key", "severity", "subject", "message", "first_batch", "last_batch")
SHOWN_COLUMNS = 3
STATUS_TONES: Mapping[str, Tone] = {"green": "good", "amber": "watch", "red": "bad"}


@dataclass(frozen=True, eq=False)
class Answer:
    """How a use case stands as known on a day."""

    known: Known

    @cached_property
    def standing(self) -> tuple[Alert, ...]:
        """Alerts that last at the newest batch of the day, the most severe first."""
        latest = self._latest_batch
        rows = self.known.table("alerts_days").sort("known_on", maintain_order=True).unique("key", keep="last")
        alerts = [
            Alert(use_case=self.known.case.name, **row)
            for row in rows.select(ALERT).iter_rows(named=True)
            if row["last_batch"] >= latest
        ]
        return tuple(sorted(alerts, key=lambda each: (each.severity != "critical", each.key)))

    @cached_property
    def status(self) -> str:
        """``green``, ``amber`` or ``red``, as the report of the day says; not green while the model was not judged."""
        found = status(self.standing, latest_batch=self._latest_batch)
        return "amber" if found == "green" and self._put_in_since else found

    @cached_property
    def _put_in_since(self) -> dict[str, Any] | None:
        """The order that put another model into office than the one that was judged; None where none did."""
        number = self.known.office["champion"]
        if number == self._last["office"]["champion"]:
            return None
        changes = self.known.history().filter(pl.col("action").is_in(ENTHRONED), version=number)
        return changes.row(-1, named=True) if changes.height else None

    @property
    def word(self) -> str:
        """What the status means, in a word or two."""
        if self._put_in_since:
            return "Not judged yet"
        words = WORDS[self.status]
        return f"{words[:1].upper()}{words[1:]}"

    @cached_property
    def sentence(self) -> str:
        """What happened and what is done about it, in one plain sentence."""
        told = (
            self._changed(),
            self._taken_back(),
            self._fell(),
            self._expected_to_fall(),
            self._drifted(),
            self._alerted(),
        )
        return next((words for words in told if words), None) or self._calm()

    @cached_property
    def tiles(self) -> list[Tile]:
        """The few numbers worth a large print."""
        makers = {
            "Model in use": self._champion,
            "Right predictions": self._accuracy,
            "Challenger": self._challenger,
            "Drifted features": self._columns,
            "Open alerts": self._open_alerts,
            "Rows of the day": self._volume,
            "Last run": self._last_run,
            "Next run": lambda: next_run(self.known.case, self.known.day),
        }
        return [_made(label, make) for label, make in makers.items()]

    @property
    def drifted_columns(self) -> list[str]:
        """Features that drifted on the day."""
        aside = {*PREDICTIONS, OUTLIER, WHOLE}
        return [name for name in self._last["drift"]["drifted_columns"] if name not in aside]

    @property
    def _last(self) -> dict[str, Any]:
        return self.known.entries[-1]

    @property
    def _latest_batch(self) -> str:
        batches = [str(batch["batch_id"]) for batch in self._last["drift"]["batches"]]
        return max(batches, default=str(self._last["batch_id"]))

    def _changed(self) -> str:
        change = self._put_in_since
        if change is None:
            return ""
        return (
            f"Version {change['version']} was {CHANGES[change['action']]} by {change['actor']}. No day of it is judged "
            f"yet: what stands here was seen of version {self._last['during']['champion']}. The next build judges it."
        )

    def _taken_back(self) -> str:
        for change in self._last["changes"]:
            if change["action"] == "rollback" and not change.get("actor"):
                return (
                    f"The model in use did worse than the one before it, so it was taken back: version "
                    f"{change['version']} decides again."
                )
        return ""

    def _fell(self) -> str:
        seen = self._last.get("accuracy")
        if not seen or not seen["fell"]:
            return ""
        return (
            f"The model is right less often than it should be: in {_percent(seen['value'])} of its latest "
            f"{seen['rows']:,} predictions with a known outcome, and its limit is {_percent(seen['limit'])}"
            f"{self._response()}."
        )

    def _expected_to_fall(self) -> str:
        seen = self._last.get("estimate")
        if not seen or not seen.get("fell"):
            return ""
        return (
            f"The model is probably right less often than it should be: an estimated {_percent(seen['value'])} since "
            f"{seen['first_batch']}, and its limit is {_percent(seen['limit'])}; outcomes will tell{self._response()}."
        )

    def _drifted(self) -> str:
        drift = self._last["drift"]
        if not drift["alarmed"]:
            return ""
        since = min((each.first_batch for each in self.standing if "/drift/" in each.key), default=self._latest_batch)
        different, rest = f"looked different since {since} from those the model learned from", self._response()
        if self.drifted_columns:
            return f"The data have {different}, in {_named(self.drifted_columns)}{rest}."
        if PREDICTIONS & set(drift["drifted_columns"]):
            return f"The model has decided differently since {since} than it did in training{rest}."
        return f"The data as a whole have {different}{rest}."

    def _alerted(self) -> str:
        worst = next((each for each in self.standing if each.severity != "info"), None)
        return worst.message if worst else ""

    def _calm(self) -> str:
        if self._last["drift"].get("top_excess", 0.0) is None:
            return "Too few rows came to tell whether anything changed."
        seen = self._last.get("accuracy")
        if not seen:
            return "The data look like those the model learned from; no outcomes are known yet."
        return (
            f"The data look like those the model learned from, and it is right in {_percent(seen['value'])} of its "
            f"latest {seen['rows']:,} predictions with a known outcome."
        )

    def _response(self) -> str:
        """What is done about it, as the rest of a sentence."""
        challenger, decision = self.known.office["challenger"], self._last["decision"]
        if challenger is not None:
            return f"; version {challenger} was trained on newer data and is being compared with it"
        if decision["kind"] == "retraining" and decision["action"] == "retrain":
            return "; a new model was trained, and did not pass its test"
        return ""

    def _champion(self) -> Tile:
        number, reigns = self.known.office["champion"], self.known.history()
        crowned = reigns.filter(pl.col("action").is_in(ENTHRONED) & (pl.col("version") == number))
        note = ""
        if crowned.height:
            change = crowned.row(-1, named=True)
            note = f"{CHANGES[change['action']]} on {change['day']}"
        return Tile("Model in use", f"version {number}" if number is not None else NOTHING, note=note)

    def _accuracy(self) -> Tile:
        seen, tested = self._last.get("accuracy"), self._tested()
        told = f"; {_percent(tested)} when it was tested" if tested is not None else ""
        if not seen:
            return Tile("Right predictions", NOTHING, note=f"no outcomes are known yet{told}")
        tone: Tone = "bad" if seen["fell"] else "calm"
        whose = f"version {self._last['during']['champion']}: " if self._put_in_since else ""
        note = f"{whose}of the latest {seen['rows']:,} with a known outcome; limit {_percent(seen['limit'])}{told}"
        return Tile("Right predictions", seen["value"], format="percent", note=note, tone=tone)

    def _tested(self) -> float | None:
        """Share of right predictions on the rows held out in training; of the champion that is judged."""
        number = self._last["during"]["champion"]
        try:
            return float(self.known.training(number)["metrics"]["accuracy"]["value"])
        except (DriftbookError, KeyError, TypeError):
            return None

    def _challenger(self) -> Tile:
        number, decision = self.known.office["challenger"], self._last["decision"]
        if number is None:
            return Tile("Challenger", "none", note="no other model is being tried")
        given = decision["evidence"].get("given", {}) if decision["kind"] == "promotion" else {}
        days = given.get("days") or []
        note = f"compared on {_count(len(days), 'day')} so far" if days else "waits for outcomes to be compared"
        return Tile("Challenger", f"version {number}", note=note)

    def _columns(self) -> Tile:
        drifted, features = self.drifted_columns, self.known.case.columns.features
        note = _named(drifted) if drifted else "all look as in training"
        tone: Tone = "watch" if drifted else "calm"
        return Tile("Drifted features", f"{len(drifted)} of {len(features)}", note=note, tone=tone)

    def _open_alerts(self) -> Tile:
        alerts = self.known.alerts()
        waiting, taken = (alerts.filter(state=state) for state in ("open", "acknowledged"))
        notes = [how_bad(waiting)] if waiting.height or taken.is_empty() else []
        notes += [f"{taken.height} acknowledged: {how_bad(taken)}"] if taken.height else []
        lasting = alerts.filter(pl.col("state") != "resolved", "goes_on")
        tone: Tone = "bad" if "critical" in lasting["severity"] else "watch" if lasting.height else "calm"
        return Tile("Open alerts", waiting.height, note=". ".join(notes), tone=tone)

    def _volume(self) -> Tile:
        volumes = self.known.table("volumes").sort("day")
        today = volumes.filter(day=self.known.day)
        if today.is_empty():
            return Tile("Rows of the day", NOTHING, note="no batch was counted")
        before = volumes.filter(pl.col("day") < self.known.day)["rows"].median()
        usual = f"usually {format_value(round(float(str(before))))}" if before is not None else "the first day"
        return Tile("Rows of the day", int(today["rows"].sum()), note=usual)

    def _last_run(self) -> Tile:
        day, runs = self.known.record_day, read_ledger(self.known.settings, self.known.case.name).runs()
        line = runs.get(day.isoformat()) if day else None
        if day is None:
            return Tile("Last run", NOTHING, note=f"the day was judged in a later run, of {self.known.report_day}")
        note = f"run by {line['by']} on {line['at'][:10]} at {line['at'][11:16]} UTC" if line else "not in the ledger"
        return Tile("Last run", day, note=note)


def _made(label: str, make: Callable[[], Tile]) -> Tile:
    """A tile; one whose table cannot be read says so, and the answer stands."""
    try:
        return make()
    except StateError as error:
        return Tile(label, NOTHING, note=str(error), tone="watch")


def _named(columns: Sequence[str]) -> str:
    """The first columns by name, the others counted."""
    more = f" and {len(columns) - SHOWN_COLUMNS} more" if len(columns) > SHOWN_COLUMNS else ""
    return ", ".join(columns[:SHOWN_COLUMNS]) + more


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    return format_value(share, format="percent")


def how_bad(alerts: pl.DataFrame) -> str:
    """How many alerts are critical, and whether any goes on."""
    if alerts.is_empty():
        return "nothing to look at"
    critical, lasting = alerts.filter(severity="critical").height, alerts.filter("goes_on").height
    goes_on = f"{lasting} of them go{'es' if lasting == 1 else ''} on" if lasting < alerts.height else "all go on"
    if alerts.height == 1 or not lasting:
        goes_on = "it goes on" if lasting else "over by now"
    return f"{critical} critical; {goes_on}" if critical else goes_on
