"""Copies are found, also renamed and partly edited ones; independent work, stubs and given code are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from class_samples import graded_class, measured, write_zip
from made_up_topic import FILE as TOPIC
from made_up_topic import assignment_with_topic

from autograder.classroom import commands
from autograder.classroom.marks import similarity
from autograder.classroom.marks.similarity import (
    SOLUTION,
    THRESHOLD,
    marked,
    nearly_identical,
    similar,
    similarity_page,
    work_of,
    works_in,
)
from autograder.solutions import ROOT, reference_code
from autograder.zoo import Animal, code_of, load_animals

CORRECT = [animal for animal in load_animals().values() if animal.kind == "correct"]
HOSTILE = "<script>alert(1)</script>"


def mixed(order: list[Animal]) -> dict[str, bytes]:
    """A submission with every function from the first correct animal that wrote its own."""
    regions: dict[str, str] = {}
    for animal in order:
        for stub_id, body in animal.regions.items():
            regions.setdefault(stub_id, body)
    return code_of(Animal("mixed", "correct", "", regions))


def renamed(code: dict[str, bytes]) -> dict[str, bytes]:
    """Another name for every local variable, other comments, other texts, and empty lines."""

    def edit(content: bytes) -> bytes:
        text = content.decode()
        names = sorted(set(re.findall(r"^ +(\w+)(?:, \w+)* = ", text, flags=re.M)))
        for number, name in enumerate(names):
            text = re.sub(rf"(?<![.\w]){name}\b(?!=)", f"thing_{number}", text)
        return re.sub(r"\n\n", "\n\n# mine\n\n", text).encode()

    return {name: edit(content) for name, content in code.items()}


@pytest.fixture(scope="module")
def independent() -> list[dict[str, bytes]]:
    """Two submissions whose functions are written otherwise than in the solution, and mostly than in the other."""
    first, last = mixed(CORRECT), mixed(CORRECT[::-1])
    assert {stub for animal in CORRECT for stub in animal.regions} >= {"cem_refit", "model_fit", "mpc_act"}
    return [first, last]


def found(**works: dict[str, bytes]) -> set[frozenset[str]]:
    pairs = similar([work_of(name, files) for name, files in works.items()])
    return {frozenset((pair.one.name, pair.other.name)) for pair in pairs}


def test_independent_solutions_are_not_flagged(independent: list[dict[str, bytes]]) -> None:
    first, last = independent
    assert found(first=first, last=last, solution=reference_code()) == set()


def test_untouched_and_hardly_touched_stubs_are_not_flagged() -> None:
    stubs = {name: (ROOT / "hw4" / name).read_bytes() for name in reference_code()}
    begun = {**stubs, "ensemble.py": reference_code()["ensemble.py"]}
    assert found(ada=stubs, bob=stubs) == set()
    assert found(ada=stubs, bob=begun) == set()


def test_a_renamed_copy_is_flagged(independent: list[dict[str, bytes]]) -> None:
    first, last = independent
    copy = renamed(first)
    assert sum(a != b for a, b in zip(copy["mpc.py"].splitlines(), first["mpc.py"].splitlines(), strict=False)) > 30
    assert found(ada=first, bob=copy, eve=last) == {frozenset(("ada", "bob"))}


def test_a_partly_edited_copy_is_flagged(independent: list[dict[str, bytes]]) -> None:
    """One of three files is the copier's own, the others are renamed."""
    first, last = independent
    partly = {**renamed(first), "ensemble.py": last["ensemble.py"]}
    assert frozenset(("ada", "bob")) in found(ada=first, bob=partly)


def test_the_file_of_a_topic_is_compared_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, independent: list[dict[str, bytes]]
) -> None:
    """Two submissions whose other files are independent; what the topic holds is any code that was not given."""
    assignment = assignment_with_topic(tmp_path)
    monkeypatch.setattr(similarity, "load_assignment", lambda: assignment)
    ada, bob = ({"ensemble.py": code["ensemble.py"]} for code in independent)
    topic = {TOPIC: (ROOT / "autograder" / "console.py").read_bytes()}
    assert found(ada=ada, bob=bob) == set()
    assert found(ada=ada | topic, bob=bob | topic) == {frozenset(("ada", "bob"))}


def test_the_solution_and_earlier_years_are_compared_with_but_not_among_themselves() -> None:
    code = reference_code()
    works = [work_of("ada", code), work_of(SOLUTION, code, is_earlier=True), work_of("2026/x", code, is_earlier=True)]
    names = {frozenset((pair.one.name, pair.other.name)) for pair in similar(works)}
    assert names == {frozenset(("ada", SOLUTION)), frozenset(("ada", "2026/x"))}


def test_a_student_s_attempts_are_compared_with_everybody_else_s_but_not_with_each_other() -> None:
    code = reference_code()
    works = [work_of(name, code, attempt_of="ada") for name in ("ada", "ada-attempt-1")] + [work_of("bob", code)]
    names = {frozenset((pair.one.name, pair.other.name)) for pair in similar(works)}
    assert names == {frozenset(("ada", "bob")), frozenset(("ada-attempt-1", "bob"))}
    alike = {name: [one.name for one in others] for name, others in nearly_identical(works).items()}
    assert alike == {"ada": ["bob"], "ada-attempt-1": ["bob"], "bob": ["ada", "ada-attempt-1"]}


def test_the_page_shows_both_sides_and_student_text_is_inert(independent: list[dict[str, bytes]]) -> None:
    first, _ = independent
    copy = {**first, "mpc.py": first["mpc.py"] + f"# {HOSTILE}\n".encode()}
    pairs = similar([work_of(HOSTILE, first), work_of("bob", copy)])
    page = similarity_page(pairs, 2)
    assert HOSTILE not in page
    assert "<mark>" in page
    assert pairs[0].share > THRESHOLD


def test_marks_overlap_nowhere_and_lose_no_text() -> None:
    text = "a < b and c > d"
    page = marked(text, ([0, 2, 8], [4, 6, 99]))
    assert page.striptags().replace("&lt;", "<") == text
    assert str(page) == "<mark>a &lt; </mark><mark>b </mark>an<mark>d c &gt; d</mark>"


def test_a_graded_class_and_a_folder_of_submissions_are_read_alike(tmp_path: Path) -> None:
    folder = graded_class(tmp_path, {"ada": measured(curves=False), "bob": measured(curves=False)})
    write_zip(tmp_path / "submissions" / "refused.zip", {"x.py": b""})
    assert [(w.name, w.text) for w in works_in(folder.root)] == [
        (w.name, w.text) for w in works_in(tmp_path / "submissions")
    ]
    status = commands.similarity(folder.root, earlier=(tmp_path / "submissions",), output=tmp_path / "page.html")
    assert status == commands.DONE
    assert "ada and bob" in (tmp_path / "page.html").read_text()
