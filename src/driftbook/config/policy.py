"""The policy: which numbers count as drift, and when to alert, retrain, promote, roll back.

Policies are named YAML files in ``src/driftbook/policies``. ``calibrated`` keeps a false-alarm budget;
``psi_bands`` and ``drifted_share`` are the customary fixed limits, for those who must use them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

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


class BusinessRule(Frozen):
    """A limit that a business sets to a realised figure, whatever the figure was in training.

    Every figure but the log loss and the Brier score is a share from 0 to 1.

    Examples
    --------
    >>> BusinessRule(metric="recall", minimum=0.7).minimum
    0.7
    """

    metric: Literal["accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"]
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> BusinessRule:
        if self.minimum is None and self.maximum is None:
            raise ValueError(
                f"a business rule on {self.metric} expects a minimum or a maximum, found neither; give one"
            )
        largest = math.inf if self.metric in ("log_loss", "brier") else 1.0
        for name in ("minimum", "maximum"):
            limit = getattr(self, name)
            if limit is not None and not 0 <= limit <= largest:
                expected = "0 or more" if largest == math.inf else "a share from 0 to 1, 0.7 for 70 percent"
                raise ValueError(f"the {name} of a business rule on {self.metric} should be {expected}, found {limit}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(
                f"a business rule on {self.metric} expects a minimum up to its maximum, found {self.minimum} above "
                f"{self.maximum}; no figure would satisfy it"
            )
        return self


class RetrainingPolicy(Frozen):
    """When a challenger is trained, and on which rows."""

    alarmed_batches: int = Field(default=2, ge=1)
    # share of the model's importance in drifted columns below which drift warns and does not retrain
    drifted_importance: float = Field(default=0.05, ge=0, le=1)
    min_new_labelled_batches: int = Field(default=3, ge=1)
    min_new_labelled_rows: int = Field(default=300, ge=1)
    cooldown_days: int = Field(default=7, ge=0)
    accuracy_drop: float = Field(default=0.05, gt=0)
    max_age_days: int = Field(default=365, ge=1)
    # judged on the targets of the latest labelled batches; beyond doubt
    rules: tuple[BusinessRule, ...] = ()
    # training windows of so many days that are tried beside all rows and those since the drift set in
    windows_days: tuple[Annotated[int, Field(ge=1)], ...] = (30, 90)


class Guardrails(Frozen):
    """What a challenger may not make worse, however much better it is on average.

    Losses are in the unit of the promotion's metric (accuracy: 0.05 is five points; cost: per prediction).
    """

    # no value of a column in columns.segments may lose more; judged from so many compared rows on
    max_segment_loss: float = Field(default=0.05, ge=0)
    min_segment_rows: int = Field(default=100, ge=1)
    # of the expected calibration error of the decided class
    max_calibration_loss: float = Field(default=0.02, ge=0)
    # of one row by one thread, and of the files that a service loads
    max_latency_ms: float = Field(default=50.0, gt=0)
    max_size_mb: float = Field(default=200.0, gt=0)


class PromotionPolicy(Frozen):
    """When a challenger becomes champion: both conditions must hold, and every guardrail."""

    # cost: what the use case declares under costs, per prediction
    metric: Literal["accuracy", "brier", "log_loss", "cost"] = "accuracy"
    false_promotion_rate: float = Field(default=0.01, gt=0, lt=0.5)
    margin: float = Field(default=0.02, ge=0)
    stable_days: int = Field(default=3, ge=1)
    give_up_days: int = Field(default=30, ge=1)
    guardrails: Guardrails = Guardrails()

    @model_validator(mode="after")
    def _margin_is_a_share(self) -> PromotionPolicy:
        for name, found in (("margin", self.margin), ("max_segment_loss", self.guardrails.max_segment_loss)):
            if self.metric == "accuracy" and found > 1:
                raise ValueError(
                    f"the {name} should be a share of accuracy from 0 to 1, 0.02 for 2 points, found {found}"
                )
        return self


class RollbackPolicy(Frozen):
    """When a promoted champion is taken back: both conditions must hold, on the metric of the promotion."""

    # how often a champion that is no worse than the one before may ever be taken back
    false_rollback_rate: float = Field(default=0.01, gt=0, lt=0.5)
    # worse by so much on average since it turned bad, over so many days or more
    margin: float = Field(default=0.01, ge=0)
    stable_days: int = Field(default=3, ge=1)
    # days with known targets on which the champion before is compared in shadow (0: nobody is watched)
    watch_days: int = Field(default=90, ge=0)


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
    rollback: RollbackPolicy = RollbackPolicy()
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
