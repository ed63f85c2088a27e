"""The package `hw4` inside a worker: the lists that name its files agree."""

from __future__ import annotations

import ast

from autograder.grading.fingerprint import GIVEN as GIVEN_PLACES
from autograder.grading.fingerprint import GRADER, NOT_GIVEN, python_files
from autograder.isolation.package import ASKED_FOR, GIVEN, given_names, package_with
from autograder.solutions import ROOT
from hw4.handin.assignment import load_assignment
from hw4.handin.code_files import is_allowed
from publish.gradescope_bundle import grader_files

CODE = load_assignment().submission.code


def test_a_worker_gets_what_students_may_import_and_what_the_referee_asks_for() -> None:
    assert set(ASKED_FOR) <= set(given_names())
    for name in set(given_names()) - set(ASKED_FOR):
        module = "hw4." + name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        assert is_allowed(module, load_assignment()), name
    assert not any(name.startswith(("envs/", "commands/", "handin/", "notebooks/", "tests/")) for name in given_names())


def test_the_worker_learns_from_the_message_which_files_are_submitted() -> None:
    for file in sorted((ROOT / "autograder" / "worker").glob("*.py")):
        text = file.read_text(encoding="utf-8")
        assert not any(name in text for name in CODE), file.name


def test_the_package_of_a_worker_imports_nothing_of_hw4_that_is_not_in_it() -> None:
    package = {*given_names(), *package_with({})}
    for name in given_names():
        for node in ast.walk(ast.parse((GIVEN / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "hw4":
                modules = [node.module] if node.module != "hw4" else [f"hw4.{alias.name}" for alias in node.names]
                for module in modules:
                    place = module.replace("hw4.", "", 1).replace(".", "/")
                    assert {f"{place}.py", f"{place}/__init__.py"} & package, f"{name}: {module}"


def test_everything_that_decides_is_on_gradescope() -> None:
    """Or a receipt's hash of the grader would differ between Gradescope and here."""
    shipped = {name for name, _ in grader_files()}
    for places, without in ((GRADER, ()), (GIVEN_PLACES, NOT_GIVEN)):
        assert {name for name, _ in python_files(*places, without=without)} <= shipped


def test_no_module_of_the_gradescope_bundle_needs_one_that_is_left_out() -> None:
    """At import; commands that Gradescope never calls import theirs when they are called."""
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
