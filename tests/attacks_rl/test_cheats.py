"""Cheating at reinforcement learning: every cheat in real workers, and in `make verify` through the whole grader."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cheat_bank import CURVES, Cheat, code_of, honest_part_of, load_cheats

from autograder.grading import integrity
from autograder.grading.integrity import check_integrity, confirmed, judge, look
from autograder.grading.listener import Silent
from autograder.grading.made_up_world import DRIVEN, Driven, MadeUpWorld, why_not
from autograder.grading.private import calibration_runs, graded_runs, rng_of_test
from autograder.grading.promises import CAUSES, Integrity, WorldResult
from autograder.grading.session import Grade, Grader
from autograder.isolation.fork_server import ForkServer
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject
from autograder.report.page import page
from autograder.report.results import results
from autograder.solutions import reference_code
from autograder.zoo import Animal
from autograder.zoo import code_of as animal_code
from autograder.zoo.visit import intake_of
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import TomlError
from hw4.tasks import TASKS, Task

CHEATS = load_cheats()
ASSIGNMENT = load_assignment()
EXPERIMENT_OF = {curve.id: EXPERIMENTS[curve.experiment] for curve in ASSIGNMENT.curves}
CAUGHT = [(cheat, curve_id) for cheat in CHEATS.values() if cheat.caught_by == "probe" for curve_id in cheat.claims]

Open = Callable[[dict[str, bytes]], integrity.OpenSubject]


@pytest.fixture(scope="module")
def worker_with() -> Iterator[Open]:
    """Opens real workers with a submission."""
    with ForkServer(()) as server:
        memory_mb = ASSIGNMENT.limits.memory_mb

        def open_with(code: dict[str, bytes]) -> integrity.OpenSubject:
            package = package_with(code)
            return lambda: RemoteSubject(
                server, package, slot=0, cpu_seconds=100, call_seconds=100, memory_mb=memory_mb
            )

        yield open_with


# The rule -------------------------------------------------------------------------------------------------------------


def result(start: float = 0.9, surprise: float = 0.8, effect: float = 1.0, difference: float = 0.1) -> WorldResult:
    return WorldResult(start, surprise, effect, difference)


def test_an_agent_that_keeps_its_promises_breaks_none() -> None:
    assert judge((result(), result())).broken is None


@pytest.mark.parametrize(
    ("world", "mirror", "broken"),
    [
        (result(start=0.9, surprise=0.9), result(start=-0.9, surprise=-0.9), "follows_data"),
        (result(effect=1.0), result(effect=-1.0), "follows_data"),
        (result(surprise=-0.8), result(surprise=-0.9), "replans"),
        (result(difference=0.1), result(difference=0.0), "members_differ"),
    ],
)
def test_a_broken_promise_is_named(world: WorldResult, mirror: WorldResult, broken: str) -> None:
    assert judge((world, mirror)).broken == broken


class Looks:
    """Stands in for workers: each look at the student finds the next of these; the reference breaks what it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: list[Integrity], canary: Integrity) -> None:
        self.looks, self.canary = list(looks), canary
        monkeypatch.setattr(integrity, "check_integrity", lambda opened, *arguments: opened())

    def confirmed(self) -> Integrity:
        student, canary = (lambda: self.looks.pop(0)), (lambda: self.canary)
        return integrity.confirmed(student, canary, EXPERIMENTS["cartpole"], np.random.default_rng(0))  # type: ignore[arg-type]


KEPT, LOST = judge((result(), result())), judge((result(0.0, 0.0), result(0.0, 0.0)))
RAISED = Integrity("answers", "raised in a made-up world")
OUT_OF_TIME = Integrity(None, "not checked: the overall deadline passed")


@pytest.mark.parametrize(
    ("looks", "canary", "broken", "num_looks"),
    [
        ([KEPT], KEPT, None, 1),
        ([LOST, LOST], KEPT, "follows_data", 2),
        ([LOST, KEPT, KEPT, KEPT, KEPT], KEPT, None, 3),  # on average clear after the third
        ([RAISED, KEPT], KEPT, None, 2),
        ([RAISED, RAISED], KEPT, "answers", 2),
        ([RAISED, LOST], KEPT, "follows_data", 2),
        ([LOST, LOST], LOST, None, 2),  # the reference does no better: not the student's fault
        ([LOST, LOST], OUT_OF_TIME, None, 2),  # nobody saw the reference do better
        ([Integrity(None, "not checked", unchecked=True)], KEPT, None, 1),
        ([LOST, Integrity(None, "not checked", unchecked=True)], KEPT, None, 2),
    ],
)
def test_what_is_not_clear_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, looks: list[Integrity], canary: Integrity, broken: str | None, num_looks: int
) -> None:
    stand_in = Looks(monkeypatch, looks, canary)
    assert stand_in.confirmed().broken == broken
    assert len(looks) - len(stand_in.looks) == num_looks


