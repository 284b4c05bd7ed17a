import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from driftbook import processor
from driftbook.processor import VARIABLE, choose_sort, is_slow_with_avx512, sort_environment

ZEN_4 = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nflags\t\t: fpu avx2 avx512f avx512vl\n"
)
OTHERS = {
    "Zen 3, which knows no AVX-512": ZEN_4.replace(" avx512f avx512vl", ""),
    "Zen 5, which sorts well with it": ZEN_4.replace(": 25", ": 26"),
    "Intel": ZEN_4.replace("AuthenticAMD", "GenuineIntel"),
    "ARM": "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\n",
    "no such file": "",
}


def test_zen_4_is_known_by_its_family_and_its_instructions() -> None:
    assert is_slow_with_avx512(ZEN_4)
    assert is_slow_with_avx512(ZEN_4 + "\n" + ZEN_4.replace(": 0", ": 1"))


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_processors_are_left_alone(text: str) -> None:
    assert sort_environment(text, {}) == {}


@pytest.mark.parametrize(("version", "name"), [("2.2.6", "AVX512_SKX"), ("2.4.0", "X86_V4"), ("3.0.1", "X86_V4")])
def test_the_instructions_are_called_as_numpy_calls_them(
    version: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: version)
    assert sort_environment(ZEN_4, {}) == {VARIABLE: name}


def test_who_has_chosen_for_himself_keeps_his_choice() -> None:
    assert sort_environment(ZEN_4, {VARIABLE: "AVX2"}) == {}


def test_the_process_and_its_children_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(ZEN_4)
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    choose_sort()
    assert os.environ[VARIABLE] in {"X86_V4", "AVX512_SKX"}


def test_the_command_chooses_before_numpy_is_loaded() -> None:
    code = (
        "import sys; from driftbook import cli\ncli.choose_sort = lambda: sys.exit('numpy' in sys.modules)\ncli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_any_command_can_be_started_with_it() -> None:
    code = f"import os; print(os.environ.get('{VARIABLE}'))"
    command = [sys.executable, "-m", "driftbook.processor", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, VARIABLE: "chosen"})
    assert done.stdout.strip() == "chosen"
