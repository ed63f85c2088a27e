"""Worked examples of hw4/topics/video_prediction.py (given; NumPy only)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw4.checking.answers import AnyOf
from hw4.checking.subject import Subject
from hw4.checking.worked_example import WorkedExample

IMAGE = np.array([[0.0, 0.0, 0.0], [4.0, 8.0, 2.0], [0.0, 0.0, 0.0]])
RIGHT, BETWEEN = np.array([1.0, 0.0]), np.array([0.5, -1.0])


def _middle_row(*values: float) -> Any:
    return np.array([[0.0, 0.0, 0.0], values, [0.0, 0.0, 0.0]])


def _two(first: Any, second: Any) -> Any:
    return np.stack([np.asarray(first), np.asarray(second)])


def _run_advect(subject: Subject) -> dict[str, Any]:
    moved = subject.call("topics.video_prediction.advect", _two(IMAGE, IMAGE), _two(RIGHT, BETWEEN))
    back = subject.call("topics.video_prediction.advect", IMAGE[None], np.array([[-2.0, 0.0]]))
    return {"moved": moved, "moved to the left": back}


TOP = np.array([[2.0, 6.0, 5.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])  # IMAGE after BETWEEN
ADVECT = WorkedExample(
    stub_id="advect",
    story=(
        "Two copies of an image of 3 x 3 pixels with the middle row (4, 8, 2). The first moves by (1, 0), one column "
        "to the right: the middle row becomes (0, 4, 8), and the 2 has moved out. The second moves by (0.5, -1): one "
        "row up, and each pixel is the mean of itself and its left neighbour, so the top row is (2, 6, 5). Moved by "
        "(-2, 0), two columns to the left, the middle row is (2, 0, 0)."
    ),
    run=_run_advect,
    wanted={"moved": _two(_middle_row(0.0, 4.0, 8.0), TOP), "moved to the left": _middle_row(2.0, 0.0, 0.0)[None]},
    slips={
        "moved": {
            "advect_reversed": _two(_middle_row(8.0, 2.0, 0.0), [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [6.0, 5.0, 1.0]]),
            "advect_axes_swapped": _two(
                [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [4.0, 8.0, 2.0]],
                [[0.0, 0.0, 0.0], [4.0, 1.0, 0.0], [4.0, 1.0, 0.0]],
            ),
            "advect_wraps": _two(_middle_row(2.0, 4.0, 8.0), [[3.0, 6.0, 5.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
            "advect_edge_repeated": _two(
                _middle_row(4.0, 4.0, 8.0), [[4.0, 6.0, 5.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
            ),
            "advect_rounds": AnyOf(
                (
                    _two(_middle_row(0.0, 4.0, 8.0), [[4.0, 8.0, 2.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
                    _two(_middle_row(0.0, 4.0, 8.0), [[0.0, 4.0, 8.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
                )
            ),
            "advect_moves_all_alike": _two(_middle_row(0.0, 4.0, 8.0), _middle_row(0.0, 4.0, 8.0)),
            "advect_one_axis": AnyOf(
                (
                    _two(_middle_row(0.0, 4.0, 8.0), _middle_row(2.0, 6.0, 5.0)),
                    _two(IMAGE, [[4.0, 8.0, 2.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
                )
            ),
            "advect_not_moved": _two(IMAGE, IMAGE),
        },
        "moved to the left": {
            "advect_reversed": _middle_row(0.0, 0.0, 4.0)[None],
            "advect_wraps": _middle_row(2.0, 4.0, 8.0)[None],
            "advect_edge_repeated": _middle_row(2.0, 2.0, 2.0)[None],
        },
    },
)

PREVIOUS, FIRST = np.array([[[3.0, 0.0, 0.0, 0.0]]]), np.array([[[0.0, 5.0, 0.0, 0.0]]])  # shape (1, 1, 4)
STEP, TOTAL = np.array([[1.0, 0.0]]), np.array([[2.0, 0.0]])


def _row(*values: float) -> Any:
    """An image of one row, shape (1, len(values))."""
    return np.array([values])


def _stack(*rows: Any) -> Any:
    """Candidates of one image, shape (1, k, 1, 4)."""
    return np.stack(rows)[None]


def _run_candidates(subject: Subject) -> dict[str, Any]:
    name = "topics.video_prediction.skip_candidates"
    return {
        "candidates with skip": subject.call(name, PREVIOUS, FIRST, STEP, TOTAL, skip=True),
        "candidates without skip": subject.call(name, PREVIOUS, FIRST, STEP, TOTAL, skip=False),
    }


_P, _P1, _P2 = _row(3.0, 0.0, 0.0, 0.0), _row(0.0, 3.0, 0.0, 0.0), _row(0.0, 0.0, 3.0, 0.0)
_F, _F1, _F2 = _row(0.0, 5.0, 0.0, 0.0), _row(0.0, 0.0, 5.0, 0.0), _row(0.0, 0.0, 0.0, 5.0)
SKIP_CANDIDATES = WorkedExample(
    stub_id="skip_candidates",
    story=(
        "Frames of one row: the previous one is (3, 0, 0, 0), the first was (0, 5, 0, 0). This step moves by one "
        "column to the right, and all steps since the first frame together by two. So the candidates are (3, 0, 0, 0) "
        "and (0, 3, 0, 0), and with the skip connection also (0, 5, 0, 0) and (0, 0, 0, 5)."
    ),
    run=_run_candidates,
    wanted={"candidates with skip": _stack(_P, _P1, _F, _F2), "candidates without skip": _stack(_P, _P1)},
    slips={
        "candidates with skip": {
            "skip_step_for_total": _stack(_P, _P1, _F, _F1),
            "skip_from_previous": AnyOf((_stack(_P, _P1, _F, _P2), _stack(_P, _P1, _P, _P2))),
            "skip_total_for_step": _stack(_P, _P2, _F, _F2),
            "skip_order": AnyOf((_stack(_P1, _P, _F2, _F), _stack(_F, _F2, _P, _P1), _stack(_P, _F, _P1, _F2))),
            "skip_reversed": _stack(_P, _P1, _F, _row(0.0, 0.0, 0.0, 0.0)),
            "skip_moved_twice": _stack(_P, _P1, _F, _row(0.0, 0.0, 0.0, 0.0)),
            "skip_missing": _stack(_P, _P1),
            "candidate_axis": np.stack([_P, _P1, _F, _F2])[:, None],
        },
        "candidates without skip": {
            "skip_first_used": AnyOf((_stack(_P, _F2), _stack(_F, _F2), _stack(_P, _P1, _F, _F2))),
            "candidate_axis": np.stack([_P, _P1])[:, None],
        },
    },
)

CANDIDATES = _stack(_row(10.0, 10.0), _row(2.0, 2.0))  # shape (1, 2, 1, 2)
SCORES = _stack(_row(math.log(3.0), 0.0), _row(0.0, 0.0))


def _run_composite(subject: Subject) -> dict[str, Any]:
    name = "topics.video_prediction.composite"
    return {
        "mixed": subject.call(name, CANDIDATES, SCORES),
        "mixed at scores 1000 higher": subject.call(name, CANDIDATES, SCORES + 1000.0),
    }


COMPOSITE = WorkedExample(
    stub_id="composite",
    story=(
        "Two candidates of one row and two columns, (10, 10) and (2, 2). At the left pixel the scores are ln 3 and 0, "
        "so the masks are 3/4 and 1/4: 0.75 * 10 + 0.25 * 2 = 8. At the right pixel both scores are 0: the mean, 6. "
        "Scores that are all 1000 higher give the same."
    ),
    run=_run_composite,
    wanted={"mixed": _row(8.0, 6.0)[None], "mixed at scores 1000 higher": _row(8.0, 6.0)[None]},
    slips={
        "mixed": {
            "masks_not_normalized": AnyOf((_row(32.0, 12.0)[None], _row(8.5, 6.0)[None])),
            "masks_axis": _row(8.5, 3.5)[None],
            "masks_best_only": _row(10.0, 10.0)[None],
            "masks_reversed": _row(4.0, 6.0)[None],
            "masks_not_used": _row(6.0, 6.0)[None],
            "masks_mean_for_sum": _row(4.0, 3.0)[None],
        },
        "mixed at scores 1000 higher": {},
    },
)

SURE = 60.0  # with a score so much above the others, a candidate's mask is 1
STAYS = np.array([[[0.0, 0.8, 0.0, 0.0]]])  # shape (1, 1, 4)
BEGAN = np.array([[[0.6, 0.0, 0.0, 0.0]]])
BOTH = _stack(
    _row(SURE, SURE, SURE, 0.0), _row(0.0, 0.0, 0.0, 0.0), _row(0.0, 0.0, 0.0, 0.0), _row(0.0, 0.0, 0.0, SURE)
)
ONE = _stack(_row(0.0, 0.0, SURE, SURE), _row(SURE, SURE, 0.0, 0.0))
THREE = np.array([[3.0, 0.0]])


def _run_propagate(subject: Subject) -> dict[str, Any]:
    name = "topics.video_prediction.propagate_pixel"
    return {
        "distribution with skip": subject.call(name, STAYS, BEGAN, STEP, THREE, BOTH, skip=True),
        "distribution without skip": subject.call(name, 0.5 * STAYS, BEGAN, STEP, THREE, ONE, skip=False),
    }


PROPAGATE_PIXEL = WorkedExample(
    stub_id="propagate_pixel",
    story=(
        "One row of four pixels. The distribution of the step before is (0, 0.8, 0, 0), that of the first frame was "
        "(0.6, 0, 0, 0). This step moves by one column, all together by three. The masks show the previous "
        "distribution as it is at the first three pixels, and the moved first one at the last: (0, 0.8, 0, 0.6). Its "
        "sum is 1.4, so it is divided by 1.4: (0, 0.5714, 0, 0.4286). Without the skip connection, from (0, 0.4, 0, "
        "0), the masks show the moved distribution (0, 0, 0.4, 0) at the first two pixels and the unmoved one at the "
        "others. Neither shows anything there, so all of it is lost: (0, 0, 0, 0)."
    ),
    run=_run_propagate,
    wanted={
        "distribution with skip": _row(0.0, 4 / 7, 0.0, 3 / 7)[None],
        "distribution without skip": _row(0.0, 0.0, 0.0, 0.0)[None],
    },
    slips={
        "distribution with skip": {
            "pixel_not_scaled_down": _row(0.0, 0.8, 0.0, 0.6)[None],
            "pixel_inputs_swapped": AnyOf((_row(0.6, 0.0, 0.0, 0.0)[None], _row(1.0, 0.0, 0.0, 0.0)[None])),
            "pixel_first_ignored": _row(0.0, 0.8, 0.0, 0.0)[None],
        },
        "distribution without skip": {},
    },
)

SPREAD = np.array([[0.5, 0.0, 0.0, 0.25]])  # shape (1, 4): a quarter is lost
GOAL = np.array([3.0, 0.0])


def _run_cost(subject: Subject) -> dict[str, Any]:
    name = "topics.video_prediction.pixel_cost"
    certain = np.zeros((2, 3, 5))
    certain[0, 2, 4] = certain[1, 0, 1] = 1.0
    return {
        "cost of one that is partly lost": subject.call(name, SPREAD, GOAL),
        "cost of certain places": subject.call(name, certain, np.array([1.0, 2.0])),
    }


PIXEL_COST = WorkedExample(
    stub_id="pixel_cost",
    story=(
        "One row of four pixels and the goal (3, 0), the last of them: the distances are 3, 2, 1 and 0, on average "
        "1.5. With the probabilities (0.5, 0, 0, 0.25) the expected distance is 1.5, and the quarter that is lost pays "
        "0.25 * 1.5 = 0.375: together 1.875. Of two distributions over 3 x 5 pixels, one is sure of the place (4, 2), "
        "the other of (1, 0). From the goal (1, 2) these are 3 and 2 pixels away."
    ),
    run=_run_cost,
    wanted={"cost of one that is partly lost": 1.875, "cost of certain places": np.array([3.0, 2.0])},
    slips={
        "cost of one that is partly lost": {
            "lost_is_free": 1.5,
            "lost_pays_most": 2.25,
            "lost_pays_one": 1.75,
            "lost_pays_sum": 3.0,
            "pixel_scaled_up": 2.0,
            "distance_squared": 5.375,
            "cost_negated": -1.875,
            "mean_for_sum": 0.75,
        },
        "cost of certain places": {
            "goal_swapped": np.array([math.hypot(2, 1), math.hypot(1, 1)]),
            "distance_squared": np.array([9.0, 4.0]),
            "cost_negated": np.array([-3.0, -2.0]),
        },
    },
)