# The made-up world ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_there_is_a_made_up_world_for_every_task(task: Task) -> None:
    assert why_not(task) == ""


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_the_action_that_pays_pays_more_than_its_opposite(task: Task) -> None:
    for seed in range(20):
        rewards = {}
        for sign in (1, -1):
            law, data = np.random.default_rng(seed), np.random.default_rng([seed, 1])
            world = MadeUpWorld(task, law, data, mirrored=False)
            world.jump(1 if seed % 2 else -1)
            before, action = world.observation(), world.from_units(sign * world.paying())
            world.step(action)
            rewards[sign] = task.reward(before, action, world.observation())
        assert rewards[1] > rewards[-1] + 0.1


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_in_the_mirror_the_opposite_action_pays_at_the_same_place(task: Task) -> None:
    places = []
    for mirrored in (False, True):
        law, data = np.random.default_rng(3), np.random.default_rng(4)
        world = MadeUpWorld(task, law, data, mirrored=mirrored)
        world.jump(1)
        places.append((world.observation(), world.paying()))
    np.testing.assert_array_equal(places[0][0], places[1][0])
    np.testing.assert_array_equal(places[0][1], -places[1][1])


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_what_decides_which_action_pays_is_seen_and_changes_slowly(task: Task) -> None:
    """The same observation, the same paying action; and one action pays throughout most plans."""
    stays = []
    for seed in range(40):
        world = MadeUpWorld(task, np.random.default_rng(seed), np.random.default_rng([seed, 1]), mirrored=False)
        world.jump(1 if seed % 2 else -1)
        first = world.paying()
        world.step(world.from_units(first))
        world.step(world.from_units(first))
        stays.append(np.array_equal(world.paying(), first))
        assert np.isfinite(world.observation()).all()
        np.testing.assert_allclose(world.in_units(world.from_units(first)), first)
    assert np.mean(stays) > 0.9


def pays_for(i: int) -> Callable[[Any, Any, Any], Any]:
    return lambda observation, action, next_observation: next_observation[..., i]


@pytest.mark.parametrize(
    ("driven", "facts", "says"),
    [
        (None, {}, "made_up is not in DRIVEN of autograder/grading/made_up_world.py"),
        (Driven("d"), {}, "the observation of made_up has no entry 'd'"),
        (Driven("a"), {"observation_names": ("a",)}, "one entry alone"),
        (Driven("a"), {"reward": pays_for(1)}, "the reward of made_up does not rise with 'a' from -1 to 1"),
        (Driven("a", 1.0, -1.0), {}, "the reward of made_up does not rise with 'a' from 1 to -1"),
        (Driven("a"), {"reward": lambda s, a, n: 0.1 * n[..., 0] - (a**2).sum(-1)}, "does not rise with 'a'"),
        (Driven("a"), {}, ""),
    ],
)
def test_a_task_that_cannot_be_probed_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, driven: Driven | None, facts: dict[str, Any], says: str
) -> None:
    """In one sentence for the gate, and as "not checked" for the curve: never as a broken promise."""
    names = ("a", "b", "c")
    task = dataclasses.replace(TASKS["cliff_hill"], name="made_up", observation_names=names, reward=pays_for(0))
    task = dataclasses.replace(task, **facts)
    monkeypatch.setitem(TASKS, "made_up", task)
    if driven is not None:
        monkeypatch.setitem(DRIVEN, "made_up", driven)
    why_not.cache_clear()
    assert says in why_not(task)
    assert bool(why_not(task)) == bool(says)
    if says:

        def nothing_is_run() -> RemoteSubject:
            raise AssertionError

        experiment = dataclasses.replace(EXPERIMENTS["cliff_hill"], task_name="made_up")
        found = confirmed(nothing_is_run, nothing_is_run, experiment, np.random.default_rng(0))
        assert (found.broken, found.unchecked) == (None, True)
        assert says in found.message
    why_not.cache_clear()


# The bank of cheats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("caught_by", "cought_by", "4: unknown key 'cought_by' (did you mean 'caught_by'?)"),
        ('"probe"', '"prob"', "4: caught_by must be one of 'probe', 'nothing_to_gain', got 'prob'"),
        ("replans", "replan", "5: one names 'replan' (did you mean 'replans'?), which is not there"),
        ("curve_cartpole", "curve_cart", "6: one names 'curve_cart' (did you mean 'curve_cartpole'?), which is not"),
        ('"mpc.py"', '"mcp.py"', "1: one names 'mcp.py' (did you mean 'mpc.py'?), which is not there"),
        ('"tape"', '"tapes"', "1: one names 'tapes' (did you mean 'tape'?), which is not there"),
        ('["tape"]', '"tape"', "1: pieces must be a table of lists, got {'mpc.py': 'tape'}"),
    ],
)
def test_a_slip_in_the_bank_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    entry = '[[cheats]]\nname = "one"\nstory = "x"\ncaught_by = "probe"\npromise = "replans"\n'
    entry += 'claims = ["curve_cartpole"]\n[cheats.pieces]\n"mpc.py" = ["tape"]\n'
    path = tmp_path / "right.toml"
    path.write_text(entry, encoding="utf-8")
    assert list(load_cheats(path)) == ["one"]
    path = tmp_path / "slip.toml"
    path.write_text(entry.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TomlError, match=re.escape(f"slip.toml:{says}")):
        load_cheats(path)


