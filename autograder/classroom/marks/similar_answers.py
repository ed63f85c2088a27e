"""Which written answers share more words than independent work does. People judge them.

Two answers to the same question are compared by their runs of five words (shingles: Broder 1997, "On the resemblance
and containment of documents"), in lower case, without punctuation. What the released notebook says does not count, so a
question that somebody quotes is nobody's own.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.classroom.intake.entries import OwnerUnclear
from autograder.classroom.intake.submissions import find_submissions, read_entry
from autograder.classroom.marks.alike import Alike
from autograder.classroom.marks.written_answers import ASSIGNMENT_ID, restore
from hw4.handin.assignment import load_assignment
from hw4.handin.refusal import SubmissionRefused

RUN = 5  # words: shorter runs are common phrases
MIN_RUNS = 12  # of an answer's own, about two sentences: less is nobody's alone
THRESHOLD = 0.5  # of the runs that one of the two wrote
MODEL_ANSWER = "the course's own answer"
WORD = re.compile(r"\w+")

Run = tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """One answer of one student."""

    name: str  # the student's folder in the results, or "FOLDER/STUDENT" of an earlier year
    question: str  # "notebook.ipynb: cell"
    text: str
    is_earlier: bool = False
    called: str = ""


@dataclass(frozen=True)
class AnswerPair:
    """Two answers to one question that share words."""

    one: Answer
    other: Answer
    share: float  # of the runs of whoever wrote less


def answers_of_class(folder: Path, course: Path, *, is_earlier: bool = False) -> list[Answer]:
    """The answers of a folder of submissions, or those of a graded class that are filed in nbgrader's course directory.

    Of a group there is one. Results of an earlier year hold no notebooks, so they have none.
    """
    if (folder / "class.json").exists():
        return [] if is_earlier else list(_filed(json.loads((folder / "class.json").read_bytes()), course))
    answers, prefix = [], f"{folder.name}/" if is_earlier else ""
    for entry in find_submissions(folder):
        if entry.path is None or entry.attempt_of not in ("", entry.student):
            continue
        try:
            files = read_entry(entry).files
        except (SubmissionRefused, OwnerUnclear):
            continue
        called = ", ".join(person.name for person in entry.people if person.name)
        for notebook, release in _releases(course):
            if notebook in files:
                restored = restore(files[notebook], release).notebook
                for question, text in _texts(notebook, restored):
                    answers.append(Answer(prefix + entry.student, question, text, is_earlier, called))
    return answers


def _filed(facts: dict[str, Any], course: Path) -> Iterator[Answer]:
    for entry in facts["students"]:
        if not entry["people"] or (entry.get("attempt_of") or entry["student"]) != entry["student"]:
            continue
        folder = course / "submitted" / entry["people"][0]["id"] / ASSIGNMENT_ID
        for path in sorted(folder.glob("*.ipynb")):
            for question, text in _texts(path.name, json.loads(path.read_bytes())):
                yield Answer(entry["student"], question, text)


def model_answers(course: Path) -> list[Answer]:
    """The course's own."""
    return [
        Answer(MODEL_ANSWER, question, text, is_earlier=True)
        for path in sorted((course / "source" / ASSIGNMENT_ID).glob("*.ipynb"))
        for question, text in _texts(path.name, json.loads(path.read_bytes()))
    ]


def _releases(course: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in load_assignment().submission.notebooks:
        path = course / "release" / ASSIGNMENT_ID / name
        if path.is_file():
            yield name, json.loads(path.read_bytes())


def _texts(notebook: str, content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(question, text) of every graded answer."""
    for cell in content["cells"]:
        mark = cell["metadata"].get("nbgrader", {})
        if mark.get("solution") and mark.get("grade"):
            yield f"{notebook}: {mark['grade_id']}", "".join(cell["source"])


def runs(text: str) -> frozenset[Run]:
    """Every five words that follow each other."""
    words = WORD.findall(text.lower())
    return frozenset(tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1))


def similar_answers(answers: Iterable[Answer], given: Iterable[str]) -> list[AnswerPair]:
    """All pairs of answers to one question that share at least `THRESHOLD` of the shorter, most similar first.

    Args:
        answers: of a class, and of those with whom it is compared.
        given: texts that everybody was given.
    """
    known = frozenset().union(*map(runs, given))
    by_question: dict[str, list[tuple[Answer, frozenset[Run]]]] = {}
    for answer in answers:
        if len(own := runs(answer.text) - known) >= MIN_RUNS:
            by_question.setdefault(answer.question, []).append((answer, own))
    pairs = []
    for found in by_question.values():
        for (one, first), (other, second) in itertools.combinations(found, 2):
            share = len(first & second) / min(len(first), len(second))
            if share >= THRESHOLD and not (one.is_earlier and other.is_earlier):
                pairs.append(AnswerPair(one, other, share))
    return sorted(pairs, key=lambda pair: (-pair.share, pair.one.question, pair.one.name, pair.other.name))


def given_texts(course: Path) -> list[str]:
    """What the released notebooks say."""
    return ["".join(cell["source"]) for _, release in _releases(course) for cell in release["cells"]]


def alike_answers(pairs: Iterable[AnswerPair]) -> dict[str, list[Alike]]:
    """Student -> whose answers are alike, for the page of the class."""
    found: dict[str, list[Alike]] = {}
    for pair in pairs:
        words = f"{pair.share:.0%} of the answer {pair.one.question} is that of"
        for own, its in ((pair.one, pair.other), (pair.other, pair.one)):
            if not own.is_earlier:
                called = f"{its.name} ({its.called})" if its.is_earlier and its.called else its.name
                found.setdefault(own.name, []).append(Alike(called, words))
    return found


def similarity_of_answers(folder: Path, earlier: Iterable[Path], course: Path) -> list[AnswerPair]:
    """Compare the answers of a class with each other, with the course's own and with earlier years. Raises ClassError.

    Args:
        folder: results of a class, whose answers are filed in `course`, or a folder of submissions.
        earlier: folders of earlier classes' submissions.
        course: nbgrader's course directory.
    """
    answers = answers_of_class(folder, course)
    if not answers:
        return []
    answers += model_answers(course)
    for place in earlier:
        answers += answers_of_class(place, course, is_earlier=True)
    return similar_answers(answers, given_texts(course))
