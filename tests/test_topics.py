"""A topic is its files and its tables: added to a copy of the repository and removed from one, and everything holds."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from copied_tree import copy_of_the_tree, run
from made_up_topic import FILES, NAME, POINTS, STUB_IDS, TABLES, WRITTEN, add_topic

from hw4.handin.assignment import load_assignment

ASSIGNMENT = load_assignment()

# Writes every generated file, then runs the quick part of the gate; what drift compares with is built once.
PUBLISH = """
import sys
from publish import drift, gate
artefacts = []
for artefact in drift.in_the_tree():
    drift.write([artefact])
    artefacts.append(artefact)
sys.exit(gate.run({**gate.QUICK, "no generated file has drifted": lambda: drift.drifted(artefacts)}))
"""

# Grades some functions of an archive, and visits some animals alone.
GRADE = """
import json, sys
from pathlib import Path
from autograder.grading.session import Grader
from autograder.zoo import load_animals
from autograder.grading.listener import Silent
from autograder.zoo.visit import visit_herd
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import read_submission
archive, functions, animals = Path(sys.argv[1]), frozenset(sys.argv[2].split()), sys.argv[3].split()
intake = read_submission(archive, load_assignment())
with Grader(required=()) as grader:
    report = grader.grade(intake, Silent(), curves=False, only=functions).report
    visits = [visit for name in animals for visit in visit_herd(grader, [load_animals()[name]], everything=False)]
