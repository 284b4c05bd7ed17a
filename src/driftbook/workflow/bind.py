"""Ties a notebook to its inputs and products, whoever runs it.

Under Ploomber the paths are injected. When a person runs the notebook in JupyterLab nothing is: then the
inputs are the last build's products (or the sandbox's own, if newer work lies there) and the products go to
``reports/sandbox``, so that exploring never overwrites an audit record.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import jinja2
import yaml

from driftbook.config import Settings, load_policy, load_use_case
from driftbook.decisions.costs import check_metric
from driftbook.errors import ConfigError, StateError, UnknownNameError
from driftbook.timeline.run import Run


def bind(
    task: str,
    *,
    use_case: str,
    scenario: str,
    as_of: str,
    upstream: Any,
    product: Any,
    settings: Settings | None = None,
) -> Run:
    """The run a notebook executes.

    Parameters
    ----------
    task
        Name of the task in ``pipeline.yaml``.
    use_case, scenario, as_of, upstream, product
        The notebook's parameters, as they are.

    Returns
    -------
    Run with the use case, its policy, inputs by task and key, and products by key.
    """
    settings = settings or Settings.find()
    case = load_use_case(use_case, scenario=scenario, settings=settings)
    day = parse_day(as_of)
    if product is not None:
        inputs = {name: _paths(products) for name, products in (upstream or {}).items()}
        products, sandbox = _paths(product), False
    else:
        tasks = load_tasks(settings, use_case=use_case, scenario=scenario, as_of=as_of)
        if task not in tasks:
            raise UnknownNameError("task", task, tasks)
        inputs = {name: _newest(tasks[name], settings) for name in upstream or []}
        products, sandbox = _in_sandbox(tasks[task], settings), True
    policy = load_policy(case.policy)
    check_metric(policy.promotion.metric, case.costs)
    return Run(case, policy, settings, day, sandbox, inputs, products)


def parse_day(as_of: str | date) -> date:
    """A day from ``2026-06-30``; a clear error for anything else."""
    try:
        return as_of if isinstance(as_of, date) else date.fromisoformat(str(as_of))
    except ValueError:
        raise ConfigError(f"as_of should be a day like 2026-06-30, found {as_of!r}") from None


def load_tasks(settings: Settings, **env: str) -> dict[str, dict[str, Path]]:
    """Products of every task in ``pipeline.yaml``, relative to the workbench.

    Parameters
    ----------
    env
        Values of the placeholders; those not given come from ``env.yaml``.
    """
    defaults = yaml.safe_load((settings.root / "env.yaml").read_text(encoding="utf-8"))
    text = (settings.root / "pipeline.yaml").read_text(encoding="utf-8")
    values = {**defaults, **{key: str(value) for key, value in env.items()}}
    tasks = yaml.safe_load(text)["tasks"]
    return {
        task["name"]: {key: Path(jinja2.Template(path).render(**values)) for key, path in task["product"].items()}
        for task in tasks
    }


def load_sources(settings: Settings) -> dict[str, Path]:
    """Notebook of every task in ``pipeline.yaml``."""
    text = (settings.root / "pipeline.yaml").read_text(encoding="utf-8")
    return {task["name"]: settings.root / task["source"] for task in yaml.safe_load(text)["tasks"]}


def _paths(products: dict[str, str]) -> dict[str, Path]:
    return {key: Path(str(path)) for key, path in products.items()}


def _sandbox(path: Path, settings: Settings) -> Path:
    return settings.root / "reports" / "sandbox" / path.relative_to("reports")


def _in_sandbox(products: dict[str, Path], settings: Settings) -> dict[str, Path]:
    paths = {key: _sandbox(path, settings) for key, path in products.items()}
    next(iter(paths.values())).parent.mkdir(parents=True, exist_ok=True)
    return paths


def _newest(products: dict[str, Path], settings: Settings) -> dict[str, Path]:
    """Of the build's and the sandbox's products, those written last (data products only are compared)."""
    data = {key: path for key, path in products.items() if path.suffix not in (".ipynb", ".html")}
    built = {key: settings.root / path for key, path in data.items()}
    tried = {key: _sandbox(path, settings) for key, path in data.items()}
    there = [paths for paths in (built, tried) if all(path.exists() for path in paths.values())]
    if not there:
        missing = next(iter(built.values())).relative_to(settings.root)
        raise StateError(f"expected {missing}, found no such file; run 'driftbook build' first, or the notebook before")
    return max(there, key=lambda paths: max(path.stat().st_mtime_ns for path in paths.values()))
