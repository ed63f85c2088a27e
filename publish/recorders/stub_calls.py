"""Records which stub calls which while agents train, as the handout draws it.

Run by `python -m publish.recorders stub_calls`: a few seconds.

`hw4.checking.calls` reads calls from the code of the stub files alone. Here the given code between them counts as well:
a planner is an argument of the controller, and the objective one of the planner.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from functools import reduce
from types import CodeType, FrameType
from typing import Any

from autograder.solutions import ROOT
from hw4.agents import build_agent
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.handin.assignment import load_assignment
from hw4.training import train
from publish.recorded_tables import Recording, Row, Table

LOOP = "train"  # what calls an agent: the environment loop
SHORT: dict[str, Any] = {"gradient_steps": 1, "num_initial_episodes": 1, "num_episodes": 2, "population_size": 10}
RUNS: tuple[
    tuple[str, dict[str, Any]], ...
] = (  # what an agent is trained with, and with which options; where a call is seen first counts
    ("cliff_hill", {}),
    ("ledge", {}),
    ("cliff_hill", {"planner": "random_shooting"}),
    ("ledge", {"aggregation": "mean_minus_std"}),
)
TABLES = {
    "stub_calls": Table(
        "caller,callee,option",
        says=f"which stub calls which while agents train, and the option of `train` without which it does not; "
        f"{LOOP}: the environment loop, hw4/training.py",
    )
}


def main() -> None:
    recording = Recording(ROOT / "handout" / "data", "stub_calls", TABLES)
    if not recording.has("stub_calls"):
        recording.put(stub_calls=calls())


def calls() -> list[Row]:
    """(caller, callee, option), by id, over short runs of RUNS: the caller is the next stub up the stack, or LOOP."""
    stubs = [stub for stub in load_assignment().stubs if not stub.file.startswith("topics/")]
    ids = {code_of(stub.file, stub.symbol): stub.id for stub in stubs}
    seen: dict[tuple[str, str], str] = {}

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in ids:
            above = frame.f_back
            while above is not None and above.f_code not in ids:
                above = above.f_back
            seen.setdefault((LOOP if above is None else ids[above.f_code], ids[frame.f_code]), option)

    for name, options in RUNS:
        option = " ".join(f"--{key} {value}" for key, value in options.items())
        run(dataclasses.replace(EXPERIMENTS[name], **SHORT, **options), look)
    return [[*pair, option] for pair, option in sorted(seen.items())]


def run(experiment: Experiment, look: object) -> None:
    agent = build_agent(experiment, seed=0)
    sys.setprofile(look)  # type: ignore[arg-type]
    try:
        list(train(make_env(experiment.task_name), agent, num_episodes=experiment.num_episodes, seed=0))
    finally:
        sys.setprofile(None)


def code_of(file: str, symbol: str) -> CodeType:
    """The code of "function" or "Class.method" of a file of hw4/."""
    module = importlib.import_module(f"hw4.{file.removesuffix('.py')}")
    code: CodeType = reduce(getattr, symbol.split("."), module).__code__
    return code


if __name__ == "__main__":
    main()
