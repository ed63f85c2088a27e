"""What must not be in the student bundle, looked for in the bundle itself.

publish/student_bundle.py decides what goes in; this file does not read it, so that a mistake there is noticed here.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator, Mapping

from autograder.grading.private import graded_runs, load_private
from autograder.solutions import ROOT, reference_code
from hw4.handin.assignment import load_assignment
from publish.findings import FILES, Finding
from publish.stubs import solution_lines

BUNDLE = "build/student.zip"
ALLOWED = re.compile(
    r"hw4/((checking/(examples/|hints/)?|tests/)?(topics/)?|commands/|envs/|handin/|notebooks/)\w+\.py"
    r"|hw4/(bundle\.json|reference_curves(_ungraded)?\.csv)"
    r"|handout\.pdf|requirements\.txt|assignment\.toml|LICENSE|README\.md|pyproject\.toml"
    r"|notebooks/\w+\.ipynb|notebooks/data/\w+/\w+\.(csv|json)"
)
WORDS = ("### BEGIN SOLUTION", "### END SOLUTION", "**Rubric.**", "**Model answer.**", "autograder/", "private.toml")
STAFF_FILES = ("requirements.lock", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/", "Makefile")
FIX = f"keep it out of the bundle, {FILES}"
MIN_LINES = 2  # solution lines in a row; a single one, such as `return actions`, may occur in a given file
MIN_CHARACTERS = 12


def private_in(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Everything private in the files of a student bundle.

    Args:
        files: name inside the bundle -> content.
    """
    tracked = _tracked()
    needles = {
        **dict.fromkeys(WORDS, "private text"),
        **dict.fromkeys(STAFF_FILES, "the name of a file that students do not have"),
        **_secrets(),
        **_hidden_names(),
    }
    regions = _solution_regions()
    rubrics = _written_solutions()
    for name, content in files.items():
        where = f"{BUNDLE}/{name}"
        if not ALLOWED.fullmatch(name):
            yield Finding(where, None, "is not on the list of what students get (publish/leaks.py)", FIX)
        if tracked is not None and name.startswith("hw4/") and name != "hw4/bundle.json" and name not in tracked:
            yield Finding(where, None, "is not under version control", f"`git add` it, or remove it from hw4/, {FILES}")
        if name.endswith(".pdf"):  # its pages are built from facts that tests look through
            continue
        lines = [line.strip() for line in content.decode("utf-8").splitlines()]
        for number, line in enumerate(lines, start=1):
            for needle, what in needles.items():
                if needle in line:
                    yield Finding(where, number, f"contains {what}: {needle!r}", FIX)
        for stub_id, region in regions.items():
            if found_at := _found(region, lines):
                yield Finding(where, found_at, f"contains the solution of {stub_id}", FIX)
        for rubric in rubrics:
            if rubric in content.decode("utf-8"):
                yield Finding(where, None, f"contains a line of a model answer: {rubric[:60]!r}", FIX)


def _solution_regions() -> dict[str, list[str]]:
    """The lines of each solution that say something."""
    return {
        stub_id: [line.strip() for line in region if line.strip() and not line.strip().startswith("#")]
        for source in reference_code().values()
        for stub_id, region in solution_lines(source.decode()).items()
    }


def _found(region: list[str], lines: list[str]) -> int | None:
    """Where lines of a solution follow one another, or its only line, if it is a long one."""
    wanted = min(MIN_LINES, len(region))
    for start in range(len(region) - wanted + 1):
        part = region[start : start + wanted]
        if max(map(len, part)) < MIN_CHARACTERS or (len(part) == 1 and len(part[0]) < 2 * MIN_CHARACTERS):
            continue
        for number in range(len(lines) - wanted + 1):
            if lines[number : number + wanted] == part:
                return number + 1
    return None


def _secrets() -> dict[str, str]:
    """Seeds and worlds, as they would be written."""
    secrets = {str(load_private().master_seed): "the master seed"}
    for item in load_assignment().run_items:
        for run in graded_runs(item.id):
            secrets[str(run.agent_seed)] = secrets[str(run.env_seed)] = "a hidden seed"
            secrets[f"actuator_gain={run.world.actuator_gain}"] = "a hidden world"
            secrets[f"mass_scale={run.world.mass_scale}"] = "a hidden world"
    return secrets


def _hidden_names() -> dict[str, str]:
    """Functions and classes of the hidden tests whose names no public file has."""
    folder = ROOT / "autograder" / "hidden_tests"
    hidden = {
        node.name
        for path in folder.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    oracles = {name for name in hidden if len(name) > 16}
    public = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "hw4").rglob("*.py"))
    return {"hidden_tests": "a hidden test", **{path.stem: "an oracle" for path in folder.rglob("*oracle*.py")}} | {
        f"def {name}(": "a hidden test" for name in oracles if f"def {name}(" not in public
    }


def _written_solutions() -> set[str]:
    """Long lines between solution markers in the notebooks' sources, as JSON writes them."""
    found = set()
    for path in (ROOT / "notebooks" / "source").rglob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            inside = False
            for line in "".join(cell["source"]).splitlines():
                if "### BEGIN SOLUTION" in line or "### END SOLUTION" in line:
                    inside = "BEGIN" in line
                elif inside and len(line.strip()) > 40:
                    found.add(json.dumps(line.strip(), ensure_ascii=False)[1:-1])
    return found


def _tracked() -> set[str] | None:
    """Files under version control below hw4/; None without git."""
    try:
        run = subprocess.run(
            ["git", "ls-files", "-z", "hw4"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return set(filter(None, run.stdout.split("\0"))) or None
