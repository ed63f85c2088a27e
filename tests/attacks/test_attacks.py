"""Every attack of the bank against the real grader, in the mode that this machine is in. Other modes: `make verify`."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.bank import Attack, load_bank
from attacks.canaries import Planted, planted
from attacks.trial import Trial, try_attack
from autograder import session
from autograder.isolation import fork_server
from autograder.session import Grader
from hw4.assignment import Assignment, load_assignment

BANK = load_bank()
CALL_SECONDS = 1.0  # of processor time, and five of the clock: an attack that hangs is to be told soon
WITH_CURVES = ("exit_in_the_agent",)


def hasty_assignment() -> Assignment:
    assignment = load_assignment()
    return dataclasses.replace(
        assignment, limits=dataclasses.replace(assignment.limits, call_seconds=CALL_SECONDS)
    )


@pytest.fixture(scope="module")
def hasty() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "load_assignment", hasty_assignment)
        yield


@pytest.fixture(scope="module")
def grader(hasty: None) -> Iterator[Grader]:
    with Grader() as opened:
        yield opened


@pytest.fixture(scope="module")
def canaries(grader: Grader) -> Iterator[Planted]:
    with planted(grader._scratch, grader._server._process.pid) as opened:
        yield opened


@pytest.mark.parametrize("attack", BANK.values(), ids=BANK.keys())
def test_an_attack_gains_finds_changes_and_leaves_nothing(grader: Grader, canaries: Planted, attack: Attack) -> None:
    if attack.processor not in ("", platform.machine()):
        pytest.skip(f"written for {attack.processor}")
    trial = try_attack(grader, canaries, attack, curves=attack.name in WITH_CURVES)
    _record(trial)
    assert not trial.problems


def _record(trial: Trial) -> None:
    """For the table of `make verify`."""
    if path := os.environ.get("HW4_ATTACKS_RECORD"):
        row = {
            "name": trial.attack.name,
            "score": trial.score,
            "cause": trial.cause,
            "problems": trial.problems,
            "message": trial.message[:300],
            "seconds": round(trial.seconds, 2),
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
