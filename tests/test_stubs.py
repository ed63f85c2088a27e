"""Stubs and the stub table: generated from the solutions, byte for byte, and refused when a marker is wrong."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from changed_assignment import changed_assignment

from autograder.solutions import ROOT, SOLUTIONS
from hw4.handin.assignment import Assignment, AssignmentError, Stub, load_assignment
from publish.stubs import STUBS, MarkerError, build_stubs, solution_lines, stub_text, write_solved

MAX_LINES = 12
ASSIGNMENT = load_assignment()
EVERY_STUB = pytest.mark.parametrize("stub", ASSIGNMENT.stubs, ids=lambda stub: stub.id)


def solution_of(file_name: str) -> str:
    return (SOLUTIONS / file_name).read_text(encoding="utf-8")


def function_of(source: str, symbol: str) -> ast.FunctionDef:
    """The function "name" or the method "Class.name" in a source text. Raises KeyError if there is none."""
    body: list[ast.stmt] = ast.parse(source).body
    node: ast.stmt | None = None
    for part in symbol.split("."):
        named = {n.name: n for n in body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
        node = named[part]
        body = node.body
    assert isinstance(node, ast.FunctionDef)
    return node


# Drift ----------------------------------------------------------------------------------------------------------------


def drifted(texts: dict[Path, str], read: Callable[[Path], bytes]) -> list[str]:
    return [path.relative_to(STUBS).as_posix() for path, text in texts.items() if read(path) != text.encode()]


def test_stubs_in_the_tree_are_what_the_solutions_give() -> None:
    texts = build_stubs()
    assert [path.relative_to(STUBS).as_posix() for path in texts] == list(ASSIGNMENT.submission.code)
    assert drifted(texts, Path.read_bytes) == [], "run `make publish`"


@pytest.mark.parametrize("file_name", ASSIGNMENT.submission.code)
def test_one_changed_line_of_a_stub_is_caught(file_name: str) -> None:
    def read(path: Path) -> bytes:
        content = path.read_bytes()
        is_it = path.relative_to(STUBS).as_posix() == file_name
        return content.replace(b"import torch\n", b"import torch \n", 1) if is_it else content

    assert drifted(build_stubs(), read) == [file_name]


@pytest.mark.parametrize("file_name", ASSIGNMENT.submission.code)
def test_one_changed_line_outside_a_region_of_a_solution_is_caught(file_name: str) -> None:
    text = solution_of(file_name)
    changed = stub_text(text.replace("    Returns:\n", "    Gives:\n", 1), file_name, ASSIGNMENT)
    assert changed != stub_text(text, file_name, ASSIGNMENT)
    assert changed.encode() != (ROOT / "hw4" / file_name).read_bytes()


def test_generating_leaves_the_solutions_alone_and_gives_the_same_twice() -> None:
    before = {path: path.read_bytes() for path in SOLUTIONS.rglob("*") if path.is_file()}
    assert build_stubs() == build_stubs()
    assert {path: path.read_bytes() for path in SOLUTIONS.rglob("*") if path.is_file()} == before


def test_the_solved_tree_is_the_given_files_with_the_solutions_over_them(tmp_path: Path) -> None:
    target = tmp_path / "solved"
    (target / "hw4").mkdir(parents=True)
    (target / "hw4" / "left_over.py").write_text("from an earlier build\n")
    trees = []
    for _ in range(2):
        write_solved(target)
        trees.append({p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()})
    assert trees[0] == trees[1]
    assert "hw4/left_over.py" not in trees[0]
    for name in ASSIGNMENT.submission.code:
        assert trees[0][f"hw4/{name}"] == (SOLUTIONS / name).read_bytes()
    for name in ("hw4/training.py", "hw4/envs/cliff_hill.py", "assignment.toml"):
        assert trees[0][name] == (ROOT / name).read_bytes()


# Markers --------------------------------------------------------------------------------------------------------------

# A table of two stubs in one file, and a solution whose lines can be counted.
TWO_STUBS = dataclasses.replace(
    ASSIGNMENT,
    stubs=tuple(
        dataclasses.replace(stub, id=stub_id, file="sums.py", symbol=symbol)
        for stub, stub_id, symbol in zip(ASSIGNMENT.stubs, ("add", "twice"), ("add", "Sum.twice"), strict=False)
    ),
)
SUMS = """\
def add(a, b):
    ### BEGIN SOLUTION add: 1 line.
    return a + b
    ### END SOLUTION add


