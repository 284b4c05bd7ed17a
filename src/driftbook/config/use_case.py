"""The use case: what is watched, where it comes from, how it is batched, modelled and judged.

A use case is the folder ``data/<name>`` with its ``usecase.yaml``. A scenario other than the declared
one makes a variant with data, state and reports of its own (``churn`` under ``stable`` is
``churn-stable``), so that a what-if never mixes with the real story.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from driftbook.config.base import Frozen, load_yaml, parse
from driftbook.config.service import ServiceConfig
from driftbook.config.settings import Settings
from driftbook.errors import ConfigError, UnknownNameError

DECLARED_SCENARIO = "declared"
RESERVED_NAMES = frozenset({"row_id", "event_time", "batch_id", "known_time", "target", "version"})
RESERVED_NAMES |= {"prediction", "prediction_score", "probabilities", "reason"}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Derived(Frozen):
    """A feature computed from others, by the same code in training and serving."""

    kind: Literal["ratio", "difference", "date_part", "log"]
    of: tuple[str, ...] = Field(min_length=1, max_length=2)
    part: Literal["month", "weekday", "hour", "day"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Derived:
        wanted = 2 if self.kind in ("ratio", "difference") else 1
        if len(self.of) != wanted:
            raise ValueError(f"{self.kind} takes {wanted} column(s)")
        if (self.kind == "date_part") != (self.part is not None):
            raise ValueError("'part' belongs to date_part, and date_part needs it")
        return self


class Columns(Frozen):
    """Which column plays which role."""

    id: str | None = None
    event_time: str | None = None
    target: str
    positive_class: str | None = None
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        """Raw columns a model may see."""
        return self.numeric + self.categorical + self.dates

    @model_validator(mode="after")
    def _check(self) -> Columns:
        roles = [*self.features, self.target, *filter(None, (self.id, self.event_time))]
        doubled = sorted({name for name in roles if roles.count(name) > 1})
        if doubled:
            raise ValueError(f"a column has one role, but {', '.join(doubled)} has several")
        reserved = sorted(set(self.features) & RESERVED_NAMES)
        if reserved:
            raise ValueError(f"these names are driftbook's own, rename the feature: {', '.join(reserved)}")
        left_out = sorted(set(self.left_out) & set(roles))
        if left_out:
            raise ValueError(f"left_out, yet used: {', '.join(left_out)}")
        if not self.numeric and not self.categorical:
            raise ValueError("at least one numeric or categorical feature is needed")
        strangers = sorted(set(self.segments) - set(self.categorical))
        if strangers:
            raise ValueError(f"segments must be categorical features: {', '.join(strangers)}")
        return self


class Scenario(Frozen):
    """A named way the world changes: see ``driftbook.data.scenarios``."""

    name: str = "stable"
    onset_day: int = Field(default=15, ge=1)
    strength: float = Field(default=1.0, ge=0.0, le=10.0)


class Deal(Frozen):
    """How rows without a time are dealt to days: ``rows_per_day`` each, in seeded or in file order."""

    order: Literal["shuffled", "file"] = "shuffled"


class SimulateSource(Frozen):
    """The simulator: history of ``history_days`` up to ``stream_start``, then ``stream_days`` of stream."""

    kind: Literal["simulate"]
    rows_per_day: int = Field(default=2400, ge=20)
    history_days: int = Field(default=40, ge=5)
    stream_start: date
    stream_days: int = Field(default=45, ge=1)


class FilesSource(Frozen):
    """CSV (also compressed) or Parquet files; the format follows from the name's ending."""

    kind: Literal["files"]
    path: str
    separator: str | None = None
    encoding: str = "utf8"
    header: tuple[str, ...] | None = None
    null_values: tuple[str, ...] = ("", " ", "NA", "NaN", "nan", "null", "NULL")
    time_format: str | None = None
    deal: Deal = Deal()
    stream_start: date | None = None
    history_share: float = Field(default=0.6, gt=0.0, lt=1.0)


class SqlSource(Frozen):
    """A query against any database SQLAlchemy reaches; the URL comes from the environment, never from a file."""

    kind: Literal["sql"]
    url_variable: str = "DRIFTBOOK_SOURCE_URL"
    query: str
    time_format: str | None = None
    deal: Deal = Deal()
    stream_start: date | None = None
    history_share: float = Field(default=0.6, gt=0.0, lt=1.0)


HistorySource = Annotated[SimulateSource | FilesSource | SqlSource, Field(discriminator="kind")]


class ServiceSource(Frozen):
    """The prediction service's own log from the day ``since`` on; before it the source that was there first.

    The first champion is trained on ``history``, and its stream has begun before ``since``, because a service answers
    only after a build has put a champion in office. Rows that arrive more than ``closes_after_hours`` after the end of
    their day (UTC) are set aside.
    """

    kind: Literal["service"]
    history: HistorySource
    since: date
    closes_after_hours: int = Field(default=1, ge=0, le=240)

    @model_validator(mode="after")
    def _check(self) -> ServiceSource:
        start = self.history.stream_start
        if start is not None and self.since <= start:
            raise ValueError(
                f"'since' should lie after history.stream_start ({start}): the build of a day of the stream puts the "
                "first champion in office, and then the service can answer"
            )
        return self


Source = Annotated[SimulateSource | FilesSource | SqlSource | ServiceSource, Field(discriminator="kind")]