# Honest work and cheats in real workers -------------------------------------------------------------------------------


@pytest.mark.parametrize("curve_id", CURVES)
def test_the_reference_keeps_every_promise(worker_with: Open, curve_id: str) -> None:
    found = check_integrity(worker_with(reference_code()), EXPERIMENT_OF[curve_id], np.random.default_rng(0))
    assert found.broken is None, found.message
    assert found.cpu_seconds > 0


UNGRADED = [name for name in EXPERIMENTS if name not in {curve.experiment for curve in ASSIGNMENT.curves}]
TAKES_LONG = ("pets_cartpole", "pusher", "half_cheetah")
PROBED = [pytest.param(name, marks=[pytest.mark.verify] if name in TAKES_LONG else []) for name in UNGRADED]


@pytest.mark.parametrize("experiment", PROBED)
def test_the_reference_keeps_every_promise_on_tasks_that_are_not_graded(worker_with: Open, experiment: str) -> None:
    found = check_integrity(worker_with(reference_code()), EXPERIMENTS[experiment], np.random.default_rng(0))
    assert found.broken is None, found.message
    assert found.results


@pytest.mark.parametrize("experiment", PROBED)
def test_an_agent_that_never_fits_is_caught_on_tasks_that_are_not_graded(worker_with: Open, experiment: str) -> None:
    code = animal_code(Animal("never_fits", "wrong", "The network stays as it started.", {"model_fit": "return 0.0"}))
    found = check_integrity(worker_with(code), EXPERIMENTS[experiment], np.random.default_rng(0))
    assert found.broken == "follows_data", found.message


@pytest.mark.parametrize(
    "cheat", [cheat for cheat in CHEATS.values() if cheat.caught_by == "probe"], ids=lambda c: c.name
)
def test_a_cheat_breaks_a_promise(worker_with: Open, cheat: Cheat) -> None:
    """On one of its curves; all of them in `make verify`."""
    curve_id = "curve_cartpole" if "curve_cartpole" in cheat.claims else cheat.claims[0]
    seeds = [int(seed) for seed in rng_of_test(f"integrity of {curve_id}").integers(1 << 31, size=integrity.MAX_LOOKS)]
    found = look(worker_with(code_of(cheat)), EXPERIMENT_OF[curve_id], seeds)
    assert found.broken == cheat.promise, found.message


@pytest.mark.parametrize(
    "make_runs", [graded_runs, lambda curve_id: calibration_runs(40)], ids=["graded", "calibration"]
)
def test_the_seeds_of_agent_and_environment_know_nothing_of_each_other(make_runs) -> None:  # type: ignore[no-untyped-def]
    for curve_id in CURVES:
        for run in make_runs(curve_id):
            own_stream = np.random.SeedSequence(run.agent_seed).spawn(1)[0]
            guesses = {run.agent_seed, *map(int, own_stream.generate_state(100))}
            guesses |= set(map(int, np.random.SeedSequence(run.agent_seed).generate_state(100)))
            resets = np.random.SeedSequence(run.env_seed).spawn(1)[0].generate_state(10)
            assert guesses.isdisjoint({run.env_seed, *map(int, resets)})


# The whole grader -----------------------------------------------------------------------------------------------------


def graded(grader: Grader, code: dict[str, bytes]) -> Grade:
    return grader.grade(intake_of(code), Silent())


@pytest.mark.verify
@pytest.mark.parametrize(("cheat", "curve_id"), CAUGHT, ids=lambda value: getattr(value, "name", value))
def test_a_cheat_breaks_a_promise_on_each_of_its_curves(worker_with: Open, cheat: Cheat, curve_id: str) -> None:
    """With the seeds of this term."""
    student, canary = worker_with(code_of(cheat)), worker_with(reference_code())
    found = confirmed(student, canary, EXPERIMENT_OF[curve_id], rng_of_test(f"integrity of {curve_id}"))
    assert found.broken == cheat.promise, found.message


@pytest.mark.verify
@pytest.mark.parametrize("cheat", CHEATS.values(), ids=lambda cheat: cheat.name)
def test_a_cheat_gains_nothing_over_honest_work_on_the_same_functions(cheat: Cheat) -> None:
    with Grader() as grader:
        cheating, honest = graded(grader, code_of(cheat)), graded(grader, honest_part_of(cheat))
    assert not cheating.report.faults
    assert cheating.report.score <= honest.report.score
    if cheat.caught_by == "probe":
        causes = {item.cause for item in cheating.report.curves}
        assert causes & {*CAUSES.values()} or cheating.report.score == 0
        shown = str(results(cheating)) + page(cheating, "someone")
        assert "no points, because" in shown
