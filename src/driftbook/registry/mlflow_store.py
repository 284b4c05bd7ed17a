"""The calls to MLflow, with the settings that it needs to be quick, quiet and whole.

The store is created under our lock and set to WAL once (concurrent first use fails);
telemetry is off before the import; requirements are given (finding them out costs ten seconds); the experiment has
its place for artefacts (the default is a folder in the working directory).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from driftbook.config import Settings, UseCase
from driftbook.errors import StateError
from driftbook.registry.description import described_version
from driftbook.storage import writing

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PACKAGE = Path(__file__).parents[1]
LOADER = "driftbook.registry.scorer"
REQUIRED = ("filelock", "numpy", "pandas", "polars", "pyarrow", "pydantic", "pyyaml")
ADVICE = "put its store aside: a new one is filled from the models that driftbook keeps"
MOST_VERSIONS = 10_000


@contextmanager
def opened(settings: Settings) -> Iterator[MlflowClient]:
    """A client of the store at ``settings.mlflow_url``, without MLflow's messages on the screen."""
    os.environ.update({"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"})
    import mlflow
    from mlflow.exceptions import MlflowException

    url = settings.mlflow_url
    before = os.environ.get("MLFLOW_TRACKING_URI")
    with _quiet():
        try:
            _prepare(url)
            mlflow.set_tracking_uri(url)
            yield mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
        except MlflowException as error:
            fault = str(error).splitlines()[0]
            raise StateError(f"MLflow refused ({fault}); check DRIFTBOOK_MLFLOW_URL, or {ADVICE}") from None
        finally:
            mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None takes the setting back


def ensure_version(
    client: MlflowClient,
    *,
    settings: Settings,
    case: UseCase,
    folder: Path,
    tags: Mapping[str, str],
    params: Mapping[str, str],
    metrics: Mapping[str, float],
    report: dict[str, Any],
) -> tuple[str, str]:
    """MLflow's version number and run of what ``tags['driftbook_digest']`` identifies; made where it is missing."""
    experiment = _experiment(client, settings, case)
    _reap(client, experiment)
    _ensure_model(client, case)
    for found in _versions(client, case.name):
        if found.tags.get("driftbook_digest") == tags["driftbook_digest"]:
            return str(found.version), str(found.run_id)
    run = _finished_run(client, experiment, tags["driftbook_digest"])
    if run is None:
        name = f"{case.name} v{tags['driftbook_version']}"
        run = client.create_run(experiment, tags=dict(tags), run_name=name).info.run_id
        _log(client, run, params=params, metrics=metrics, tags=tags)
        client.log_dict(run, report, "training.json")
        client.set_tag(run, "driftbook_model_uri", _log_model(client, run, case, folder))
        client.set_terminated(run, "FINISHED")
    source = client.get_run(run).data.tags["driftbook_model_uri"]
    made = client.create_model_version(
        case.name,
        source,
        run_id=run,
        tags=dict(tags),
        model_id=source.rpartition("/")[2],
        description=described_version(tags["driftbook_version"], report),
    )
    return str(made.version), str(run)


def set_aliases(
    client: MlflowClient, name: str, wanted: Mapping[str, int], *, known: Mapping[int, str]
) -> dict[str, str]:
    """Give each alias to MLflow's version of our number, take the others away, tag the archived.

    ``known`` says which version of MLflow's holds our number; else it is the newest that carries it.
    """
    versions = {str(each.version): each for each in _versions(client, name)}
    newest = {int(each.tags["driftbook_version"]): number for number, each in versions.items()}
    held = newest | {ours: number for ours, number in known.items() if number in versions}
    lacking = sorted(set(wanted.values()) - set(held))
    if lacking:
        raise StateError(
            f"version {', '.join(map(str, lacking))} of {name} is in office, but MLflow does not hold it; "
            "register it (registry.register with repair=True), then mirror the aliases again"
        )
    aliases = {alias: held[ours] for alias, ours in wanted.items()}
    present = dict(client.get_registered_model(name).aliases) if versions else {}
    for alias in set(present) - set(aliases):
        client.delete_registered_model_alias(name, alias)
    for alias, number in aliases.items():
        if str(present.get(alias)) != number:
            client.set_registered_model_alias(name, alias, number)
    states = {number: alias for alias, number in aliases.items()}
    for number, each in versions.items():
        state = states.get(number, "archived")
        if each.tags.get("driftbook_state") != state:
            client.set_model_version_tag(name, number, "driftbook_state", state)
    return aliases


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _prepare(url: str) -> None:
    """Create the store aside and put it in its place whole: MLflow gives up on one that a kill left half made."""
    kind, _, place = url.partition(":///")
    if kind != "sqlite":
        return
    if Path(place).exists():
        _require_database(Path(place))
        return
    from mlflow import MlflowClient

    with TemporaryDirectory() as scratch, writing(Path(place)) as beside:
        made = Path(scratch) / "mlflow.db"
        MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments(max_results=1)
        with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(beside)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = WAL")


