"""Runs of an effect: a hidden check computes one number with the student's functions, which answer from a worker.

Expected values, worlds and seeds live here, in the trusted process, as for a hidden test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.grading.private import HiddenRun
from autograder.grading.referee import cut_short
from autograder.grading.running import Run
from autograder.hidden_tests.graded import EffectCheck
from autograder.isolation.fork_server import GraderFault
from autograder.isolation.remote import RemoteSubject, StudentError, WorkerDied
from hw4.checking.answers import CheckFailed
from hw4.checking.subject import Handle


def run_effect(
    open_subject: Callable[[], RemoteSubject],
    check: EffectCheck,
    hidden: HiddenRun,
    answers: list[bytes] | None = None,
) -> Run:
    """Compute the number once. A student's error, death or spent budget ends the run, not the grader.

    Args:
        open_subject: a fresh worker.
        check: computes the number.
        hidden: holds the seed of its `rng`.
        answers: every answer of the worker is appended.
    """
    run = Run(seed=hidden.env_seed, world={})
    with cut_short(run), open_subject() as subject:
        try:
            witness = _Witness(subject, [] if answers is None else answers)
            value = float(check(subject=witness, rng=np.random.default_rng(hidden.env_seed)))
        except CheckFailed as failure:
            run.failure, run.message = failure.cause, str(failure)
        except (StudentError, WorkerDied, GraderFault):
            raise
        except Exception as error:  # the check stumbled: over an answer that is no answer, or because it is wrong
            run.failure, run.message = "wrong_type", f"{type(error).__name__}: {error}"
        else:
            if math.isfinite(value):
                run.returns.append(value)
            else:
                run.failure, run.message = "not_finite", f"the check computes {value}"
        finally:
            run.cpu_seconds = subject.cpu_seconds
    return run


class _Witness:
    """A Subject that keeps every answer: a second try must repeat the first."""

    def __init__(self, subject: RemoteSubject, answers: list[bytes]) -> None:
        self._subject = subject
        self._answers = answers

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._kept(self._subject.call(name, *args, **kwargs))

    def call_method(self, handle: Handle, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._kept(self._subject.call_method(handle, name, *args, **kwargs))

    def _kept(self, answer: Any) -> Any:
        self._answers.append(answer.tobytes() if isinstance(answer, np.ndarray) else repr(answer).encode())
        return answer
