"""What recorded runs are keyed by: today's code gives today's keys, and only what an agent reaches can change one."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.isolation.fork_server import GraderFault
from autograder.recorded.calibration import (
    bugs,
    calibrate,
    implementations,
    is_unlearned,
    key_of,
    names,
    read_recorded,
    same_as_the_reference,
    variants,
)
from autograder.recorded.code_hash import code_hash
from autograder.solutions import ROOT, reference_code
from autograder.zoo import Animal
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve, load_assignment

CURVES = load_assignment().curves

TOPIC = """
[[problems]]
id = "made_up"
title = "A made-up topic"
points = 1
section = "None"
optional = true

[[stubs]]
id = "made_up_function"
problem = "made_up"
file = "topics/made_up.py"
symbol = "made_up"
lines = 1
minutes = 1
points = 1
"""

STALE = """
import json
from autograder.recorded.calibration import implementations, key_of, read_recorded
from hw4.handin.assignment import load_assignment
assignment = load_assignment()
keys = {c.id: {name: key_of(c, code) for name, code in implementations(c).items()} for c in assignment.curves}
recorded = {c.id: {(run.implementation, run.code_hash) for run in read_recorded(c)} for c in assignment.curves}
stale = [[id, name] for id, found in keys.items() for name, key in found.items() if (name, key) not in recorded[id]]
print(json.dumps({"code": assignment.submission.code, "stale": stale, "all": sum(map(len, keys.values()))}))
"""


def found_in(tree: Path) -> dict[str, list[object]]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run([sys.executable, "-c", STALE], cwd=tree, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found: dict[str, list[object]] = json.loads(run.stdout)
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what decides the keys."""
    for name in ("autograder", "hw4", "solutions"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "hidden-*"))
    shutil.copy(ROOT / "assignment.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.id)
def test_every_recorded_run_is_keyed_by_todays_code(curve: Curve) -> None:
    keys = {name: key_of(curve, code) for name, code in implementations(curve).items()}
    recorded = {
        (run.implementation, run.code_hash) for run in read_recorded(curve) if not is_unlearned(run.implementation)
    }
    assert recorded == set(keys.items())


def test_a_new_topic_makes_no_recorded_run_stale(tree: Path) -> None:
    with (tree / "assignment.toml").open("a", encoding="utf-8") as file:
        file.write(TOPIC)
    for room in ("solutions", "hw4"):
        topic = tree / room / "topics" / "made_up.py"
        topic.parent.mkdir(exist_ok=True)
        topic.write_text("from hw4.mpc import cem\n\n\ndef made_up() -> None:\n    cem\n", encoding="utf-8")
    found = found_in(tree)
    assert "topics/made_up.py" in found["code"]
    assert found["stale"] == []


def test_a_change_of_a_file_that_every_agent_reaches_makes_every_recorded_run_stale(tree: Path) -> None:
    with (tree / "solutions" / "mpc.py").open("a", encoding="utf-8") as file:
        file.write("\n\nUNUSED = 1\n")
    found = found_in(tree)
    assert len(found["stale"]) == found["all"]


def test_a_submitted_file_counts_as_soon_as_the_agent_reaches_it() -> None:
    curve, topic = CURVES[0], {"topics/made_up.py": b"SIZE = 1"}
    code = reference_code()
    assert key_of(curve, code | topic) == key_of(curve, code)
    reaching = {**code, "mpc.py": code["mpc.py"] + b"\nfrom hw4.topics.made_up import SIZE\n"}
    assert key_of(curve, reaching | topic) != key_of(curve, reaching | {"topics/made_up.py": b"SIZE = 2"})


def test_a_topic_counts_for_the_runs_that_plan_with_it() -> None:
    experiment = dataclasses.replace(EXPERIMENTS[CURVES[0].experiment], planner="made_up")
    code = reference_code()
    first, second = (code_hash({**code, "topics/made_up.py": text}, experiment) for text in (b"SIZE = 1", b"SIZE = 2"))
    assert first != second


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.id)
def test_every_variant_and_bug_changes_something_that_its_curve_runs(curve: Curve) -> None:
    assert same_as_the_reference(curve) == []
    assert variants(curve)
    assert bugs(curve)
    assert not {*names(variants(curve))} & {*names(bugs(curve))}


def test_an_animal_that_changes_nothing_that_a_curve_runs_is_refused_before_anything_is_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    animal = Animal("idle", "wrong", "Changes nothing.", curves_fail=(CURVES[0].id,))
    monkeypatch.setattr("autograder.recorded.calibration.load_animals", lambda: {"idle": animal})
    with pytest.raises(GraderFault, match="runs nothing of what idle changes"):
        calibrate([CURVES[0].id], runs=1, variant_runs=1, bug_runs=1, jobs=1)
