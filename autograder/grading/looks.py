"""Looks at the agent of a curve, and what it means if there was no time for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograder.grading.integrity import confirmed
from autograder.grading.private import graded_runs
from autograder.grading.promises import Integrity
from autograder.grading.suite import USED_UP
from autograder.isolation.fork_server import GraderFault
from autograder.isolation.remote import RemoteSubject
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Curve

OpenSubject = Callable[[], RemoteSubject]


def look_in_time(
    open_student: OpenSubject,
    open_canary: OpenSubject,
    curve: Curve,
    has_used_up_its_time: Callable[[], bool],
    actions: Sequence[Sequence[bytes]],
) -> Integrity:
    """Whether an agent keeps its promises. One that used up the time for the looks itself does not, if others can.

    Args:
        open_student: a fresh worker with the submission.
        open_canary: a fresh worker with the reference, which has time left when the submission has none.
        curve: what the agent is behind.
        has_used_up_its_time: whether the time is over, and that is the submission's own doing.
        actions: of the submission, in each graded run.
    """

    def look(opened: OpenSubject, actions: Sequence[Sequence[bytes]] = ()) -> Integrity:
        return confirmed(opened, open_canary, curve, EXPERIMENTS[curve.experiment], graded_runs(curve.id), actions)

    try:
        found = look(open_student, actions)
        if found.unchecked and has_used_up_its_time():
            reference = look(open_canary)
            if reference.results and reference.broken is None:
                return Integrity("answers", f"the agent was not done with a run with surprises in time: {USED_UP}")
    except GraderFault as fault:
        return Integrity(None, f"not checked: {fault}", unchecked=True)
    return found
