"""A dot that is pushed past an opaque bar, seen by a camera alone: films for the topic `video_prediction` (given).

The picture has 16 x 16 pixels, with x to the right and y down, both counted from 0 at the centre of the first pixel.
The ground and the bar have a texture. The bar hides the dot: of one that is right behind it, a faint rim shows.

    v' = 0.7 v + 0.5 a                    the dot has inertia: it goes on when nobody pushes
    p' = p + v' + wind(p)                 a swirl around the centre of the picture takes it along

So how far the dot moves depends on its velocity and on its place, and no linear map of the action says it. A model
sees neither p nor v nor the wind, only frames and actions. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SIZE = 16  # pixels of a side
BAR_COLUMNS = slice(5, 10)  # what the bar covers
FIRST_FREE_COLUMN = 10  # right of the bar
LOW, HIGH = 1.5, 13.5  # where the centre of the dot may be, in pixels
CENTRE = (SIZE - 1) / 2
KEPT_VELOCITY = 0.7  # of the last step
PUSH = 0.5  # pixels a step, from an action of 1
WIND = 0.125  # of the swirl: 1 / step, times the distance from the centre
WIND_AREA = 60.0  # square pixels: the wind falls off with the squared distance from the centre
DOT_AREA = 4.0  # square pixels: how fast the dot fades with the squared distance from its centre
GROUND_WHITE, BAR_WHITE = 0.15, 0.35  # the brightest pixel of the ground and of the bar; the dot is 1
ACT_DIM = 2
HORIZON = 12  # steps that are predicted and planned: enough to push the dot past the bar

# How the films of a random hand come about.
START_SPEED = 0.7  # pixels a step, standard deviation
ACTION_STD, ACTION_KEPT = 0.5, 0.8  # of the random part of an action, and how much of it is that of the step before
ACROSS = 0.5  # push towards the other side of the bar
TURN_BEFORE = 1.0  # pixels from the edge, where the push turns round


@dataclass(frozen=True)
class Scene:
    """What does not move: brightness of the ground, shape (16, 16), and of the bar, shape (16, 5)."""

    ground: Array
    bar: Array


@dataclass(frozen=True)
class Films:
    """Several films of equal length.

    `frames` has shape (num_films, num_steps + 1, 16, 16), brightness from 0 to 1, and `actions` (num_films, num_steps,
    2): action t leads from frame t to frame t + 1. `positions`, shape (num_films, num_steps + 1, 2), is where the dot
    really was, as (x, y) in pixels; no model sees it.
    """

    frames: Array
    actions: Array
    positions: Array


def draw_scene(rng: np.random.Generator) -> Scene:
    """A ground of smooth spots, and a bar in which every pixel has a grey of its own."""
    spots = rng.uniform(size=(SIZE + 2, SIZE + 2))
    smooth = np.mean([spots[i : i + SIZE, j : j + SIZE] for i in range(3) for j in range(3)], axis=0)
    ground = GROUND_WHITE * (smooth - smooth.min()) / np.ptp(smooth)
    bar = rng.uniform(0.0, BAR_WHITE, (SIZE, BAR_COLUMNS.stop - BAR_COLUMNS.start))
    return Scene(ground, bar)


def wind(position: Array) -> Array:
    """How far the swirl takes the dot in a step, shape (..., 2), in pixels."""
    offset = position - CENTRE
    turned = np.stack([-offset[..., 1], offset[..., 0]], axis=-1)
    strength = WIND * np.exp(-(offset**2).sum(axis=-1, keepdims=True) / WIND_AREA)
    return np.asarray(strength * turned)


def move(position: Array, velocity: Array, action: Array) -> tuple[Array, Array]:
    """One step of many dots at once.

    Args:
        position: (x, y) in pixels, shape (..., 2).
        velocity: in pixels a step, shape (..., 2).
        action: pushes to the right and down, clipped to [-1, 1], shape (..., 2).

    Returns:
        The new position and velocity. At the edge of its area a dot stops.
    """
    velocity = KEPT_VELOCITY * velocity + PUSH * np.clip(action, -1.0, 1.0)
    free = position + velocity + wind(position)
    position = np.clip(free, LOW, HIGH)
    return position, np.where(position == free, velocity, 0.0)


def render(position: Array, scene: Scene) -> Array:
    """Frames of dots at these places, shape (..., 16, 16), float32."""
    pixels = np.arange(SIZE)
    across = np.exp(-((pixels - position[..., 0, None]) ** 2) / DOT_AREA)
    down = np.exp(-((pixels - position[..., 1, None]) ** 2) / DOT_AREA)
    dot = down[..., :, None] * across[..., None, :]
    frames = (1.0 - dot) * scene.ground + dot
    frames[..., BAR_COLUMNS] = scene.bar
    return np.asarray(frames, dtype=np.float32)


def film(position: Array, velocity: Array, actions: Array, scene: Scene) -> Films:
    """What the camera sees while these actions are executed.

    Args:
        position: where the dots start, shape (num_films, 2).
        velocity: theirs at the start, shape (num_films, 2).
        actions: shape (num_films, num_steps, 2).
        scene: behind and in front of them.
    """
    positions = [position]
    for t in range(actions.shape[1]):
        position, velocity = move(position, velocity, actions[:, t])
        positions.append(position)
    visited = np.stack(positions, axis=1)
    return Films(render(visited, scene), actions.astype(np.float32), visited)


def random_films(num_films: int, num_steps: int, scene: Scene, rng: np.random.Generator) -> Films:
    """Films of a hand that pushes at random, and on the whole to and fro, from one side of the bar to the other."""
    start = position = rng.uniform(LOW, HIGH, (num_films, 2))
    start_velocity = velocity = START_SPEED * rng.normal(size=(num_films, 2))
    noise = rng.normal(size=(num_films, ACT_DIM))
    to_the_right = position[:, 0] < CENTRE
    actions = np.empty((num_films, num_steps, ACT_DIM))
    for t in range(num_steps):
        to_the_right = np.where(to_the_right, position[:, 0] < HIGH - TURN_BEFORE, position[:, 0] < LOW + TURN_BEFORE)
        actions[:, t] = ACTION_STD * noise
        actions[:, t, 0] += np.where(to_the_right, ACROSS, -ACROSS)
        position, velocity = move(position, velocity, actions[:, t])
        noise = ACTION_KEPT * noise + np.sqrt(1.0 - ACTION_KEPT**2) * rng.normal(size=(num_films, ACT_DIM))
    return film(start, start_velocity, np.clip(actions, -1.0, 1.0), scene)


# Tests: the dot starts to the left of the bar, and has to be found again to the right of it.
LEFT_OF_BAR = (2.5, 3.5)  # x of the start
ROWS = (4.0, 11.0)  # y of starts and goals
STEADY_PUSH, PUSH_STD, SLOW = 0.5, 0.2, 0.2  # mean and spread of an action to the right, spread of the first velocity
PASSED = 11.5  # x from which all of the dot shows again


def crossing_films(num_films: int, scene: Scene, rng: np.random.Generator) -> Films:
    """Films in which the dot is pushed past the bar: two frames to start from, then HORIZON more.

    The first action is 0. So frame 1 is the last that a model sees, and the actions from 1 on lead to what it predicts.
    """
    position = np.stack([rng.uniform(*LEFT_OF_BAR, num_films), rng.uniform(*ROWS, num_films)], axis=1)
    actions = PUSH_STD * rng.normal(size=(num_films, HORIZON + 1, ACT_DIM)) + [STEADY_PUSH, 0.0]
    actions[:, 0] = 0.0
    return film(position, SLOW * rng.normal(size=(num_films, ACT_DIM)), np.clip(actions, -1.0, 1.0), scene)


def dot_found_again(last_frames: Array, films: Films, scene: Scene) -> float:
    """How much of the dot a model shows behind the bar at the end of `crossing_films`: at most 1.

    The mass of a dot is its brightness above the ground, summed over the pixels to the right of the bar. A film counts
    1 - |predicted mass - true mass| / true mass, and the answer is the mean over the films in which the dot has passed.

    Args:
        last_frames: the predicted ones, shape (num_films, 16, 16).
        films: the true ones.
        scene: theirs.
    """
    passed = films.positions[:, -1, 0] >= PASSED
    free = (..., slice(FIRST_FREE_COLUMN, None))
    predicted, true = (
        (frames[passed][free] - scene.ground[free]).sum(axis=(1, 2)) for frames in (last_frames, films.frames[:, -1])
    )
    return float(np.mean(1.0 - np.abs(predicted - true) / true))
