"""What is written for one student: report.html, results.json, receipt.json and standing.json."""

from __future__ import annotations

import json
from typing import Any

from autograder.classroom.marks.notice import notice, with_changes, with_requests
from autograder.classroom.marks.standing import Result, standing_of
from autograder.files import as_json
from autograder.report.documents import document, fault, inert
from autograder.report.page import page
from autograder.report.receipt import receipt
from autograder.report.results import quick_look, results
from autograder.report.words import points

NOTHING = "Nothing was handed in."


def documents_of(result: Result, *, is_graded: bool) -> dict[str, bytes]:
    """report.html, results.json and receipt.json as they follow from the record and from what staff changed."""
    grade = result.grade
    lines = [f"Changed by staff: {applied}" for applied in result.applied]
    if result.adjustment and result.total is not None:
        lines.append(f"Total: {points(result.total)} points.")
    lines += [inert(str(request)) for request in result.requests]
    if grade is None or result.by_program is None:
        written = _without_a_grade(result)
        written["output"] = "\n".join([written["output"], *lines])
        if result.total is not None:
            written["score"] = result.total
        html = notice(result.student, written["output"])
        receipt_of: dict[str, Any] = {result.status: result.message}
    else:
        written = results(grade) if is_graded else quick_look(grade)
        written["output"] = "\n".join([written["output"], *lines])
        html = with_changes(page(grade, result.student), result.applied, result.total if result.adjustment else None)
        html = with_requests(html, result.requests)
        receipt_of = {**receipt(result.by_program), "submission": result.record["intake"]["hashes"]}
        then = result.record["measured"]["grader"]  # verdicts are by that grader, points by today's bars
        receipt_of |= {name: value for name, value in then.items() if name not in ("bars", "assignment")}
    return {
        "results.json": as_json(written),
        "report.html": html.encode("utf-8", "replace"),
        "receipt.json": as_json(receipt_of),
        "standing.json": json.dumps(standing_of(result), separators=(",", ":")).encode(),
    }


def _without_a_grade(result: Result) -> dict[str, Any]:
    if result.status == "missing":
        return document(NOTHING, {"graded": False})
    return refusal(result.message) if result.status == "refused" else fault()


def refusal(message: str) -> dict[str, Any]:
    text = f"The submission was refused, so nothing was graded.\n{message}"
    return {"score": 0, **document(text, {"graded": False, "refused": True})}
