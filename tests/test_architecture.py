"""The house holds: modules import downwards only, heavy dependencies have one owner, files stay short."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "driftbook"
LONGEST_FILE = 300
ORDER = [
    "errors",
    "words",
    "processor",
    "config",
    "schema",
    "storage",
    "database",
    "serving.logged",
    "serving.spill",
    "serving.log_store",
    "serving.log_server",
    "serving.log",
    "serving.log_reader",
    "serving.log_eraser",
    "data.scales",
    "data.scenarios",
    "data.customers",
    "data.simulate",
    "data.sources",
    "data.dealing",
    "data.streams",
    "data.erasing",
    "data.ingestion",
    "data.served_rows",
    "data.served_targets",
    "data.served",
    "data.batches",
    "data.roles",
    "data.sniffing",
    "data.declaration",
    "data.declare",
    "quality",
    "model.features",
    "model.calibration",
    "model.bundle",
    "model.footprint",
    "model.ranking",
    "model.metrics",
    "model.splits",
    "model.boosting",
    "model.baselines",
    "model.evaluation",
    "model.explain",
    "model.contrast",
    "model.outliers",
    "model.training",
    "model.isotonic",
    "model.estimation",
    "model.trust",
    "model.labelling",
    "registry",
    "drift.column_values",
    "drift.profile",
    "drift.profile_file",
    "drift.null_laws",
    "drift.batches",
    "drift.summaries",
    "drift.grid",
    "drift.compact",
    "drift.compact_file",
    "drift.merging",
    "drift.typed_texts",
    "drift.plain_series",
    "drift.table_source",
    "drift.sorted_columns",
    "drift.wasserstein",
    "drift.p_values",
    "drift.contract",
    "drift.equal_width",
    "drift.binned",
    "drift.shares",
    "drift.methods",
    "drift.calibration",
    "drift.measuring",
    "drift.column_by_column",
    "drift.encoding",
    "drift.domain",
    "drift.reconstruction",
    "drift.embeddings",
    "drift.importance_weights",
    "drift.table_methods",
    "drift.joint",
    "drift.thresholds",
    "drift.accumulation",
    "drift.seasons",
    "drift.reference",
    "drift.power",
    "drift.excess",
    "drift.judging",
    "drift.engine",
    "attribution",
    "decisions",
    "decisions.alerts",
    "decisions.retraining_evidence",
    "decisions.retraining",
    "decisions.design_effect",
    "decisions.late_targets",
    "decisions.sequential",
    "decisions.costs",
    "decisions.guarded_sums",
    "decisions.outcomes",
    "decisions.comparison",
    "decisions.guardrails",
    "decisions.promotion",
    "decisions.rollback",
    "decisions.paired_tests",
    "decisions.split",
    "decisions.familiar",
    "deployment",
    "notify",
    "audit",
    "serving.encoding",
    "serving.margins",
    "serving.grove",
    "serving.scorer",
    "serving.panel",
    "serving.cache",
    "serving.patience",
    "serving",
    "tables",
    "figures",
    "reports",
    "comparison",
    "timeline",
    "workflow",
    "dashboard",
    "explore",
    "cli",
    "__main__",
]
OWNERS = {
    "mlflow": {"registry"},
    "evidently": {"reports"},
    "ploomber": {"workflow"},
    "papermill": {"workflow"},
    "sqlalchemy": {
        "database",
        "data.sources",
    },  # a person's own database is read without creating our tables in it
    "redis": {"serving.cache"},
    "psycopg": {"serving.log_server"},
    "typer": {"cli"},
    "httpx": {"notify"},
    "optuna": {"model.boosting"},
    "sklearn": {"model.baselines"},
    "pandas": {"reports", "registry"},
    "ipywidgets": {"explore", "dashboard"},
    "voila": {"dashboard"},
    "tornado": {"dashboard"},
    "jupyter_server": {"dashboard"},
}


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module: str) -> str | None:
    """The entry of ORDER a module belongs to: the longest one that begins its name."""
    fitting = [room for room in ORDER if module == room or module.startswith(f"{room}.")]
    return max(fitting, key=len) if fitting else None


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            found.add(str(node.module))
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _typing_only(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom):
                    found.add(str(inner.module))
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: _module(path) or "driftbook")
def test_a_module_imports_only_from_rooms_below_it(path):
    module = _module(path)
    if module in ("", "data", "model", "drift", "serving"):
        return
    room = _room(module)
    assert room is not None, f"{module} has no place in ORDER"
    for name in _imports(path) - _typing_only(path):
        other = _room(name.removeprefix("driftbook.")) if name.startswith("driftbook.") else None
        if other is not None and other != room:
            assert ORDER.index(other) < ORDER.index(room), f"{module} imports {name}, which lies above it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: _module(path) or "driftbook")
def test_heavy_dependencies_are_imported_by_their_owner_only(path):
    room = _room(_module(path))
    for name in _imports(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or room in owners, f"{_module(path)} imports {name}; its owner is {owners}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: _module(path) or "driftbook")
def test_no_file_is_longer_than_a_person_reads(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_no_room_is_listed_that_does_not_exist():
    names = {_module(path) for path in MODULES}
    assert set(ORDER) <= names


@pytest.mark.parametrize(
    ("imported", "heavy"),
    [
        ("driftbook", {"polars", "pandas", "sklearn", "mlflow", "evidently", "sqlalchemy", "xgboost"}),
        ("driftbook.cli", {"polars", "pandas", "sklearn", "mlflow", "evidently", "sqlalchemy", "xgboost"}),
        ("driftbook.tables, driftbook.figures", {"pandas", "sklearn", "mlflow", "evidently", "scipy", "xgboost"}),
        ("driftbook.timeline.office", {"sklearn", "mlflow", "evidently", "optuna", "ploomber"}),
        ("driftbook.dashboard.views", {"pandas", "sklearn", "mlflow", "evidently", "scipy", "xgboost", "ploomber"}),
    ],
)
def test_importing_costs_only_what_is_used(imported, heavy):
    code = f"import sys, {imported}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())
