"""Attacks of the bank against the real grader, in the mode that this machine is in.

`make test` tries the first of each family, and one in three of the others; `make verify` all of them in every mode.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attacks.bank import Attack, load_bank
from attacks.canaries import Planted, planted
from attacks.trial import Trial, try_attack
from autograder.grading import session
from autograder.grading.listener import Silent
from autograder.grading.private import load_private
from autograder.grading.session import ConfinementTooWeak, Grader
from autograder.isolation import remote
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject
from autograder.solutions import ROOT, reference_code
from autograder.worker import layers
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.at_once import write_at_once
from hw4.handin.intake import read_submission
from hw4.handin.strict_toml import TomlError

BANK = load_bank()
CALL_SECONDS = 0.4  # of processor time, and five of the clock: an attack that hangs is to be told soon
IDLE_SECONDS = 2.0  # of the clock, for one that sleeps
WITH_CURVES = ("exit_in_the_agent",)
QUICK = {
    name
    for family in {attack.family for attack in BANK.values()}
    for name in [name for name, attack in BANK.items() if attack.family == family][::5]
}


def hasty_assignment() -> Assignment:
    """With little patience, and one curve."""
    assignment = load_assignment()
    limits = dataclasses.replace(assignment.limits, call_seconds=CALL_SECONDS)
    return dataclasses.replace(assignment, limits=limits, curves=assignment.curves[:1])


@pytest.fixture(scope="module")
def hasty() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "load_assignment", hasty_assignment)
        patch.setattr(remote, "MAX_IDLE_SECONDS", IDLE_SECONDS)
        yield


@pytest.fixture(scope="module")
def grader(hasty: None) -> Iterator[Grader]:
    """Grades everything, also where the system is too weak for that: what gets through is to be seen."""
    with Grader(required=()) as opened:
        yield opened


@pytest.fixture(scope="module")
def canaries(grader: Grader) -> Iterator[Planted]:
    with planted() as opened:
        yield opened


@pytest.mark.parametrize(
    "attack",
    [pytest.param(attack, id=name, marks=[] if name in QUICK else pytest.mark.verify) for name, attack in BANK.items()],
)
def test_an_attack_gains_finds_changes_and_leaves_nothing(grader: Grader, canaries: Planted, attack: Attack) -> None:
    if attack.processor not in ("", platform.machine()):
        pytest.skip(f"written for {attack.processor}")
    trial = try_attack(grader, canaries, attack, curves=attack.name in WITH_CURVES)
    _record(trial)
    assert not [problem for problem in trial.problems if "earned" in problem]
    if trial.problems and (reason := weakness_of(grader, attack)):
        pytest.xfail(f"{reason}: {'; '.join(trial.problems)}")
    assert not trial.problems


def weakness_of(grader: Grader, attack: Attack) -> str:
    """Why this attack may find something out here, if there is a reason; nowhere may it gain points."""
    states = grader.confinement.layers
    off = [f"{name} is {state}" for name, state in states.items() if attack.needs and name.startswith(attack.needs)]
    if off and not off[0].endswith(" is on"):
        return off[0]
    missing = grader.confinement.missing(load_private().required_guarantees)
    return "refused here: " + ", ".join(guarantee.id for guarantee in missing) if missing else ""


def test_every_file_that_an_attack_names_is_there() -> None:
    """What is not there is refused to everybody: such an attack would try nothing."""
    named = {path for attack in BANK.values() for path in re.findall(r'"@ROOT@/([\w./-]+)"', attack.body)}
    assert len(named) > 5
    assert [path for path in named if not path.startswith(".git/") and not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('family = "x"', 'famly = "x"', "3: unknown key 'famly' (did you mean 'family'?)"),
        ('causes = ["raised"]', 'causes = "raised"', "5: causes must be a list of strings, got 'raised'"),
        ('stub = "cem_refit"', 'stub = "cem_refits"', "6: one names the unknown function 'cem_refits'"),
        ("[[attacks]]", "[[attack]]", "1: unknown key 'attack' (did you mean 'attacks'?)"),
    ],
)
def test_a_slip_in_the_bank_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    entry = '[[attacks]]\nname = "one"\nfamily = "x"\nstory = "y"\ncauses = ["raised"]\nstub = "cem_refit"\n'
    path = tmp_path / "bank.toml"
    path.write_text(entry, encoding="utf-8")
    assert list(load_bank(path)) == ["one"]
    path = tmp_path / "slip.toml"
    path.write_text(entry.replace(old, new), encoding="utf-8")
    with pytest.raises(TomlError, match=re.escape(f"slip.toml:{says}")):
        load_bank(path)


def test_a_system_without_a_guarantee_grades_no_foreign_submission(grader: Grader, tmp_path: Path) -> None:
    """What gets through in a weak mode gets through only where somebody accepted that."""
    for name, content in reference_code().items():
        write_at_once(tmp_path / name, content + b"# foreign\n")
    intake = read_submission(tmp_path, load_assignment())
    only = frozenset({"normalizer_fit"})
    with Grader() as careful:
        if grader.confinement.missing(load_private().required_guarantees):
            with pytest.raises(ConfinementTooWeak):
                careful.grade(intake, Silent(), curves=False, only=only)
        else:
            score = careful.grade(intake, Silent(), curves=False, only=only).report.score
            assert score == load_assignment().stub("normalizer_fit").points


def test_the_kernel_confirms_what_a_worker_says_of_itself(grader: Grader) -> None:
    """Every line of the hello that /proc/PID/status can speak to, in the mode that this run is in."""
    package = package_with(reference_code())
    with RemoteSubject(grader._server, package, slot=5, cpu_seconds=20, call_seconds=20, memory_mb=4096) as subject:
        text = Path(f"/proc/{subject.pid}/status").read_text(encoding="utf-8")
        status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        said = {name: state == "on" for name, state in subject.layers.items()}
        uids = {int(uid) for uid in status["Uid"].split()}
        assert said[layers.OWN_USER] == (os.getuid() not in uids and len(uids) == 1)
        assert said[layers.NO_CAPABILITIES] == (int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0)
        assert said[layers.NO_PRIVILEGES] == (status["NoNewPrivs"].strip() == "1")
        inherited = "Seccomp:\t2" in Path("/proc/self/status").read_text(encoding="utf-8")
        assert said[layers.SECCOMP] == (status["Seccomp"].strip() == "2") or inherited
        if said[layers.OWN_USER]:
            assert status["Groups"].strip() == ""
    facts: dict[str, Any] = {name: status[name].strip() for name in ("CapEff", "NoNewPrivs", "Seccomp")}
    missing = grader.confinement.missing(load_private().required_guarantees)
    facts |= {"uids": sorted(uids), "layers": subject.layers, "missing": [guarantee.id for guarantee in missing]}
    _record_facts(facts)


def _record(trial: Trial) -> None:
    _record_facts(
        {
            "name": trial.attack.name,
            "score": trial.score,
            "cause": trial.cause,
            "problems": trial.problems,
            "message": trial.message[:300],
            "seconds": round(trial.seconds, 2),
        }
    )


def _record_facts(facts: dict[str, Any]) -> None:
    """For the table of `make verify`."""
    if path := os.environ.get("HW4_ATTACKS_RECORD"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")
