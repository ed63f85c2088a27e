"""Optional problems: their absence is silent, and their points stand apart and lift the score above the maximum."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from class_samples import use_assignment
from rich.console import Console

from autograder.classroom.night import record
from autograder.console import print_report
from autograder.files import as_json
from autograder.grading import regrade
from autograder.grading import session as session_module
from autograder.grading.judge import Measured, judge
from autograder.grading.listener import Silent
from autograder.grading.outcome import Outcome
from autograder.grading.session import Grade, Grader
from autograder.hidden_tests.graded import load_hidden_tests
from autograder.report.page import page
from autograder.report.receipt import receipt
from autograder.report.results import quick_look, results
from autograder.report.words import sum_of
from autograder.solutions import reference_code
from autograder.zoo import Animal, code_of
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import read_submission

WHOLE = load_assignment()
CAP = 8


# The last required problem as a topic: its file is then optional. Without the curves, two of which would need it, and
# of the other functions those of one file alone, which are graded quickly. Two more points are for written answers.
REQUIRED = WHOLE.problem(WHOLE.stub("gaussian_nll").problem)
TOPIC = dataclasses.replace(REQUIRED, optional=True, number=1, points=REQUIRED.points + 2, written=2)
KEPT, FILE = WHOLE.stub("normalizer_fit").file, WHOLE.stub("gaussian_nll").file
ASSIGNMENT = dataclasses.replace(
    WHOLE,
    problems=tuple(
        TOPIC if problem == REQUIRED else problem
        for problem in WHOLE.problems
        if problem == REQUIRED or problem.id == WHOLE.stub("normalizer_fit").problem
    ),
    stubs=tuple(stub for stub in WHOLE.stubs if stub.file in (KEPT, FILE)),
    curves=(),
    effects=(),
    submission=dataclasses.replace(WHOLE.submission, code=WHOLE.required_code),
    policies=dataclasses.replace(WHOLE.policies, bonus_cap=CAP),
)
FULL = ASSIGNMENT.code_points


@pytest.fixture(autouse=True)
def with_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    use_assignment(ASSIGNMENT, monkeypatch)


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as opened:
        yield opened


@pytest.fixture(scope="module")
def graded() -> dict[bytes | None, Grade]:
    return {}


Submit = Callable[..., Grade]


@pytest.fixture
def submit(grader: Grader, tmp_path: Path, graded: dict[bytes | None, Grade]) -> Submit:
    """Grade a folder: the reference with another content of the topic's file, or without it; each of them once."""

    def grade(content: bytes | None) -> Grade:
        if content not in graded:
            graded[content] = grade_with(content)
        return graded[content]

    def grade_with(content: bytes | None) -> Grade:
        code = {name: text for name, text in reference_code().items() if name in ASSIGNMENT.submission.code}
        for name, text in {**code, FILE: content}.items():
            if text is not None:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(text)
        return grader.grade(read_submission(tmp_path, ASSIGNMENT), Silent(), curves=True)

    return grade


def printed(grade: Grade) -> str:
    text = io.StringIO()
    print_report(Console(file=text, width=300), grade.report)
    return text.getvalue()


def in_red(html: str) -> list[str]:
    return re.findall(r'class="(?:failed|not_run|grader_fault)"[^<]*<?[^<]*', html)


def test_the_made_up_assignment_is_one() -> None:
    assert FILE in ASSIGNMENT.optional_code
    assert ASSIGNMENT.code_bonus_points == TOPIC.code_points > CAP
    assert sum(item.points for item in ASSIGNMENT.items) == FULL + TOPIC.code_points


def expect_silence(grade: Grade) -> None:
    """Full marks, no fault, nothing missing, nothing in red: one line says that it was not handed in."""
    report = grade.report
    assert (report.score, report.bonus, report.total, report.max_score) == (FULL, 0, FULL, FULL)
    assert report.faults == ()
    assert {item.verdict for item in report.items if item.is_bonus} == {"absent"}
    document, html, table = results(grade), page(grade, "somebody"), printed(grade)
    assert document["score"] == FULL
    assert sum(test["max_score"] for test in document["tests"]) == FULL
    assert f"Optional, not handed in: T1 {TOPIC.title}" in document["output"]
    assert f"T1 {TOPIC.title}: optional, not handed in" in table
    assert html.count('<td class="n soft">not handed in</td>') == 2  # its functions, and its answers
    assert f"{FULL} of {FULL} points by program, and 0 of {TOPIC.code_points} bonus" in table
    assert in_red(html) == []
    assert "ot started" not in json.dumps(document) + html + table
    assert f"{FILE} is missing" not in json.dumps(document) + html
    assert f"Missing: {FILE}" not in json.dumps(document)


def test_a_topic_that_was_not_handed_in_costs_nothing_and_nothing_bad_is_said(submit: Submit) -> None:
    grade = submit(None)
    expect_silence(grade)
    assert not any(
        TOPIC.id == ASSIGNMENT.stub(load_hidden_tests()[name].stub_id).problem for name in grade.measured.outcomes
    )
    assert "score" not in quick_look(grade)