print(json.dumps({
    "verdicts": {item.id: item.verdict for item in report.items if item.id in functions},
    "score": report.score,
    "bonus": report.bonus,
    "faults": report.faults,
    "missing": [*intake.missing],
    "files": sorted(intake.files),
    "surprises": {visit.animal.name: visit.surprises for visit in visits},
    "named": {visit.animal.name: visit.is_named for visit in visits},
}))
"""

FACTS = """
import json
from publish.handout.facts import gather_facts
from hw4.handin.assignment import load_assignment
facts = gather_facts(load_assignment())
print(json.dumps([facts["problems"], facts["answers"], facts["points"], facts["bonus_points"]]))
"""


def solved_and_submitted(tree: Path) -> Path:
    """Work in the copy as a student who has written everything; the archive that is handed in."""
    done = run(tree, "-c", "from publish.stubs import write_solved; print(write_solved())")
    assert done.returncode == 0, done.stderr
    solved = Path(done.stdout.strip())
    done = run(solved, "-m", "hw4", "submit")
    assert "hw4_submission.zip" in done.stdout, done.stdout + done.stderr
    return solved / "hw4_submission.zip"


def graded(tree: Path, archive: Path, functions: list[str], animals: list[str] | None = None) -> dict[str, Any]:
    done = run(tree, "-c", GRADE, str(archive), " ".join(functions), " ".join(animals or []))
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


def first_of_each_problem() -> list[str]:
    problems = [problem for problem in ASSIGNMENT.problems if not problem.optional]
    return [stubs[0].id for problem in problems if (stubs := ASSIGNMENT.stubs_of(problem.id))]


def test_a_topic_is_added_by_files_and_tables_alone(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    add_topic(tree)
    published = run(tree, "-c", PUBLISH)
    assert published.returncode == 0, published.stdout + published.stderr
    stub = (tree / "hw4" / "topics" / f"{NAME}.py").read_text(encoding="utf-8")
    assert f'raise NotImplementedError("{STUB_IDS[0]}: write pick_dream in hw4/topics/{NAME}.py")' in stub

    problems, answers, points, bonus_points = json.loads(run(tree, "-c", FACTS).stdout)
    topics = [problem for problem in problems if problem["optional"]]
    assert (topics[-1]["label"], topics[-1]["title"]) == (f"T{len(topics)}", "Planning by daydreams")
    assert points == ASSIGNMENT.code_points + ASSIGNMENT.written_points
    assert bonus_points == ASSIGNMENT.bonus_points + POINTS + WRITTEN
    notebook = {"file": f"{NAME}.ipynb", "title": "Daydreams, drawn", "number": 1, "points": WRITTEN, "minutes": 5}
    assert notebook in answers["optional_notebooks"]

    released = (tree / "hw4" / "handin" / "released_answers.py").read_text(encoding="utf-8")
    assert f'"{NAME}.ipynb": {{\n        "answer-dream": {WRITTEN},' in released

    archive = solved_and_submitted(tree)
    checked = run(archive.parent, "-m", "hw4", "check", NAME)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    functions = [*first_of_each_problem(), *STUB_IDS]
    found = graded(tree, archive, functions, ["dream_by_sorting", "dream_of_the_worst"])
    assert found["verdicts"] == dict.fromkeys(functions, "passed")
    assert found["bonus"] == POINTS
    assert f"topics/{NAME}.py" in found["files"]
    assert found["surprises"] == {"dream_by_sorting": [], "dream_of_the_worst": []}
    assert found["named"]["dream_of_the_worst"]


@pytest.mark.verify  # half a minute
def test_a_topic_is_dropped_with_its_files_and_its_tables(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    name = next((problem.id for problem in ASSIGNMENT.problems if problem.optional), NAME)
    if name == NAME:
        add_topic(tree)
        assert run(tree, "-c", "from publish import drift; drift.write(drift.texts())").returncode == 0
    removed = list(tree.rglob(f"*{name}*"))  # as `git rm '*NAME*'` does, with folders that are then empty
    assert len(removed) > len(FILES)
    for path in removed:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    facts = tree / "assignment.toml"
    tables = re.split(r"(?m)^(?=\[\[)", facts.read_text(encoding="utf-8"))
    kept = [table for table in tables if not re.search(rf'(?m)^\w+ = "(?:topics/)?{name}(?:\.\w+)?"$', table)]
    assert len(kept) < len(tables) - 2
    facts.write_text("".join(kept), encoding="utf-8")

    published = run(tree, "-c", PUBLISH)
    assert published.returncode == 0, published.stdout + published.stderr
    archive = solved_and_submitted(tree)
    checked = run(archive.parent, "-m", "hw4", "check", "p1")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    functions = first_of_each_problem()
    found = graded(tree, archive, functions)
    assert found["verdicts"] == dict.fromkeys(functions, "passed")
    assert found["faults"] == []
    assert not any(name in file for file in (*found["files"], *found["missing"]))


def test_the_gate_lists_what_a_topic_lacks_and_what_one_has_left_behind(tmp_path: Path) -> None:
    from publish import places
    from publish.findings import ADD_TOPIC, DROP_TOPIC

    tree = copy_of_the_tree(tmp_path / "tree")
    with (tree / "assignment.toml").open("a", encoding="utf-8") as file:
        file.write(TABLES)
    findings = list(places.misnamed(tree))
    assert {finding.file for finding in findings} == {"assignment.toml"}
    lacks = {
        f"no solution region in solutions/topics/{NAME}.py",
        f"no worked example in hw4/checking/examples/topics/{NAME}.py",
        f"no public test in hw4/tests/topics/test_{NAME}.py",
        f"no hidden test in autograder/hidden_tests/topics/test_{NAME}.py",
        f"no list of sentences in autograder/hidden_tests/topics/{NAME}_sentences.toml",
        f"no animal of the zoo in autograder/zoo/animals/topics/{NAME}.toml",
        f"no box in the handout in handout/topics/{NAME}.typ",
    }
    wanted = {f"{stub_id} has {says}" for stub_id in STUB_IDS for says in lacks}
    wanted |= {f'there is no #problem-heading("{NAME}") in handout/topics/{NAME}.typ'}
    about_files = [finding for finding in findings if "notebooks" not in finding.says]
    assert {(finding.says, finding.fix) for finding in about_files} == {(says, ADD_TOPIC) for says in wanted}

    tree = copy_of_the_tree(tmp_path / "other")
    add_topic(tree)
    text = (tree / "assignment.toml").read_text(encoding="utf-8")
    (tree / "assignment.toml").write_text(text.replace(TABLES, ""), encoding="utf-8")
    left = {finding.file for finding in places.misnamed(tree) if finding.fix == DROP_TOPIC}
    assert left == {file for file in FILES if "/topics/" in file}
