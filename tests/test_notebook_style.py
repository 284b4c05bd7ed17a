"""Notebooks narrate, decide and show: one anatomy for all, no code that belongs into src, no outputs in git."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
PIPELINE = sorted((ROOT / "notebooks").glob("0*.ipynb"))
ALL = sorted(path for path in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
MOST_CELLS, MOST_CODE_LINES, MOST_LINES_A_CELL, LEAST_PROSE = 24, 90, 14, 0.4


def _cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def _code(path):
    return [cell.source for cell in _cells(path, "code")]


def _ids(path):
    return path.stem


def test_the_notebooks_are_the_tasks_of_the_pipeline_in_their_order():
    tasks = yaml.safe_load((ROOT / "pipeline.yaml").read_text())["tasks"]
    assert [task["source"] for task in tasks] == [f"notebooks/{path.name}" for path in PIPELINE]
    assert [task["name"] for task in tasks] == [path.stem[3:] for path in PIPELINE]


@pytest.mark.parametrize("path", ALL, ids=_ids)
def test_committed_without_outputs(path):
    assert all(not cell.outputs and cell.execution_count is None for cell in _cells(path, "code"))


@pytest.mark.parametrize("path", ALL, ids=_ids)
def test_no_definitions_no_loops_over_data_no_magics(path):
    for source in _code(path):
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While), source


@pytest.mark.parametrize("path", ALL, ids=_ids)
def test_short_cells_and_enough_prose(path):
    cells = nbformat.read(path, as_version=4).cells
    lines = [len(source.splitlines()) for source in _code(path)]
    assert len(cells) <= MOST_CELLS
    assert max(lines) <= MOST_LINES_A_CELL + 5
    assert sum(lines) <= MOST_CODE_LINES
    assert len(_cells(path, "markdown")) / len(cells) >= LEAST_PROSE


@pytest.mark.parametrize("path", PIPELINE, ids=_ids)
def test_one_anatomy_for_all(path):
    cells = nbformat.read(path, as_version=4).cells
    title = cells[0].source
    assert title.startswith(f"# {path.stem[:2]} "), "the title carries the number"
    assert "| Reads | Writes | Decides |" in title
    assert cells[1].metadata["tags"] == ["parameters"]
    headings = re.findall(r"^## (.+)$", "\n".join(cell.source for cell in _cells(path, "markdown")), re.MULTILINE)
    assert headings[0] == "Setup"
    assert headings[-3:] == ["Save", "Checks", "Next"]
    assert "assert " in _code(path)[-1]


@pytest.mark.parametrize("path", PIPELINE, ids=_ids)
def test_every_parameter_is_explained_and_is_one_that_ploomber_gives(path):
    source = _code(path)[0]
    names = [node.targets[0].id for node in ast.parse(source).body]
    assert names == ["upstream", "product", "resources_", "use_case", "scenario", "as_of"]
    assert all("#" in line for line in source.splitlines()[2:])


@pytest.mark.parametrize("path", ALL, ids=_ids)
def test_prose_states_no_results(path):
    for cell in _cells(path, "markdown"):
        text = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", "", cell.source)
        assert not re.search(r"\d+[.,]\d+|\d+ ?(?:rows|days|points)\b", text), cell.source
