"""A student's report: what to do next, then points; bar and floor of a curve in words."""

from __future__ import annotations

import dataclasses
import re
from html import unescape
from typing import Any

import pytest
from class_samples import measured

from autograder.classroom.intake.entries import Person
from autograder.classroom.marks.changes import Change
from autograder.classroom.marks.standing import result_of
from autograder.classroom.marks.student_documents import documents_of
from autograder.grading.curves import Bar, RunsGrade, load_bars
from autograder.grading.session import Grade
from autograder.hidden_tests.graded import DECLARED
from autograder.report.next_step import NextStep, next_step, nothing_left
from autograder.report.page import page
from autograder.report.results import quick_look, results, without_details
from autograder.report.words import score_in_words, shown_score
from hw4.checking.hints import HINTS
from hw4.handin.assignment import load_assignment

ASSIGNMENT = load_assignment()
REQUIRED = [stub for stub in ASSIGNMENT.stubs if not ASSIGNMENT.is_optional(stub)]
FIRST, SECOND, LAST = REQUIRED[0], REQUIRED[1], REQUIRED[-1]
TOPIC = next(stub for stub in ASSIGNMENT.stubs if ASSIGNMENT.is_optional(stub))
CURVE = ASSIGNMENT.curves[0]
BAR = load_bars()[CURVE.id]
INTAKE: dict[str, Any] = dict.fromkeys(("missing", "ignored", "syntax_errors", "forbidden_imports", "notes"), ())
INTAKE["hashes"] = dict.fromkeys(ASSIGNMENT.submission.code, "hash")
PEOPLE: dict[str, Any] = {"student": "ada", "people": (Person("1", "Ada", ""),), "group": "", "late": False}
PEOPLE |= {"on_roster": True, "submitted": None}


def grade_of(causes: dict[str, str], *, missing: tuple[str, ...] = (), **facts: Any) -> Grade:
    """A grade in which all checks of some functions fail, each for its cause, and the rest is as it should be."""
    answer = measured(**facts)
    for name, outcome in answer["outcomes"].items():
        if (cause := causes.get(DECLARED[name].stub_id)) is not None:
            error = {"error": "ImportError", "where": "hw4/mpc.py:3"} if cause == "does_not_import" else {}
            outcome |= {"verdict": "not_run" if cause == "blocked" else "failed", "cause": cause} | error
    grade = result_of({"intake": {**INTAKE, "missing": missing}, "measured": answer}, PEOPLE, []).grade
    assert grade is not None
    return grade


def step_of(causes: dict[str, str], **facts: Any) -> NextStep:
    step = next_step(grade_of(causes, **facts))
    assert step is not None
    return step


def text_of(html: str) -> str:
    """What a reader sees of a page."""
    body = html[html.index("<body>") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def expect_in_this_order(text: str, *parts: str) -> None:
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places), parts


# What to do next ------------------------------------------------------------------------------------------------------


def test_a_report_opens_with_the_first_failing_function_its_hint_and_one_command_then_points() -> None:
    grade = grade_of({SECOND.id: "wrong_shape", LAST.id: "raised"})
    hint, command = HINTS["wrong_shape"], f"python -m hw4 check {SECOND.id}"
    name = f"{SECOND.number} {SECOND.symbol}"
    html = text_of(page(grade, "ada"))
    expect_in_this_order(
        html, "What to do next", name, hint.text.replace("`", ""), f"Read: {hint.read}", command, "points by program"
    )
    assert html.index("points by program") < html.index(f"{ASSIGNMENT.problems[0].label} ")
    assert html.count("python -m hw4 check") == 1
    output = results(grade)["output"]
    first = f"What to do next: {SECOND.number} `{SECOND.symbol}` in `hw4/{SECOND.file}`"
    assert output.startswith(first)
    expect_in_this_order(output, first, f"Hint: {hint.text}", f"Read: {hint.read}", f"Run: {command}", "points by")


def test_where_everything_passes_one_line_says_so() -> None:
    grade = grade_of({})
    (line,) = [line for line in results(grade)["output"].partition("\n\n")[0].splitlines() if line]
    assert line == nothing_left(grade.report)
    assert line.startswith("Everything that a program grades passes. People grade ")
    html = text_of(page(grade, "ada"))
    expect_in_this_order(html, line, "points by program")
    assert "What to do next" not in html


def test_a_quick_look_at_good_functions_does_not_say_that_curves_pass() -> None:
    grade = grade_of({}, curves=False)
    assert next_step(grade) is None
    assert "Every function passes. Learning curves were not run." in quick_look(grade)["output"]
    assert "Every function passes. Learning curves were not run." in text_of(page(grade, "ada"))


def test_what_is_not_started_is_written_in_the_order_of_the_assignment() -> None:
    step = step_of({stub.id: "not_started" for stub in ASSIGNMENT.stubs})
    assert (step.item.id, step.hint, step.why) == (FIRST.id, HINTS["not_started"], "")


def test_a_function_that_waits_for_another_comes_after_it() -> None:
    assert step_of({FIRST.id: "blocked", LAST.id: "not_started"}).item.id == LAST.id
    assert step_of({FIRST.id: "blocked"}).item.id == FIRST.id


