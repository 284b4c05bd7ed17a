"""A real Prometheus reads the service's metrics, and the rules that are shipped evaluate and fire when they should."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from live_service import free_port, get_json, make_models, request_rows, running

import driftbook.serving

RULES = Path(driftbook.serving.__file__).with_name("alerts.rules.yml")
PATIENCE_SECONDS = 120.0


def program(name: str) -> str:
    """The path of a program of Debian's package prometheus."""
    found = shutil.which(name)
    if found is None:
        told = f"{name} is not installed (Debian: apt-get install prometheus)"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    return str(found)


def fires(folder: Path, series: dict[str, str], *, alert: str, after: str, labels: dict[str, str] | None) -> None:
    """Prometheus' own test of rules: whether an alert fires at a moment, given what was measured every minute."""
    expected = [{"exp_labels": labels}] if labels is not None else []
    content = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [{"eval_time": after, "alertname": alert, "exp_alerts": expected}],
            }
        ],
    }
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    [found] = [rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == alert]
    if expected:
        expected[0]["exp_annotations"] = {"summary": _summary(found, labels or {}, series)}
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _summary(rule: dict[str, Any], labels: dict[str, str], series: dict[str, str]) -> str:
    """What the annotation says, with its labels and its value, 10 %, filled in."""
    text = str(rule["annotations"]["summary"])
    for name, value in labels.items():
        text = text.replace("{{ $labels." + name + " }}", value)
    return text.replace("{{ $value | humanizePercentage }}", "10%")


def test_the_shipped_rules_are_well_formed() -> None:
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


ODD = 'driftbook_flagged_rows_total{use_case="churn", flag="outlier"}'
ROWS = 'driftbook_predictions_total{use_case="churn", version="1", role="champion", prediction="no"}'


def test_many_suspicious_rows_raise_an_alert_and_few_do_not(tmp_path: Path) -> None:
    labels = {"severity": "warning", "use_case": "churn", "flag": "outlier"}
    fires(tmp_path, {ODD: "0+10x120", ROWS: "0+100x120"}, alert="DriftbookOutliers", after="60m", labels=labels)
    fires(tmp_path, {ODD: "0+1x120", ROWS: "0+100x120"}, alert="DriftbookOutliers", after="60m", labels=None)


def test_failing_requests_raise_an_alert(tmp_path: Path) -> None:
    failed, good = (
        f'driftbook_requests_total{{use_case="churn", route="/predict", status="{each}"}}' for each in (500, 200)
    )
    labels = {"severity": "critical", "use_case": "churn"}
    fires(tmp_path, {failed: "0+10x60", good: "0+90x60"}, alert="DriftbookErrors", after="30m", labels=labels)
    fires(tmp_path, {failed: "0+0x60", good: "0+90x60"}, alert="DriftbookErrors", after="30m", labels=None)


def test_a_service_that_is_gone_raises_an_alert(tmp_path: Path) -> None:
    labels = {"severity": "critical", "job": "driftbook", "instance": "here"}
    up = 'up{job="driftbook", instance="here"}'
    fires(tmp_path, {up: "1x5 0x20"}, alert="DriftbookServiceDown", after="15m", labels=labels)
    fires(tmp_path, {up: "1x30"}, alert="DriftbookServiceDown", after="15m", labels=None)


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Callable[[str, dict[str, str]], Any]]:
    """Prometheus with the shipped rules, scraping every second; asked through its API."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "driftbook", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = free_port()
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(path: str, query: dict[str, str]) -> Any:
        answer = get_json(f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        assert isinstance(answer, dict)
        return answer["data"]

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(timeout=30)


def eventually(reached: Callable[[], Any]) -> Any:
    """What is reached in the end; a server that does not answer yet has reached nothing."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            found = reached()
        except OSError:
            found = None
        if found:
            return found
        assert time.monotonic() < until, "not reached in time"
        time.sleep(0.5)


def test_prometheus_scrapes_the_service_and_evaluates_every_rule(tmp_path: Path) -> None:
    settings = make_models(tmp_path / "desk", rows_per_day=120, days=6)
    rows = request_rows(settings, 40)
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    recorded = [rule["record"] for group in rules["groups"] for rule in group["rules"] if "record" in rule]
    with running(settings) as address, prometheus(tmp_path, address.removeprefix("http://")) as ask:

        def value(query: str) -> float | None:
            found = ask("query", {"query": query})["result"]
            return float(found[0]["value"][1]) if found else None

        def asked_and_recorded() -> bool:
            body = json.dumps(rows).encode()
            request = urllib.request.Request(f"{address}/predict", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert len(json.loads(answer.read())) == len(rows)
            return all(value(name) is not None for name in recorded if name != "driftbook:request_errors:share5m")

        eventually(asked_and_recorded)
        assert value('up{job="driftbook"}') == 1
        assert value('driftbook_model_on_duty{role="champion", version="1"}') == 1
        assert value("driftbook:requests:rate5m") > 0
        assert value('driftbook:flagged_rows:share1h{flag="outlier"}') < 1
        groups = ask("rules", {})["groups"]
        judged = [rule for group in groups for rule in group["rules"]]
        assert {rule["health"] for rule in judged} == {"ok"}
        assert {rule["state"] for rule in judged if rule["type"] == "alerting"} == {"inactive"}
