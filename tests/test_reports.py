"""Pages: they open without a network, leak no path, survive broken input, and are the same twice."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import polars as pl
import pytest

from driftbook.config import Settings, UseCase
from driftbook.errors import DataError
from driftbook.reports import notebook_html, write_evidently, write_index
from driftbook.storage import write_json

CASE = UseCase.model_validate(
    {
        "name": "churn",
        "title": "Customer churn",
        "task": "binary",
        "columns": {
            "target": "churn",
            "positive_class": "yes",
            "numeric": ["charges", "empty"],
            "categorical": ["contract"],
        },
        "source": {"kind": "files", "path": "churn.csv"},
        "batch": {"rows": 100},
    }
)


def summary(**changes: Any) -> dict[str, Any]:
    return {
        "use_case": "churn",
        "title": "Customer churn",
        "as_of": "2026-06-30",
        "status": "amber",
        "verdict": ["Drift since 2026-06-01."],
        "champion": 2,
        "decision": "promote",
        "drifted_columns": ["charges"],
        "notebooks": [{"name": "05_analyse_drift", "html": "05_analyse_drift.html", "ipynb": "05_analyse_drift.ipynb"}],
        "evidently": "evidently_drift.html",
        "records": ["drift_status.json"],
        **changes,
    }


def settings_with(tmp_path: Path, *summaries: dict[str, Any]) -> Settings:
    settings = Settings(root=tmp_path)
    for each in summaries:
        folder = settings.report_folder(each["use_case"], date.fromisoformat(each["as_of"]))
        write_json(folder / "summary.json", each)
    return settings


def external_links(text: str) -> list[str]:
    """Everything a browser would fetch on its own."""
    return re.findall(r"""(?:src=|@import |url\()["']?(?!data:|#)[^"')\s>]+|<link[^>]*>""", text)


def notebook(*, source: str = "1 + 1") -> Any:
    v4: Any = nbformat.v4
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# 05 Analyse drift\n\nHas the world moved?"),
            v4.new_code_cell("product = None", metadata={"tags": ["parameters"]}),
            v4.new_code_cell('product = "x"', metadata={"tags": ["injected-parameters"]}),
            v4.new_code_cell(
                source,
                outputs=[
                    v4.new_output("execute_result", data={"text/html": "<b>two</b>", "text/plain": "2"}),
                    v4.new_output("stream", name="stdout", text="a < b\n"),
                ],
            ),
        ]
    )


def test_the_index_shows_status_in_words_and_links_every_notebook(tmp_path: Path) -> None:
    text = write_index(settings_with(tmp_path, summary())).read_text(encoding="utf-8")
    assert "▲ amber" in text
    assert "Drift since 2026-06-01." in text
    assert 'href="churn/2026-06-30/05_analyse_drift.html"' in text
    assert 'href="churn/2026-06-30/05_analyse_drift.ipynb"' in text
    assert 'href="churn/2026-06-30/evidently_drift.html"' in text
    assert 'href="churn/2026-06-30/drift_status.json">drift status</a>' in text
    assert "champion is version 2" in text
    assert external_links(text) == []


def test_the_latest_report_comes_first_and_earlier_ones_are_listed(tmp_path: Path) -> None:
    builds = [summary(as_of=day, verdict=[f"As of {day}."]) for day in ("2026-06-29", "2026-06-30", "2026-06-28")]
    text = write_index(settings_with(tmp_path, *builds)).read_text(encoding="utf-8")
    places = [text.index(f"As of 2026-06-{day}.") for day in (30, 29, 28)]
    assert places == sorted(places)
    assert "2 earlier reports" in text


def test_the_use_case_that_needs_a_person_comes_first(tmp_path: Path) -> None:
    calm = summary(use_case="bank", title="Bank", status="green")
    loud = summary(use_case="telco", title="Telco", status="red")
    text = write_index(settings_with(tmp_path, calm, loud)).read_text(encoding="utf-8")
    assert text.index("Telco") < text.index("Bank")


def test_a_broken_summary_is_listed_with_its_fault(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, summary())
    broken = settings.reports_folder / "telco" / "2026-06-01" / "summary.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{", encoding="utf-8")
    text = write_index(settings).read_text(encoding="utf-8")
    assert "cannot be read; build it again" in text
    assert "Customer churn" in text


def test_a_summary_with_few_keys_is_enough_and_all_of_it_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    content = {"use_case": "churn", "as_of": "2026-06-30", "title": evil, "status": evil, "verdict": [evil]}
    text = write_index(settings_with(tmp_path, content)).read_text(encoding="utf-8")
    assert "<script" not in text
    assert str(tmp_path) not in text


