"""The README claims nothing that is not so: commands run or parse, names are all there and no others, paths exist."""

import re
import shlex
import subprocess
from pathlib import Path

import polars as pl
import pytest
import typer
import yaml
from pydantic import BaseModel

from driftbook.cli import app
from driftbook.config import Settings, load_policy, policy_names, use_case_names
from driftbook.config.policy import Policy
from driftbook.config.use_case import UseCase
from driftbook.data.scenarios import SCENARIOS
from driftbook.drift.joint import JOINT_METHODS
from driftbook.drift.methods import METHODS
from driftbook.drift.thresholds import ACCUMULATED
from driftbook.notify import CHANNELS
from driftbook.quality import CHECKS
from driftbook.storage import load_json
from driftbook.workflow.bind import load_tasks
from driftbook.workflow.lock import LOCK_HELD

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "src" / "driftbook" / "docs").glob("*.md")}
MANUAL = "\n".join([README, PAGES["operating"]])  # where commands are told
LONGEST_README = 200
SHELL_BLOCKS = ("console", "cron")
GENERATED = {
    ".venv/bin",
    "batches/",
    "data/state/",
    "failed/",
    "predictions/",
    "quarantine/",
    "raw/",
    "reports/",
    "reports/index.html",
    "targets/",
}
GENERATED |= {"data/NAME/usecase.yaml", "data/bank/raw/", "data/telco/raw/", "reports/sandbox"}
ELSEWHERE = {"data/Telco-Customer-Churn.csv"}


