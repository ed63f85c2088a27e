"""The bank's own test: with the confinement taken away, the same attacks get through and the trial finds it out."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.bank import Attack, load_bank
from attacks.canaries import Planted, marked_files, own_processes, planted
from attacks.trial import SYSTEM_ERRORS, try_attack
from autograder.grading import session
from autograder.grading.session import Grader
from autograder.isolation import fork_server
from autograder.isolation.confinement import Confinement
from autograder.isolation.fork_server import FORK_SERVER

UNCONFINED = {
    "confine.py": """
def confine(**_):
    import layers
    return {value: "off: taken away by a test" for name, value in vars(layers).items() if isinstance(value, str)}
""",
    "namespaces.py": """
def cover(*_):
    raise OSError(1, "taken away by a test")
def number_children_apart():
    return False
""",
}


@pytest.fixture(scope="module")
def grader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grader]:
    """A grader whose workers are ordinary processes."""
    workers = tmp_path_factory.mktemp("worker")
    shutil.copytree(FORK_SERVER.parent, workers, dirs_exist_ok=True)
    for name, text in UNCONFINED.items():
        with (workers / name).open("a", encoding="utf-8") as file:
            file.write(text)
    server = workers / FORK_SERVER.name
    text, wanted = server.read_text(encoding="utf-8"), "    if os.getuid() != 0:\n        return False\n"
    assert text.count(wanted) == 1
    server.write_text(text.replace(wanted, "    return False\n"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fork_server, "FORK_SERVER", server)
        patch.setattr(session, "probe", lambda server: Confinement({}, {}, 0))
        with Grader(required=()) as opened:
            yield opened


@pytest.fixture
def canaries() -> Iterator[Planted]:
    with planted() as opened:
        yield opened
        for path in marked_files(opened.mark):
            Path(path).unlink()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("opens_hidden_files", "receipt.json holds the canary of: hidden"),
        ("opens_world_readable_files", "receipt.json holds the canary of: world"),
        ("reads_the_canary", "receipt.json holds the canary of: sibling"),
        ("reads_the_grader_through_proc", "BREACH: "),
        ("lists_folders", "BREACH: "),
        ("watches_folders", 'BREACH: did "watches'),
        ("writes_results", "changed: "),
        ("relays_between_workers", "left behind: /"),
        ("relays_by_priority", "changed: priority of SERVER"),
        ("kills_by_owning_a_pipe", "changed: the bystander's life"),
        ("kills_its_parent", "changed: the bystander's life"),
        ("double_forked_daemon", "BREACH: did 'left a daemon'"),
        ("reads_other_memory", "BREACH: did 'may use the memory"),
        ("ptrace", "BREACH: did 'attached"),
        ("sockets", "BREACH: did 'a socket"),
        ("listens", 'BREACH: did "listens'),
    ],
)
def test_without_confinement_an_attack_gets_through_and_is_found_out(
    grader: Grader, canaries: Planted, name: str, found: str
) -> None:
    attack = load_bank()[name]
    if name == "kills_its_parent":  # the bystander alone: the others would end this test
        attack = dataclasses.replace(
            attack, body="import os, signal; os.kill(@BYSTANDER@, signal.SIGKILL); return mean"
        )
    trial = try_attack(grader, canaries, attack)
    assert any(found in problem for problem in trial.problems), trial.problems


RIGHT = "return 0.5 * (log_variance + (target - mean) ** 2 * torch.exp(-log_variance))"


@pytest.mark.parametrize(
    ("attack", "found"),
    [
        (Attack("right", "", "", body=RIGHT), "gaussian_nll earned 3 points"),
        (Attack("silent", "", "", body="raise ValueError('nothing')"), "did not report how it was stopped"),
        (Attack("slip", "", "", body="tries(lambda: undefined)"), "did not report how it was stopped"),
        (Attack("cause", "", "", body="return None", stopped=False), "gaussian_nll: cause 'returns_none'"),
        (
            Attack("honest", "", "", at_import="import hw4.mpc; hw4.mpc.random_shooting = None", body="return mean",
                   causes=("wrong_value",), stopped=False, stub="sequence_returns"),
            "random_shooting, which is honest, lost points",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Attack) else "",
)  # fmt: skip
def test_the_trial_notices(grader: Grader, canaries: Planted, attack: Attack, found: str) -> None:
    trial = try_attack(grader, canaries, attack)
    assert any(found in problem for problem in trial.problems), trial.problems


def test_a_process_left_behind_is_noticed(canaries: Planted) -> None:
    before = own_processes(canaries.mark)
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", canaries.mark])
    try:
        assert any(pid == left.pid for pid, _ in own_processes(canaries.mark).keys() - before.keys())
    finally:
        left.kill()
        left.wait()


def test_a_slip_of_the_attack_is_no_refusal() -> None:
    assert SYSTEM_ERRORS.fullmatch("PermissionError 13")
    assert not SYSTEM_ERRORS.fullmatch("NameError")
    assert not SYSTEM_ERRORS.fullmatch("ValueError")