def test_a_file_that_cannot_be_imported_is_named_with_the_place() -> None:
    step = step_of({stub.id: "does_not_import" for stub in REQUIRED if stub.file == "mpc.py"})
    assert step.why == "Importing `hw4/mpc.py` fails (ImportError at hw4/mpc.py:3)."
    assert step.hint == HINTS["does_not_import"]
    assert step.command == f"python -m hw4 check {step.item.id}"


def test_a_broken_file_gets_its_hint_once_at_the_top_and_once_below() -> None:
    html = text_of(page(grade_of({s.id: "does_not_import" for s in REQUIRED if s.file == "mpc.py"}), "ada"))
    assert html.count("Your file cannot be imported") == 2


def test_a_file_that_is_missing_is_to_be_handed_in() -> None:
    step = step_of({s.id: "not_started" for s in REQUIRED if s.file == "ensemble.py"}, missing=("ensemble.py",))
    assert step.why.startswith("`ensemble.py` was not handed in")
    assert (step.hint, step.command) == (None, "python -m hw4 submit")


def test_a_topic_is_next_only_when_everything_else_passes() -> None:
    assert step_of({TOPIC.id: "wrong_value", LAST.id: "wrong_value"}).item.id == LAST.id
    assert step_of({TOPIC.id: "wrong_value"}, skill=0.5).item.item.kind == "curve"
    assert step_of({TOPIC.id: "wrong_value"}).item.id == TOPIC.id


def test_a_topic_that_was_not_handed_in_is_never_next() -> None:
    untouched = {stub.id: "not_started" for stub in ASSIGNMENT.stubs if ASSIGNMENT.is_optional(stub)}
    assert next_step(grade_of(untouched)) is None


def test_a_curve_is_next_when_all_functions_pass_and_its_command_trains_it() -> None:
    step = step_of({}, skill=0.5)
    assert step.item.id == CURVE.id
    assert step.hint == HINTS["curve_below_bar"]
    assert step.command == f"python -m hw4 train {CURVE.experiment}"
    assert f"full points from {BAR.bar:g}" in step.why


def test_what_staff_gave_all_points_for_is_not_to_be_done() -> None:
    stub = next(
        stub for stub in load_assignment().stubs if not any(stub.id in e.needs for e in load_assignment().effects)
    )
    answer = measured(failed=[name for name, test in DECLARED.items() if test.stub_id == stub.id])
    waiver = Change(
        "2027-03-20T10:00:00+00:00", "ta", "points", "ada", stub.id, float(stub.points), "the check is wrong"
    )
    found = result_of({"intake": INTAKE, "measured": answer}, PEOPLE, [waiver])
    assert found.grade is not None
    assert next_step(found.grade) is None
    html = documents_of(found, is_graded=True)["report.html"].decode()
    expect_in_this_order(text_of(html), "Everything that a program grades", "Changed by staff", "points by program")


def test_before_the_due_date_what_to_do_next_tells_no_more_than_points() -> None:
    grade = grade_of({SECOND.id: "wrong_shape"})
    output = without_details(results(grade))["output"]
    step = next_step(grade)
    assert step is not None
    assert step.hint is not None
    assert step.why in results(grade)["output"]
    assert output.startswith(f"What to do next: {step.name}\nRun: {step.command}\n")
    for hidden in (step.why, step.hint.text, step.hint.read):
        assert hidden not in output


# Curves ---------------------------------------------------------------------------------------------------------------


def test_a_curve_says_its_score_its_bar_and_its_floor_in_words() -> None:
    grade = grade_of({}, skill=0.5)
    item = next(item for item in grade.report.curves if item.id == CURVE.id)
    assert item.grade is not None
    score = sorted(item.grade.scores)[1]
    words = (
        f"Your score is {score:.1f}: full points from {BAR.bar:g} (the bar), no points below {BAR.floor:g} (the floor)"
    )
    assert words in text_of(page(grade, "ada"))
    assert any(words in test["output"] for test in results(grade)["tests"])
    changed = {**grade.bars, CURVE.id: dataclasses.replace(BAR, bar=BAR.bar + 1)}  # no copy of the facts
    assert f"full points from {BAR.bar + 1:g} (the bar)" in text_of(
        page(dataclasses.replace(grade, bars=changed), "ada")
    )


@pytest.mark.parametrize(
    ("score", "shown"),
    [(53.96, "53.9"), (54.0, "54.0"), (0.29, "0.29"), (0.2899, "0.289"), (-12.34, "-12.4"), (0.0, "0.0")],
)
def test_no_score_is_rounded_up_to_a_bar(score: float, shown: str) -> None:
    assert shown_score(score) == shown


def test_a_curve_without_a_finished_run_has_no_score() -> None:
    none = RunsGrade(0.0, (float("-inf"),) * 3, "no run reaches the bar: median of three")
    assert score_in_words(none, Bar(54.0, 45.0, 1.0, 1.0, 1, "")).startswith("Your score is none: full points from 54 ")
