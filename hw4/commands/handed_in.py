"""What `python -m hw4 submit` says of a submission: what the grader will say when it reads it (given)."""

from __future__ import annotations

from collections.abc import Sequence

from hw4.handin.answer_cells import what_it_costs
from hw4.handin.assignment import Assignment, Stub
from hw4.handin.code_files import stubs_not_started
from hw4.handin.intake import Intake


def print_intake(intake: Intake, assignment: Assignment, done: str, other_notes: Sequence[str]) -> None:
    """
    Args:
        intake: of the submission.
        assignment: names the files and their points.
        done: what was done with it, in one line.
        other_notes: what the submission itself cannot say.
    """
    _print_problems(intake, assignment)  # first: below everything else it would be overlooked
    print(done)
    for note in (*intake.notes, *other_notes):
        print(f"  note: {note}")
    open_stubs = stubs_not_started(intake.files, assignment)
    _print_open_stubs([stub for stub in open_stubs if not assignment.is_optional(stub)], intake, assignment)
    _print_topics(open_stubs, intake, assignment)
    _print_unknowns(intake, assignment)


def _print_problems(intake: Intake, assignment: Assignment) -> None:
    """What makes the grader count a whole file as failed, or name a breach of the rules."""
    for p in intake.syntax_errors:
        points = sum(stub.points for stub in assignment.stubs if stub.file == p.file)
        kind = "bonus points" if p.file in assignment.optional_code else "points"
        print(f"FIX THIS: {p.file}:{p.line}: Python cannot read this file: {p.message}")
        print(f"  The grader fails everything in it ({points} {kind}), and the learning curves that need it.")
    for problem in intake.unread_notebooks:
        print(f"FIX THIS: {problem}.")
        print(f"  The code is graded all the same; this costs {what_it_costs(problem.file, assignment)}.")
    for i in intake.forbidden_imports:
        print(f"FIX THIS: {i.file}:{i.line}: import of {i.module}, which is not allowed")
    if intake.forbidden_imports:
        print(
            "  The grader reports it; if the module is missing on the grading machine, everything in that file fails."
        )
        print(f"  Allowed: {', '.join(assignment.submission.allowed_imports)}")


def _print_open_stubs(open_stubs: Sequence[Stub], intake: Intake, assignment: Assignment) -> None:
    broken = [problem.file for problem in intake.syntax_errors]
    unread = [name for name in assignment.required_code if name in (*intake.missing, *broken)]
    required = [stub for stub in assignment.stubs if not assignment.is_optional(stub)]
    num_read = sum(stub.file not in unread for stub in required)
    if unread:
        print(f"Not checked: {len(required) - num_read} stubs, in {', '.join(unread)}")
    if open_stubs:
        print(f"Not started: {len(open_stubs)} of {num_read} stubs")
        for stub in open_stubs:
            print(f"  {stub.number} {stub.symbol} in hw4/{stub.file} ({stub.points} points)")
    elif num_read:
        print(
            f"All {num_read} {'other ' if unread else ''}stubs are started. To see whether they are right: python -m "
            f"hw4 check"
        )


def _print_topics(open_stubs: Sequence[Stub], intake: Intake, assignment: Assignment) -> None:
    """The optional problems apart: which are handed in, and what they can earn."""
    topics = [problem for problem in assignment.problems if problem.optional]
    found = False
    for topic in topics:
        name = f"topic {topic.label}, {topic.title}"
        if _is_handed_in(topic.id, intake, assignment):
            stubs = assignment.stubs_of(topic.id)
            num_open = sum(stub in open_stubs for stub in stubs)
            rest = f"; not started: {num_open} of its {len(stubs)} stubs" if num_open else ""
            print(f"Bonus: {name}, is handed in (up to {topic.code_points} bonus points){rest}")
            found = True
        if topic.written and topic.notebook in intake.files:
            print(f"Bonus: {name}: {topic.notebook} is handed in (up to {topic.written} bonus points, given by people)")
            found = True
    if topics and not found:
        print("No topic is handed in: topics are optional.")
    if found:
        print(f"  Of all bonus points together, up to {assignment.policies.bonus_cap} count.")


def _is_handed_in(problem_id: str, intake: Intake, assignment: Assignment) -> bool:
    return any(stub.file in intake.files for stub in assignment.stubs_of(problem_id))


def _print_unknowns(intake: Intake, assignment: Assignment) -> None:
    curves = "; ".join(
        curve.title
        for curve in assignment.curves
        if not assignment.is_optional(curve) or _is_handed_in(curve.problem, intake, assignment)
    )
    print("Only the grader can judge:")
    print("  the hidden tests, which use other numbers, shapes and seeds than the public ones")
    print(f"  the learning curves on hidden seeds and worlds ({curves})")
    print("  the written answers, which people grade")
