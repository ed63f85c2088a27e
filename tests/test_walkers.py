"""The walker's three maps: where steps lead, what they are worth, and how noisy they are, checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw4.envs import World, make_env
from hw4.envs.bridge import BridgeEnv
from hw4.envs.ledge import LedgeEnv
from hw4.envs.windy_plain import WindyPlainEnv
from hw4.rewards import bridge_reward, ledge_reward, windy_plain_reward

STAND = np.zeros(2)


def at(x: float, y: float) -> np.ndarray:
    return np.array([x, y])


def test_the_ledge_pays_for_height_until_its_edge_and_dearly_beyond() -> None:
    step = np.array([1.0, -0.5])  # costs 0.02 * 1.25
    assert ledge_reward(STAND, step, at(2.0, 2.0)) == pytest.approx(2.0 - 0.15 * 4.0 - 0.025)
    assert ledge_reward(STAND, STAND, at(3.0, 0.0)) == 3.0
    assert ledge_reward(STAND, STAND, at(3.001, 0.0)) == -20.0


def test_the_bridge_lies_between_a_brink_and_a_better_meadow() -> None:
    worth = {place: float(bridge_reward(STAND, STAND, at(*place))) for place in
             ((1.0, 2.0), (1.1, 0.4), (1.1, 0.6), (1.1, -0.6), (2.2, 3.0), (-1.0, 0.0))}  # fmt: skip
    assert worth == pytest.approx(
        {(1.0, 2.0): 0.8, (1.1, 0.4): 0.83, (1.1, 0.6): -10.0, (1.1, -0.6): -10.0, (2.2, 3.0): 3.0, (-1.0, 0.0): 0.2}
    )


def test_the_plain_pays_for_nearness_to_its_goal() -> None:
    assert windy_plain_reward(STAND, np.array([1.0, 1.0]), at(0.0, 4.0)) == pytest.approx(-5.0 - 0.04)


def test_a_step_leads_as_far_as_the_action_and_the_motor_say_and_the_wind_blows_where_it_should() -> None:
    action = np.array([0.5, -1.0])
    np.testing.assert_allclose(LedgeEnv().mean(at(1.0, 2.0), action), [1.1, 1.8])
    weak = LedgeEnv(World(actuator_sign=-1, actuator_gain=0.5))
    np.testing.assert_allclose(weak.mean(at(1.0, 2.0), action), [0.95, 2.1])
    winds = [float(BridgeEnv().mean(at(x, 0.0), STAND)[1]) for x in (0.2, 0.6, 0.99, 1.0, 1.5)]
    assert winds == pytest.approx([0.0, 0.1, 0.1975, 0.0, 0.0])
    blown = WindyPlainEnv().mean(at(1.0, 2.0), STAND)
    np.testing.assert_allclose(blown, [1.0 + 0.06 * math.cos(2.5), 2.0 + 0.06 * math.sin(-0.5)])


@pytest.mark.parametrize(("name", "std"), [("ledge", 0.15), ("bridge", 0.05), ("windy_plain", 0.05)])
def test_noise_is_as_large_as_published_the_same_everywhere_and_around_the_mean(name: str, std: float) -> None:
    env = make_env(name)
    env.reset(seed=0)
    for place in (at(0.5, 0.0), at(-2.0, 1.0)):
        ends = []
        for _ in range(4000):
            env.set_state(place)
            ends.append(env.step(np.array([0.3, 0.3], dtype=np.float32))[0])
        off = np.array(ends) - env.mean(place, np.float32([0.3, 0.3]))
        np.testing.assert_allclose(off.mean(axis=0), 0.0, atol=5 * std / 4000**0.5)
        np.testing.assert_allclose(off.std(axis=0), std, rtol=0.06)  # five standard deviations of a sample's std


def test_walls_stop_a_walker() -> None:
    env = make_env("ledge")
    env.reset(seed=0)
    env.set_state(at(3.99, -3.99))
    ends = np.array([env.step(np.array([1.0, -1.0], dtype=np.float32))[0] for _ in range(20)])
    assert np.abs(ends).max() == 4.0
