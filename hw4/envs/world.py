"""Physics that may differ from the nominal one: what a learned model must find out (given)."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """Multipliers on the physics of an environment; rewards never change.

    An agent that learns its model from data does as well in every world. One that holds a copy of the nominal
    simulator does not: with `actuator_sign=-1` each push goes the other way.
    """

    actuator_sign: int = 1  # +1 or -1
    actuator_gain: float = 1.0  # multiplies the gear of a motor, or the length of a step
    mass_scale: float = 1.0  # multiplies every mass; the cliff hill has none

    def __post_init__(self) -> None:
        if self.actuator_sign not in (-1, 1):
            raise ValueError(f"actuator_sign must be -1 or +1, got {self.actuator_sign}")
        for name in ("actuator_gain", "mass_scale"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive and finite, got {value}")


NOMINAL_WORLD = World()
