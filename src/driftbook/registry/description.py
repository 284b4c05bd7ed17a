"""What MLflow is told about a training: its report, flattened to parameters and metrics.

MLflow knows text parameters and number metrics, nothing nested. A figure's interval stands beside it
(``roc_auc``, ``roc_auc_low``, ``roc_auc_high``); baselines carry their name in front.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_PARAM = 500
SHOWN_METRICS = ("accuracy", "roc_auc")
_FORBIDDEN = re.compile(r"[^\w\-./ ]")


def described_params(report: Mapping[str, Any]) -> dict[str, str]:
    """Plain values of the report, those under ``params`` included.

    Examples
    --------
    >>> described_params({"rows": 96000, "params": {"eta": 0.1}, "metrics": {}, "classes": ["no", "yes"]})
    {'classes': 'no, yes', 'params.eta': '0.1', 'rows': '96000'}
    """
    flat = {key: value for key, value in report.items() if not isinstance(value, Mapping)}
    flat |= {f"params.{key}": value for key, value in _mapping(report, "params").items()}
    return {_name(key): _text(value) for key, value in sorted(flat.items()) if _is_plain(value)}


def described_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Figures under ``metrics`` and ``baselines``; what could not be measured is left out.

    Examples
    --------
    >>> described_metrics({"metrics": {"f1": {"value": 0.5, "low": 0.4, "high": None}}, "baselines": {"majority": {}}})
    {'f1': 0.5, 'f1_low': 0.4}
    """
    figures = dict(_figures(_mapping(report, "metrics"), prefix=""))
    for baseline, metrics in _mapping(report, "baselines").items():
        if isinstance(metrics, Mapping):
            figures |= dict(_figures(metrics, prefix=f"{baseline}."))
    return figures


def described_version(version: str, report: Mapping[str, Any]) -> str:
    """One line for the table of versions, in the words of the notebooks: our number, the rows, the figures.

    Examples
    --------
    >>> figures = {"accuracy": {"value": 0.8325}}
    >>> described_version("2", {"train_rows": 7317, "trained_until": "2026-06-03T23:53:36", "metrics": figures})
    'driftbook version 2, trained on 7,317 rows until 2026-06-03; held out: accuracy 0.833'
    >>> described_version("2", {})
    'driftbook version 2'
    """
    text = f"driftbook version {version}"
    if report.get("train_rows") and report.get("trained_until"):
        text += f", trained on {report['train_rows']:,} rows until {str(report['trained_until'])[:10]}"
    metrics = _mapping(report, "metrics")
    shown = [(name, _mapping(metrics, name).get("value")) for name in SHOWN_METRICS]
    figures = [f"{name} {value:.3f}" for name, value in shown if value is not None]
    return f"{text}; held out: {', '.join(figures)}" if figures else text


def _figures(metrics: Mapping[str, Any], *, prefix: str) -> Iterator[tuple[str, float]]:
    for name, figure in metrics.items():
        parts = figure if isinstance(figure, Mapping) else {"value": figure}
        for part, value in parts.items():
            if part in ("value", "low", "high") and isinstance(value, int | float) and math.isfinite(value):
                yield _name(prefix + name + ("" if part == "value" else f"_{part}")), float(value)


def _mapping(report: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = report.get(key)
    return found if isinstance(found, Mapping) else {}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(each, str | int | float) for each in value)
    return value is not None and not isinstance(value, Mapping)


def _text(value: Any) -> str:
    text = ", ".join(str(each) for each in value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= LONGEST_PARAM else text[: LONGEST_PARAM - 1] + "…"


def _name(key: str) -> str:
    return _FORBIDDEN.sub("_", key)