class Sum:
    def twice(self, a):
        ### BEGIN SOLUTION twice: about 2 lines: use `add`.
        b = a
        return add(a, b)
        ### END SOLUTION twice
"""
SUMS_STUB = """\
def add(a, b):
    # TODO(add): 1 line.
    raise NotImplementedError("add: write add in hw4/sums.py")


class Sum:
    def twice(self, a):
        # TODO(twice): about 2 lines: use `add`.
        raise NotImplementedError("twice: write Sum.twice in hw4/sums.py")
"""


def test_a_region_becomes_a_todo_and_an_exception() -> None:
    assert stub_text(SUMS, "sums.py", TWO_STUBS) == SUMS_STUB


def test_lines_of_a_region_are_those_between_its_markers() -> None:
    assert solution_lines(SUMS) == {
        "add": ["    return a + b"],
        "twice": ["        b = a", "        return add(a, b)"],
    }


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        ("        ### END SOLUTION twice\n", "", "sums.py:9", "twice is never closed"),
        ("    ### END SOLUTION add\n", "", "sums.py:8", "twice begins inside add"),
        ("    ### END SOLUTION add", "    ### END SOLUTION twice", "sums.py:4", "END of twice, but add is open"),
        ("    ### BEGIN SOLUTION add: 1 line.\n", "", "sums.py:3", "END of add, but nothing is open"),
        ("BEGIN SOLUTION add:", "BEGIN SOLUTION ad:", "sums.py:2", "ad is not in the stub table"),
        ("SOLUTION twice", "SOLUTION add", "sums.py:9", "add begins a second time"),
        ("BEGIN SOLUTION add: 1 line.", "BEGIN SOLUTION add", "sums.py:2", "not a marker"),
        ("BEGIN SOLUTION add:", "BEGIN add:", "sums.py:2", "not a marker"),
        ("    return a + b\n    ###", "    return a + b  ###", "sums.py:3", "not a marker"),
        ("    ### END SOLUTION add\n", "    ### END SOLUTION add # done\n", "sums.py:4", "not a marker"),
    ],
    ids=[
        *("unclosed", "nested", "mismatched", "only_an_end", "unknown", "repeated"),
        *("no_hint", "no_word_solution", "not_a_whole_line", "more_behind_it"),
    ],
)
def test_a_wrong_marker_is_refused_with_its_place(old: str, new: str, where: str, words: str) -> None:
    assert old in SUMS
    with pytest.raises(MarkerError) as caught:
        stub_text(SUMS.replace(old, new), "sums.py", TWO_STUBS)
    assert str(caught.value).startswith(f"solutions/{where}: ")
    assert words in str(caught.value)


def test_a_stub_of_the_table_without_a_solution_is_refused() -> None:
    without = SUMS[: SUMS.index("\n\nclass")]
    with pytest.raises(MarkerError, match=r"solutions/sums\.py: no solution for twice"):
        stub_text(without, "sums.py", TWO_STUBS)


# Stubs as students find them ------------------------------------------------------------------------------------------


@EVERY_STUB
def test_a_solution_is_the_tail_of_its_function(stub: Stub) -> None:
    solution = function_of(solution_of(stub.file), stub.symbol)
    lines = solution_of(stub.file).splitlines()
    end = next(number for number, line in enumerate(lines, 1) if line.strip() == f"### END SOLUTION {stub.id}")
    assert solution.end_lineno == end - 1
    region = solution_lines(solution_of(stub.file))[stub.id]
    assert lines[end - 1 - len(region) : end - 1] == region
    assert end - len(region) > solution.body[0].end_lineno  # type: ignore[operator]  # below the docstring


@EVERY_STUB
def test_each_stub_ends_in_one_exception_that_says_what_to_write(stub: Stub) -> None:
    source = (ROOT / "hw4" / stub.file).read_text(encoding="utf-8")
    function = function_of(source, stub.symbol)
    words = f"{stub.id}: write {stub.symbol} in hw4/{stub.file}"
    assert ast.unparse(function.body[-1]) == f"raise NotImplementedError({words!r})"
    assert f"(`{stub.id}`)" in (ast.get_docstring(function) or "").splitlines()[0]
    todo = source.splitlines()[function.body[-1].lineno - 2].strip()
    assert todo.startswith(f"# TODO({stub.id}): ")
    assert len(todo) > len(f"# TODO({stub.id}): ") + 5


CALLS = """
import json
from hw4.checking.examples import WORKED_EXAMPLES
from hw4.checking.subject import LocalSubject
from hw4.handin.assignment import load_assignment

