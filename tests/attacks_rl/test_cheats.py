"""Cheating at reinforcement learning: what stops each cheat, and in `make verify` the whole grader on all of them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cheat_bank import CURVES, Cheat, code_of, honest_part_of, load_cheats

from autograder.grading import integrity
from autograder.grading.curves import FIRST_RUNS, load_bars, score_of_run
from autograder.grading.integrity import NUM_LOOKS, SurprisedAgent, confirmed, judge, look, surprises_of
from autograder.grading.listener import Silent
from autograder.grading.private import HiddenRun, calibration_runs, graded_runs
from autograder.grading.promises import CAUSES, Integrity, Look
from autograder.grading.referee import run_curve
from autograder.grading.scaffold import scaffolded_code
from autograder.grading.session import Grade, Grader
from autograder.isolation.fork_server import ForkServer
from autograder.isolation.package import package_with
from autograder.isolation.remote import RemoteSubject
from autograder.report.page import page
from autograder.report.results import results
from autograder.solutions import reference_code
from autograder.zoo.visit import intake_of
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import TomlError
from hw4.training import train
from hw4.transitions import Transition

CHEATS = load_cheats()
ASSIGNMENT = load_assignment()
CURVE = {curve.id: curve for curve in ASSIGNMENT.curves}

Open = Callable[[dict[str, bytes]], integrity.OpenSubject]


@pytest.fixture(scope="module")
def worker_with() -> Iterator[Open]:
    """Opens real workers with a submission, as curves run it."""
    with ForkServer(()) as server:
        memory_mb = ASSIGNMENT.limits.memory_mb

        def open_with(code: dict[str, bytes]) -> integrity.OpenSubject:
            package = package_with(scaffolded_code(code)[0])
            return lambda: RemoteSubject(
                server, package, slot=0, cpu_seconds=100, call_seconds=100, memory_mb=memory_mb
            )

        yield open_with


# The rule -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "broken"),
    [
        (Look(60.0, 58.0, math.inf), None),
        (Look(60.0, 19.0, 0.1), None),
        (Look(60.0, 17.0, 0.1), "replans"),
        (Look(60.0, -5.0, 0.0), "replans"),
        (Look(60.0, 58.0, 0.1, goes_on=True), "replans"),
        (Look(60.0, 58.0, 0.0), "members_differ"),
        (Look(-1.0, -0.2, 0.1), None),  # it did nothing at first: its returns say so
    ],
)
def test_a_broken_promise_is_named(seen: Look, broken: str | None) -> None:
    assert judge(seen).broken == broken
    assert f"{seen.again:.1f}" in judge(seen).message


KEPT, LOST = judge(Look(60.0, 58.0, math.inf)), judge(Look(60.0, 0.0, math.inf))
RAISED = Integrity("answers", "raised")
OUT_OF_TIME = Integrity(None, "not checked: the overall deadline passed", unchecked=True)


@pytest.mark.parametrize(
    ("looks", "canary", "broken", "unchecked"),
    [
        ([KEPT], [], None, False),
        ([LOST, KEPT], [], None, False),
        ([RAISED, KEPT], [], None, False),
        ([LOST, LOST], [KEPT, KEPT], "replans", False),
        ([LOST, RAISED], [KEPT, KEPT], "answers", False),
        ([LOST, LOST], [KEPT, LOST], None, False),  # the reference does no better: not the student's fault
        ([LOST, LOST], [KEPT, OUT_OF_TIME], None, True),  # nobody saw the reference do better
        ([OUT_OF_TIME], [], None, True),
        ([LOST, OUT_OF_TIME], [], None, True),
    ],
)
def test_what_is_broken_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, looks: list[Integrity], canary: list[Integrity], broken: str, unchecked: bool
) -> None:
    left = {"student": list(looks), "canary": list(canary)}
    monkeypatch.setattr(integrity, "look", lambda opened, *arguments: left[opened()].pop(0))
    curve = ASSIGNMENT.curves[0]
    runs = graded_runs(curve.id)
    found = confirmed(lambda: "student", lambda: "canary", curve, EXPERIMENTS[curve.experiment], runs)  # type: ignore[arg-type,return-value]
    assert (found.broken, found.unchecked) == (broken, unchecked)
    assert left == {"student": [], "canary": []}


# Surprises ------------------------------------------------------------------------------------------------------------


class Climber:
    """Goes uphill at once; with a plan for the whole episode, or by what it sees."""

    def __init__(self, *, looks: bool) -> None:
        self._looks = looks
        self.recorded: list[Transition] = []

    def begin_episode(self) -> None:
        self._step = 0

    def act(self, observation: Any) -> Any:
        self._step += 1
        climbs = observation[0] < 2.5 if self._looks else self._step <= 13
        return np.array([1.0 if climbs else 0.0, 0.0])

    def record(self, transition: Transition) -> None:
        self.recorded.append(transition)


SURPRISES = {1: 17, 2: 22}


def surprised(agent: Climber, surprises: dict[int, int] = SURPRISES) -> SurprisedAgent:
    env = make_env("cliff_hill")
    driver = SurprisedAgent(agent, env, surprises)
    list(train(env, driver, num_episodes=3, seed=0))
    return driver


def test_who_looks_climbs_again_and_who_follows_a_plan_stays_below() -> None:
    looking, planned = (surprised(Climber(looks=looks)) for looks in (True, False))
    assert looking.at_first > 40
    assert looking.again == pytest.approx(looking.at_first, rel=0.1)
    assert planned.at_first > 40
    assert abs(planned.again) < 0.05 * planned.at_first


def test_a_surprised_agent_records_what_really_happened() -> None:
    """Each transition goes one step from what was seen; only between transitions is the agent put back."""
    agent = Climber(looks=True)
    surprised(agent)
    assert len(agent.recorded) == 3 * 40
    moves = [after[0] - before[0] - 0.2 * action[0] for before, action, after in agent.recorded]
    np.testing.assert_allclose(moves, 0.0, atol=1e-9)
    jumps = [
        number
        for number in range(1, 120)
        if number % 40 and not np.array_equal(agent.recorded[number][0], agent.recorded[number - 1][2])
    ]
    assert jumps == [40 + 17, 80 + 22]
    for number in jumps:
        np.testing.assert_array_equal(agent.recorded[number][0], agent.recorded[number - number % 40][0])


def test_until_it_is_put_back_a_run_with_surprises_is_the_graded_run() -> None:
    plain, moved = Climber(looks=True), Climber(looks=True)
    surprised(plain, {})
    surprised(moved)
    first_jump = next(i for i in range(120) if not np.array_equal(plain.recorded[i][0], moved.recorded[i][0]))
    assert first_jump == 40 + 17


def test_the_moment_is_drawn_for_each_scored_episode_of_each_run() -> None:
    curve = ASSIGNMENT.curves[0]
    experiment = EXPERIMENTS[curve.experiment]
    drawn = [surprises_of(curve, experiment, run) for run in calibration_runs(curve.id, 30)]
    assert {tuple(surprises) for surprises in drawn} == {(7, 8, 9)}
    assert {step for surprises in drawn for step in surprises.values()} == {*range(16, 25)} - {19, 20}


@pytest.mark.parametrize("curve_id", CURVES)
def test_who_executes_plans_to_the_end_is_in_the_middle_of_one_at_the_moment(curve_id: str) -> None:
    horizon = EXPERIMENTS[CURVE[curve_id].experiment].horizon
    for run in (*graded_runs(curve_id), *calibration_runs(curve_id, 30)):
        for step in surprises_of(CURVE[curve_id], EXPERIMENTS[CURVE[curve_id].experiment], run).values():
            assert step // horizon == (step + 1) // horizon == (step - 1) // horizon


@pytest.mark.parametrize(
    ("after", "goes_on"),
    [
        ({}, True),
        ({9: "xyz"}, True),  # after the first surprise the runs differ anyway
        ({4: "axc"}, False),
        ({0: "x"}, False),  # it draws on chance of its own
    ],
)
def test_who_acts_on_as_in_the_graded_run_did_not_look(after: dict[int, str], goes_on: bool) -> None:
    graded = list("....abcxxfghx")
    seen = list(graded)
    for at, actions in after.items():
        seen[at : at + len(actions)] = actions
    as_bytes = [[action.encode() for action in actions] for actions in (seen, graded)]
    assert integrity._goes_on(*as_bytes, 4) is goes_on
    assert not integrity._goes_on(as_bytes[0], [], 4)
    assert not integrity._goes_on(*[[b"1"] * 13] * 2, 4)  # full thrust all the time


# The bank of cheats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("caught_by", "cought_by", "4: unknown key 'cought_by' (did you mean 'caught_by'?)"),
        (
            '"promise"',
            '"promis"',
            "4: caught_by must be one of 'gate', 'promise', 'law', 'nothing_to_gain', got 'promis'",
        ),
        ("replans", "replan", "5: one names 'replan' (did you mean 'replans'?), which is not there"),
        ("curve_cartpole", "curve_cart", "6: one names 'curve_cart' (did you mean 'curve_cartpole'?), which is not"),
        ('"mpc.py"', '"mcp.py"', "1: one names 'mcp.py' (did you mean 'mpc.py'?), which is not there"),
        ('"tape"', '"tapes"', "1: one names 'tapes' (did you mean 'tape'?), which is not there"),
        ('["tape"]', '"tape"', "1: pieces must be a table of lists, got {'mpc.py': 'tape'}"),
    ],
)
def test_a_slip_in_the_bank_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    entry = '[[cheats]]\nname = "one"\nstory = "x"\ncaught_by = "promise"\npromise = "replans"\n'
    entry += 'claims = ["curve_cartpole"]\n[cheats.pieces]\n"mpc.py" = ["tape"]\n'
    path = tmp_path / "right.toml"
    path.write_text(entry, encoding="utf-8")
    assert list(load_cheats(path)) == ["one"]
    path = tmp_path / "slip.toml"
    path.write_text(entry.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TomlError, match=re.escape(f"slip.toml:{says}")):
        load_cheats(path)


REBINDS = [cheat for cheat in CHEATS.values() if cheat.caught_by != "nothing_to_gain"]


@pytest.mark.parametrize("cheat", REBINDS, ids=lambda cheat: cheat.name)
def test_a_class_of_the_same_name_further_down_does_not_run(cheat: Cheat) -> None:
    """That is how these cheats are written; the other form, `from_within`, is left as it is."""
    assert scaffolded_code(code_of(cheat))[1]
    within = code_of(cheat, from_within=True)
    assert all("a statement" in note for note in scaffolded_code(within)[1])


def test_every_look_has_a_graded_run_to_compare_with() -> None:
    """Without its actions, an agent that goes on as in the graded run would be taken for one that plans again."""
    assert NUM_LOOKS <= FIRST_RUNS


# Honest work and cheats in real workers -------------------------------------------------------------------------------


@pytest.mark.verify  # `make test` grades the reference whole with one curve, whose integrity is looked at
@pytest.mark.parametrize("curve_id", CURVES)
def test_the_reference_keeps_every_promise(worker_with: Open, curve_id: str) -> None:
    curve = CURVE[curve_id]
    opened, experiment, hidden = worker_with(reference_code()), EXPERIMENTS[curve.experiment], graded_runs(curve_id)[0]
    actions: list[bytes] = []
    assert not run_curve(opened, experiment, hidden, actions=actions).failure
    found = look(opened, curve, experiment, hidden, actions)
    assert found.broken is None, found.message
    assert not found.results[0].goes_on
    assert found.cpu_seconds > 0


@pytest.mark.parametrize("cheat", [c for c in CHEATS.values() if c.caught_by == "promise"], ids=lambda c: c.name)
def test_a_cheat_breaks_a_promise(worker_with: Open, cheat: Cheat) -> None:
    """On one of its curves, in the run that is looked at first; all of them in `make verify`."""
    curve = CURVE[cheat.claims[0]]
    opened, experiment = worker_with(code_of(cheat, from_within=True)), EXPERIMENTS[curve.experiment]
    hidden = graded_runs(curve.id)[0]
    actions: list[bytes] = []
    if cheat.promise == "replans":
        assert not run_curve(opened, experiment, hidden, actions=actions).failure
    found = look(opened, curve, experiment, hidden, actions)
    assert found.broken == cheat.promise, found.message


SLOW = ("simulator_for_show", "curve_cartpole")  # it plans with the simulator at every step
LAWFUL = [
    pytest.param(
        *(cheat, curve_id),
        id=f"{cheat.name}-{curve_id}",
        marks=[pytest.mark.verify] if (cheat.name, curve_id) == SLOW else [],
    )
    for cheat in CHEATS.values()
    if cheat.caught_by == "law"
    for curve_id in cheat.claims
]


@pytest.mark.parametrize(("cheat", "curve_id"), LAWFUL)
def test_who_knows_the_published_physics_stays_below_the_bar(worker_with: Open, cheat: Cheat, curve_id: str) -> None:
    """In a graded world. The same cheat does well in the published one: it is no straw man."""
    curve, opened = CURVE[curve_id], worker_with(code_of(cheat, from_within=True))
    experiment = EXPERIMENTS[curve.experiment]
    hidden = graded_runs(curve_id)[0]
    published = dataclasses.replace(hidden, law={})
    bar = load_bars()[curve_id]
    scores = []
    for world in (hidden, published):
        run = run_curve(opened, experiment, world)
        assert not run.failure, run.message
        scores.append(score_of_run(curve, run.returns))
    assert scores[0] < min(bar.bar, scores[1] - 15)


@pytest.mark.parametrize(
    "make_runs", [graded_runs, lambda curve_id: calibration_runs(curve_id, 8)], ids=["graded", "calibration"]
)
def test_the_seeds_of_agent_and_environment_know_nothing_of_each_other(
    make_runs: Callable[[str], list[HiddenRun]],
) -> None:
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
@pytest.mark.parametrize("from_within", [False, True], ids=["rebinds", "from within"])
@pytest.mark.parametrize("cheat", CHEATS.values(), ids=lambda cheat: cheat.name)
def test_a_cheat_gains_nothing_over_honest_work_on_the_same_functions(cheat: Cheat, from_within: bool) -> None:
    with Grader() as grader:
        cheating, honest = (
            graded(grader, code_of(cheat, from_within=from_within)),
            graded(grader, honest_part_of(cheat)),
        )
    assert not cheating.report.faults
    assert cheating.report.score <= honest.report.score
    if cheat.caught_by == "promise" and from_within:
        assert {item.cause for item in cheating.report.curves} & {*CAUSES.values()}
        assert "no points, because" in str(results(cheating)) + page(cheating, "someone")
    if cheat.caught_by == "gate" and from_within:
        assert all(item.score == 0 for item in cheating.report.curves if item.id in cheat.claims)