@pytest.mark.parametrize(
    "comment",
    [
        pytest.param(b"", id="as it is", marks=pytest.mark.verify),
        pytest.param(b"\n# I looked at it.\n", id="with a comment"),
    ],
)
def test_an_untouched_topic_counts_as_not_handed_in(submit: Submit, comment: bytes) -> None:
    expect_silence(submit((Path(session_module.__file__).parents[2] / "hw4" / FILE).read_bytes() + comment))


def test_a_whole_topic_lifts_the_score_above_the_maximum_as_far_as_the_cap_lets_it(submit: Submit) -> None:
    grade = submit(reference_code()[FILE])
    report = grade.report
    assert (report.score, report.bonus, report.counted_bonus, report.total) == (
        FULL,
        TOPIC.code_points,
        CAP,
        FULL + CAP,
    )
    wanted = f"and {TOPIC.code_points} of {TOPIC.code_points} bonus, of which {CAP} count"
    assert sum_of(report) == f"{FULL} of {FULL}, {wanted}"
    document = results(grade)
    assert document["score"] == FULL + CAP
    assert wanted in document["output"]
    assert wanted in page(grade, "somebody")
    assert wanted in printed(grade)
    bonus = [test for test in document["tests"] if test["name"].endswith("(bonus)")]
    assert sum(test["score"] for test in bonus) == TOPIC.code_points
    facts = receipt(grade)
    assert (facts["score"], facts["bonus"], facts["counted_bonus"], facts["total"]) == (
        FULL,
        TOPIC.code_points,
        CAP,
        FULL + CAP,
    )


def test_written_bonus_points_stand_apart_and_no_program_counts_them(submit: Submit) -> None:
    """With the notebook alone, with the functions alone: what people grade is never in a sum of the program."""

    def rows(grade: Grade) -> list[str]:
        table = page(grade, "somebody").partition("<tbody>")[2].partition("</tbody>")[0]
        return [
            " ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in table.split("</tr>") if f" {TOPIC.title}" in row
        ]

    nothing, functions = submit(None), submit(reference_code()[FILE])
    assert rows(functions) == [
        f"T1 {TOPIC.title} (bonus) {TOPIC.code_points} {TOPIC.code_points}",
        f"T1 {TOPIC.title}: written answers (bonus) not handed in 2",
    ]
    measured = dataclasses.replace(functions.measured, submitted=functions.measured.submitted | {TOPIC.notebook})
    assert rows(dataclasses.replace(functions, measured=measured))[1].endswith("written answers (bonus) by hand 2")
    assert functions.report.max_bonus == TOPIC.code_points
    measured = dataclasses.replace(nothing.measured, submitted=nothing.measured.submitted | {TOPIC.notebook})
    answered = dataclasses.replace(nothing, measured=measured)
    assert "Optional, not handed in" in results(nothing)["output"]
    assert "Optional, not handed in" not in results(answered)["output"]
    assert results(answered)["score"] == FULL


def test_a_part_of_a_topic_earns_its_part(submit: Submit) -> None:
    """One function is wrong: the others keep their points, and the hint says why."""
    animal = Animal("mine", "wrong", "", {"gaussian_nll": "return mean * 0"})
    grade = submit(code_of(animal)[FILE])
    report = grade.report
    lost = report.max_bonus - report.bonus
    assert report.score == FULL
    assert 0 < lost <= WHOLE.stub("gaussian_nll").points
    (item,) = (item for item in report.items if item.id == "gaussian_nll")
    assert item.verdict == "failed"
    assert item.is_bonus


def test_a_topic_that_does_not_import_costs_the_bonus_alone(submit: Submit) -> None:
    grade = submit(reference_code()[FILE] + b"\ndef broken(:\n")
    report = grade.report
    assert (report.score, report.bonus, report.faults) == (FULL, 0, ())
    assert {item.cause for item in report.items if item.is_bonus} == {"does_not_import"}


def test_a_receipt_and_a_record_of_a_class_keep_the_bonus_apart(submit: Submit) -> None:
    for content in (None, reference_code()[FILE]):
        grade = submit(content)
        then = json.loads(as_json(receipt(grade)))
        assert dataclasses.replace(regrade.rescore(then)[1], items=()) == dataclasses.replace(grade.report, items=())
        found = json.loads(json.dumps(record.measured(grade, curves=True, only=None)))
        assert (
            record.grade_of(json.loads(json.dumps(record.facts_of_intake(grade.intake))), found).report == grade.report
        )


def test_functions_of_a_topic_that_were_not_asked_for_do_not_make_it_absent() -> None:
    """Of a class of which only some functions are graded."""
    declared = load_hidden_tests()
    outcomes = {name: Outcome(name, "passed") for name, test in declared.items() if test.stub_id == "gaussian_nll"}
    measured = Measured(frozenset(ASSIGNMENT.submission.code), outcomes, only=frozenset({"gaussian_nll"}))
    report = judge(measured, bars={}, assignment=ASSIGNMENT, declared=declared)
    assert [(item.id, item.verdict) for item in report.items] == [("gaussian_nll", "passed")]