def blocks(*languages: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", MANUAL, flags=re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language in languages]


def prose() -> str:
    return re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """Of the README or of one of the pages it leads to."""
    text = "\n".join([README, *PAGES.values()])
    [found] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |^# |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def in_code(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def commands() -> list[str]:
    """Each command of the README's shell blocks, without comments and cron's five fields."""
    lines = [line for text in blocks(*SHELL_BLOCKS) for line in text.splitlines()]
    parts = [part for line in lines for part in re.sub(r"^[\d*/ ]+ (?=cd )", "", line).split(" && ")]
    return [part.strip() for part in parts if part.strip()]


def words(command: str) -> list[str]:
    found = shlex.split(command, comments=True)
    return [Path(found[0]).name, *found[1:]]


def using(tool: str) -> list[str]:
    return [command for command in commands() if words(command)[0] == tool]


def fields(model: type[BaseModel]) -> set[str]:
    """Names of all keys a configuration may hold, nested ones included."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        pending, inner = [field.annotation], []
        while pending:
            annotation = pending.pop()
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                inner.append(annotation)
            pending.extend(getattr(annotation, "__args__", ()))
        names |= {name}.union(*(fields(each) for each in inner))
    return names


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_the_readme_is_short_enough_to_be_read():
    assert len(README.splitlines()) <= LONGEST_README


def test_every_command_is_of_a_kind_that_is_tested_here():
    assert {words(command)[0] for command in commands()} == {"make", "driftbook", "ploomber", "python", "cd"}


@pytest.mark.parametrize("command", using("make"))
def test_every_make_target_exists(command):
    assert words(command)[1] in make_targets()


def test_make_help_lists_every_target_in_one_column():
    command = ["make", "--no-print-directory", "help"]  # under "make test" make says where it is, otherwise
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {line.split()[1] for line in shown} == make_targets()
    assert len({re.match(r"  make \w+ +", line).end() for line in shown}) == 1
    [listed] = [line for line in MANUAL.splitlines() if line.startswith("make help") and "all targets: " in line]
    assert set(listed.partition("all targets: ")[2].split()) == make_targets()


@pytest.mark.parametrize("command", using("driftbook"))
def test_every_driftbook_command_parses(command):
    group = typer.main.get_command(app)
    given = words(command)[1:]
    name = next(word for word in given if word in group.commands)
    before, after = given[: given.index(name)], given[given.index(name) + 1 :]
    assert set(before) <= {option for parameter in group.params for option in parameter.opts}
    group.commands[name].make_context(name, after)


def test_every_driftbook_command_and_option_is_documented():
    for name, command in typer.main.get_command(app).commands.items():
        assert any(name in words(each) for each in using("driftbook")), f"driftbook {name} is undocumented"
        options = {each.opts[0] for each in command.params if each.param_type_name == "option"}
        assert {option for option in options if option not in MANUAL} == set()


def test_every_ploomber_command_sets_what_can_be_set():
    known = {f"--env--{key}" for key in yaml.safe_load((ROOT / "env.yaml").read_text(encoding="utf-8"))}
    for command in using("ploomber"):
        assert words(command)[1] == "build"
        assert {word for word in words(command) if word.startswith("--")} <= known


def test_the_line_that_makes_a_parquet_file_of_a_csv_runs(tmp_path, monkeypatch):
    [command] = using("python")
    _, option, code = words(command)
    assert option == "-c"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bank-additional-full.csv").write_text('age;"emp.var.rate";y\n56;1.1;"no"\n', encoding="utf-8")
    raw = Settings(root=tmp_path).raw_folder("bank")
    raw.mkdir(parents=True)
    exec(compile(code, "README.md", "exec"), {})
    declared = yaml.safe_load((ROOT / "data" / "bank" / "usecase.yaml").read_text(encoding="utf-8"))["source"]["path"]
    assert pl.read_parquet(raw / declared).rows() == [(56, 1.1, "no")]


def test_every_scenario_is_described_in_its_own_words_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section("Scenarios"), flags=re.MULTILINE)
    assert dict(rows) == {name: spec.sentence for name, spec in SCENARIOS.items()}


def test_every_drift_method_is_listed_with_its_kinds_and_no_other():
    rows = re.findall(
        r"^\| (`\w+`[^|]*) \| (numeric|categorical|both|table) \|", section("Drift methods"), re.MULTILINE
    )
    listed = {name: kinds for names, kinds in rows for name in in_code(names)}
    words = {("numeric",): "numeric", ("categorical",): "categorical", ("numeric", "categorical"): "both"}
    expected = {name: words[each.kinds] for name, each in METHODS.items()}
    assert listed == expected | dict.fromkeys([*JOINT_METHODS, ACCUMULATED], "table")


def test_every_quality_check_is_listed_and_no_other():
    [listed] = re.findall(r"Checks: (.+?)\. ", section("Policies"))
    assert in_code(listed) == set(CHECKS)


@pytest.mark.parametrize("name", policy_names())
def test_every_policy_loads_and_is_listed(name):
    assert load_policy(name).title
    assert name in in_code(section("Policies"))


def test_every_key_of_a_policy_is_documented():
    assert fields(Policy) <= in_code(section("Policies"))


def test_every_key_of_a_use_case_is_documented_and_no_other():
    described = section("Configuration").partition("`env.yaml`")[0]
    assert in_code(described) == fields(UseCase) | {"usecase.yaml"}


def test_every_environment_variable_is_documented_and_no_other():
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r"DRIFTBOOK_[A-Z_]*[A-Z]", source)) - {LOCK_HELD}
    assert set(re.findall(r"DRIFTBOOK_[A-Z_]*[A-Z]", section("Configuration"))) == read
    assert {variable for variable, _ in CHANNELS.values() if variable} <= read


def test_the_picture_shows_the_pipeline_as_the_notebooks_declare_it():
    [picture] = blocks("mermaid")
    drawn = set()
    for line in re.sub(r"\[[^]]*\]", "", picture).splitlines():
        sources, arrow, task = line.strip().partition(" --> ")
        drawn |= {(source.strip(), task) for source in sources.split("&")} if arrow else set()
    declared = set()
    for task, notebook in tasks_and_notebooks().items():
        parameters = next(
            cell for cell in load_json(notebook)["cells"] if "parameters" in cell["metadata"].get("tags", [])
        )
        [upstream] = re.findall(r"^upstream = (.*)$", "".join(parameters["source"]), flags=re.MULTILINE)
        declared |= {(source, task) for source in yaml.safe_load(upstream)}
    assert drawn == declared


def tasks_and_notebooks() -> dict[str, Path]:
    tasks = yaml.safe_load((ROOT / "pipeline.yaml").read_text(encoding="utf-8"))["tasks"]
    return {task["name"]: ROOT / task["source"] for task in tasks}


def test_the_story_has_a_row_for_each_notebook_with_products_there_are():
    story = section("The story")
    linked = re.findall(r"^\| \[\d\d [\w ]+\]\((\S+)\)", story, flags=re.MULTILINE)
    assert [ROOT / path for path in linked] == list(tasks_and_notebooks().values())
    products = {path.name for task in load_tasks(Settings(root=ROOT)).values() for path in task.values()}
    assert {name for name in in_code(story) if "." in name} <= products


def test_every_link_leads_somewhere():
    pages = ROOT / "src" / "driftbook" / "docs"
    for folder, text in ((ROOT, README), *((pages, page) for page in PAGES.values())):
        links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
        assert links
        assert [link for link in links if not (folder / link).exists()] == []


def test_every_page_is_led_to_by_the_readme():
    assert {name for name in PAGES if f"(src/driftbook/docs/{name}.md)" not in README} == set()


def test_every_path_in_the_text_exists_or_is_generated():
    named = {text for text in in_code(prose()) if re.fullmatch(r"[\w./-]+/[\w./-]*", text)}
    assert {text for text in named if not (ROOT / text).exists()} <= GENERATED | ELSEWHERE


def test_the_tree_shows_every_module_of_the_package_and_only_what_exists():
    [tree] = blocks("text")
    outer, _, inner = tree.partition("src/driftbook/")
    lines = [re.split(r" {2,}", line.strip())[0] for line in inner.splitlines()[1:] if line.startswith("  ")]
    package = ROOT / "src" / "driftbook"
    there = {
        f"{path.name}/" for path in package.iterdir() if list(path.glob("*.py")) or path.name in {"docs", "policies"}
    }
    there |= {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    assert {name for line in lines for name in line.split()} == there
    listed = {line.split()[0] for line in outer.splitlines()} - {"data/state/", "reports/"}
    assert [path for path in listed if not (ROOT / path).exists()] == []


def test_the_declared_use_cases_are_those_the_readme_speaks_of():
    for name in use_case_names(Settings(root=ROOT)):
        tracked = subprocess.run(
            ["git", "ls-files", f"data/{name}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert not tracked.stdout or f"data/{name}/usecase.yaml" in README


def test_the_onset_in_the_readme_is_the_declared_one():
    case = yaml.safe_load((ROOT / "data" / "churn" / "usecase.yaml").read_text(encoding="utf-8"))
    start, onset = case["source"]["stream_start"], case["scenario"]["onset_day"]
    day = start.fromordinal(start.toordinal() + onset - 1)
    assert f"hit on {day}, the {onset}th day of the stream" in README
