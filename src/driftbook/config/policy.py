"""The policy: which numbers count as drift, and when to alert, retrain, promote.

Policies are named YAML files in ``src/driftbook/policies``. ``calibrated`` keeps a false-alarm budget;
``psi_bands`` and ``drifted_share`` are the customary fixed limits, for those who must use them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from driftbook.config.base import Frozen, load_yaml, parse
from driftbook.errors import UnknownNameError

POLICY_FOLDER = Path(__file__).parents[1] / "policies"


class Band(Frozen):
    """Fixed limits of one method: above ``warning`` is moderate, above ``critical`` drifted.

    On a p-value the limits work the other way round: below them.
    """

    on: Literal["statistic", "drift_score", "p_value"] = "statistic"
    warning: float
    critical: float


class ConstantThreshold(Frozen):
    """The same limits for every column; ``default`` serves methods without a band of their own."""

    kind: Literal["constant"]
    bands: dict[str, Band]


class ReferenceSpread(Frozen):
    """Mean plus so many standard deviations over the reference's own batches (NannyML's custom)."""

    kind: Literal["reference_spread"]
    standard_deviations: float = Field(default=3.0, gt=0)


class CalibratedThreshold(Frozen):
    """At most one false alarm in ``days_per_false_alarm`` days on average, over all columns and methods together."""

    kind: Literal["calibrated"]
    days_per_false_alarm: float = Field(default=365.0, ge=1)


Threshold = Annotated[ConstantThreshold | ReferenceSpread | CalibratedThreshold, Field(discriminator="kind")]


class DriftPolicy(Frozen):
    """Methods per kind of column, their threshold, and when a batch as a whole alarms."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    # methods that look at a batch as a whole
    table: tuple[str, ...] = ()
    threshold: Threshold
    # a batch alarms when more than this share of the features drifted (0: any), or the prediction did
    alarm_share: float = Field(default=0.0, ge=0, lt=1)
    # prediction drift alarms on its own above this drift_score; absent: its threshold decides
    prediction_limit: float | None = None


class RetrainingPolicy(Frozen):
    """When a challenger is trained."""

    alarmed_batches: int = Field(default=2, ge=1)
    min_new_labelled_batches: int = Field(default=3, ge=1)
    min_new_labelled_rows: int = Field(default=300, ge=1)
    cooldown_days: int = Field(default=7, ge=0)
    accuracy_drop: float = Field(default=0.05, gt=0)
    max_age_days: int = Field(default=365, ge=1)


class PromotionPolicy(Frozen):
    """When a challenger becomes champion: the statistical and the business condition must both hold."""

    metric: Literal["accuracy", "brier", "log_loss"] = "accuracy"
    false_promotion_rate: float = Field(default=0.01, gt=0, lt=0.5)
    margin: float = Field(default=0.02, ge=0)
    stable_days: int = Field(default=3, ge=1)
    give_up_days: int = Field(default=30, ge=1)


class QualityPolicy(Frozen):
    """Limits of the quality checks."""

    missing_increase: float = Field(default=0.05, ge=0, le=1)
    unseen_share: float = Field(default=0.0, ge=0, le=1)
    out_of_range_share: float = Field(default=0.01, ge=0, le=1)
    outlier_share: float = Field(default=0.01, ge=0, le=1)
    duplicate_share: float = Field(default=0.0, ge=0, le=1)
    row_count_factor: float = Field(default=2.0, gt=1)
    late_days: int = Field(default=1, ge=0)


class Policy(Frozen):
    """One named set of thresholds and budgets."""

    name: str
    title: str
    drift: DriftPolicy
    retraining: RetrainingPolicy = RetrainingPolicy()
    promotion: PromotionPolicy = PromotionPolicy()
    quality: QualityPolicy = QualityPolicy()


def policy_names() -> list[str]:
    """Names of all policies, sorted."""
    return sorted(path.stem for path in POLICY_FOLDER.glob("*.yaml"))


def load_policy(name: str) -> Policy:
    """The policy of that name.

    Examples
    --------
    >>> load_policy("calibrated").drift.threshold.kind
    'calibrated'
    >>> load_policy("calibrate")
    Traceback (most recent call last):
    ...
    driftbook.errors.UnknownNameError: no policy 'calibrate'; did you mean 'calibrated'? \
Available: calibrated, drifted_share, psi_bands
    """
    if name not in policy_names():
        raise UnknownNameError("policy", name, policy_names())
    path = POLICY_FOLDER / f"{name}.yaml"
    return parse(Policy, {"name": name, **load_yaml(path)}, source=f"policies/{name}.yaml")
