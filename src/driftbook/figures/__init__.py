"""Figures, one function each: numbers in, a finished picture out.

A notebook calls one and shows the result; the dashboard calls the same. What they share (palette, scales,
markers) is in ``canvas`` and ``panel``; a new figure is a function in the file of its subject and a line here.
"""

from driftbook.figures.alerts import alert_spells
from driftbook.figures.batches import batch_volume, quality_findings, targets_known
from driftbook.figures.canvas import Figure
from driftbook.figures.columns import column_over_time, drift_by_importance
from driftbook.figures.confusion import confusion_matrix, confusion_pair
from driftbook.figures.curves import calibration_curve, ranking_curves
from driftbook.figures.decisions import comparison
from driftbook.figures.distributions import reference_vs_counts, reference_vs_current
from driftbook.figures.drift import drift_bars, drift_timeline, weighted_drift
from driftbook.figures.heat_map import drift_heatmap
from driftbook.figures.lines import share_lines
from driftbook.figures.metric import metric_over_time
from driftbook.figures.models import feature_importance, model_quality
from driftbook.figures.scores import score_levels_over_time, score_over_time
from driftbook.figures.shares import share_by_value, share_over_time, share_per_value
from driftbook.figures.views import difference_views
from driftbook.figures.watch import champion_watch
from driftbook.figures.whole_story import story

__all__ = [
    "Figure",
    "alert_spells",
    "batch_volume",
    "calibration_curve",
    "champion_watch",
    "column_over_time",
    "comparison",
    "confusion_matrix",
    "confusion_pair",
    "difference_views",
    "drift_bars",
    "drift_by_importance",
    "drift_heatmap",
    "drift_timeline",
    "feature_importance",
    "metric_over_time",
    "model_quality",
    "quality_findings",
    "ranking_curves",
    "reference_vs_counts",
    "reference_vs_current",
    "score_levels_over_time",
    "score_over_time",
    "share_by_value",
    "share_lines",
    "share_over_time",
    "share_per_value",
    "story",
    "targets_known",
    "weighted_drift",
]
