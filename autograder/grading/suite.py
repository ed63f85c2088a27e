"""Runs the hidden pytest suite in this trusted process, each check against a fresh worker."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from autograder.grading.outcome import Outcome
from autograder.grading.private import rng_of_test
from autograder.hidden_tests.graded import DECLARED
from autograder.hidden_tests.inputs import NotJudged
from autograder.isolation.fork_server import GraderFault
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from hw4.checking.answers import CheckFailed
from hw4.checking.causes import cause_of_exception
from hw4.handin.assignment import Assignment

HIDDEN_TESTS = Path(__file__).resolve().parents[1] / "hidden_tests"

OpenSubject = Callable[[], RemoteSubject]
# Is a verdict final; or if the reference passes the same check, or has passed it before; or is it worth another try?
Doubt = Literal["none", "canary", "check", "chance"]

DEADLINE_PASSED = "the overall deadline passed before this check ended"
USED_UP = "the submission used up the time itself: by idling, or by taking far longer than the reference"


def without_excuse(outcome: Outcome) -> Outcome:
    """The same outcome where the deadline passed because of the submission itself."""
    if (outcome.verdict, outcome.message) != ("grader_fault", DEADLINE_PASSED):
        return outcome
    return dataclasses.replace(outcome, verdict="failed", cause="too_slow", message=f"{DEADLINE_PASSED}: {USED_UP}")


class Suite:
    """A pytest plugin that runs the graded tests and keeps their outcomes."""

    def __init__(
        self,
        assignment: Assignment,
        open_student: OpenSubject,
        open_canary: OpenSubject,
        broken_files: dict[str, Outcome],
        on_outcome: Callable[[Outcome], None],
        recover: Callable[[], None] = lambda: None,
        ends: float = math.inf,
        only: frozenset[str] | None = None,
        canary_passed: set[str] | None = None,
    ) -> None:
        """
        Args:
            assignment: the public facts.
            open_student: a fresh worker with the submission.
            open_canary: a fresh worker with the reference solution, in the same slot.
            broken_files: files that do not even import, and what to say of their tests.
            on_outcome: called as each test ends.
            recover: called when the reference fails, too: makes things right if it can, for one more try.
            ends: when all must be over, on the clock of time.monotonic.
            only: ids whose tests run; all if None.
            canary_passed: tests that the reference has passed on this system; grows.
        """
        self.outcomes: dict[str, Outcome] = {}
        self._assignment = assignment
        self._open_student = open_student
        self._open_canary = open_canary
        self._broken_files = broken_files
        self._on_outcome = on_outcome
        self._recover = recover
        self._ends = ends
        self._only = only
        self._canary_passed = set() if canary_passed is None else canary_passed
        self._spent: set[str] = set()  # ids that used up their time once

    def run(self) -> dict[str, Outcome]:
        """Run the suite. A declared test without an outcome is a grader fault."""
        # One test file that does not load must not take the others with it.
        arguments = [
            "-q",
            "-s",
            "--continue-on-collection-errors",
            "--disable-plugin-autoload",  # of whatever else is installed: Hypothesis alone takes seconds to import
            "--assert=plain",  # what failed is told by the checks; rewriting asserts takes seconds, too
            *("-p", "no:cacheprovider"),
            *("-p", "no:unraisableexception"),  # collects garbage, a tenth of a second a grade
            "-c",
            os.devnull,
            "--rootdir",
            str(HIDDEN_TESTS),
        ]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = pytest.main([*arguments, str(HIDDEN_TESTS)], plugins=[self])
        if status == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        for name in {name for name in DECLARED if self._asked(name)} - self.outcomes.keys():
            self._keep(Outcome(name, "grader_fault", message=f"did not run; pytest said: {printed.getvalue()[-2000:]}"))
        if not DECLARED:
            raise GraderFault(f"no hidden test could be loaded: {printed.getvalue()[-2000:]}")
        return self.outcomes

    @pytest.fixture
    def subject(self) -> None:
        """Opened by `pytest_pyfunc_call`, which may have to open it twice."""

    @pytest.fixture
    def rng(self) -> None:
        """Made by `pytest_pyfunc_call`."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self._asked(item.name)]

    def _asked(self, name: str) -> bool:
        return self._only is None or DECLARED[name].stub_id in self._only

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        self._keep(self._outcome(pyfuncitem.name, pyfuncitem.obj))
        return True

    def _keep(self, outcome: Outcome) -> None:
        self.outcomes[outcome.test] = outcome
        self._on_outcome(outcome)

    def _outcome(self, name: str, check: Callable[..., Any]) -> Outcome:
        stub_id = DECLARED[name].stub_id
        file = self._assignment.stub(stub_id).file
        if file in self._broken_files:
            broken = self._broken_files[file]
            return Outcome(name, "failed", broken.cause, broken.where, broken.error, broken.message)
        if stub_id in self._spent:
            return Outcome(name, "not_run", "too_slow", message="an earlier check of this function used up its time")
        start = time.monotonic()
        outcome = self._judge(name, check)
        if outcome.cause == "too_slow":
            self._spent.add(stub_id)
        return dataclasses.replace(outcome, seconds=time.monotonic() - start)

    def _judge(self, name: str, check: Callable[..., Any]) -> Outcome:
        """The verdict on one test. Nothing fails that the reference does not pass here and now, in the same slot."""
        for recovering in (False, True):
            outcome, doubt = self._attempt(name, check)
            if doubt == "chance":
                outcome, doubt = self._attempt(name, check)
            if doubt == "none" or (doubt == "check" and name in self._canary_passed):
                return outcome
            trouble = self._trouble_of_canary(name, check)
            if not trouble:
                self._canary_passed.add(name)
                return outcome
            if not recovering:
                self._recover()
        message = f"{outcome.message}; the reference fails the same check: {trouble}"
        return Outcome(name, "grader_fault", message=message)

    def _attempt(self, name: str, check: Callable[..., Any]) -> tuple[Outcome, Doubt]:
        if time.monotonic() >= self._ends:
            return Outcome(name, "grader_fault", message=DEADLINE_PASSED), "none"
        try:
            with self._open_student() as subject:
                check(subject=subject, rng=rng_of_test(name))
        except NotJudged as failure:
            return Outcome(name, "not_run", failure.cause, message=str(failure)), "check"
        except CheckFailed as failure:
            return Outcome(name, "failed", failure.cause, message=str(failure)), "check"
        except StudentError as error:
            cause = cause_of_exception(error.type_name, error.text)
            if cause == "not_started" and error.text.partition(":")[0] != DECLARED[name].stub_id:
                message = f"needs a function that is not written: {error.text}"
                return Outcome(name, "not_run", "blocked", message=message), "none"
            outcome = Outcome(name, "failed", cause, error.where, error.shown_type, str(error))
            return outcome, "none" if cause == "not_started" else "check"
        except WorkerDied as death:
            if death.reason == "deadline":
                return Outcome(name, "grader_fault", message=DEADLINE_PASSED), "none"
            outcome = Outcome(name, "failed", death.cause, message=f"worker ended: {death.reason}")
            return outcome, "chance" if death.may_be_chance else "canary"
        except GraderFault as fault:
            return Outcome(name, "grader_fault", message=str(fault)), "chance"
        except Exception as error:
            # The check itself stumbled: over an answer that is no answer, or because it is wrong.
            return Outcome(name, "failed", "wrong_type", message=f"{type(error).__name__}: {error}"), "canary"
        return Outcome(name, "passed"), "none"

    def _trouble_of_canary(self, name: str, check: Callable[..., Any]) -> str:
        """What goes wrong when the reference runs the same check; empty if it passes."""
        try:
            with self._open_canary() as subject:
                check(subject=subject, rng=rng_of_test(name))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""
