"""Every sentence of a docstring has a hidden test: how docstrings are split, and what the gate says of the lists."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from copied_tree import edit

from autograder.hidden_tests.graded import load_hidden_tests
from autograder.solutions import ROOT
from hw4.handin.assignment import load_assignment
from publish.checked_sentences import hidden_tests_in, sentence_tables, unchecked
from publish.findings import Finding
from publish.handout import HANDOUT
from publish.handout.facts import gather_facts
from publish.places import HIDDEN_TESTS, SENTENCES
from publish.sentences import MODULE, sentences, sentences_in_file, split_sentences

LIST, TESTS = "autograder/hidden_tests/mpc_sentences.toml", "autograder/hidden_tests/test_mpc.py"
RECIPE = "see 'A hidden test' in CONTRIBUTING.md"
NO_DISCOUNT = 'stub = "sequence_returns"\nsays = "No discount."\n'


# Splitting ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three? Four.", ["One.", "Two!", "Three?", "Four."]),
        ("no full stop at the end", ["no full stop at the end"]),
        ("As in PETS (Chua et al. 2018). It differs.", ["As in PETS (Chua et al. 2018).", "It differs."]),
        ("See Chua et al. 2018, sec. 5, e.g. TS. No more.", ["See Chua et al. 2018, sec. 5, e.g. TS.", "No more."]),
        ("Weight on the old, in [0, 1). 0 forgets it.", ["Weight on the old, in [0, 1).", "0 forgets it."]),
        ("Its weight is in (0, 1]. Larger is newer.", ["Its weight is in (0, 1].", "Larger is newer."]),
        ("The sum of u_0, ..., u_t. It grows.", ["The sum of u_0, ..., u_t.", "It grows."]),
        ("At n, 2 * n, ... Then no more.", ["At n, 2 * n, ... Then no more."]),
        ("It is 0.5. `beta` is less.", ["It is 0.5.", "`beta` is less."]),
        ("Call `model. Loss` once. Then stop.", ["Call `model. Loss` once.", "Then stop."]),
        ("It was constant (not tiny. Not 0). Done.", ["It was constant (not tiny. Not 0).", "Done."]),
        ("It is 0. (So is the rest.) Done.", ["It is 0.", "(So is the rest.)", "Done."]),
        ('It says "no." Then it stops.', ['It says "no."', "Then it stops."]),
        ("A shape\n  (..., dim) is   folded.", ["A shape (..., dim) is folded."]),
        ("", []),
    ],
)
def test_prose_is_split_where_a_sentence_ends(text: str, wanted: list[str]) -> None:
    assert split_sentences(text) == wanted


SOURCE = '''"""A file. Nothing more."""

class Model:
    """A class."""

    def loss(self, batch, size):
        """The loss (`model_loss`). It is small.

            loss  = 1/N * sum_n error[n]
            error = 0.5 * x^2

        1. First this. Then
           that.
        2. Last.

        Args:
            batch: the data, shape
                (B, dim). Not changed.
            size: B, say
            16.

        Returns:
            shape (...). A scalar.

        Raises:
            ValueError: too small.
            KeyError: too large.

        Public test: pytest hw4/tests -m model_loss
        """
'''


def test_a_docstring_is_split_into_equations_items_arguments_and_prose_with_their_lines() -> None:
    found = sentences_in_file(SOURCE, {"model_loss": "Model.loss", "gone": "Model.gone"})
    assert [(one.line, one.text, one.is_equation) for one in found["model_loss"]] == [
        (7, "The loss (`model_loss`).", False),
        (7, "It is small.", False),
        (9, "loss = 1/N * sum_n error[n]", True),
        (10, "error = 0.5 * x^2", True),
        (12, "First this.", False),
        (12, "Then that.", False),
        (14, "Last.", False),
        (17, "batch: the data, shape (B, dim).", False),
        (18, "Not changed.", False),
        (19, "size: B, say 16.", False),
        (22, "Returns: shape (...).", False),
        (23, "A scalar.", False),
        (25, "Raises: ValueError: too small.", False),
        (27, "Raises: KeyError: too large.", False),
    ]
    assert [one.text for one in found[MODULE]] == ["A file.", "Nothing more."]
    assert found["gone"] == []


def test_every_word_of_a_graded_docstring_is_in_a_sentence() -> None:
    assignment = load_assignment()
    for file in assignment.submission.code:
        source = (ROOT / "solutions" / file).read_text(encoding="utf-8")
        found = sentences_in_file(source, {stub.id: stub.symbol for stub in assignment.stubs if stub.file == file})
        for stub_id, its_sentences in found.items():
            assert its_sentences, stub_id
            for one in its_sentences:
                assert one.text.split()[-1] in source
                assert not one.text.startswith("Public test")


def test_a_sentence_that_is_there_twice_counts_once() -> None:
    assert list(sentences("Same. Other. Same.")) == ["Same.", "Other."]


# The gate -------------------------------------------------------------------------------------------------------------


def test_hidden_tests_check_every_sentence_today() -> None:
    findings = list(unchecked())
    assert not findings, "\n".join(map(str, findings))


def test_the_tests_of_a_file_are_read_as_they_are_declared() -> None:
    found = {
        name: test.stub
        for file in load_assignment().submission.code
        for name, test in hidden_tests_in((ROOT / HIDDEN_TESTS.of(file)).read_text(encoding="utf-8")).items()
    }
    assert found == {name: declared.stub_id for name, declared in load_hidden_tests().items()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the gate reads for sentences."""
    shutil.copy(ROOT / "assignment.toml", tmp_path)
    for folder in ("solutions", "autograder/hidden_tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def only_finding(tree: Path) -> Finding:
    (finding,) = unchecked(tree)
    return finding


def line_of(tree: Path, file: str, text: str) -> int:
    before, found, _ = (tree / file).read_text(encoding="utf-8").partition(text)
    assert found
    return before.count("\n") + 1


def test_a_new_sentence_is_named_with_its_line(tree: Path) -> None:
    edit(tree / "solutions" / "mpc.py", "No discount.", "No discount. Never NaN.")
    finding = only_finding(tree)
    assert (finding.file, finding.line) == ("solutions/mpc.py", line_of(tree, "solutions/mpc.py", "Never NaN."))
    assert finding.says == f"{LIST} does not have 'Never NaN.'"
    assert finding.fix == f"list it with the hidden tests that check it, {RECIPE}"


def test_a_changed_sentence_is_named_once_with_what_it_says_now(tree: Path) -> None:
    edit(tree / "solutions" / "mpc.py", "No discount.", "No discounting.")
    finding = only_finding(tree)
    assert (finding.file, finding.line) == (LIST, line_of(tree, LIST, 'says = "No discount."'))
    line = line_of(tree, "solutions/mpc.py", "No discounting.")
    assert finding.says.endswith(f"says 'No discount.'; line {line} there says 'No discounting.'")
    assert "change `says`" in finding.fix


def test_a_sentence_that_is_gone_is_named(tree: Path) -> None:
    edit(tree / "solutions" / "mpc.py", " No discount.", "")
    finding = only_finding(tree)
    assert (finding.file, finding.fix) == (LIST, f"remove it, {RECIPE}")


def test_a_promise_without_a_test_is_named(tree: Path) -> None:
    text = (tree / LIST).read_text(encoding="utf-8")
    start = text.index(NO_DISCOUNT) + len(NO_DISCOUNT)
    (tree / LIST).write_text(text[:start] + text[text.index("\n\n", start) :], encoding="utf-8")
    finding = only_finding(tree)
    assert (finding.file, finding.line) == (LIST, line_of(tree, LIST, 'says = "No discount."'))
    assert finding.says == "'No discount.' names no hidden test"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "test_returns_sum_the_reward_on_arrivals",
            f"{TESTS} has no test_returns_sum_the_reward_on_arrivals; it has test_returns_sum_the_reward_on_arrival",
        ),
        (
            "test_refit_works_at_the_edges",
            "test_refit_works_at_the_edges is a test of cem_refit, not of sequence_returns",
        ),
    ],
)
def test_a_test_that_is_not_there_or_of_another_function_is_named(tree: Path, name: str, says: str) -> None:
    edit(tree / LIST, f'{NO_DISCOUNT}tests = ["', f'{NO_DISCOUNT}tests = ["{name}", "')
    finding = only_finding(tree)
    assert (finding.file, finding.line) == (LIST, line_of(tree, LIST, 'says = "No discount."') + 1)
    assert finding.says == says


