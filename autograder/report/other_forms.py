"""results.json of the grader, which is Gradescope's, in the forms of other graders. Students may see all of it.

- PrairieLearn's external grader (docs.prairielearn.com, page "External Grading", "Grading results"): `score` is a share
  of 1. What was refused, and what the grader failed at, is "not gradable", which costs no attempt.
- Autolab (docs.autolabproject.com, pages "Guide for Lab Authors" and "Formatted Feedback"): the last line of what an
  autograder prints has the points of each problem. Without that line there is no score.

GitHub Classroom had a form of its own; it has been discontinued.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from hw4.handin.assignment import Assignment

MAX_BYTES = 1_000_000  # of a file that PrairieLearn takes


def prairielearn(document: dict[str, Any], assignment: Assignment) -> str:
    """What belongs into /grade/results/results.json. A bonus counts as far as the whole is at most 1."""
    if not _is_graded(document):
        return json.dumps({"gradable": False, "format_errors": [document["output"]]})
    tests = [
        {
            "name": test["name"],
            "points": test["score"],
            "max_points": test["max_score"],
            "message": verdict,
            "output": test.get("output", ""),
        }
        for test, verdict in ((test, test.get("output", "").partition("\n")[0]) for test in document["tests"])
    ]
    share = min(1.0, document["score"] / assignment.code_points)
    found = {"gradable": True, "score": share, "message": document["output"], "tests": tests}
    if len(json.dumps(found)) > MAX_BYTES:
        found["tests"] = [{key: value for key, value in test.items() if key != "output"} for test in tests]
    return json.dumps(found)


def autolab(document: dict[str, Any], assignment: Assignment) -> str:
    """What an autograder prints: words for people, then a line with what each function did, then one with the points.

    Problems are called by their ids in `assignment.toml`, in Autolab too. A refused submission has 0 points.
    """
    words = document["output"]
    refused = document.get("extra_data", {}).get("refused", False)
    if not _is_graded(document) and not refused:
        return f"{words}\n"
    problems = {problem.id: problem for problem in assignment.problems if problem.code_points}
    tests = list(_by_problem(document, assignment))
    stages: dict[str, dict[str, Any]] = {problems[name].title: {} for name, _ in tests}
    scores = {name: 0.0 for name, problem in problems.items() if not problem.optional} | {
        name: 0.0 for name, _ in tests
    }
    for name, test in tests:
        done = test["status"] == "passed"
        hint = {} if done else {"hint": test.get("output", "").partition("\n")[0]}
        stages[problems[name].title][test["name"]] = {"passed": done, **hint}
        scores[name] = round(scores[name] + test["score"], 2)
    feedback = {"_presentation": "semantic", "stages": list(stages), **stages}
    return f"{words}\n\n{json.dumps(feedback)}\n{json.dumps({'scores': scores})}\n"


def _by_problem(document: dict[str, Any], assignment: Assignment) -> Iterator[tuple[str, dict[str, Any]]]:
    problem_of = {item.number: item.problem for item in assignment.items}
    for test in document["tests"]:
        yield problem_of[test["number"]], test


def _is_graded(document: dict[str, Any]) -> bool:
    return "score" in document and bool(document.get("extra_data", {}).get("graded"))


FORMS: dict[str, Callable[[dict[str, Any], Assignment], str]] = {"prairielearn": prairielearn, "autolab": autolab}
