"""Cheating at reinforcement learning: every cheat in real workers, and in `make verify` through the whole grader."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from cheat_bank import CURVES, Cheat, code_of, honest_part_of, load_cheats

from autograder.grading import integrity
from autograder.grading.integrity import (
    Integrity,
    MadeUpWorld,
    WorldResult,
    check_integrity,
    confirmed,
    judge,
    look,
    without_points,
)
from autograder.grading.private import calibration_runs, graded_runs, rng_of_test
from autograder.grading.regrade import rescore
from autograder.grading.scoring import CurveReport
from autograder.grading.session import Grade, Grader
from autograder.isolation.fork_server import ForkServer
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject
from autograder.report.page import page
from autograder.report.results import results
from autograder.solutions import reference_code
from autograder.zoo.visit import Silent, intake_of
from hw4.checking.hints import HINTS
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment

CHEATS = load_cheats()
ASSIGNMENT = load_assignment()
EXPERIMENT_OF = {curve.id: EXPERIMENTS[curve.experiment] for curve in ASSIGNMENT.curves}
GRADED_TASKS = {experiment.task_name: experiment.task for experiment in EXPERIMENT_OF.values()}
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


@pytest.mark.parametrize("promise", list(integrity.CAUSES))
def test_a_broken_promise_takes_the_curves_points_and_says_why(promise: integrity.Promise) -> None:
    report = CurveReport(ASSIGNMENT.curves[0], 6.0, "passed", "", None, "all three runs reach the bar", ())
    judged = without_points(report, Integrity(promise, "actions after a start 0.00"))
    assert (judged.score, judged.verdict) == (0.0, "failed")
    assert judged.cause in HINTS
    assert promise in judged.message
    assert len(judged.flags) == 1
    assert without_points(report, Integrity(None, "")) is report
    assert without_points(report, None) is report
    nobody_knows = without_points(report, Integrity(None, "not checked: why", unchecked=True))
    assert (nobody_knows.verdict, nobody_knows.score) == ("grader_fault", report.score)
    assert nobody_knows.message.endswith("not checked: why")


def test_new_bars_give_no_points_to_a_broken_promise() -> None:
    run = {"returns": [80.0] * 10, "failure": ""}
    receipt = {"runs": {"curve_cartpole": [run] * 3}, "items": {"curve_cartpole": {"score": 7.0, "verdict": "passed"}}}
    assert rescore(receipt)["curve_cartpole"][1] == 7.0
    receipt["integrity"] = {"curve_cartpole": {"broken": "follows_data"}}
    assert rescore(receipt)["curve_cartpole"][1] == 0.0


def test_an_agent_that_is_good_before_it_learned_is_noted_for_staff_alone() -> None:
    curve = next(curve for curve in ASSIGNMENT.curves if curve.id == "curve_cartpole")
    report = CurveReport(curve, 7.0, "passed", "", None, "all three runs reach the bar", ())
    learned, knew = [1.0, 30.0, 80.0], [1.0, 75.0, 80.0]
    assert integrity.with_note(report, [learned, learned, knew], 69.0) is report
    noted = integrity.with_note(report, [learned, knew, knew], 69.0)
    assert "for staff: 2 runs" in noted.message
    assert (noted.score, noted.verdict, noted.flags) == (7.0, "passed", ())


class Looks:
    """Stands in for workers: each look at the student finds the next of these; the reference breaks what it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: list[Integrity], canary: Integrity) -> None:
        self.looks, self.canary = list(looks), canary
        monkeypatch.setattr(integrity, "check_integrity", lambda opened, experiment, rng: opened())

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


@pytest.mark.parametrize("task", GRADED_TASKS.values(), ids=lambda task: task.name)
def test_the_action_that_pays_pays_more_than_its_opposite(task) -> None:  # type: ignore[no-untyped-def]
    for seed in range(20):
        rewards = {}
        for sign in (1, -1):
            law, data = np.random.default_rng(seed), np.random.default_rng([seed, 1])
            world = MadeUpWorld(task, law, data, mirrored=False)
            world.jump(1 if seed % 2 else -1)
            before, action = world.observation(), sign * world.paying()
            world.step(action)
            rewards[sign] = task.reward(before, action, world.observation())
        assert rewards[1] > rewards[-1] + 0.1


@pytest.mark.parametrize("task", GRADED_TASKS.values(), ids=lambda task: task.name)
def test_in_the_mirror_the_opposite_action_pays_at_the_same_place(task) -> None:  # type: ignore[no-untyped-def]
    places = []
    for mirrored in (False, True):
        law, data = np.random.default_rng(3), np.random.default_rng(4)
        world = MadeUpWorld(task, law, data, mirrored=mirrored)
        world.jump(1)
        places.append((world.observation(), world.paying()))
    np.testing.assert_array_equal(places[0][0], places[1][0])
    np.testing.assert_array_equal(places[0][1], -places[1][1])


# Honest work and cheats in real workers -------------------------------------------------------------------------------


@pytest.mark.parametrize("curve_id", CURVES)
def test_the_reference_keeps_every_promise(worker_with: Open, curve_id: str) -> None:
    found = check_integrity(worker_with(reference_code()), EXPERIMENT_OF[curve_id], np.random.default_rng(0))
    assert found.broken is None, found.message
    assert found.cpu_seconds > 0


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
        assert causes & {integrity.CAUSES[promise] for promise in integrity.CAUSES} or cheating.report.score == 0
        shown = str(results(cheating)) + page(cheating, "someone")
        assert "no points, because" in shown
