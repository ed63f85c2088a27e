"""The layout of the repository: folders that a newcomer can read, and no import that runs in a circle."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path

import pytest
from test_architecture import ROOT, imports_in, python_files

from hw4.handin.assignment import load_assignment
from hw4.tasks import TASKS

PROGRAMS = ("hw4", "solutions", "autograder", "publish", "benchmarks")
MAX_LINES = 500  # of a program; tests and the notebooks' masters may be longer
MAX_TOP_LEVEL = 16  # files at the top of hw4/: about the lecture, and nothing else
# Files of a problem have the same name in every folder, by design.
PROBLEMS = {Path(name).stem for name in load_assignment().submission.code}
SAME_IN_EVERY_ROOM = PROBLEMS | TASKS.keys()


def programs() -> list[Path]:
    tests = (ROOT / "hw4" / "tests", ROOT / "autograder" / "hidden_tests")
    return [path for path in python_files(*PROGRAMS) if not any(path.is_relative_to(folder) for folder in tests)]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_program_is_too_long_to_read() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in programs()}
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > MAX_LINES} == {}


def test_the_top_of_the_students_package_is_about_the_lecture() -> None:
    assert len(list((ROOT / "hw4").glob("*.py"))) <= MAX_TOP_LEVEL


# Names ----------------------------------------------------------------------------------------------------------------


def one_letter_apart(a: str, b: str) -> bool:
    """Whether one letter more, less or other makes one name of the other; equal names count.

    Underscores do not count: `fork_server` and `forkserver` are the same to a reader.
    """
    a, b = sorted((a.replace("_", ""), b.replace("_", "")), key=len)
    if len(b) - len(a) > 1:
        return False
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    return a[i:] == b[i + 1 :] if len(a) < len(b) else a[i + 1 :] == b[i + 1 :]


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        ("check", "checks", True),
        ("fork_server", "forkserver", True),
        ("notebooks", "notebooks", True),
        ("page", "pane", True),
        ("hint", "hints", True),
        ("train", "trace", False),
        ("mpc", "curves", False),
    ],
)
def test_names_that_differ_by_a_letter_are_found(a: str, b: str, alike: bool) -> None:
    assert one_letter_apart(a, b) == alike
    assert one_letter_apart(b, a) == alike


def test_no_two_files_have_names_that_differ_by_a_letter() -> None:
    named = [path for path in programs() if not path.stem.startswith("__") and path.stem not in SAME_IN_EVERY_ROOM]
    pairs = itertools.combinations(named, 2)
    assert [
        f"{a.relative_to(ROOT)} and {b.relative_to(ROOT)}" for a, b in pairs if one_letter_apart(a.stem, b.stem)
    ] == []


# Circles --------------------------------------------------------------------------------------------------------------


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle (strongly connected parts with two or more)."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str, edges: dict[str, set[str]], found: list[str]) -> None:
        ahead = [(name, iter(sorted(edges[name])))]
        seen.add(name)
        while ahead:
            current, targets = ahead[-1]
            target = next((t for t in targets if t not in seen), None)
            if target is None:
                ahead.pop()
                found.append(current)
            else:
                seen.add(target)
                ahead.append((target, iter(sorted(edges[target]))))

    for name in sorted(imports):
        if name not in seen:
            visit(name, imports, order)
    backwards: dict[str, set[str]] = defaultdict(set)
    for name, targets in imports.items():
        for target in targets:
            backwards[target].add(name)
    seen.clear()
    groups = []
    for name in reversed(order):
        if name not in seen:
            group: list[str] = []
            visit(name, backwards, group)
            if len(group) > 1:
                groups.append(sorted(group))
    return groups


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_imports_run_in_a_circle_not_even_inside_functions() -> None:
    modules = {module_of(path): path for path in python_files(*PROGRAMS)}
    imports = {
        name: {found.module for found in imports_in(path) if found.module in modules and found.module != name}
        for name, path in modules.items()
    }
    assert circles(imports) == []
