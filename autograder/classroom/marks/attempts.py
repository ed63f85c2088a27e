"""Which attempt of a student counts, where each was graded: the one with the most points."""

from __future__ import annotations

import dataclasses

from autograder.classroom.marks.standing import Class, Result


def counted(found: Class) -> Class:
    """The class with one result for each student: the best attempt, and of equally good ones the last.

    Points are compared after the late penalty. While an attempt waits for its grade, nobody knows which is the best
    one, and the student has no grade.
    """
    attempts: dict[str, list[Result]] = {}
    for result in found.results:
        attempts.setdefault(result.owner, []).append(result)
    best = tuple(max(reversed(_last_attempt_last(own)), key=_rank) for own in attempts.values())
    return dataclasses.replace(found, results=tuple(sorted(best, key=lambda result: result.student)))


def _last_attempt_last(own: list[Result]) -> list[Result]:
    return sorted(own, key=lambda result: (result.student == result.attempt_of, len(result.student), result.student))


def _rank(result: Result) -> tuple[bool, float]:
    lateness = None if result.total is None else result.lateness(result.total)
    is_open = result.status in ("waiting", "fault") or result.total is None
    return is_open, (result.total or 0.0) if lateness is None else lateness.final_points
