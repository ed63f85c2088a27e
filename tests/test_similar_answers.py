"""Copied answers are found, also partly edited ones; independent ones, quoted questions and short ones are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from class_samples import graded_class, measured, quick_pages

from autograder.classroom import commands
from autograder.classroom.intake.entries import Person
from autograder.classroom.marks.similar_answers import Answer, alike_answers, similar_answers
from autograder.classroom.marks.standing import read_class

__all__ = ["quick_pages"]  # a fixture
QUESTION = "In at most 100 words, say which two distributions differ and why the planner looks for states without data."
FIRST = (
    "The model was fitted to the states of the base policy, but the plan is executed elsewhere. Since the planner "
    "maximises what is predicted, it picks those candidates whose errors point upwards, far from all data."
)
OTHER = (
    "Training data come from random actions near the start. An optimiser over imagined returns ends up exactly where "
    "the network was never corrected, and there it promises a hill that does not exist in the real world."
)


def found(*texts: str) -> list[tuple[str, str, int]]:
    answers = [Answer(name, "n.ipynb: a", text) for name, text in zip("abc", texts, strict=False)]
    return [(p.one.name, p.other.name, round(100 * p.share)) for p in similar_answers(answers, [QUESTION])]


def test_a_copy_in_other_letters_and_signs_is_found_with_its_share() -> None:
    assert found(FIRST, FIRST.upper().replace(",", " -"), OTHER) == [("a", "b", 100)]


def test_a_copied_half_is_found_in_a_longer_answer() -> None:
    words = FIRST.split()
    first, second = " ".join(words[:12]), " ".join(words[12:])
    ((one, other, share),) = found(FIRST, f"{OTHER} {second}")
    assert (one, other) == ("a", "b")
    assert 50 <= share < 100
    assert found(FIRST, f"{OTHER} {first}") == []  # less than half


@pytest.mark.parametrize("texts", [(FIRST, OTHER), (f"{QUESTION} {FIRST}", f"{QUESTION} {OTHER}"), ("Yes.", "Yes.")])
def test_independent_answers_quoted_questions_and_short_answers_are_not_found(texts: tuple[str, str]) -> None:
    assert found(*texts) == []


def test_answers_to_different_questions_and_of_earlier_years_among_themselves_are_not_compared() -> None:
    here, there = Answer("ada", "n.ipynb: a", FIRST), Answer("bob", "n.ipynb: b", FIRST)
    old = [Answer(f"2026/{name}", "n.ipynb: a", FIRST, is_earlier=True, called="Zoe") for name in "xy"]
    pairs = similar_answers([here, there, *old], [])
    assert [(pair.one.name, pair.other.name) for pair in pairs] == [("ada", "2026/x"), ("ada", "2026/y")]
    assert [one.name for one in alike_answers(pairs)["ada"]] == ["2026/x (Zoe)", "2026/y (Zoe)"]


def test_the_filed_answers_of_a_class_reach_the_page_of_the_class_and_a_group_is_no_pair(
    tmp_path: Path, quick_pages: None, capsys: pytest.CaptureFixture[str]
) -> None:
    people = {"ada": (Person("ada"), Person("eve")), "bob": (Person("bob"),)}
    folder = graded_class(tmp_path, {"ada": measured(), "bob": measured()}, people=people)
    mark = {"solution": True, "grade": True, "grade_id": "a"}
    notebook = {"cells": [{"cell_type": "markdown", "metadata": {"nbgrader": mark}, "source": [FIRST]}]}
    for student in ("ada", "eve", "bob"):
        place = tmp_path / "course" / "submitted" / student / "hw4"
        place.mkdir(parents=True)
        (place / "n.ipynb").write_text(json.dumps(notebook))
    page = tmp_path / "page.html"
    assert commands.similarity(folder.root, course=tmp_path / "course", output=page) == commands.DONE
    assert capsys.readouterr().out.count("100% ada and bob: answer n.ipynb: a") == 1
    assert "ada and bob: n.ipynb: a, 100 %" in page.read_text()
    assert "100% of the answer n.ipynb: a is that of: bob" in (folder.root / "index.html").read_text()
    alike = read_class(folder).alike
    assert [one.words for one in alike["bob"] if "answer" in one.words] == ["100% of the answer n.ipynb: a is that of"]
    assert (folder.root / ".gitignore").read_text() == "*\n"
