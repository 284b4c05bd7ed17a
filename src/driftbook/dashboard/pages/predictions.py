"""Predictions and data quality: what the model decides, how odd the rows are, and how the service does that answers.

Of the rows themselves only the newest batch's decisions are shown, never a feature: whoever needs those reads the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from driftbook.dashboard import recent
from driftbook.dashboard.known import Known
from driftbook.dashboard.page import Card, Page
from driftbook.dashboard.parts import Tile, fitted, note, show, tiles
from driftbook.dashboard.periods import by_period, unit
from driftbook.dashboard.pictures import picture
from driftbook.dashboard.served import changes
from driftbook.dashboard.service import ServedVersion, ServiceAnswer, service_of
from driftbook.dashboard.state import Selection
from driftbook.figures import quality_findings, score_levels_over_time, share_lines
from driftbook.figures.scores import LEVELS, QUARTILES
from driftbook.tables import table

SEVERITIES = ("info", "warning", "critical")
SHOWN_FINDINGS = 12
MANY_REFUSED = 0.05  # whoever asks does not know how, and nobody else would tell
ODD = {
    "missing values": ("missing_cells", "cells"),
    "new categories": ("unseen", "rows"),
    "suspicious rows": ("outliers", "scored"),
}


def _day(known: Known, selection: Selection) -> str:
    """The newest day in a few numbers."""
    volumes = known.table("volumes").filter(pl.col("day") == known.day)
    if volumes.is_empty():
        return note(f"No batch of {known.day} was scored.")
    row = volumes.row(0, named=True)
    findings = known.table("findings").filter(pl.col("batch_id").str.head(10) == known.day.isoformat())
    batches = f"in {row['batches']:,} batch{'' if row['batches'] == 1 else 'es'}"
    return tiles(
        [
            Tile("rows scored", row["scored"], note=batches),
            *_decided(known),
            _odd_tile("suspicious rows", row, small="look unlike anything in training"),
            _odd_tile("missing values", row, small="of all cells"),
            _odd_tile("new categories", row, small="rows with a value that training never saw"),
            Tile("set aside", row["quarantined"], note="rows that could not be used"),
            _found(findings),
        ]
    )


def _classes(known: Known, selection: Selection) -> str:
    """The share of each predicted class; of two classes the positive one says all."""
    predicted = by_period(known.table("predicted"))
    counts = predicted.group_by("batch_id", "prediction", maintain_order=True).agg(pl.col("rows").sum())
    shares = counts.with_columns(pl.col("rows").sum().over("batch_id").alias("all"))
    shares = shares.with_columns(share=pl.col("rows") / pl.col("all")).sort("batch_id", maintain_order=True)
    shown = {name: _called(known, name) for name in _shown_classes(known, shares)}
    drawn = shares.filter(pl.col("prediction").is_in(list(shown))).select(
        "batch_id", pl.col("prediction").replace(shown).alias("name"), "share", pl.col("all").alias("rows")
    )
    trained = {_called(known, name): share for name, share in _trained_shares(known).items()}
    point = unit(predicted["day"])
    how = f"A mark a {point}: its share of all predictions."
    marks = changes(known)
    return picture(
        lambda: share_lines(drawn, title="Predicted classes", how=how, levels=trained, marks=marks, unit=point)
    )


def _scores(known: Known, selection: Selection) -> str:
    kept = known.table("distributions", column="prediction_score")
    days = by_period(kept.filter(pl.col("day").is_not_null()))
    reference = _reference(known, "prediction_score")
    trained = _quantiles([reference], QUARTILES) if reference else []
    rows = [
        {"batch_id": period, "rows": part["rows"].sum()}
        | dict(zip(map(str, LEVELS), _quantiles(part.iter_rows(named=True), LEVELS), strict=True))
        for (period,), part in days.partition_by("batch_id", as_dict=True, maintain_order=True).items()
        if part["rows"].sum() > part["missing"].sum()
    ]
    point = unit(days["day"])
    reference_levels = dict(zip(QUARTILES, trained, strict=False))
    frame = pl.DataFrame(rows)
    told = "Read from the histogram that is kept of each day, between the edges of its bars."
    drawn = picture(lambda: score_levels_over_time(frame, reference=reference_levels, marks=changes(known), unit=point))
    return drawn + (note(told) if rows else "")


def _odd(known: Known, selection: Selection) -> str:
    volumes = by_period(known.table("volumes"))
    point = unit(volumes["day"])
    summed = volumes.group_by("batch_id", maintain_order=True).agg(pl.col(pl.Int64).sum())
    drawn = pl.concat(
        summed.filter(pl.col(whole) > 0).select(
            "batch_id",
            pl.lit(name).alias("name"),
            (pl.col(part) / pl.col(whole)).alias("share"),
            pl.col(whole).alias("rows"),
        )
        for name, (part, whole) in ODD.items()
    ).sort("batch_id", maintain_order=True)
    how = f"A mark a {point}. Missing: of all cells; the others: of all rows. Flat lines are healthy ones."
    return picture(lambda: share_lines(drawn, title="What is odd about the rows", how=how, unit=point))


def _findings(known: Known, selection: Selection) -> str:
    """What the checks found, by day, and the newest in words."""
    volumes, findings = known.table("volumes"), known.table("findings")
    if findings.is_empty():
        return note(f"No check found anything in {volumes['batches'].sum():,} batches.")
    dated = findings.with_columns(day=pl.col("batch_id").str.head(10).str.to_date())
    periods = by_period(pl.concat([dated.select("day"), volumes.select("day")]).unique().sort("day"))
    point = unit(periods["day"])
    weekly = by_period(dated).drop("day") if point == "day" else _weekly(dated)
    index = periods.select("batch_id").unique(maintain_order=True)
    newest = findings.sort("batch_id", descending=True, maintain_order=True)
    words = newest.select(pl.col("batch_id").alias("batch"), "severity", pl.col("message").alias("finding"))
    shown = table(words, caption="Newest findings", max_rows=SHOWN_FINDINGS)
    return picture(lambda: quality_findings(weekly, index, unit=point)) + fitted(show(shown), unbroken=[1])


def _recent(known: Known, selection: Selection) -> str:
    """A page of the newest batch, newest rows first."""
    batch = recent.newest_batch(known)
    rows = recent.rows_shown(known, selection)
    caption = f"Batch {batch.name} of version {batch.version}, newest first"
    labels = {"state": "flag", "event_time": "time (UTC)"}
    return fitted(
        show(table(rows, caption=caption, labels=labels, empty="no such row.", max_rows=recent.PAGE_ROWS)), spare=[2]
    )


def _service(known: Known, selection: Selection) -> str:
    """How the prediction service does now; a past day has no answer to that."""
    if not known.is_newest:
        return note("The prediction service is asked how it does now: shown on the newest day only.")
    answer = service_of(known.settings).answer()
    if answer is None:
        return note("Asking the prediction service how it does …")
    start = f"`driftbook serve --use-case {known.case.name}`"
    if not answer.answered:
        return note(f"{answer.fault} {start} starts one, where predictions are wanted at once.")
    if answer.fault:
        return note(answer.fault, tone="watch")
    if answer.use_case != known.case.name:
        return note(
            f"The prediction service at {answer.address} answers for {answer.use_case}. {start} starts another."
        )
    return tiles(_served_tiles(answer)) + fitted(show(_served_table(answer.versions)), spare=[3])


def _decided(known: Known) -> list[Tile]:
    """The share of the class that matters on that day, beside that in training."""
    predicted = known.table("predicted").filter(pl.col("day") == known.day)
    if predicted.is_empty():
        return []
    name = _shown_classes(known, predicted)[0]
    rows = int(predicted["rows"].sum())
    share = int(predicted.filter(pl.col("prediction") == name)["rows"].sum()) / rows
    trained = _trained_shares(known).get(name)
    beside = "" if trained is None else f"{100 * trained:.1f} % in training"
    score = float((predicted["mean_score"] * predicted["rows"]).sum()) / rows
    return [
        Tile(f"predicted {_called(known, name)}", share, format="percent", note=beside),
        Tile(
            "mean score", score, note="of the positive class" if known.case.task == "binary" else "of the class decided"
        ),
    ]


def _shown_classes(known: Known, predicted: pl.DataFrame) -> list[str]:
    """The positive class of two, else the most frequent ones; as many as a figure can tell apart."""
    positive = known.case.columns.positive_class
    if known.case.task == "binary" and positive is not None:
        return [positive]
    ranked = (
        predicted.group_by("prediction").agg(pl.col("rows").sum()).sort("rows", "prediction", descending=[True, False])
    )
    return [str(name) for name in ranked["prediction"]]


def _called(known: Known, name: str) -> str:
    """A class as a reader knows it: of two, what is decided and how."""
    return (
        f"{known.case.columns.target} = {name}" if known.case.task == "binary" and known.case.columns.target else name
    )


def _trained_shares(known: Known) -> dict[str, float]:
    """Share of each predicted class in the training of the champion of that day."""
    reference = _reference(known, "prediction")
    if reference is None or not reference["rows"]:
        return {}
    return {
        label: count / reference["rows"] for label, count in zip(reference["labels"], reference["counts"], strict=True)
    }


def _reference(known: Known, column: str) -> dict[str, Any] | None:
    champion = known.entries[-1]["during"]["champion"]
    own = (pl.col("version") == champion) & pl.col("day").is_null()
    found = known.table("distributions", column=column).filter(own)
    return found.row(0, named=True) if found.height else None


def _quantiles(parts: Iterable[dict[str, Any]], levels: Iterable[float]) -> list[float]:
    """Quantiles of all parts together, each a histogram with what lies below and above it."""
    kept = [part for part in parts if part["edges"] and sum(part["counts"])]
    grid = np.unique(np.concatenate([part["edges"] for part in kept]))
    below = sum(np.interp(grid, part["edges"], np.cumsum([part["below"], *part["counts"]]), left=0.0) for part in kept)
    rows = sum(part["below"] + part["above"] + sum(part["counts"]) for part in kept)
    return [float(np.interp(level * rows, below, grid)) for level in levels]


def _weekly(dated: pl.DataFrame) -> pl.DataFrame:
    return dated.with_columns(batch_id=pl.col("day").dt.truncate("1w").dt.strftime("%Y-%m-%d")).drop("day")


def _odd_tile(name: str, row: dict[str, Any], *, small: str) -> Tile:
    part, whole = (row[column] for column in ODD[name])
    return Tile(name, part / whole if whole else None, format="percent", note=small)


def _found(findings: pl.DataFrame) -> Tile:
    if findings.is_empty():
        return Tile("quality findings", 0, note="all checks passed", tone="good")
    worst = max(findings["severity"], key=SEVERITIES.index)
    return Tile("quality findings", findings.height, note=f"the worst: {worst}", tone=_tone(worst))


def _tone(severity: str) -> Any:
    return {"critical": "bad", "warning": "watch"}.get(severity, "calm")


def _served_tiles(answer: ServiceAnswer) -> list[Tile]:
    failing: Any = "bad" if answer.error_rate > 0 else "good"
    refusing: Any = "watch" if answer.refusal_rate >= MANY_REFUSED else "calm"
    return [
        Tile("requests a second", answer.per_second, note="over the latest minute"),
        Tile("error rate", answer.error_rate, format="percent", note=f"of {answer.requests:,} requests", tone=failing),
        Tile("refused", answer.refusal_rate, format="percent", note="asked wrongly, or not allowed", tone=refusing),
        Tile("rows answered", answer.rows, note=f"in {_lasted(answer.uptime_seconds)}"),
        Tile("suspicious rows", answer.outlier_share, format="percent", note="of those answered"),
    ]


def _served_table(versions: Sequence[ServedVersion]) -> Any:
    rows = [
        {
            "version": each.version,
            "state": each.role,
            "requests": each.requests,
            **{f"{name}, ms": getattr(each, f"{name}_ms") for name in ("p50", "p95", "p99")},
            "loaded in, s": each.load_seconds,
        }
        for each in versions
    ]
    latency = {f"{name}, ms": pl.Float64 for name in ("p50", "p95", "p99")}
    frame = pl.DataFrame(rows, schema_overrides={**latency, "loaded in, s": pl.Float64})
    caption = "Time to answer, of the latest 4,096 requests"
    return table(frame, caption=caption, labels={"state": "role"}, empty="no version is loaded.")


def _lasted(seconds: float) -> str:
    """How long the service is up, in the unit a person would take."""
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        count = int(seconds // size)
        if count:
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return "no time yet"


def _live(known: Known, selection: Selection) -> str:
    return service_of(known.settings).mark() if known.is_newest else ""


PAGE = Page(
    "predictions",
    "Predictions and data quality",
    cards=(
        Card("The day in numbers", _day, wide=True),
        Card("What is predicted", _classes),
        Card("How sure the model is", _scores),
        Card("Missing, new and suspicious", _odd),
        Card("Quality findings", _findings),
        Card("Prediction service", _service, wide=True),
        Card("Recent predictions", _recent, wide=True),
    ),
    choices=(recent.FLAGGED, recent.ROWS),
    live=_live,
)
