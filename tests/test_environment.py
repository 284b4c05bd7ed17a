"""The environment: everybody gets the versions of the lock, from whatever package source their tools are set to."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PLATFORMS = ("linux", "darwin")
NAMED_SOURCE = re.compile(
    r"(extra|default)?[-_]?index[-_]url|find[-_]links|trusted[-_]host|pypi\.org|pythonhosted\.org|anaconda\.(org|com)"
    r"|https?://[^\s\"')]+/simple\b",
    re.IGNORECASE,
)


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def direct() -> list[Requirement]:
    found = project()
    return [Requirement(each) for each in (*found["dependencies"], *found["optional-dependencies"]["dev"])]


def locked(platform: str) -> dict[str, Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonical(pin.name): pin for pin in pins if applies(pin.marker, platform)}


def applies(marker: Marker | None, platform: str) -> bool:
    return marker is None or marker.evaluate({"sys_platform": platform})


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def tracked_files() -> list[Path]:
    shown = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in shown.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_direct_dependency_is_pinned_within_its_bounds(platform):
    pins = locked(platform)
    for wanted in direct():
        if applies(wanted.marker, platform):
            assert canonical(wanted.name) in pins, f"{wanted.name} is not in requirements.lock"
            [pinned] = pins[canonical(wanted.name)].specifier
            assert wanted.specifier.contains(pinned.version), f"{wanted} is locked at {pinned.version}"


def test_every_line_of_the_lock_pins_one_version_and_no_package_comes_twice():
    for platform in PLATFORMS:
        assert all([each.operator for each in pin.specifier] == ["=="] for pin in locked(platform).values())
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    names = [canonical(Requirement(line).name) for line in lines if line and not line.startswith("#")]
    assert len(names) == len(set(names))


def test_what_is_installed_here_is_what_the_lock_says():
    wanted = {name: next(iter(pin.specifier)).version for name, pin in locked(sys.platform).items()}
    assert {name: version(name) for name in wanted} == wanted


def test_conda_installs_the_same_python_and_exactly_the_lock():
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert content["channels"] == ["conda-forge"]
    assert content["dependencies"] == [
        "python=3.11",
        "pip",
        {"pip": ["--requirement requirements.lock", "--editable ."]},
    ]
    assert project()["requires-python"] == ">=3.11,<3.12"
    assert sys.version_info[:2] == (3, 11)


def test_no_file_says_where_packages_come_from():
    named = {}
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found = NAMED_SOURCE.search(text)
        if found:
            named[path.relative_to(ROOT).as_posix()] = found.group()
    assert named == {}


def fake_python(folder: Path, minor: int) -> Path:
    """An interpreter that passes for another version of Python and can do nothing but answer code."""
    path = folder / f"python3.{minor}"
    code = f"import sys; sys.version_info = (3, {minor}, 1, 'final', 0); sys.executable = 'here'; exec(sys.argv[1])"
    path.write_text(f'#!/bin/sh\n[ "$1" = -c ] || exit 9\nexec {sys.executable} -c "{code}" "$2"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.parametrize("minor", [10, 12, 13])
def test_another_python_is_refused_with_what_to_do_and_nothing_is_made(tmp_path, minor):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    done = make(tmp_path, f"PYTHON={fake_python(tmp_path, minor)}", "setup")
    assert done.returncode != 0
    assert f"driftbook needs Python 3.11, found 3.{minor} (here)" in done.stderr
    assert "make PYTHON=/path/to/python3.11 setup" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_machine_without_any_python_is_told_the_same(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    done = make(tmp_path, "PYTHON=", "setup")
    assert done.returncode != 0
    assert "driftbook needs Python 3.11, found none" in done.stderr


def test_continuous_integration_calls_the_command_of_the_readme():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[-1] == "make test"
    assert "\nmake test\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_the_commit_hooks_are_programs_of_the_lock():
    content = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for source in content["repos"] for hook in source["hooks"]]
    assert {source["repo"] for source in content["repos"]} == {"local"}
    assert {hook["id"] for hook in hooks} == {"ruff-check", "ruff-format", "nbstripout", "mypy"}
    for hook in hooks:
        program = Path(hook["entry"].split()[0])
        assert program.parent == Path(".venv/bin")
        assert canonical(program.name) in locked("linux")
        assert (Path(sys.executable).parent / program.name).is_file()
