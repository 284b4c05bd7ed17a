from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from model_samples import binary_case, labelled_rows, multiclass_case

from driftbook.errors import ModelError
from driftbook.model.bundle import MODEL_FILE, SCHEMA_FILE, SCORE_SCHEMA, Bundle, as_predictions
from driftbook.model.training import fit_quickly


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return fit_quickly(binary_case(), labelled_rows(), seed=1)


def test_a_loaded_bundle_scores_the_same_bits(bundle: Bundle, tmp_path: Path) -> None:
    rows = labelled_rows(100, seed=5)
    loaded = Bundle.load(bundle.save(tmp_path))
    assert loaded.score(rows).equals(bundle.score(rows))
    assert (loaded.classes, loaded.task, loaded.positive) == (("no", "yes"), "binary", "yes")


def test_saving_twice_gives_the_same_bytes(bundle: Bundle, tmp_path: Path) -> None:
    for name in ("a", "b"):
        bundle.save(tmp_path / name)
    Bundle.load(tmp_path / "a").save(tmp_path / "c")
    for file in (MODEL_FILE, SCHEMA_FILE):
        contents = {(tmp_path / name / file).read_bytes() for name in ("a", "b", "c")}
        assert len(contents) == 1, file


def test_a_bundle_is_two_files_and_none_is_a_pickle(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [MODEL_FILE, SCHEMA_FILE]
    assert json.loads((tmp_path / SCHEMA_FILE).read_text())["classes"] == ["no", "yes"]


def test_loading_and_scoring_import_neither_mlflow_nor_optuna(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from driftbook.model.bundle import Bundle;"
        f"Bundle.load(Path({str(tmp_path)!r}));"
        "print([name for name in ('mlflow', 'optuna', 'evidently') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_scores_are_probabilities_in_the_order_of_the_rows(bundle: Bundle) -> None:
    rows = labelled_rows(50, seed=7)
    scored = bundle.score(rows)
    assert scored.schema == SCORE_SCHEMA
    assert scored["row_id"].to_list() == rows["row_id"].to_list()
    table = np.array(scored["probabilities"].to_list())
    assert table.sum(axis=1) == pytest.approx(1.0)
    assert scored["prediction_score"].to_list() == table[:, 1].tolist()
    assert scored["prediction"].to_list() == ["yes" if each > 0.5 else "no" for each in table[:, 1]]


def test_a_row_alone_scores_as_among_others(bundle: Bundle) -> None:
    rows = labelled_rows(20, seed=8)
    assert bundle.score(rows[7:8]).row(0) == bundle.score(rows).row(7)


def test_no_rows_give_an_empty_frame_with_the_same_columns(bundle: Bundle) -> None:
    assert bundle.score(labelled_rows(5).head(0)).schema == SCORE_SCHEMA


def test_the_score_of_several_classes_is_that_of_the_decided_one() -> None:
    rows = labelled_rows().with_columns(target=pl.col("plan"))
    bundle = fit_quickly(multiclass_case(), rows, seed=1)
    assert bundle.positive is None
    scored = bundle.score(rows)
    assert scored["prediction_score"].to_list() == scored["probabilities"].list.max().to_list()
    assert (scored["prediction"] == rows["plan"]).all()
    assert bundle.score(rows.head(0)).schema == SCORE_SCHEMA


def test_a_tie_goes_to_the_first_class() -> None:
    tied = as_predictions(pl.Series(["a"]), np.array([[0.4, 0.4, 0.2]]), classes=("x", "y", "z"), task="multiclass")
    assert tied["prediction"].to_list() == ["x"]


def test_a_changed_model_file_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path)
    raw = bytearray((tmp_path / MODEL_FILE).read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / MODEL_FILE).write_bytes(raw)
    with pytest.raises(ModelError, match="digests differ"):
        Bundle.load(tmp_path)


def test_a_bundle_with_a_file_missing_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no usable bundle"):
        Bundle.load(tmp_path)
    bundle.save(tmp_path)
    (tmp_path / MODEL_FILE).unlink()
    with pytest.raises(ModelError, match=f"expected {MODEL_FILE}"):
        Bundle.load(tmp_path)


def test_another_format_and_a_missing_key_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    content = json.loads((bundle.save(tmp_path) / SCHEMA_FILE).read_text())
    (tmp_path / SCHEMA_FILE).write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(ModelError, match=r"format 1 .* found 99"):
        Bundle.load(tmp_path)
    del content["classes"]
    (tmp_path / SCHEMA_FILE).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="'classes'"):
        Bundle.load(tmp_path)


def test_importing_the_model_modules_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys; import driftbook.model.training, driftbook.model.estimation;"
        "print([name for name in ('xgboost', 'sklearn', 'scipy', 'optuna', 'mlflow', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