said = {}
for stub in load_assignment().stubs:
    try:
        WORKED_EXAMPLES[stub.id].run(LocalSubject())
    except NotImplementedError as error:
        said[stub.id] = str(error)
    except Exception as error:
        said[stub.id] = repr(error)
print(json.dumps(said))
"""


def test_every_stub_imports_and_raises_with_its_id() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", CALLS], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == {stub.id: f"{stub.id}: write {stub.symbol} in hw4/{stub.file}" for stub in ASSIGNMENT.stubs}


# The stub table -------------------------------------------------------------------------------------------------------


def test_no_solution_is_long() -> None:
    assert ASSIGNMENT.stubs
    assert {stub.id: stub.lines for stub in ASSIGNMENT.stubs if stub.lines > MAX_LINES} == {}


@EVERY_STUB
def test_lines_in_the_table_are_the_lines_of_the_solution(stub: Stub) -> None:
    region = solution_lines(solution_of(stub.file))[stub.id]
    assert stub.lines == sum(bool(line.strip()) for line in region)


def test_every_region_is_in_the_table_and_its_file_is_handed_in() -> None:
    regions = {(name, stub_id) for name in ASSIGNMENT.submission.code for stub_id in solution_lines(solution_of(name))}
    assert regions == {(stub.file, stub.id) for stub in ASSIGNMENT.stubs}
    files = [path.relative_to(SOLUTIONS).as_posix() for path in SOLUTIONS.rglob("*.py")]
    assert sorted(files) == sorted(ASSIGNMENT.submission.code)


def test_stubs_stand_in_the_table_as_they_stand_in_their_files() -> None:
    for name in ASSIGNMENT.submission.code:
        in_file = list(solution_lines(solution_of(name)))
        assert [stub.id for stub in ASSIGNMENT.stubs if stub.file == name] == in_file


def test_points_are_earned_by_program_or_by_hand_and_a_bonus_counts_apart() -> None:
    for problem in ASSIGNMENT.problems:
        assert problem.points > 0
        assert bool(ASSIGNMENT.items_of(problem.id)) != problem.by_hand
    required = [item.points for item in ASSIGNMENT.items if not ASSIGNMENT.is_optional(item)]
    assert ASSIGNMENT.code_points == sum(required)
    assert ASSIGNMENT.code_bonus_points == sum(item.points for item in ASSIGNMENT.items) - sum(required)
    assert all(item.points > 0 for item in ASSIGNMENT.items)


def test_numbers_count_within_each_problem_and_problems_within_their_kind() -> None:
    for letter, is_optional in (("P", False), ("T", True)):
        problems = [problem for problem in ASSIGNMENT.problems if problem.optional == is_optional]
        assert [problem.label for problem in problems] == [f"{letter}{i}" for i in range(1, len(problems) + 1)]
    for problem in ASSIGNMENT.problems:
        items = ASSIGNMENT.items_of(problem.id)
        assert [item.number for item in items] == [
            f"{problem.label.removeprefix('P')}.{i}" for i in range(1, len(items) + 1)
        ]


# Contradictions in assignment.toml ------------------------------------------------------------------------------------


def changed(tmp_path: Path, old: str, new: str) -> Assignment:
    return load_assignment(changed_assignment(tmp_path, old, new))


def test_a_copy_of_the_file_says_the_same(tmp_path: Path) -> None:
    assert changed(tmp_path, 'term = "', 'term = "') == ASSIGNMENT


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("points = 15\n", "points = 16\n", "dynamics is worth 16 points, but its parts add up to 15"),
        ("minutes = 15\npoints = 3", "minutes = 15\npoints = 2", "dynamics is worth 15 points, but .* add up to 14"),
        ('id = "model_predict"\n', 'id = "model_loss"\n', "the id 'model_loss' is used twice"),
        ('id = "curve_cartpole"\n', 'id = "cem_plan"\n', "the id 'cem_plan' is used twice"),
        ('problem = "planning"\n', 'problem = "plannning"\n', "belongs to the unknown problem 'plannning'"),
    ],
)
def test_a_contradiction_is_refused_with_the_two_sides(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(AssignmentError, match=rf"assignment\.toml:\d+: .*{words}"):
        changed(tmp_path, old, new)
