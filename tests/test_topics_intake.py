"""The intake and topics: accepted in their folder or next to the other files, silent when absent, never a guess."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest
from made_up_topic import FILE, SOLUTION, assignment_with_topic
from small_submissions import (
    CODE,
    NOTEBOOK,
    RELEASED_ANSWERS,
    answer_cell,
    code_cell,
    folder_of,
    in_every_container,
    notebook,
    read_bytes,
    refusal,
    small_rules,
    zip_bytes,
)

from hw4.handin import answer_cells
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.code_files import stubs_not_started
from hw4.handin.packing import write_submission
from publish.stubs import stub_text

TOPIC = b"import math\n"


@pytest.fixture
def with_topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Assignment:
    """The small rules, and one optional topic with one optional notebook."""
    released = {**RELEASED_ANSWERS, "daydream.ipynb": {"answer-dream": 2}}
    monkeypatch.setattr(answer_cells, "RELEASED_ANSWERS", released)
    made_up, assignment = assignment_with_topic(tmp_path), small_rules(max_files=30)
    submission = dataclasses.replace(
        assignment.submission,
        code=(*assignment.required_code, FILE),
        notebooks=(*assignment.submission.notebooks, "daydream.ipynb"),
    )
    return dataclasses.replace(made_up, submission=submission)


def below(folder: str, files: dict[str, bytes]) -> list[tuple[str, bytes]]:
    return [(folder + name, content) for name, content in files.items()]


@pytest.mark.parametrize("folder", ["", "hw4/", "alice/hw4/"])
@pytest.mark.parametrize("place", ["topics/daydream.py", "daydream.py"])
def test_a_topic_is_accepted_in_its_folder_and_next_to_the_other_files(
    tmp_path: Path, with_topic: Assignment, folder: str, place: str
) -> None:
    intake = in_every_container(tmp_path, with_topic, *below(folder, {**CODE, **NOTEBOOK, place: TOPIC}))
    assert intake.files == {**CODE, **NOTEBOOK, FILE: TOPIC}
    assert (intake.missing, intake.ignored, intake.notes) == ((), (), ())


def test_nothing_is_said_of_an_absent_topic_and_its_notebook(tmp_path: Path, with_topic: Assignment) -> None:
    intake = in_every_container(tmp_path, with_topic, *CODE.items(), *NOTEBOOK.items())
    assert intake.files == {**CODE, **NOTEBOOK}
    assert (intake.missing, intake.notes) == ((), ())


def test_a_topic_without_the_required_files_is_taken_and_these_are_missing(
    tmp_path: Path, with_topic: Assignment
) -> None:
    for place in (FILE, "daydream.py", "hw4/topics/daydream.py"):
        intake = read_bytes(tmp_path, zip_bytes((place, TOPIC)), with_topic)
        assert intake.files == {FILE: TOPIC}
        assert intake.missing == tuple(CODE)


def test_a_topic_in_both_places_is_refused_unless_both_are_the_same(tmp_path: Path, with_topic: Assignment) -> None:
    both = below("hw4/", {**CODE, FILE: TOPIC, "daydream.py": b"import numpy\n"})
    refused = refusal(tmp_path, zip_bytes(*both), with_topic)
    assert refused.where == "hw4/topics/daydream.py and hw4/daydream.py"
    assert "two different files" in refused.reason
    same = below("hw4/", {**CODE, FILE: TOPIC, "daydream.py": TOPIC})
    intake = in_every_container(tmp_path, with_topic, *same)
    assert intake.files == {**CODE, FILE: TOPIC}
    assert intake.ignored == ("hw4/daydream.py",)


@pytest.mark.parametrize("other", ["old/topics/daydream.py", "topics/mpc.py", "old/mpc.py"])
def test_a_second_folder_of_code_files_is_refused_with_topics_too(
    tmp_path: Path, with_topic: Assignment, other: str
) -> None:
    refused = refusal(tmp_path, zip_bytes(*CODE.items(), (FILE, TOPIC), (other, b"")), with_topic)
    assert "two different folders" in refused.reason
    assert other in refused.where


@pytest.mark.parametrize(
    "place", ["scratch/daydream.py", "Topics/daydream.py", "topics/Daydream.py", "daydream (1).py"]
)
def test_a_topic_under_another_name_is_ignored_and_its_name_is_given(
    tmp_path: Path, with_topic: Assignment, place: str
) -> None:
    intake = in_every_container(tmp_path, with_topic, *CODE.items(), (place, TOPIC))
    assert intake.files == CODE
    assert any(f"rename it to {FILE}" in note and place in note for note in intake.notes)
    intake = read_bytes(tmp_path, zip_bytes(*CODE.items(), ("daydream.py", TOPIC), (f"x/{place}", b"")), with_topic)
    assert intake.files == {**CODE, FILE: TOPIC}
    assert not any("rename" in note for note in intake.notes)


def test_two_names_of_a_topic_that_are_one_file_somewhere_are_refused(tmp_path: Path, with_topic: Assignment) -> None:
    members = [*CODE.items(), (FILE, TOPIC), ("Topics/daydream.py", TOPIC)]
    assert "differ only in case" in refusal(tmp_path, zip_bytes(*members), with_topic).reason


def test_given_files_with_the_name_of_a_code_file_are_no_second_copy(tmp_path: Path, with_topic: Assignment) -> None:
    given = ["checking/examples/mpc.py", "checking/examples/topics/daydream.py", "checking/hints/mpc.py"]
    members = [*below("hw4/", {**CODE, FILE: TOPIC}), *((f"hw4/{name}", b"given") for name in given)]
    intake = in_every_container(tmp_path, with_topic, *members)
    assert intake.files == {**CODE, FILE: TOPIC}
    assert intake.ignored == tuple(f"hw4/{name}" for name in given)
    assert not any("rename" in note for note in intake.notes)


@pytest.mark.parametrize("place", ["hw4/topics/daydream.py", "hw4/daydream.py"])
def test_a_topic_in_which_nothing_is_written_counts_as_not_handed_in(
    tmp_path: Path, with_topic: Assignment, place: str
) -> None:
    stub = stub_text(SOLUTION, FILE, with_topic)
    intake = read_bytes(tmp_path, zip_bytes(*below("hw4/", CODE), (place, stub.encode())), with_topic)
    assert intake.files == CODE
    assert intake.ignored == (place,)
    assert f"nothing is written in {place} yet: it counts as not handed in" in intake.notes
    written = stub.replace("    # TODO(dream_soften)", "    return factor * plan\n    # TODO(dream_soften)")
    half = read_bytes(tmp_path, zip_bytes(*below("hw4/", CODE), (place, written.encode())), with_topic)
    assert [stub.id for stub in stubs_not_started(half.files, with_topic)] == ["dream_pick"]
    broken = read_bytes(tmp_path, zip_bytes(*below("hw4/", CODE), (place, b"def f(:")), with_topic)
    assert [problem.file for problem in broken.syntax_errors] == [FILE]


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("from .. import training", "hw4.training"),
        ("from ..envs import make_env", "hw4.envs"),
        ("from ... import solutions", "..solutions"),
    ],
)
def test_a_topic_imports_by_the_same_rules(tmp_path: Path, with_topic: Assignment, line: str, module: str) -> None:
    allowed = "from . import mppi\nfrom ..mpc import cem\nfrom hw4.topics.pilco import plan\n"
    intake = read_bytes(tmp_path, zip_bytes((FILE, (allowed + line).encode())), with_topic)
    assert [(found.line, found.module) for found in intake.forbidden_imports] == [(4, module)]


def daydreams(answer: str, *outputs: dict[str, str]) -> bytes:
    """The topic's notebook with an answer."""
    cells = answer_cell("answer-dream", answer, points=2), code_cell(*outputs)
    return notebook(*cells)["distribution_shift.ipynb"]


