"""Small tables about a trained version, for the notebooks that train: made from its training record alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from driftbook.config import Settings, UseCase
from driftbook.model.metrics import METRICS
from driftbook.tables import SPACE
from driftbook.words import plain


def training_facts(training: dict[str, Any] | None) -> pl.DataFrame:
    """What a version was trained on: fact and value."""
    if training is None:
        return pl.DataFrame(schema={"fact": pl.String, "value": pl.String})
    facts = {
        "rows": f"{training['rows']:,}: {training['train_rows']:,} to learn from, {training['test_rows']:,} to test on",
        "days": f"{training['trained_from'][:10]} to {training['trained_until'][:10]}",
        "chosen": window_words(training["window"]),
        "features": f"{len(training['features'])}",
        "classes": ", ".join(training["classes"][:8]) + (" …" if len(training["classes"]) > 8 else ""),
        "tuning": f"{len(training['trials'])} trials; the chosen one has {training['rounds']} boosting rounds",
        "digest of the rows": f"sha256 {training['data_sha256'][:16]}…",
    }
    return pl.DataFrame({"fact": list(facts), "value": list(facts.values())})


def windows_tried(training: dict[str, Any] | None) -> pl.DataFrame:
    """The windows that were tried, the best first, each with the log loss of a small model on the newest rows.

    Nothing where there was no choice, or for a version trained before the losses were recorded.
    """
    losses = (training or {}).get("window_losses", {})
    rows = [
        {
            "window": window_words(name),
            "log_loss": f"{loss:.4f}",
            "taken": "taken" if name == training["window"] else "",
        }
        for name, loss in sorted(losses.items(), key=lambda each: (each[1], each[0]))
        if training is not None
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(("window", "log_loss", "taken"), pl.String))


def window_words(name: str) -> str:
    """A training window in plain words.

    Examples
    --------
    >>> window_words("last_30_days"), window_words("since_drift")
    ('the last 30 days', 'only rows since the drift set in')
    """
    return f"the {plain(name)}" if name.startswith("last_") else plain(name)


def compare_with_baselines(training: dict[str, Any], case: UseCase, settings: Settings) -> pl.DataFrame:
    """One row per model on the same held-out rows, the champion first, intervals for its accuracy and ROC AUC."""
    rows = [_model_row("champion", training["metrics"])]
    rows += [_model_row(name.replace("_", " "), metrics) for name, metrics in training["baselines"].items()]
    if case.source.kind == "simulate":
        from driftbook.data.simulate import best_accuracy

        day = date.fromisoformat(training["trained_until"][:10])
        rows.append({"model": "best possible", "accuracy": _show("accuracy", best_accuracy(case, day))})
    return pl.DataFrame(rows, schema=dict.fromkeys(("model", *METRICS), pl.String))


def challenger_against_champion(result: dict[str, Any]) -> pl.DataFrame:
    """Metrics of a trained challenger and of the champion, each on its own held-out rows."""
    schema = dict.fromkeys(("model", *METRICS), pl.String)
    if result["training"] is None:
        return pl.DataFrame(schema=schema)
    challenger, champion = result["training"]["metrics"], result["champion"]
    return pl.DataFrame([_model_row("challenger", challenger), _model_row("champion", champion)], schema=schema)


def _model_row(name: str, metrics: dict[str, Any]) -> dict[str, str]:
    row = {"model": name}
    for metric in METRICS:
        estimate = metrics.get(metric)
        if estimate and estimate["value"] is not None:
            row[metric] = _show(metric, estimate["value"])
            if name in ("champion", "challenger") and metric in ("accuracy", "roc_auc"):
                row[metric] += f" ({_show(metric, estimate['low'])} to {_show(metric, estimate['high'])})"
    return row


def _show(metric: str, value: float) -> str:
    return f"{value:.3f}" if metric in ("log_loss", "brier", "roc_auc") else f"{100 * value:.1f}{SPACE}%"
