"""The zoo: every bug is caught, named and explained; every different correct submission gets full marks."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.grading.private import PRIVATE_FILE, calibration_runs
from autograder.grading.session import Grader
from autograder.hidden_tests.graded import DECLARED
from autograder.recorded import calibration
from autograder.recorded.calibration import RecordedRun, key_of, recorded_file, text_of_law, write_recorded
from autograder.solutions import ROOT, reference_code
from autograder.zoo import Animal, code_of, load_animals, main_stub
from autograder.zoo.matrix import columns_of, recorded_results, zoo_page
from autograder.zoo.visit import Visit, herd_of, herds, meet, range_of, surroundings_of, visit_herd
from hw4.checking.hints import HINTS
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import TomlError
from publish.stubs import write_solved

ASSIGNMENT = load_assignment()
PROBE_POINTS = sum(stub.points for stub in ASSIGNMENT.stubs)
CORRECT = [animal for animal in load_animals().values() if animal.kind == "correct"]
WRONG = [animal for animal in load_animals().values() if animal.kind == "wrong" and not animal.slow]
HERDS = herds(WRONG)
WHOLE = [animal for animal in CORRECT if animal.parts]
CORRECT_HERDS = herds(animal for animal in CORRECT if not animal.parts)
# Herds whose hints are compared with `python -m hw4 check` in every `make test`; all by `make verify`.
CHECKED_OFTEN = 1

# Kinds of slips that the public tests need not see: they are few and quick.
SEEN_BY_HIDDEN_TESTS_ALONE = {"later", "size", "range", "draw", "rounding"}

# Bugs for which `python -m hw4 check` names another cause than the hidden tests, and why.
CHECK_DIFFERS: dict[str, str] = {
    "particles_returned_in_the_loop": "the worked example has two steps: its first reward is all but the last one",
}


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as opened:
        yield opened


@pytest.fixture(scope="module")
def visit_of(grader: Grader) -> Callable[[Animal], Visit]:
    """Visits a bug together with its herd, each herd once."""
    visits: dict[str, Visit] = {}

    def visit(animal: Animal) -> Visit:
        if animal.name not in visits:
            herd = next(herd for herd in HERDS if animal in herd)
            visits.update({one.animal.name: one for one in visit_herd(grader, herd, everything=False)})
        return visits[animal.name]

    return visit


@pytest.mark.parametrize(
    "number",  # the first herd, and all of them in `make verify`
    [pytest.param(i, marks=[pytest.mark.verify] if i else []) for i in range(len(CORRECT_HERDS))],
)
def test_different_but_correct_submissions_get_full_marks(grader: Grader, number: int) -> None:
    """Those that change different functions are one submission."""
    for visit in visit_herd(
        grader, CORRECT_HERDS[number], everything=any(a.replacements for a in CORRECT_HERDS[number])
    ):
        assert not visit.surprises, visit.animal.name
        assert visit.score == PROBE_POINTS


@pytest.mark.verify
@pytest.mark.parametrize("animal", WHOLE, ids=lambda animal: animal.name)
def test_a_correct_submission_of_parts_gets_full_marks(grader: Grader, animal: Animal) -> None:
    """Every function replaced at once; its parts are graded by the test above in every `make test`."""
    (visit,) = visit_herd(grader, [animal])
    assert not visit.surprises
    assert visit.score == PROBE_POINTS


@pytest.mark.parametrize(
    "animal",
    [  # every fortieth herd, and all of them in `make verify`
        pytest.param(animal, id=animal.name, marks=[pytest.mark.verify] if number % 40 else [])
        for number, herd in enumerate(HERDS)
        for animal in herd
    ],
)
def test_a_bug_gets_the_report_it_deserves(visit_of: Callable[[Animal], Visit], animal: Animal) -> None:
    visit = visit_of(animal)
    assert not visit.surprises
    assert visit.failed
    assert visit.score < PROBE_POINTS


# What each bug fails, and whether its first hint names the cause, is tested above, one bug after another.


def test_the_first_hint_names_the_cause_of_nearly_every_bug() -> None:
    assert sum(not animal.unnamed for animal in WRONG) / len(WRONG) >= 0.85


def test_every_hidden_test_catches_a_bug() -> None:
    assert set(DECLARED) <= {name for animal in WRONG for name in animal.fails}


def test_there_are_enough_animals() -> None:
    assert len(WRONG) >= 45
    assert len(CORRECT) >= 8


def test_every_stub_has_bugs_and_every_cause_of_the_zoo_has_a_hint() -> None:
    assert {stub_id for animal in WRONG for stub_id in animal.regions} == {stub.id for stub in ASSIGNMENT.stubs}
    assert {cause for animal in load_animals().values() for cause in animal.causes} <= HINTS.keys()
    vague = [a.name for a in WRONG if set(a.causes) <= {"wrong_value", "raised"}]
    assert not vague, "`causes` of these name no cause"


def test_bugs_of_one_herd_change_different_functions() -> None:
    assert sorted(animal.name for herd in HERDS for animal in herd) == sorted(animal.name for animal in WRONG)
    for herd in HERDS:
        for animal, other in itertools.combinations(herd, 2):
            assert not animal.regions.keys() & other.regions.keys()
            assert not meet(animal, other)


def test_a_bug_is_looked_for_in_the_functions_that_call_the_changed_one() -> None:
    bug = Animal("bug", "wrong", "", {"cem_refit": "return mean, std"})
    assert range_of(bug) == {"cem_refit", "cem_plan"}
    caller = Animal("caller", "wrong", "", {"cem_plan": "return mean"})
    assert meet(bug, caller)
    assert meet(caller, bug)
    assert not meet(bug, Animal("other", "wrong", "", {"gaussian_nll": "return mean"}))


def test_animals_of_a_topic_leave_all_other_herds_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = dataclasses.replace(ASSIGNMENT.problems[0], id="made_up", optional=True)
    stub = dataclasses.replace(ASSIGNMENT.stubs[0], id="made_up", problem="made_up", file="topics/made_up.py")
    bigger = dataclasses.replace(ASSIGNMENT, problems=(*ASSIGNMENT.problems, topic), stubs=(*ASSIGNMENT.stubs, stub))
    monkeypatch.setattr("autograder.zoo.load_assignment", lambda: bigger)
    monkeypatch.setattr("autograder.zoo.visit.load_assignment", lambda: bigger)
    bugs = [Animal(f"bug_{i}", "wrong", "", {"made_up": "return"}) for i in range(2)]
    required = [herd for herd in HERDS if not ASSIGNMENT.is_optional(ASSIGNMENT.stub(main_stub(herd[0])))]
    divided = herds([bugs[0], *WRONG, bugs[1]])
    assert len(required) > 1
    assert [herd for herd in divided if herd in required] == required
    assert surroundings_of(bugs[0]) == {stub.id for stub in bigger.stubs if bigger.is_optional(stub)}
    assert all("made_up" not in surroundings_of(herd[0]) for herd in required)


# The files of the zoo -------------------------------------------------------------------------------------------------

ANIMAL = """[[animals]]
name = "bug"
kind = "wrong"
story = "A bug."
fails = ["test_one"]
curves_fail = ["curve_cartpole"]
[animals.regions]
gaussian_nll = "return mean"
"""


def write_animals(folder: Path, text: str, name: str = "ensemble.toml") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("kind", "kindd", "3: unknown key 'kindd' (did you mean 'kind'?)"),
        ('"wrong"', '"worng"', "3: kind must be one of 'wrong', 'correct', got 'worng'"),
        ('["test_one"]', '"test_one"', "5: fails must be a list of strings, got 'test_one'"),
        ('"return mean"', "3", "1: regions must be a table of strings, got {'gaussian_nll': 3}"),
        ('story = "A bug."\n', "", "1: the key 'story' is missing from [animals]"),
        (
            "curve_cartpole",
            "curve_cart",
            "6: bug names the unknown curve 'curve_cart' (did you mean 'curve_cartpole'?)",
        ),
        (
            "gaussian_nll",
            "gaussian_nl",
            "1: bug changes the unknown function 'gaussian_nl' (did you mean 'gaussian_nll'?)",
        ),
        ("gaussian_nll", "cem_refit", "2: bug changes cem_refit of mpc.py first: it belongs to that file's animals"),
        (ANIMAL, ANIMAL + ANIMAL, "10: the name 'bug' is used twice"),
    ],
)
def test_a_slip_in_a_file_of_the_zoo_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert list(load_animals(write_animals(tmp_path / "right", ANIMAL))) == ["bug"]
    with pytest.raises(TomlError, match=re.escape(f"ensemble.toml:{says}")):
        load_animals(write_animals(tmp_path / "wrong", ANIMAL.replace(old, new, 1)))


def test_animals_of_a_file_that_nobody_hands_in_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TomlError, match=r"made_up\.toml:1: no function of topics/made_up\.py is in assignment\.toml"):
        load_animals(write_animals(tmp_path, ANIMAL, "topics/made_up.toml"))


def test_two_files_of_the_zoo_share_no_name(tmp_path: Path) -> None:
    write_animals(tmp_path, ANIMAL)
    write_animals(tmp_path, ANIMAL.replace("gaussian_nll", "cem_refit"), "mpc.toml")
    with pytest.raises(TomlError, match=r"ensemble\.toml:2: the name 'bug' is used twice"):
        load_animals(tmp_path)


# Hints ----------------------------------------------------------------------------------------------------------------


def test_hints_are_fixed_texts_without_a_hidden_number() -> None:
    for path in sorted((ROOT / "hw4" / "checking" / "hints").rglob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        (hints,) = (n.value for n in tree.body if isinstance(n, ast.AnnAssign) and ast.unparse(n.target) == "HINTS")
        made = [node for node in ast.walk(hints) if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Name)]
        assert {node.id for node in made if isinstance(node, ast.Name)} == {"Hint"}
        assert all(isinstance(node, ast.Name) for node in made), "a hint is put together from other values"
    numbers = {number for hint in HINTS.values() for number in re.findall(r"(?<!\w)\d+", hint.text + hint.read)}
    assert numbers <= {"0", "1", "2"}, "a hint holds a number that could be a hidden one"
    secrets = re.findall(r"\d{3,}", PRIVATE_FILE.read_text(encoding="utf-8"))
    assert secrets
    assert not numbers & set(secrets)


CHECK_TREE = """
import io, json, sys
from rich.console import Console
from hw4.handin.assignment import load_assignment
from hw4.handin.strict_toml import TomlError
from hw4.checking.report import check_stubs
stubs = [stub for stub in load_assignment().stubs if stub.id in sys.argv[1:]]
reports = check_stubs(stubs, Console(file=io.StringIO()))
print(json.dumps({report.stub.id: report.main_failure and report.main_failure.cause for report in reports}))
"""


def causes_by_public_tests(tree: Path, herd: list[Animal]) -> dict[str, str | None]:
    """Animal -> the cause of `python -m hw4 check` in a solved tree with the herd's code in place."""
    for name, code in code_of(herd_of(herd)).items():
        (tree / "hw4" / name).write_bytes(code)
    stub_ids = {stub_id for animal in herd for stub_id in animal.regions}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", CHECK_TREE, *sorted(stub_ids)]
    run = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, str | None] = json.loads(run.stdout)
    return {
        animal.name: next((found[stub_id] for stub_id in found if stub_id in animal.regions and found[stub_id]), None)
        for animal in herd
    }


