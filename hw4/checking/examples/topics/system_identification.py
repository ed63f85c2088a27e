"""Worked examples of hw4/topics/system_identification.py (given; NumPy only)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hw4.checking.subject import Subject
from hw4.checking.worked_example import WorkedExample
from hw4.transitions import Transition

STEP, FIT = "topics.system_identification.physics_step", "topics.system_identification.fit_parameters"
LEANING = np.array([0.0, 0.6, 0.8, 1.0, 0.0])
AT_REST = np.array([2.0, 0.0, -1.0, 0.0, 0.0])
FORWARDS = np.array([20.0, math.log(0.5), math.log(0.4)])
BACKWARDS = FORWARDS * [-1, 1, 1]
PUSH = np.array([1.5 * 0.75 * 9.81 / 20])


def _leaning(acceleration: float) -> Any:
    """A cart that accelerates for 0.05 s while its pole keeps its lean."""
    return np.array([0.05 + 0.00125 * acceleration, 0.6, 0.8, 1.0 + 0.05 * acceleration, 0.0])


def _run_step(subject: Subject) -> dict[str, Any]:
    return {
        "a step of a leaning pole": subject.call(STEP, FORWARDS, LEANING, PUSH),
        "a step at rest": subject.call(STEP, FORWARDS, AT_REST, np.zeros(1)),
        "a step with a motor that is wired the other way round": subject.call(STEP, BACKWARDS, LEANING, -PUSH),
    }


PHYSICS_STEP = WorkedExample(
    stub_id="physics_step",
    story=(
        "Gain 20, mass ratio 0.5, length 0.4. The pole leans, sin q = 0.6 and cos q = 0.8, and does not turn. The push "
        "is chosen so that it keeps its lean: gain * action = 1.5 * 0.75 g = 11.036. Then x'' = (1.5 * 0.75 g - 0.5 * "
        "0.6 * 0.8 g) / (1 + 0.5 * 0.36) = 0.885 g / 1.18 = 0.75 g, and q'' = (0.6 g - 0.8 * 0.75 g) / 0.4 = 0. So in "
        "0.05 s the cart, which moves at 1 m/s, gains 0.05 * 0.75 g = 0.3679 m/s and goes 0.05 + 0.00125 * 0.75 g = "
        "0.0592 m; the pole stays as it is. A motor that is wired the other way round (gain -20) does the same with "
        "the opposite command. A hanging pole at rest stays at rest."
    ),
    run=_run_step,
    wanted={
        "a step of a leaning pole": _leaning(0.75 * 9.81),
        "a step at rest": AT_REST,
        "a step with a motor that is wired the other way round": _leaning(0.75 * 9.81),
    },
    slips={
        "a step of a leaning pole": {
            "step_is_a_change": _leaning(0.75 * 9.81) - LEANING,
            "step_not_taken": LEANING,
        },
        "a step at rest": {"step_is_a_change": np.zeros(5)},
        "a step with a motor that is wired the other way round": {},
    },
)

RECORDED = np.array(
    [  # x, q, x', q' and the action, then x, q, x', q' one step later
        (1.3, 0.1, 1.9, -4.2, 0.8, 1.378998, -0.07717534, 1.261009, -2.917776),
        (0.3, -0.8, 1.2, -3.3, -0.2, 0.3634666, -0.9880932, 1.330674, -4.226683),
        (1.1, 0.3, 1.6, -0.2, 0.5, 1.16937, 0.3175798, 1.174926, 0.9049282),
        (-0.2, 1.8, 1.9, -1.3, -0.9, -0.08985147, 1.765367, 2.50376, -0.09189448),
        (1.4, 2.7, -1.3, 1.1, 0.8, 1.320812, 2.739288, -1.86915, 0.4596766),
        (0.6, 2.7, 0.7, -3.7, 0.1, 0.6352127, 2.527146, 0.7100725, -3.187332),
        (0.0, 0.0, 0.0, 4.6, 0.6, -0.01188568, 0.2556305, -0.4708979, 5.652678),
        (-0.5, -1.7, 0.1, 1.4, -0.4, -0.4890066, -1.653066, 0.3418511, 0.4732642),
        (1.3, 0.5, -0.9, 4.3, -0.2, 1.258948, 0.721647, -0.7398754, 4.598742),
        (0.0, 1.1, -0.1, -2.8, -0.3, -0.000295946, 0.9767163, 0.08505893, -2.145),
        (2.6, 1.0, 3.0, -2.0, 0.9, 2.9, 1.2, -1.0, 4.0),  # runs into a stop
        (-2.8, -2.0, -2.0, 1.0, -0.1, -2.6, -1.7, 1.5, 6.0),  # comes back from the other
    ]
)


def _observations(states: Any) -> Any:
    x, angle, velocity, angular_velocity = states.T
    return np.stack([x, np.sin(angle), np.cos(angle), velocity, angular_velocity], axis=1)


def _run_fit(subject: Subject) -> dict[str, Any]:
    transitions = Transition(_observations(RECORDED[:, :4]), RECORDED[:, 4:5], _observations(RECORDED[:, 5:]))
    return {"parameters": subject.call(FIT, transitions)}


FIT_PARAMETERS = WorkedExample(
    stub_id="fit_parameters",
    story=(
        "Twelve steps of a robot whose gain is -16, whose mass ratio is 0.25 and whose length is 0.5 m. Ten of them "
        "are exact; the other two begin or end more than 2.7 m from the middle, at a stop, and do not count. So the "
        "fit leaves no residual, and the answer is (-16, log 0.25, log 0.5) = (-16, -1.3863, -0.6931)."
    ),
    run=_run_fit,
    wanted={"parameters": np.array([-16.0, math.log(0.25), math.log(0.5)])},
    slips={
        "parameters": {
            "stops_count": np.array([0.0, 0.0, 0.0]),
            "stops_after": np.array([0.0, 0.0, 0.0]),
            "stops_before": np.array([0.0, 0.0, 0.0]),
            "fit_answers_numbers": np.array([-16.0, 0.25, 0.5]),
            "fit_sign_turned": np.array([16.0, math.log(0.25), math.log(0.5)]),
            "fit_not_made": np.zeros(3),
        },
    },
)
