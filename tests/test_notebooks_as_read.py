"""What a student sees of a notebook: little above the fold, short cells, predictions, and answers to wrong tries."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from recorded_notebook import small_functions

from hw4.commands import jupyter
from hw4.experiments import EXPERIMENTS
from hw4.notebooks import (
    distribution_shift_figures,
    distribution_shift_models,
    replanning_figures,
    uncertainty_aware_models,
    uncertainty_aware_walks,
    what_uncertainty_means_detection,
)
from hw4.transitions import Transition
from publish.notebooks import FOLDED, FOLDING_TEMPLATE, MASTERS, build_sources

NAMES = sorted(path.stem for path in MASTERS.glob("*.py"))
MAX_LINES = 25  # of a cell that a student should read or change
MAX_WORDS_AT_THE_TOP = 80


@pytest.fixture(scope="module")
def sources() -> dict[str, Any]:
    return build_sources()


def is_folded(cell: Any) -> bool:
    return FOLDED in cell.metadata.get("tags", [])


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_that_is_to_be_read_has_at_most_25_lines(sources: dict[str, Any], name: str) -> None:
    code = [cell for cell in sources[name].cells if cell.cell_type == "code" and not is_folded(cell)]
    assert code
    assert {cell.id: n for cell in code if (n := len(cell.source.splitlines())) > MAX_LINES} == {}


@pytest.mark.parametrize("name", NAMES)
def test_above_the_fold_there_are_a_title_a_question_and_the_first_picture(sources: dict[str, Any], name: str) -> None:
    ids = [cell.id for cell in sources[name].cells]
    title, *folded = sources[name].cells[: ids.index("how-to")]
    assert "**The question.**" in title.source
    assert len(title.source.split()) <= MAX_WORDS_AT_THE_TOP
    assert all(cell.cell_type == "code" and is_folded(cell) for cell in folded)
    last = ast.parse(folded[-1].source).body[-1]
    assert isinstance(last, ast.Expr)
    assert isinstance(last.value, ast.Call)  # it draws
    assert sources[name].cells[len(folded) + 1].source.startswith("<details>")


@pytest.mark.parametrize("name", NAMES)
def test_before_each_figure_a_prediction_is_asked_for(sources: dict[str, Any], name: str) -> None:
    num_asked = 0
    for before, cell in pairwise(sources[name].cells):
        if cell.cell_type == "code" and "my_prediction" in cell.source and cell.id != "live":
            assert "**Predict.**" in before.source, cell.id
            num_asked += 1
    assert num_asked >= 2


@pytest.mark.parametrize("name", NAMES)
def test_what_the_runs_show_is_folded(sources: dict[str, Any], name: str) -> None:
    texts = [cell.source for cell in sources[name].cells if cell.cell_type == "markdown"]
    shown = [text for text in texts if "What the recorded runs show" in text]
    assert shown
    for text in shown:
        assert text.startswith("<details><summary><b>What the recorded runs show</b></summary>\n\n")
        assert text.endswith("\n\n</details>")
    assert not re.search("What to take from it", "".join(texts))


def test_folded_code_is_folded_in_jupyterlab_and_in_html(sources: dict[str, Any]) -> None:
    for notebook in sources.values():
        for cell in notebook.cells:
            assert (cell.metadata.get("jupyter", {}).get("source_hidden") is True) == is_folded(cell)
    import nbconvert  # slow: 3 s for every process that collects this file
    import nbformat

    small: Any = nbformat
    cells = [small.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in (("a", [FOLDED]), ("b", []))]
    exporter: Any = nbconvert.HTMLExporter
    page, _ = exporter(raw_template=FOLDING_TEMPLATE).from_notebook_node(small.v4.new_notebook(cells=cells))
    assert page.count("<summary>code</summary>") == 1
    assert page.index("<details>") < page.index('<span class="n">a</span>') < page.index("</details>")
    assert page.index("</details>") < page.index('<span class="n">b</span>')


# Figures --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda what, **options: shown.append(what))
    return shown


def test_an_animation_is_shown_with_words_and_survives_an_export(displayed: list[Any]) -> None:
    jupyter.show_animation(b"GIF89a", 'a "walk"', my_prediction="it falls")
    prediction, picture, caption = displayed
    assert prediction["text/plain"] == "My prediction: it falls"
    assert picture["text/html"].startswith('<img src="data:image/gif;base64,R0lGODlh" alt="a &quot;walk&quot;"')
    assert caption == {"text/html": "<p>a &quot;walk&quot;</p>", "text/plain": 'a "walk"'}


def test_a_table_is_html_and_text(displayed: list[Any]) -> None:
    jupyter.show_table((("arm", "return"), ("a < b", "3")))
    (table,) = displayed
    assert table["text/plain"] == "arm    return\na < b  3"
    assert '<td style="text-align: left">a &lt; b</td>' in table["text/html"]


def test_a_median_is_never_minus_nothing() -> None:
    assert jupyter.median_text([-0.2, -0.2, -0.2]) == "0 [0, 0]"
    assert jupyter.median_text([-1.6, -1.6, -1.6], " m", 1) == "-1.6 m [-1.6, -1.6]"


# Live runs ------------------------------------------------------------------------------------------------------------


class Still:
    """An agent that does nothing."""

    def begin_episode(self) -> None: ...

    def act(self, observation: Any) -> Any:
        return np.zeros(2)

    def record(self, transition: Transition) -> None: ...


def test_a_live_run_counts_env_steps_and_says_when_it_was_cut(capsys: pytest.CaptureFixture[str]) -> None:
    experiment = EXPERIMENTS["cliff_hill"]  # 10 episodes of 40 steps
    whole = list(jupyter.train_live(experiment, Still(), seed=3, env_steps=400, name="still"))
    assert [record.env_steps for record in whole] == list(range(40, 401, 40))
    says = capsys.readouterr().out
    assert says.startswith("still, seed 3: 400 env steps, last return ")
    assert "CUT" not in says
    cut = list(jupyter.train_live(experiment, Still(), seed=3, env_steps=50, name="still"))
    assert [record.episode_return for record in cut] == [record.episode_return for record in whole[:2]]
    assert "80 env steps" in (says := capsys.readouterr().out)
    assert "CUT: a whole run has 400, and LIVE_ENV_STEPS = 50" in says


# Small functions and the clinic ---------------------------------------------------------------------------------------


def unwritten(*arguments: Any) -> Any:
    raise NotImplementedError


def trusted_to_the_last(errors: Any, tolerance: float) -> int:
    return int((errors <= tolerance).sum())


CHECKS: dict[str, tuple[str, Any]] = {
    "share_outside": ("distribution_shift", distribution_shift_figures.check_share_outside),
    "roll_out": ("distribution_shift", distribution_shift_figures.check_roll_out),
    "diagnosis": ("distribution_shift", distribution_shift_models.check_diagnosis),
    "predictions_per_env_step": ("replanning", replanning_figures.check_predictions_per_env_step),
    "trusted_steps": ("replanning", replanning_figures.check_trusted_steps),
    "break_even_std": ("uncertainty_aware", uncertainty_aware_walks.check_break_even_std),
    "promised_by_best": ("uncertainty_aware", uncertainty_aware_models.check_promised_by_best),
    "gaussian_entropy": (
        "what_uncertainty_means",
        lambda function: what_uncertainty_means_detection.check_entropy_and_auroc(function, unwritten),
    ),
    "auroc": (
        "what_uncertainty_means",
        lambda function: what_uncertainty_means_detection.check_entropy_and_auroc(lambda v: v.sum(axis=-1), function),
    ),
}
WRONG: list[tuple[str, Any, str]] = [
    ("share_outside", lambda d, v: float(((v < d.min(0)) | (v > d.max(0))).all(axis=1).mean()), "0.5 is expected"),
    ("share_outside", lambda d, v: float(((v <= d.min(0)) | (v >= d.max(0))).any(axis=1).mean()), "on the border"),
    ("share_outside", lambda d, v: d + v, "it raises ValueError"),
    ("roll_out", lambda f, o, a, k: f(o[k - 1 : len(a)], a[k - 1 :]), "not the truth"),
    ("roll_out", lambda f, o, a, k: o[:-1], "shape (2, 1), yours is (4, 1)"),
    ("diagnosis", lambda: {"A": "fits once", "B": "not un-normalised", "C": "last action"}, "A is not ill with"),
    ("diagnosis", lambda: {"A": "last action", "B": "flu", "C": "fits once"}, "B: 'flu' is none of"),
    ("diagnosis", lambda: {"A": "last action"}, "an illness of each of A, B and C"),
    ("predictions_per_env_step", lambda e: e.population_size * e.horizon / e.replan_every, "3600 (60 candidates"),
    ("predictions_per_env_step", lambda e: e.population_size * e.num_iterations * e.horizon, "every 20 env steps"),
    ("trusted_steps", trusted_to_the_last, "yours gives 3"),
    ("trusted_steps", lambda errors, t: int(np.argmax(errors >= t)), "yours gives 1"),
    ("break_even_std", lambda mean, safe: 0.1, "the plan is worth"),
    ("promised_by_best", lambda errors: errors.max(axis=2).mean(axis=1), "so the best promises 1; yours gives"),
    ("promised_by_best", lambda errors: errors.mean(axis=1), "gives shape (1,)"),
    ("gaussian_entropy", lambda v: 0.5 * np.log(2 * np.pi * np.e * v), "sum over coordinates"),
    ("gaussian_entropy", lambda v: 0.5 * np.log(2 * np.pi * np.e * v**2).sum(axis=-1), "yours"),
    ("auroc", lambda p, n: float(np.mean(p > n.mean())), "0.75"),
]


@pytest.mark.parametrize("name", CHECKS)
def test_a_small_function_is_known_by_its_check(name: str, displayed: list[Any]) -> None:
    notebook, check = CHECKS[name]
    names = {"np": np, "Array": np.ndarray, "Callable": Any, "Any": Any, "Experiment": Any}
    names["expected_reward"] = uncertainty_aware_walks.expected_reward
    check(small_functions(notebook, names)[name])
    assert f"{name} works. " in said(displayed)
    check(unwritten)
    assert f"{name}: not written yet" in said(displayed)


def said(displayed: list[Any]) -> str:
    return " ".join(" ".join(what["text/plain"].split()) for what in displayed)


def test_every_small_function_has_a_check(sources: dict[str, Any]) -> None:
    solutions = [
        node.name
        for notebook in sources.values()
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert sorted(solutions) == sorted(CHECKS)


@pytest.mark.parametrize(("name", "wrong", "message"), WRONG)
def test_a_wrong_try_gets_a_clear_message(name: str, wrong: Any, message: str, displayed: list[Any]) -> None:
    CHECKS[name][1](wrong)
    assert f"{name}: not right yet: " in said(displayed)
    assert message in said(displayed)