@pytest.mark.parametrize(
    "number",
    [pytest.param(i, marks=[pytest.mark.verify] if i >= CHECKED_OFTEN else []) for i in range(len(HERDS))],
)
def test_the_public_check_names_the_same_cause(
    number: int, visit_of: Callable[[Animal], Visit], tmp_path: Path
) -> None:
    seen = causes_by_public_tests(write_solved(tmp_path / "solved"), HERDS[number])
    wanted = {animal.name: visit_of(animal).cause for animal in HERDS[number]}
    unseen = {name for name in wanted if seen[name] is None}  # hidden tests may be stronger
    different = {name: (seen[name], cause) for name, cause in wanted.items() if seen[name] not in (cause, None)}
    assert different.keys() == {animal.name for animal in HERDS[number]} & CHECK_DIFFERS.keys(), different
    assert all(visit_of(animal).failed for animal in HERDS[number]), "hidden tests pass what public tests may fail"
    assert unseen <= {animal.name for animal in HERDS[number] if animal.slip in SEEN_BY_HIDDEN_TESTS_ALONE}, unseen


@pytest.mark.parametrize(
    "number",
    [pytest.param(i, marks=[pytest.mark.verify] if i >= CHECKED_OFTEN else []) for i in range(len(CORRECT_HERDS))],
)
def test_the_public_check_passes_what_the_hidden_tests_pass(number: int, tmp_path: Path) -> None:
    seen = causes_by_public_tests(write_solved(tmp_path / "solved"), CORRECT_HERDS[number])
    assert {name: cause for name, cause in seen.items() if cause is not None} == {}