def test_the_sandbox_is_no_report_and_no_report_is_said(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    write_json(settings.reports_folder / "sandbox" / "churn" / "summary.json", summary())
    text = write_index(settings).read_text(encoding="utf-8")
    assert "No report yet." in text
    assert "0 use cases" in text


def test_the_index_is_the_same_twice(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, summary(), summary(use_case="bank", title="Bank"))
    first = write_index(settings).read_bytes()
    assert write_index(settings).read_bytes() == first


def test_a_notebook_becomes_a_page_that_fetches_nothing(tmp_path: Path) -> None:
    source = tmp_path / "reports" / "churn" / "2026-06-30" / "05_analyse_drift.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(notebook(), source)
    text = notebook_html(source, source.with_suffix(".html")).read_text(encoding="utf-8")
    assert "<title>05 Analyse drift · churn, 2026-06-30</title>" in text
    assert "<b>two</b>" in text
    assert "a &lt; b" in text
    assert 'href="../../index.html"' in text
    assert external_links(text) == []
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org", "")
    assert str(tmp_path) not in text
    assert len(text) < 20_000


def test_parameters_are_folded_and_those_of_the_run_told_apart(tmp_path: Path) -> None:
    nbformat.write(notebook(), tmp_path / "a.ipynb")
    text = notebook_html(tmp_path / "a.ipynb", tmp_path / "a.html").read_text(encoding="utf-8")
    folded = re.findall(r"<details class=\"injected\">.*?</details>", text, flags=re.DOTALL)
    assert len(folded) == 2
    assert "Parameters when run by hand" in folded[0]
    assert "celltag_injected-parameters" in folded[1]
    assert "Parameters of this run" in folded[1]


def test_pages_of_a_report_link_each_other_and_never_a_notebook(tmp_path: Path) -> None:
    source = tmp_path / "reports" / "churn" / "2026-06-30" / "05_analyse_drift.ipynb"
    source.parent.mkdir(parents=True)
    content = notebook()
    v4: Any = nbformat.v4
    links = "[06](06_retrain_challenger.ipynb), [all](../reports/index.html), [lab](../explore/explore_data.ipynb)"
    content.cells.append(v4.new_markdown_cell(links))
    nbformat.write(content, source)
    pages = ["05_analyse_drift.html", "06_retrain_challenger.html", "evidently_drift.html"]
    text = notebook_html(source, source.with_suffix(".html"), pages=pages).read_text(encoding="utf-8")
    assert 'href="06_retrain_challenger.html">06</a>' in text
    assert 'href="../../index.html">all</a>' in text
    assert 'href="../explore/explore_data.ipynb"' in text, "what is not of the report stays as it is"
    assert 'title="05 analyse drift" aria-current="page">05</a>' in text
    assert 'title="evidently drift">Evidently</a>' in text


def test_a_page_of_the_same_notebook_is_the_same_twice(tmp_path: Path) -> None:
    nbformat.write(notebook(), tmp_path / "a.ipynb")
    first = notebook_html(tmp_path / "a.ipynb", tmp_path / "a.html").read_bytes()
    assert notebook_html(tmp_path / "a.ipynb", tmp_path / "a.html").read_bytes() == first


def test_a_missing_or_broken_notebook_is_a_clear_error_and_leaves_no_page(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected an executed notebook at a\.ipynb, found none"):
        notebook_html(tmp_path / "a.ipynb", tmp_path / "a.html")
    (tmp_path / "a.ipynb").write_text("half", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.ipynb is not a notebook"):
        notebook_html(tmp_path / "a.ipynb", tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def rows(number: int, *, shift: float, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "row_id": [f"r{index}" for index in range(number)],
            "charges": [float("inf"), None, *(rng.normal(shift, 1, number - 2))],
            "empty": pl.Series([None] * number, dtype=pl.Float64),
            "contract": rng.choice(["monthly", "yearly", ""], number),
            "prediction": rng.choice(["no", "yes"], number),
            "prediction_score": rng.random(number),
        }
    )


def test_the_evidently_page_is_offline_reproducible_and_says_what_it_is(tmp_path: Path) -> None:
    reference, current = rows(300, shift=0.0, seed=1), rows(200, shift=1.0, seed=2)
    texts = []
    for name in ("a.html", "b.html"):
        fault = write_evidently(reference, current, case=CASE, path=tmp_path / name, seed=7, max_rows=250)
        assert fault is None
        texts.append((tmp_path / name).read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert "250 of 300 reference rows, 200 of 200 current rows" in texts[0]
    assert "Left out, nothing to compare: empty." in texts[0]
    assert "charges" in texts[0]
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?http", texts[0])
    assert str(tmp_path) not in texts[0]
    assert "site-packages" not in texts[0]


def test_a_failing_evidently_leaves_a_page_that_says_so_and_never_raises(tmp_path: Path) -> None:
    nothing = rows(10, shift=0.0, seed=1).select("row_id")
    fault = write_evidently(nothing, nothing, case=CASE, path=tmp_path / "e.html", seed=7)
    assert fault
    text = (tmp_path / "e.html").read_text(encoding="utf-8")
    assert "No Evidently page" in text
    assert "judged in notebook 05" in text