def test_a_hidden_test_that_no_sentence_names_is_named(tree: Path) -> None:
    with (tree / TESTS).open("a", encoding="utf-8") as file:
        file.write(
            '\n\n@graded("cem_plan", weight=2)\ndef test_nothing_that_was_promised() -> None:\n    """Nothing."""\n'
        )
    finding = only_finding(tree)
    assert (finding.file, finding.line) == (TESTS, line_of(tree, TESTS, "def test_nothing_that_was_promised"))
    assert finding.says == f"test_nothing_that_was_promised checks no sentence of {LIST}"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (NO_DISCOUNT, f"{NO_DISCOUNT}test = 1\n", "unknown key 'test'"),
        (NO_DISCOUNT, f'{NO_DISCOUNT}no_promise = "x"\n', "a sentence has either tests or no_promise, not both"),
        (NO_DISCOUNT, f"{NO_DISCOUNT}[[sentences]]\n{NO_DISCOUNT}", "is used twice"),
        (NO_DISCOUNT, f"{NO_DISCOUNT}???\n", "not TOML"),
    ],
)
def test_a_slip_in_a_list_is_named_with_its_line(tree: Path, old: str, new: str, says: str) -> None:
    edit(tree / LIST, old, new)
    finding = only_finding(tree)
    assert finding.file == LIST
    assert says in finding.says
    assert abs((finding.line or 0) - line_of(tree, LIST, 'says = "No discount."')) <= 4


def test_a_topic_is_found_by_the_place_of_its_files() -> None:
    assert SENTENCES.of("topics/mppi.py") == "autograder/hidden_tests/topics/mppi_sentences.toml"


# The staff edition ----------------------------------------------------------------------------------------------------


def test_the_tables_for_staff_have_every_sentence_and_every_test() -> None:
    tables = sentence_tables(load_assignment())
    assert {name for table in tables for _, name in table["tests"]} == load_hidden_tests().keys()
    for table in tables:
        letters = [letter for letter, _ in table["tests"]]
        for row in table["rows"]:
            assert bool(row["tests"]) != bool(row["no_promise"])
            assert set(row["tests"]) <= set(letters)


def test_students_read_of_no_hidden_test() -> None:
    facts = json.dumps(gather_facts(load_assignment()))
    assert [name for name in load_hidden_tests() if name in facts] == []
    shown = '#if facts.staff != none { include "sentences.typ" }'
    assert shown in (HANDOUT / "handout.typ").read_text(encoding="utf-8")
