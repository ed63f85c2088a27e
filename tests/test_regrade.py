"""Receipts: a second grading finds the same, and finds what differs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder import __main__ as command
from autograder.grading.listener import Silent
from autograder.grading.regrade import ReceiptError, read_receipt, verify
from autograder.grading.session import Grader
from autograder.report.receipt import receipt
from autograder.solutions import reference_code
from autograder.zoo import code_of, load_animals
from autograder.zoo.visit import intake_of
from hw4.handin.intake import Intake

STUB = b"from __future__ import annotations\n"


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as opened:
        yield opened


def wrong_code() -> dict[str, bytes]:
    """One function is wrong, and there is neither an agent nor a topic: quick to grade."""
    code = code_of(load_animals()["kinds_swapped"])
    return {"dynamics_model.py": code["dynamics_model.py"], "mpc.py": STUB, "ensemble.py": code["ensemble.py"]}


@pytest.fixture(scope="module")
def intake() -> Intake:
    return intake_of(wrong_code())


@pytest.fixture(scope="module")
def first(grader: Grader, intake: Intake) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(receipt(grader.grade(intake, Silent(), curves=False))))
    return found


@pytest.mark.verify  # a whole grade; that a second one is the same is seen below, too
def test_a_second_grading_is_the_same_in_everything_also_after_a_restart(
    grader: Grader, intake: Intake, first: dict[str, Any]
) -> None:
    assert 0 < first["score"] < first["max_score"]
    grader._server.restart()
    found = verify(first, intake, grader, Silent())
    assert (found.changed_since, found.differences) == ((), ())


def test_every_difference_is_found_and_named(grader: Grader, intake: Intake, first: dict[str, Any]) -> None:
    changed = copy.deepcopy(first)
    name = next(name for name, test in changed["tests"].items() if test["verdict"] == "failed")
    changed["tests"][name]["cause"] = "another"
    changed["score"] += 1
    changed["master_seed"] = 7
    found = verify(changed, intake, grader, Silent())
    assert found.changed_since == ("master_seed",)
    assert any(f"tests.{name}.cause: 'another' -> " in difference for difference in found.differences)
    assert any(difference.startswith("score: ") for difference in found.differences)
    assert len(found.differences) == 2


def test_a_receipt_of_other_files_is_refused(grader: Grader, first: dict[str, Any]) -> None:
    with pytest.raises(ReceiptError, match="different files"):
        verify(first, intake_of(reference_code()), grader, Silent())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"fault": "x"}', b"\xff\xfe"])
def test_what_is_no_receipt_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "receipt.json"
    path.write_bytes(content)
    with pytest.raises(ReceiptError):
        read_receipt(path)
    assert command.regrade(path, tmp_path) == command.REFUSED


def submissions() -> dict[str, dict[str, bytes]]:
    """Twenty submissions: correct ones, wrong ones, and some with a part missing, which keeps curves from running."""
    animals = load_animals()
    whole = ("sort_instead_of_topk", "smoothing_reversed", "fits_once")
    found = {"reference": reference_code(), **{name: code_of(animals[name]) for name in whole}}
    for name in [name for name, animal in animals.items() if animal.kind == "wrong"][:15]:
        found[f"{name}, no agent"] = {**code_of(animals[name]), "mpc.py": STUB}
    found["nothing"] = dict.fromkeys(reference_code(), STUB)
    return found


def with_two_threads(code: dict[str, bytes]) -> dict[str, bytes]:
    """The same submission, computing with two threads."""
    content = code["ensemble.py"].replace(b"import torch\n", b"import torch\n\ntorch.set_num_threads(2)\n", 1)
    assert content != code["ensemble.py"]
    return {**code, "ensemble.py": content}


def without_provenance(receipt_: dict[str, Any]) -> dict[str, Any]:
    """What a grade says: points, every verdict and cause, and every return."""
    runs = {curve: [run["returns"] for run in of_curve] for curve, of_curve in receipt_["runs"].items()}
    tests = {
        name: {key: value for key, value in test.items() if key != "seconds"}
        for name, test in receipt_["tests"].items()
    }
    return {"score": receipt_["score"], "items": receipt_["items"], "tests": tests, "returns": runs}


def grades_of(code: dict[str, bytes], repetitions: Iterable[int], *, curves: bool) -> Iterator[dict[str, Any]]:
    """Grade over and over: by one job and by two, computing with one thread and with two, on a restarted server."""
    for repetition in repetitions:
        with Grader(jobs=1 + repetition % 2) as grader:
            if repetition % 3 == 2:
                grader._server.restart()
            submitted = with_two_threads(code) if repetition == 2 else code  # slow: two threads wait for each other
            found = json.loads(json.dumps(receipt(grader.grade(intake_of(submitted), Silent(), curves=curves))))
        print(f"{repetition}: {found['score']:g} points")
        yield without_provenance(found)


@pytest.mark.verify  # two threads wait for each other
def test_the_functions_get_the_same_verdicts_from_another_grader_and_with_two_threads(first: dict[str, Any]) -> None:
    (again,) = grades_of(wrong_code(), [2], curves=False)
    assert again == without_provenance(first)


@pytest.mark.verify
def test_ten_gradings_give_the_same_points_verdicts_and_returns() -> None:
    grades = list(grades_of(reference_code(), range(10), curves=True))
    assert all(grade["returns"].values() for grade in grades)
    assert all(grade == grades[0] for grade in grades)


@pytest.mark.verify
def test_twenty_of_twenty_receipts_are_reproduced(tmp_path: Path) -> None:
    """Whole grades, curves where they run; the second time by one job instead of two."""
    same = []
    for name, code in submissions().items():
        with Grader(jobs=2) as grader:
            then = json.loads(json.dumps(receipt(grader.grade(intake_of(code), Silent()))))
        with Grader(jobs=1) as grader:
            found = verify(then, intake_of(code), grader, Silent())
        print(f"{name}: {then['score']:g} points, {sum(map(len, then['runs'].values()))} runs, {found.differences}")
        same.append(not found.differences)
    assert len(same) == 20
    assert all(same)