class Batch(Frozen):
    """How the stream is cut: by ``period`` of the event time, or ``rows`` each where there is no time.

    ``season``: compare a batch with the reference's batches of the same weekday or hour only.
    """

    period: Literal["day", "hour"] | None = None
    rows: int | None = Field(default=None, ge=20)
    season: Literal["none", "weekday", "hour"] = "none"

    @model_validator(mode="after")
    def _check(self) -> Batch:
        if (self.period is None) == (self.rows is None):
            raise ValueError("give either period (day, hour) or rows")
        if self.season == "hour" and self.period != "hour":
            raise ValueError("season hour needs period hour")
        return self


class ModelConfig(Frozen):
    """How a model is fitted and when it may be registered."""

    trials: int = Field(default=12, ge=1)
    search_rows: int = Field(default=20_000, ge=100)
    folds: int = Field(default=4, ge=2)
    max_rounds: int = Field(default=400, ge=10)
    test_share: float = Field(default=0.2, gt=0.0, lt=0.9)
    minimum_metric: Literal["accuracy", "roc_auc", "f1"] = "roc_auc"
    minimum: float = Field(default=0.6, ge=0.0, le=1.0)


class UseCase(Frozen):
    """One use case, as declared; ``name`` includes the scenario suffix of a variant."""

    name: str
    title: str
    task: Literal["binary", "multiclass"]
    columns: Columns
    source: Source
    batch: Batch
    label_delay_days: int = Field(default=0, ge=0)
    scenario: Scenario = Scenario()
    derived: dict[str, Derived] = Field(default_factory=dict)
    model: ModelConfig = ModelConfig()
    # what a prediction costs: actual class, then predicted class; what is not declared costs nothing
    costs: dict[str, dict[str, float]] = Field(default_factory=dict)
    policy: str = "calibrated"
    service: ServiceConfig = ServiceConfig()
    seed: int = 20260630

    @property
    def label_delay(self) -> timedelta:
        """Time from a row's event to the day its target is known."""
        return timedelta(days=self.label_delay_days)

    @model_validator(mode="after")
    def _check(self) -> UseCase:
        timed = self.columns.event_time is not None or self.source.kind in ("simulate", "service")
        dealt = self.source.kind == "service" and self.source.history.kind != "simulate"
        if dealt and self.columns.event_time is None:
            raise ValueError("rows of a service have times, so those of source.history need columns.event_time")
        if timed and self.batch.period is None:
            raise ValueError("batch.rows is for tables without an event time; use batch.period: day or hour")
        if not timed and self.batch.rows is None:
            raise ValueError("without columns.event_time rows are dealt to days: give batch.rows (rows a day)")
        if self.task == "binary" and self.columns.positive_class is None:
            raise ValueError("a binary task needs columns.positive_class")
        known = set(self.columns.features)
        for name, derived in self.derived.items():
            if name in known:
                raise ValueError(f"derived feature {name!r} has the name of a column")
            allowed = set(self.columns.dates if derived.kind == "date_part" else self.columns.numeric)
            strangers = sorted(set(derived.of) - allowed)
            if strangers:
                role = "dates" if derived.kind == "date_part" else "numeric"
                raise ValueError(f"derived feature {name!r} needs {role} columns, not {', '.join(strangers)}")
        self._check_costs()
        return self

    def _check_costs(self) -> None:
        """Numbers only here: which classes there are is known from the data (``decisions.costs``)."""
        cells = [cost for row in self.costs.values() for cost in row.values()]
        if not all(cost >= 0 for cost in cells):
            raise ValueError("costs must be zero or more; a gain is a lower cost, not a negative one")
        if self.costs and not any(cells):
            raise ValueError("costs are declared and all zero: give at least one that is not, or leave the key out")
        classes = {*self.costs, *(name for row in self.costs.values() for name in row)}
        positive = self.columns.positive_class
        if self.task == "binary" and (len(classes) > 2 or (len(classes) == 2 and positive not in classes)):
            named = ", ".join(sorted(classes))
            raise ValueError(f"costs name the classes {named}; expected {positive!r} and the one other class")


def use_case_names(settings: Settings) -> list[str]:
    """Names of all declared use cases, sorted."""
    return sorted(path.parent.name for path in settings.root.glob("data/*/usecase.yaml"))


def load_use_case(name: str, *, scenario: str = DECLARED_SCENARIO, settings: Settings) -> UseCase:
    """The use case ``name``, under the declared scenario or another.

    ``churn-stable`` is short for ``churn`` under ``stable``, so that a variant's name alone is enough.

    Raises
    ------
    UnknownNameError
        If there is no such use case or policy (scenario names are checked by ``data.scenarios``).
    ConfigError
        If its ``usecase.yaml`` is wrong, naming every fault.
    """
    from driftbook.config.policy import policy_names

    base, _, variant = name.partition("-")
    if variant and scenario not in (DECLARED_SCENARIO, variant):
        raise ConfigError(f"use case {name!r} already names a scenario, so scenario {scenario!r} cannot be given too")
    path = settings.data_folder(base) / "usecase.yaml"
    if not _NAME.fullmatch(base) or not path.is_file():
        raise UnknownNameError("use case", base, use_case_names(settings))
    case = parse(UseCase, {"name": base, **load_yaml(path)}, source=f"data/{base}/usecase.yaml")
    if case.name != base:
        raise ConfigError(f"data/{base}/usecase.yaml: 'name' is the folder's name, remove the key")
    if case.policy not in policy_names():
        raise UnknownNameError("policy", case.policy, policy_names())
    chosen = variant or scenario
    if chosen == DECLARED_SCENARIO:
        return case
    return case.model_copy(
        update={
            "name": f"{case.name}-{chosen}",
            "title": f"{case.title}, scenario {chosen}",
            "scenario": case.scenario.model_copy(update={"name": chosen}),
        }
    )
