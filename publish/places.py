"""Every place that names a problem, a stub, a function or a curve, and whether the names are known.

Renaming a function, dropping a problem or adding a curve touches many files. This lists each place with its line;
docs/new-term.md has a recipe for each of the three.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from autograder.solutions import BEGIN, ROOT
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import Assignment, load_assignment
from hw4.handin.strict_toml import Lines
from publish.findings import Finding

RENAME, DROP, ADD = (
    f"see {words!r} in docs/new-term.md" for words in ("Rename a function", "Drop a problem", "Add a learning curve")
)
FACTS = "assignment.toml"
SEARCHED = ("solutions", "hw4", "autograder", "handout", "notebooks/masters", "tests", "docs", "publish", "benchmarks")
SEARCHED_SUFFIXES = (".py", ".toml", ".typ", ".md")
GENERATED = ("hw4/dynamics_model.py", "hw4/mpc.py", "hw4/ensemble.py")

# Where ids stand: files, and a pattern whose group is the id.
STUB_IDS = (
    ("solutions/*.py", r"### BEGIN SOLUTION (\w+):"),
    ("autograder/hidden_tests/test_*.py", r'@graded\(\s*"(\w+)"'),
    ("hw4/tests/test_*.py", r'mark\.stub\("(\w+)"'),
    ("hw4/checking/examples/**/*.py", r'stub_id="(\w+)"'),
    ("autograder/zoo/animals.toml", r"^(\w+) = '''"),
    ("handout/*.typ", r'#(?:api|number)\("(\w+)"'),
)
PROBLEM_IDS = (
    ("hw4/tests/test_*.py", r'mark\.problem\("(\w+)"'),
    ("handout/*.typ", r'#problem(?:-heading)?\("(\w+)"'),
    ("notebooks/masters/*.py", r"\{\{ problem:(\w+) \}\}"),
)
CURVE_IDS = (("autograder/zoo/animals.toml", r'"(curve_\w+)"'), ("hw4/tests/test_*.py", r'"(curve_\w+)"'))
NEEDED = {  # files in which every stub must be named, and what is missing there otherwise
    "solutions/*.py": "no solution region",
    "autograder/hidden_tests/test_*.py": "no hidden test",
    "hw4/tests/test_*.py": "no public test",
    "hw4/checking/examples/**/*.py": "no worked example",
    "autograder/zoo/animals.toml": "no animal of the zoo",
    "handout/*.typ": "no box in the handout",
}


def misnamed(root: Path = ROOT) -> Iterator[Finding]:
    """Everything that is named but not there, and everything that is there but not named where it should be."""
    assignment = load_assignment(root / FACTS)
    lines = Lines((root / FACTS).read_text(encoding="utf-8"))
    stub_ids = {stub.id for stub in assignment.stubs}
    yield from _unknown(root, "stub", stub_ids, STUB_IDS)
    yield from _unknown(root, "problem", {problem.id for problem in assignment.problems}, PROBLEM_IDS)
    yield from _unknown(root, "curve", {curve.id for curve in assignment.curves}, CURVE_IDS)
    for files, says in NEEDED.items():
        pattern = next(pattern for where, pattern in STUB_IDS if where == files)
        named = {found for _, _, found in _places(root, files, pattern)}
        for i, stub in enumerate(assignment.stubs):
            if stub.id not in named:
                yield Finding(FACTS, lines.line("stubs", i, "id"), f"{stub.id} has {says} in {files}", ADD)
    yield from _symbols(root, assignment, lines)
    yield from _curves(root, assignment, lines)
    yield from _notebooks(root, assignment, lines)


def _places(root: Path, files: str, pattern: str) -> Iterator[tuple[str, int, str]]:
    """(file, line, what the pattern's group found)."""
    compiled = re.compile(pattern, re.MULTILINE)
    for path in sorted(root.glob(files)):
        text = path.read_text(encoding="utf-8")
        for match in compiled.finditer(text):
            yield path.relative_to(root).as_posix(), text.count("\n", 0, match.start(1)) + 1, match[1]


def _unknown(root: Path, kind: str, known: set[str], where: tuple[tuple[str, str], ...]) -> Iterator[Finding]:
    for files, pattern in where:
        for file, line, found in _places(root, files, pattern):
            if found not in known:
                yield Finding(file, line, f"names the {kind} {found!r}, which is not in {FACTS}", DROP)


# Functions ------------------------------------------------------------------------------------------------------------


def _symbols(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """Functions of the stub table that the solutions do not have, with every place that names them; and calls and
    imports of functions that are not there."""
    trees = {
        name: ast.parse((root / "solutions" / name).read_text(encoding="utf-8")) for name in assignment.submission.code
    }
    for i, stub in enumerate(assignment.stubs):
        if stub.symbol in _defined(trees[stub.file]):
            continue
        there = _owner_of_region(root / "solutions" / stub.file, stub.id)
        instead = f"; the region of {stub.id} is in {there}" if there else ""
        says = f"solutions/{stub.file} has no {stub.symbol}{instead}"
        yield Finding(FACTS, lines.line("stubs", i, "symbol"), says, RENAME)
        yield from _mentions(root, stub.symbol.rpartition(".")[2])
    known = {name.removesuffix(".py"): _defined(tree) for name, tree in trees.items()}
    modules = "|".join(known)
    for files in (
        "autograder/hidden_tests/*.py",
        "hw4/**/*.py",
        "notebooks/masters/*.py",
        "handout/*.py",
    ):
        for file, line, found in _places(root, files, rf'call\(\s*"((?:{modules})\.\w+)"'):
            module, _, symbol = found.partition(".")
            if symbol not in known[module]:
                yield Finding(file, line, f"calls {found}, which solutions/{module}.py does not have", RENAME)
        for path in sorted(root.glob(files)):
            yield from _imports(root, path, known)


def _imports(root: Path, path: Path, known: dict[str, set[str]]) -> Iterator[Finding]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:  # a notebook's master may hold magics
        return
    for node in ast.walk(tree):
        module = (node.module or "").removeprefix("hw4.") if isinstance(node, ast.ImportFrom) else ""
        if isinstance(node, ast.ImportFrom) and module in known:
            for alias in node.names:
                if alias.name not in known[module]:
                    says = f"imports {alias.name}, which solutions/{module}.py does not have"
                    yield Finding(path.relative_to(root).as_posix(), alias.lineno, says, RENAME)


def _defined(tree: ast.Module) -> set[str]:
    """Names at the top of a module, and "Class.method"."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{method.name}" for method in node.body if isinstance(method, ast.FunctionDef)}
        targets = (
            [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
        )
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        if type(node).__name__ == "TypeAlias":  # Python 3.12
            names.add(ast.unparse(node).split()[1])
    return names


def _owner_of_region(path: Path, stub_id: str) -> str | None:
    """The function around a solution region."""
    owner = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if definition := re.match(r" *def (\w+)", line):
            owner = definition[1]
        if (begin := BEGIN.match(line)) and begin["id"] == stub_id:
            return owner
    return None


def _mentions(root: Path, name: str) -> Iterator[Finding]:
    """Every line that names a function, but for generated files."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for path in (path for room in SEARCHED for path in sorted((root / room).rglob("*"))):
        file = path.relative_to(root).as_posix()
        if path.suffix not in SEARCHED_SUFFIXES or not path.is_file() or file in GENERATED:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if word.search(line):
                yield Finding(file, number, f"names {name}", RENAME)


# Curves and notebooks -------------------------------------------------------------------------------------------------


def _curves(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """What a graded curve needs."""
    bars_file = root / "autograder" / "recorded" / "reference" / "bars.json"
    bars = json.loads(bars_file.read_text(encoding="utf-8")) if bars_file.exists() else {}
    animals = "autograder/zoo/animals.toml"
    listed = re.findall(r"curves_fail = \[([^\]]*)\]", (root / animals).read_text(encoding="utf-8"))
    caught = {curve_id for entry in listed for curve_id in re.findall(r'"(\w+)"', entry)}
    for i, curve in enumerate(assignment.curves):

        def at(key: str, says: str, mend: str, i: int = i) -> Finding:
            return Finding(FACTS, lines.line("curves", i, key), says, mend)

        experiment = EXPERIMENTS.get(curve.experiment)
        if experiment is None:
            known = ", ".join(EXPERIMENTS)
            says = f"hw4/experiments.py has no experiment {curve.experiment!r}, only {known}"
            yield at("experiment", says, ADD)
        elif not 0 < curve.score_episodes <= experiment.num_episodes - experiment.num_initial_episodes:
            says = f"score_episodes = {curve.score_episodes}, but {curve.experiment} has no so many planned episodes"
            yield at("score_episodes", says, "choose fewer")
        if curve.id not in caught:
            yield at("id", f"no animal names {curve.id} in curves_fail: nothing sets its floor", ADD)
        if not (root / "autograder" / "recorded" / "reference" / f"{curve.id}.csv").exists():
            yield at("id", f"nothing is recorded for {curve.id}", "run `make calibrate`, then `make publish`")
        elif curve.id not in bars:
            yield at("id", f"there is no bar for {curve.id}", "run `make publish`")
    known_ids = {curve.id for curve in assignment.curves}
    for path in sorted((root / "autograder" / "recorded" / "reference").glob("curve_*.csv")):
        if path.stem not in known_ids:
            yield Finding(path.relative_to(root).as_posix(), None, f"belongs to no curve of {FACTS}", DROP)


def _notebooks(root: Path, assignment: Assignment, lines: Lines) -> Iterator[Finding]:
    """Notebooks that are handed in, and their masters."""
    masters = {f"{path.stem}.ipynb" for path in (root / "notebooks" / "masters").glob("*.py")}
    handed_in = set(assignment.submission.notebooks)
    for name in sorted(handed_in - masters):
        says = f"notebooks/masters has no {name.removesuffix('.ipynb')}.py"
        yield Finding(
            FACTS, lines.line("submission", 0, "notebooks"), says, "write it, or take the notebook off the list"
        )
    for name in sorted(masters - handed_in):
        file = f"notebooks/masters/{name.removesuffix('.ipynb')}.py"
        yield Finding(
            file, None, f"{name} is not in submission.notebooks of {FACTS}", "add it there, or remove the master"
        )