# The page -------------------------------------------------------------------------------------------------------------


def made_up_visits() -> list[Visit]:
    bug, other, *_ = (animal for animal in WRONG if not (animal.curves_pass or animal.curves_fail))
    correct = CORRECT[0]
    first, second, *_ = (n for n, test in DECLARED.items() if test.stub_id == "model_predict" and test.weight == 1)
    return [
        Visit(bug, {first: "std_floor"}, "std_floor", 57.0, ()),
        Visit(other, {first: "raised", second: "raised"}, "raised", 57.0, ("<b>a surprise</b>",)),
        Visit(correct, {}, "", 60.0, ()),
    ]


def test_the_page_is_self_contained_and_inert() -> None:
    visits = made_up_visits()
    page = zoo_page(visits)
    assert not re.findall(r"(?:src|href)=\"(?!#)|@import|url\(|<script", page)
    assert "&lt;b&gt;a surprise" in page
    for visit in visits:
        assert visit.animal.name in page


def test_the_page_marks_a_bug_that_only_one_test_catches() -> None:
    visits = made_up_visits()
    columns = [column for column in columns_of(visits[:2]) if column.test.name in visits[1].failed]
    assert [len(column.caught) for column in columns] == [2, 1]
    assert [column.alone for column in columns] == [(visits[0].animal.name,), ()]
    rows = {row.partition("</code>")[0]: row for row in zoo_page(visits).split('<th scope="row"><code>')[1:]}
    assert "cell alone" in rows[visits[0].animal.name]
    assert "cell alone" not in rows[visits[1].animal.name]


def test_recorded_runs_of_other_code_are_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "REFERENCE_DIR", tmp_path)
    curve = ASSIGNMENT.curves[0]
    assert {(r.num_runs, r.num_stale) for r in recorded_results(curve)} == {(0, 0)}
    today = key_of(curve, reference_code())
    returns = (9e9,) * EXPERIMENTS[curve.experiment].num_episodes
    keys = (today, "old")
    runs = [
        RecordedRun(
            "reference", i, key, *dataclasses.astuple(hidden.world), text_of_law(hidden), 1.0, 1.0, returns, (), ()
        )
        for i, (key, hidden) in enumerate(zip(keys, calibration_runs(curve.id, 2), strict=True))
    ]
    write_recorded(curve, runs)
    reference = next(result for result in recorded_results(curve) if result.name == "reference")
    assert (reference.num_runs, reference.num_stale, reference.above) == (1, 1, 1)
    recorded_file(curve).write_text("implementation,run\nreference,0\n", encoding="utf-8")
    assert recorded_results(curve) == []
