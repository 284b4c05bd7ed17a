"""The mirror in MLflow: whole after any interruption, loadable by others, and never asked twice for the same."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from model_samples import binary_case, labelled_rows

from driftbook.config import Settings, UseCase
from driftbook.deployment import Office
from driftbook.errors import StateError
from driftbook.model.bundle import Bundle
from driftbook.model.training import train
from driftbook.registry import (
    Registration,
    aliases_differ,
    mirror_aliases,
    mirror_was_moved,
    mlflow_aliases,
    register,
)
from driftbook.registry.description import described_metrics, described_params
from driftbook.registry.mlflow_store import opened

LINEAGE = {"data_sha256": "5e1f" * 16, "trained_until": "2026-04-12T23:30:00", "drift_since": None}
SCORE_ELSEWHERE = """
import sys, mlflow.pyfunc, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
import driftbook
assert "/code/driftbook/" in driftbook.__file__, driftbook.__file__
rows = pandas.read_json(sys.argv[3], convert_dates=["joined"])
print(model.predict(rows)["prediction_score"].round(12).tolist())
"""


@pytest.fixture(scope="module")
def case() -> UseCase:
    return binary_case()


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return labelled_rows(400)


@pytest.fixture(scope="module")
def report(case: UseCase, rows: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Of a small training whose bundle is saved in ``folder``."""
    training = train(case, rows, seed=7)
    training.bundle.save(folder)
    return training.report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("v1")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without content, made once: creating its tables takes two seconds."""
    settings = Settings(root=tmp_path_factory.mktemp("template"))
    copy = settings.root / "copy.db"
    with opened(settings), sqlite3.connect(settings.state_folder / "mlflow.db") as source:
        source.backup(sqlite3.connect(copy))
    return copy


@pytest.fixture
def settings(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DRIFTBOOK_MLFLOW_URL", raising=False)
    found = Settings(root=tmp_path)
    found.state_folder.mkdir(parents=True)
    shutil.copy(empty_store, found.state_folder / "mlflow.db")
    return found


def put(settings: Settings, case: UseCase, folder: Path, *, version: int = 1, **more: Any) -> Registration:
    return register(settings, case, version, folder, {"rows": 400}, lineage={**LINEAGE, "version": version}, **more)


def statuses(settings: Settings) -> list[str]:
    with opened(settings) as client:
        return sorted(run.info.status for run in client.search_runs(["1"]))


def test_a_version_carries_its_run_parameters_metrics_data_digest_and_lineage(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    found = register(settings, case, 1, folder, report, lineage=LINEAGE)
    with opened(settings) as client:
        run = client.get_run(found.run_id)
        version = client.get_model_version(case.name, found.registry_version)
        assert version.run_id == found.run_id
        assert version.tags["driftbook_version"] == "1"
        assert version.tags["driftbook.trained_until"] == "2026-04-12T23:30:00"
        assert "driftbook.drift_since" not in version.tags
        assert version.description.startswith(f"driftbook version 1, trained on {report['train_rows']:,} rows until ")
        assert run.info.status == "FINISHED"
        assert run.data.params["train_rows"] == str(report["train_rows"])
        assert run.data.metrics["roc_auc"] == pytest.approx(report["metrics"]["roc_auc"]["value"], abs=1e-12)
        assert run.inputs.dataset_inputs[0].dataset.digest == ("5e1f" * 16)[:32]
        assert [each.path for each in client.list_artifacts(found.run_id)] == ["training.json"]
    assert len(list((settings.mlflow_artifacts / case.name / "models").iterdir())) == 1


def test_a_registered_model_scores_elsewhere_with_the_code_it_was_trained_with(
    settings: Settings, case: UseCase, folder: Path, rows: pl.DataFrame, report: dict[str, Any]
) -> None:
    put(settings, case, folder)
    mirror_aliases(settings, case, Office(champion=1))
    sample = rows.head(60).select(case.columns.features).with_columns(plan=pl.col("plan").replace({"basic": "unseen"}))
    path = settings.root / "rows.json"
    sample.with_columns(pl.col("joined").dt.to_string("%Y-%m-%dT%H:%M:%S")).write_json(path)
    command = [sys.executable, "-c", SCORE_ELSEWHERE, settings.mlflow_url, f"models:/{case.name}@champion", str(path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=settings.root)
    assert answer.returncode == 0, answer.stderr
    expected = Bundle.load(folder).score(sample.with_row_index("row_id"))["prediction_score"]
    assert answer.stdout.strip() == str(expected.round(12).to_list())


def test_registering_again_changes_nothing(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    first = put(settings, case, folder)
    assert put(settings, case, folder) == first
    assert put(settings, case, folder, repair=True) == first
    assert first.model_uri == f"models:/{case.name}/1"
    assert statuses(settings) == ["FINISHED"]


def test_a_run_left_open_by_a_killed_build_is_closed_and_the_version_completed(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    with opened(settings) as client:
        place = settings.mlflow_artifacts / case.name
        experiment = client.create_experiment(case.name, artifact_location=place.as_uri())
        client.create_run(experiment, tags={"driftbook_digest": "of the killed build"})
        client.create_run(experiment, tags={"mlflow.runName": "of somebody else"})
    put(settings, case, folder)
    assert statuses(settings) == ["FINISHED", "KILLED", "RUNNING"]


def test_a_finished_run_without_its_version_is_not_run_again(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    first = put(settings, case, folder)
    with opened(settings) as client:
        client.delete_model_version(case.name, first.registry_version)
    again = put(settings, case, folder, repair=True)
    assert again.run_id == first.run_id
    assert again.registry_version != first.registry_version
    assert statuses(settings) == ["FINISHED"]


def test_other_content_under_our_number_takes_over(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    first = put(settings, case, folder)
    second = register(settings, case, 1, folder, {"rows": 401}, lineage=LINEAGE)
    assert second.registry_version != first.registry_version
    assert mirror_aliases(settings, case, Office(champion=1)) == {"champion": second.registry_version}
    assert put(settings, case, folder) == first
    assert mirror_aliases(settings, case, Office(champion=1)) == {"champion": first.registry_version}


def test_aliases_follow_the_offices_and_the_rest_is_archived(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    for version in (1, 2, 3):
        put(settings, case, folder, version=version)
    mirror_aliases(settings, case, Office(champion=1, challenger=2))
    assert mirror_aliases(settings, case, Office(champion=2, previous=1)) == {"champion": "2", "previous": "1"}
    with opened(settings) as client:
        assert dict(client.get_registered_model(case.name).aliases) == {"champion": 2, "previous": 1}
        states = [client.get_model_version(case.name, each).tags["driftbook_state"] for each in "123"]
    assert states == ["previous", "champion", "archived"]


def test_an_alias_moved_by_hand_is_set_right_by_a_repair(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    for version in (1, 2):
        put(settings, case, folder, version=version)
    office = Office(champion=1, challenger=2)
    mirror_aliases(settings, case, office)
    with opened(settings) as client:
        client.set_registered_model_alias(case.name, "champion", "2")
        client.delete_registered_model_alias(case.name, "challenger")
    assert mirror_aliases(settings, case, office, repair=True) == {"champion": "1", "challenger": "2"}
    with opened(settings) as client:
        assert dict(client.get_registered_model(case.name).aliases) == {"champion": 1, "challenger": 2}


def test_a_version_in_office_that_mlflow_lacks_is_named(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    put(settings, case, folder)
    with pytest.raises(StateError, match=f"version 7 of {case.name} is in office, but MLflow does not hold it"):
        mirror_aliases(settings, case, Office(champion=1, challenger=7))


def test_a_store_that_is_broken_is_named_with_advice(settings: Settings, case: UseCase, folder: Path) -> None:
    (settings.state_folder / "mlflow.db").write_text("no database\n" * 100)
    with pytest.raises(StateError, match=r"mlflow\.db cannot be read \(file is not a database\); put its store aside"):
        put(settings, case, folder)


def test_lineage_without_the_digest_of_the_data_and_an_empty_folder_are_refused(tmp_path: Path, case: UseCase) -> None:
    with pytest.raises(StateError, match="lineage needs data_sha256"):
        register(Settings(root=tmp_path), case, 1, tmp_path, {}, lineage={"seed": 1})
    with pytest.raises(StateError, match="expected a saved bundle in"):
        register(Settings(root=tmp_path), case, 1, tmp_path, {}, lineage=LINEAGE)


def test_a_repeated_call_does_not_import_mlflow(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    put(settings, case, folder)
    mirror_aliases(settings, case, Office(champion=1))
    script = f"""
