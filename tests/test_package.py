"""The package `hw4` inside a worker: the lists that name its files agree."""

from __future__ import annotations

import ast

from autograder.isolation.package import GIVEN, GIVEN_FILES, package_with
from autograder.isolation.remote import CODE_FILES
from autograder.report.receipt import NOT_DECIDING
from autograder.solutions import ROOT
from hw4.assignment import load_assignment
from hw4.submission import GRADED_HW4_MODULES
from publish.gradescope import NOT_FOR_GRADING

CODE = load_assignment().submission.code
FOR_THE_REFEREE = {"__init__.py", "doubles.py", "imagination.py", "subject.py"}  # there, but nothing to import


def test_students_may_import_every_module_beside_them_but_those_of_the_referee() -> None:
    allowed = {f"{module}.py" for module in GRADED_HW4_MODULES}
    assert allowed == {*GIVEN_FILES, *CODE} - FOR_THE_REFEREE


def test_both_ends_of_a_worker_know_the_submitted_files() -> None:
    tree = ast.parse((ROOT / "autograder" / "worker" / "serve.py").read_text(encoding="utf-8"))
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert set(ast.literal_eval(assigned["STUDENT_FILES"])) == set(CODE_FILES) == {f"hw4/{name}" for name in CODE}


def test_the_package_of_a_worker_imports_nothing_of_hw4_that_is_not_in_it() -> None:
    package = {*GIVEN_FILES, *package_with({})}
    for name in GIVEN_FILES:
        for node in ast.walk(ast.parse((GIVEN / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "hw4":
                modules = [node.module] if node.module != "hw4" else [f"hw4.{alias.name}" for alias in node.names]
                for module in modules:
                    assert module.replace("hw4.", "", 1).replace(".", "/") + ".py" in package, f"{name}: {module}"


def test_what_is_not_on_gradescope_does_not_decide() -> None:
    """Or a receipt's hash of the grader would differ between Gradescope and here."""
    assert set(NOT_FOR_GRADING) <= set(NOT_DECIDING)


def test_no_module_of_the_gradescope_bundle_needs_one_that_is_left_out() -> None:
    """At import; commands that Gradescope never calls import theirs when they are called."""
    from publish.gradescope import grader_files

    files = {name: content for name, content in grader_files() if name.endswith(".py")}
    missing = set()
    for name, content in files.items():
        for node in ast.parse(content).body:
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                package = node.module.partition(".")[0]
                path = node.module.replace(".", "/")
                if package in ("autograder", "hw4", "publish") and not {f"{path}.py", f"{path}/__init__.py"} & set(
                    files
                ):
                    missing.add(f"{name}: {node.module}")
    assert not missing