def _require_database(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise StateError(f"MLflow's store {path} cannot be read ({error}); {ADVICE}") from None


def _experiment(client: MlflowClient, settings: Settings, case: UseCase) -> str:
    found = client.get_experiment_by_name(case.name)
    if found is not None:
        return str(found.experiment_id)
    place = settings.mlflow_artifacts / case.name
    place.mkdir(parents=True, exist_ok=True)
    return str(client.create_experiment(case.name, artifact_location=place.resolve().as_uri()))


def _reap(client: MlflowClient, experiment: str) -> None:
    """Close runs of ours that a killed process left open; we hold the lock, so nobody works on them."""
    for run in client.search_runs([experiment], filter_string="attributes.status = 'RUNNING'"):
        if "driftbook_digest" in run.data.tags:
            client.set_terminated(run.info.run_id, "KILLED")


def _finished_run(client: MlflowClient, experiment: str, digest: str) -> str | None:
    condition = f"tags.driftbook_digest = '{digest}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment], filter_string=condition)
    return str(runs[0].info.run_id) if runs else None


def _ensure_model(client: MlflowClient, case: UseCase) -> None:
    if not client.search_registered_models(filter_string=f"name = '{case.name}'"):
        client.create_registered_model(case.name, tags={"driftbook_use_case": case.name}, description=case.title)


def _versions(client: MlflowClient, name: str) -> list[Any]:
    """Our versions of a model, oldest first."""
    found = client.search_model_versions(f"name = '{name}'", max_results=MOST_VERSIONS)
    ours = [each for each in found if "driftbook_version" in each.tags]
    return sorted(ours, key=lambda each: int(each.version))


def _log(
    client: MlflowClient, run: str, *, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str]
) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    client.log_batch(
        run,
        metrics=[Metric(name, value, 0, 0) for name, value in metrics.items()],
        params=[Param(name, value) for name, value in params.items()],
    )
    rows = Dataset(
        name=tags["driftbook_use_case"],
        digest=tags["driftbook.data_sha256"][:32],
        source_type="driftbook",
        source=f"data/{tags['driftbook_use_case']}",
    )
    client.log_inputs(run, datasets=[DatasetInput(rows, [InputTag("mlflow.data.context", "training")])])


def _log_model(client: MlflowClient, run: str, case: UseCase, folder: Path) -> str:
    """Store the folder as an MLflow model of the run; its ``models:/`` address."""
    import mlflow.pyfunc
    from mlflow.models import Model

    experiment = client.get_run(run).info.experiment_id
    model = client.create_logged_model(experiment, name="model", source_run_id=run)
    logged = Model.log(
        artifact_path=None,
        model_id=model.model_id,
        flavor=mlflow.pyfunc,
        run_id=run,
        loader_module=LOADER,
        data_path=str(folder),
        code_paths=[str(PACKAGE)],
        pip_requirements=_requirements(),
        signature=_signature(case),
    )
    return str(logged.model_uri)


def _signature(case: UseCase) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    columns = case.columns
    types = dict.fromkeys(columns.numeric, DataType.double)
    types |= dict.fromkeys(columns.categorical, DataType.string)
    types |= dict.fromkeys(columns.dates, DataType.datetime)
    inputs = Schema([ColSpec(kind, name, required=False) for name, kind in types.items()])
    outputs = Schema(
        [
            ColSpec(DataType.string, "prediction"),
            ColSpec(DataType.double, "prediction_score"),
            ColSpec(Array(DataType.double), "probabilities"),
        ]
    )
    return ModelSignature(inputs=inputs, outputs=outputs)


def _requirements() -> list[str]:
    """The versions that scored in training; nothing of the kind that only training needs."""
    boosting = next(name for name in ("xgboost-cpu", "xgboost") if _installed(name))
    return [f"{name}=={_installed(name)}" for name in (*REQUIRED, boosting)]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
