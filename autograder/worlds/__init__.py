"""Hidden worlds: the published tasks under laws that are not published, drawn for the term.

A task has a law if there is a module of its name in this folder. The module defines

- `Family`: what private.toml says of it in `[laws.EXPERIMENT]`, a frozen dataclass; its `by_heart_below` is the score
  that no world lets anybody reach who knows the published physics by heart (`autograder/recorded/acceptance.py`);
- `Law`: the numbers of one world, a frozen dataclass;
- `draw(rng, family)`: one of them;
- `HiddenEnv(world, law)`: the task under that law.

What somebody does there who knows the published physics by heart and learns nothing else:
`autograder/recorded/by_heart/`.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

from hw4.envs import Environment, make_env
from hw4.envs.world import World


def has_law(task_name: str) -> bool:
    return importlib.util.find_spec(f"{__name__}.{task_name}") is not None


def family_class(task_name: str) -> type[Any]:
    """The dataclass of a task's family of laws."""
    found: type[Any] = _module(task_name).Family
    return found


def draw_law(task_name: str, rng: np.random.Generator, family: Any) -> dict[str, float]:
    """The numbers of one world's law, rounded so that they can be written down."""
    law = _module(task_name).draw(rng, family)
    return {name: round(float(value), 4) for name, value in dataclasses.asdict(law).items()}


def make_hidden_env(task_name: str, world: World, law: Mapping[str, float]) -> Environment:
    """The task in a hidden world; an empty law is none."""
    if not law:
        return make_env(task_name, world)
    module = _module(task_name)
    environment: Environment = module.HiddenEnv(world, module.Law(**law))
    return environment


def _module(task_name: str) -> Any:
    return importlib.import_module(f"{__name__}.{task_name}")
