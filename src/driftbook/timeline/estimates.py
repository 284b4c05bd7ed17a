"""What a version's own probabilities say of its accuracy on a day, and since when targets contradict them.

Both are as of a day: the batches whose targets nobody knows yet, and the running test on those that are known by then.
The test reads days in the order in which targets became known, and no later day changes an earlier answer.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property

import polars as pl

from driftbook.decisions.retraining_evidence import Estimated, Withdrawn
from driftbook.model.estimation import estimate_performance
from driftbook.model.trust import calibration_trust, mean_share
from driftbook.timeline.models import Version

RECENT_BATCHES = 5
ORDER = ("known_time", "batch_id", "row_id")


def trust_of(version: Version, labelled: pl.DataFrame) -> pl.DataFrame:
    """The running test on the rows that the version had not learned from.

    Parameters
    ----------
    labelled
        Its predictions with ``target`` and ``known_time``.
    """
    unseen = labelled.filter(pl.col("event_time") > datetime.fromisoformat(version.trained_until)).sort(ORDER)
    return calibration_trust(unseen, classes=version.bundle.classes, recalibration=version.recalibration)


class Estimates:
    """The estimates of one version, as of any day.

    Parameters
    ----------
    predictions
        Of every stream batch.
    targets
        ``row_id``, ``target`` and ``known_time`` of all rows known so far.
    """

    def __init__(self, version: Version, predictions: pl.DataFrame, targets: pl.DataFrame) -> None:
        self.version = version
        self.predictions = predictions
        known = targets.select("row_id", "target", "known_time")
        self.labelled = predictions.join(known, on="row_id", maintain_order="left")

    @cached_property
    def _trust(self) -> pl.DataFrame:
        return trust_of(self.version, self.labelled)

    def withdrawn(self, day: date) -> Withdrawn | None:
        """Why estimates are no longer believed at the end of ``day``; None: nothing contradicts them."""
        trust = self._trust.filter(pl.col("known_on") <= day)
        broken = trust.filter("broken")
        if broken.is_empty():
            return None
        first = broken.row(0, named=True)
        concerned = trust.filter(pl.col("batch_id") >= first["since"])
        promised, found = (mean_share(concerned, name) for name in ("promised", "found"))
        rows = int(concerned["rows"].sum())
        return Withdrawn(first["since"], first["known_on"].isoformat(), promised, found, rows)

    def newest(self, day: date, *, since: date) -> Estimated | None:
        """Accuracy promised of the latest batches from ``since`` to ``day`` of which no target is known by ``day``.

        None where every batch has targets, or where the probabilities could never be held against targets.
        """
        if not self.version.recalibration.maps:
            return None
        served = self.predictions.filter(pl.col("event_time").dt.date().is_between(since, day))
        known = self.labelled.filter(pl.col("known_time").dt.date() <= day)["batch_id"].unique()
        late = served.filter(~pl.col("batch_id").is_in(known.to_list()))
        batches = sorted(late["batch_id"].unique().to_list())[-RECENT_BATCHES:]
        if not batches:
            return None
        rows = late.filter(pl.col("batch_id").is_in(batches)).with_columns(batch_id=pl.lit(batches[-1]))
        bundle = self.version.bundle
        estimates = estimate_performance(
            rows, classes=bundle.classes, positive=bundle.positive, recalibration=self.version.recalibration
        )
        figure = estimates.filter(metric="accuracy").row(0, named=True)
        return Estimated(figure["value"], figure["low"], figure["high"], rows.height, batches[0], batches[-1])
