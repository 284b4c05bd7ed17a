"""Champion and challenger on the same rows: sums per day, enough to decide on and small enough to keep.

Both models score every row after the challenger's training, so each row compares them, and a handful of sums a day
holds all that the decision needs. Days are those on which targets became *known*: such a day never changes
afterwards, while a day of events goes on changing as late targets arrive. Evidence as of an earlier day is therefore
a prefix (:meth:`PromotionEvidence.until`), and a replay needs no rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import polars as pl

from driftbook.decisions.sequential import PairedSums
from driftbook.errors import DataError
from driftbook.storage import canonical_json

Metric = Literal["accuracy", "brier", "log_loss"]
# log loss of one row is capped here (a probability of 0.1 %), so that a difference is bounded
LOG_LOSS_LIMIT = -math.log(0.001)
# a difference in log loss is scaled to [-1, 1] for the e-process
SCALE: dict[str, float] = {"accuracy": 1.0, "brier": 1.0, "log_loss": LOG_LOSS_LIMIT}


@dataclass(frozen=True)
class LabelledDay:
    """Sums over the rows whose targets became known on one day.

    ``wins``: rows only the challenger got right; ``losses``: rows only the champion did. ``brier`` is half the
    squared distance of the probabilities from the truth (0 to 1; for two classes the usual Brier score),
    ``log_loss`` is capped at :data:`LOG_LOSS_LIMIT`; ``…_squares`` sum the squared differences of the two models.
    """

    known_on: date
    batch_id: str
    rows: int
    champion_correct: int
    challenger_correct: int
    wins: int
    losses: int
    champion_brier: float = 0.0
    challenger_brier: float = 0.0
    brier_squares: float = 0.0
    champion_log_loss: float = 0.0
    challenger_log_loss: float = 0.0
    log_loss_squares: float = 0.0


@dataclass(frozen=True)
class PromotionEvidence:
    """What is known about champion and challenger, day by day in the order targets became known.

    Examples
    --------
    >>> day = LabelledDay(date(2026, 6, 12), "2026-06-09", 2400, 1900, 1990, 120, 30)
    >>> evidence = PromotionEvidence(champion=1, challenger=2, trained_until=datetime(2026, 6, 5), days=(day,))
    >>> evidence.until(date(2026, 6, 11)).days
    ()
    >>> PromotionEvidence.from_json(evidence.to_json()) == evidence
    True
    """

    champion: int
    challenger: int
    trained_until: datetime
    days: tuple[LabelledDay, ...] = ()

    def until(self, as_of: date) -> PromotionEvidence:
        """What was known at the end of ``as_of``."""
        days = tuple(day for day in self.days if day.known_on <= as_of)
        return PromotionEvidence(self.champion, self.challenger, self.trained_until, days)

    def sums(self, metric: Metric) -> PairedSums:
        """The paired differences of a metric, better is positive, scaled to [-1, 1]."""
        column = {name: np.array([getattr(day, name) for day in self.days], dtype=np.float64) for name in _NUMBERS}
        rows = column["rows"]
        if metric == "accuracy":
            wins, losses = column["wins"], column["losses"]
            return PairedSums(rows, wins - losses, wins + losses, is_sign=True)
        total = (column[f"champion_{metric}"] - column[f"challenger_{metric}"]) / SCALE[metric]
        return PairedSums(rows, total, column[f"{metric}_squares"] / SCALE[metric] ** 2, is_sign=False)

    def to_json(self) -> dict[str, Any]:
        """As a record holds it: dates as text, numbers to 12 digits."""
        content: dict[str, Any] = json.loads(canonical_json(asdict(self)))
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> PromotionEvidence:
        """The evidence that :meth:`to_json` wrote."""
        days = (LabelledDay(**{**day, "known_on": date.fromisoformat(day["known_on"])}) for day in content["days"])
        trained_until = datetime.fromisoformat(content["trained_until"])
        return cls(content["champion"], content["challenger"], trained_until, tuple(days))


_NUMBERS = tuple(name for name in LabelledDay.__annotations__ if name not in ("known_on", "batch_id"))


@dataclass(frozen=True)
class Contender:
    """A model version, its classes in the order of its probabilities, and a predictions frame that holds its rows."""

    version: int
    classes: Sequence[str]
    predictions: pl.DataFrame


def compare_models(
    champion: Contender, challenger: Contender, targets: pl.DataFrame, *, trained_until: datetime
) -> PromotionEvidence:
    """Sum up, per day on which targets became known, how the two did on the rows both scored.

    Parameters
    ----------
    champion, challenger
        Who scored what; rows of other versions are ignored.
    targets
        ``row_id, batch_id, known_time, target``; only what is known may be given. Null targets are not known.
    trained_until
        Rows up to this event time trained the challenger and are left out.

    Raises
    ------
    DataError
        If a row was scored twice by one version, or has two targets.
    """
    known = targets.filter(pl.col("target").is_not_null()).select("row_id", "batch_id", "known_time", "target")
    _check_unique(known, "targets")
    first = _outcomes(champion, known, trained_until=trained_until, prefix="champion")
    second = _outcomes(challenger, known, trained_until=trained_until, prefix="challenger")
    both = first.join(second.drop("batch_id", "known_time"), on="row_id", how="inner")
    days = _sum_days(both)
    return PromotionEvidence(
        champion.version,
        challenger.version,
        trained_until,
        tuple(LabelledDay(**row) for row in days.iter_rows(named=True)),
    )


def _outcomes(model: Contender, known: pl.DataFrame, *, trained_until: datetime, prefix: str) -> pl.DataFrame:
    scored = model.predictions.filter(
        (pl.col("version") == model.version) & (pl.col("event_time") > trained_until)
    ).select("row_id", "prediction", "probabilities")
    _check_unique(scored, f"predictions of version {model.version}")
    places = {name: place for place, name in enumerate(model.classes)}
    place = pl.col("target").replace_strict(places, default=len(places), return_dtype=pl.Int64)
    truth = pl.col("probabilities").list.get(place, null_on_oob=True).fill_null(0.0)
    squared = (pl.col("probabilities").list.eval(pl.element() ** 2)).list.sum()
    return scored.join(known, on="row_id", how="inner", maintain_order="left").select(
        "row_id",
        "batch_id",
        "known_time",
        (pl.col("prediction") == pl.col("target")).fill_null(False).alias(f"{prefix}_correct"),
        ((squared - 2 * truth + 1) / 2).alias(f"{prefix}_brier"),
        (-truth.clip(math.exp(-LOG_LOSS_LIMIT), 1.0).log()).alias(f"{prefix}_log_loss"),
    )


def _sum_days(both: pl.DataFrame) -> pl.DataFrame:
    champion, challenger = pl.col("champion_correct"), pl.col("challenger_correct")
    sums = [f"{model}_{name}" for model in ("champion", "challenger") for name in ("correct", "brier", "log_loss")]
    squares = [
        ((pl.col(f"champion_{name}") - pl.col(f"challenger_{name}")) ** 2).sum().alias(f"{name}_squares")
        for name in ("brier", "log_loss")
    ]
    # sorted by row: the order of a sum must not decide its last digit
    return (
        both.sort("row_id")
        .group_by(pl.col("known_time").dt.date().alias("known_on"), maintain_order=True)
        .agg(
            pl.col("batch_id").max(),
            pl.len().alias("rows"),
            pl.col(sums).sum(),
            (challenger & ~champion).sum().alias("wins"),
            (champion & ~challenger).sum().alias("losses"),
            *squares,
        )
        .sort("known_on")
    )


def _check_unique(frame: pl.DataFrame, what: str) -> None:
    doubled = frame.filter(pl.col("row_id").is_duplicated())["row_id"].unique().sort()
    if len(doubled):
        raise DataError(
            f"{what}: expected one row per row_id, found {len(doubled)} doubled ({doubled[0]!r} …); "
            "score each batch once and give each target once"
        )