import sys
from pathlib import Path
from driftbook.config import Settings
from driftbook.deployment import Office
from driftbook.registry import mirror_aliases, register
from model_samples import binary_case

settings, case = Settings(root=Path({str(settings.root)!r})), binary_case()
register(settings, case, 1, Path({str(folder)!r}), {{"rows": 400}}, lineage={ {**LINEAGE, "version": 1}!r})
assert mirror_aliases(settings, case, Office(champion=1)) == {{"champion": "1"}}
assert "mlflow" not in sys.modules
"""
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    assert answer.returncode == 0, answer.stderr


def test_what_a_report_nests_is_spread_out_and_what_is_no_figure_left_out() -> None:
    report = {
        "rows": 96_000, "trials": [{"eta": 0.1}], "features": ["x" * 600], "missing": None, "params": {"max depth": 6},
        "metrics": {"roc_auc": {"value": 0.9, "low": None, "high": float("nan")}, "f1": 0.5},
        "baselines": {"majority": {"accuracy": {"value": 0.7}}, "odd": 3},
    }  # fmt: skip
    params = described_params(report)
    assert params.pop("features") == "x" * 499 + "…"
    assert params == {"params.max depth": "6", "rows": "96000"}
    assert described_metrics(report) == {"roc_auc": 0.9, "f1": 0.5, "majority.accuracy": 0.7}


def move_aliases(settings: Settings, case: UseCase) -> None:
    """As a person does who takes MLflow for the truth."""
    with opened(settings) as client:
        client.set_registered_model_alias(case.name, "champion", "2")
        client.delete_registered_model_alias(case.name, "challenger")
        client.set_registered_model_alias(case.name, "mine", "1")


def mlflow_says(settings: Settings, case: UseCase) -> tuple[dict[str, int], list[str]]:
    with opened(settings) as client:
        versions = sorted(client.search_model_versions(f"name = '{case.name}'"), key=lambda each: int(each.version))
        states = [each.tags["driftbook_state"] for each in versions]
        return dict(client.get_registered_model(case.name).aliases), states


def moved_by_hand(settings: Settings, case: UseCase, folder: Path) -> Office:
    """Three versions, of which a person moved the aliases after they were mirrored; who is in office."""
    for version in (1, 2, 3):
        put(settings, case, folder, version=version)
    office = Office(champion=1, challenger=2)
    mirror_aliases(settings, case, office)
    assert aliases_differ(settings, case, office) is mirror_was_moved(settings, case) is False
    move_aliases(settings, case)
    return office


def test_aliases_changed_by_hand_are_seen_and_set_right_by_the_next_call(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any]
) -> None:
    office = moved_by_hand(settings, case, folder)
    assert aliases_differ(settings, case, office) is mirror_was_moved(settings, case) is True
    assert mirror_aliases(settings, case, office) == {"champion": "1", "challenger": "2"}
    assert mlflow_says(settings, case) == ({"champion": 1, "challenger": 2}, ["champion", "challenger", "archived"])
    assert aliases_differ(settings, case, office) is mirror_was_moved(settings, case) is False


def test_a_store_of_unknown_shape_is_set_right_by_mlflow_itself(
    settings: Settings, case: UseCase, folder: Path, report: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = moved_by_hand(settings, case, folder)
    monkeypatch.setattr(mlflow_aliases, "SHAPE", {"registered_model_aliases": ("of", "another", "MLflow")})
    assert aliases_differ(settings, case, office) is None
    assert mirror_aliases(settings, case, office) == {"champion": "1", "challenger": "2"}
    assert mlflow_says(settings, case) == ({"champion": 1, "challenger": 2}, ["champion", "challenger", "archived"])


def test_retired_versions_keep_a_tag_and_score_as_before(
    settings: Settings, case: UseCase, folder: Path, rows: pl.DataFrame, report: dict[str, Any]
) -> None:
    import mlflow.pyfunc

    retired = put(settings, case, folder, version=1)
    put(settings, case, folder, version=2)
    mirror_aliases(settings, case, Office(champion=1))
    mirror_aliases(settings, case, Office(champion=2))
    assert mlflow_says(settings, case) == ({"champion": 2}, ["archived", "champion"])
    sample = rows.head(20).select(case.columns.features)
    with opened(settings):
        scored = mlflow.pyfunc.load_model(retired.model_uri).predict(sample.to_pandas())
    expected = Bundle.load(folder).score(sample.with_row_index("row_id"))["prediction_score"]
    assert scored["prediction_score"].to_list() == expected.to_list()