RUN = {"output_type": "stream", "text": "2"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (daydreams("It costs push.", RUN), ()),
        (daydreams("", RUN), ("daydream.ipynb: not answered yet: answer-dream (2 bonus points)",)),
        (daydreams("It costs push."), ("daydream.ipynb: no code cell has an output",)),
        (
            notebook(code_cell(RUN))["distribution_shift.ipynb"],
            ("daydream.ipynb: the cells for these answers are missing", "answer-dream (2 bonus points)"),
        ),
        (b"{", ("daydream.ipynb cannot be read", "this costs only bonus points (up to 2)")),
    ],
)
def test_of_a_topics_notebook_with_a_question_is_said_what_is_open(
    tmp_path: Path, with_topic: Assignment, content: bytes, says: tuple[str, ...]
) -> None:
    members = [*CODE.items(), *NOTEBOOK.items(), ("notebooks/daydream.ipynb", content)]
    intake = in_every_container(tmp_path, with_topic, *members)
    assert intake.files["daydream.ipynb"] == content
    assert len(intake.notes) == bool(says)
    assert [text for text in says if not all(text in note for note in intake.notes)] == []


def test_of_a_topics_notebook_without_a_question_only_damage_is_told(tmp_path: Path, with_topic: Assignment) -> None:
    topic = with_topic.problem("daydream")
    problems = tuple(
        dataclasses.replace(problem, written=0) if problem == topic else problem for problem in with_topic.problems
    )
    assignment = dataclasses.replace(with_topic, problems=problems)
    untouched = notebook(code_cell())["distribution_shift.ipynb"]
    for content, notes in ((untouched, 0), (b"{", 1)):
        members = [*CODE.items(), *NOTEBOOK.items(), ("notebooks/daydream.ipynb", content)]
        intake = in_every_container(tmp_path, assignment, *members)
        assert intake.files["daydream.ipynb"] == content
        assert len(intake.notes) == notes
        assert not any("points" in note for note in intake.notes)


def test_topics_that_were_started_are_packed_and_the_others_are_left_out(
    tmp_path: Path, with_topic: Assignment
) -> None:
    root = folder_of(tmp_path, *CODE.items(), (FILE, stub_text(SOLUTION, FILE, with_topic).encode()))
    (root / "daydream.ipynb").write_bytes(notebook(code_cell())["distribution_shift.ipynb"])
    packed = write_submission(root, root, tmp_path / "mine.zip", with_topic)
    assert set(zipfile.ZipFile(packed).namelist()) == set(CODE)
    (root / FILE).write_text(SOLUTION, encoding="utf-8")
    (root / "daydream.ipynb").write_bytes(NOTEBOOK["distribution_shift.ipynb"])
    packed = write_submission(root, root, tmp_path / "mine.zip", with_topic)
    assert set(zipfile.ZipFile(packed).namelist()) == {*CODE, FILE, "daydream.ipynb"}
    for answer, is_packed in (("It costs push.", True), ("", False)):  # an answer counts though no cell was run
        (root / "daydream.ipynb").write_bytes(daydreams(answer))
        packed = write_submission(root, root, tmp_path / "mine.zip", with_topic)
        assert ("daydream.ipynb" in zipfile.ZipFile(packed).namelist()) == is_packed


def test_no_code_file_has_the_name_of_another_or_of_a_given_module() -> None:
    """A topic may be handed in next to the other files, where a given file of its name would be taken for it."""
    code = load_assignment().submission.code
    package = Path(__file__).resolve().parent.parent / "hw4"
    names = [Path(name).name for name in code] + [path.name for path in package.glob("*.py") if path.name not in code]
    assert sorted(names) == sorted(set(names))
