"""A small workbench in a temporary folder: the committed pipeline on a small simulated use case."""

import shutil
from pathlib import Path

import yaml

from driftbook.config import Settings
from driftbook.data.batches import ingest
from driftbook.timeline.office import commit, open_journal
from driftbook.timeline.walk import walk
from driftbook.workflow.bind import bind

ROOT = Path(__file__).parents[1]
ONSET_DAY = 5


def make_workbench(folder: Path, *, rows_per_day: int = 260, history_days: int = 24, stream_days: int = 18) -> Settings:
    """The committed pipeline and notebooks with the churn use case made small."""
    for name in ("pipeline.yaml", "env.yaml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    content = yaml.safe_load((ROOT / "data" / "churn" / "usecase.yaml").read_text(encoding="utf-8"))
    content["source"] |= {"rows_per_day": rows_per_day, "history_days": history_days, "stream_days": stream_days}
    content["scenario"] |= {"onset_day": ONSET_DAY}
    content["model"] = {**content.get("model", {}), "trials": 1, "folds": 2, "max_rounds": 60}
    target = folder / "data" / "churn" / "usecase.yaml"
    target.parent.mkdir(parents=True)
    target.write_text(yaml.safe_dump(content), encoding="utf-8")
    (folder / "reports").mkdir()
    return Settings(root=folder)


def run_of(settings: Settings, as_of: str, *, scenario: str = "declared"):
    """A run that counts, as Ploomber would make it."""
    products = {"story": str(settings.root / "reports" / "story.json")}
    return bind(
        "evaluate_challenger",
        use_case="churn",
        scenario=scenario,
        as_of=as_of,
        upstream={},
        product=products,
        settings=settings,
    )


def build_story(settings: Settings, as_of: str, *, scenario: str = "declared"):
    """What a build decides, without its notebooks: ingest, judge, commit."""
    run = run_of(settings, as_of, scenario=scenario)
    ingest(run.case, run.settings, as_of=run.as_of)
    story = walk(run, open_journal(run))
    commit(run, story)
    return story
