"""Which function calls which: what `python -m hw4 check` and the zoo take a failure back to."""

from __future__ import annotations

import dataclasses

from autograder.solutions import reference_code
from hw4.checking.calls import calls_between_stubs
from hw4.handin.assignment import load_assignment

STUBS = load_assignment().stubs


def test_calls_between_stubs_are_read_from_the_code() -> None:
    sources = {name: content.decode() for name, content in reference_code().items()}
    calls = calls_between_stubs(sources, STUBS)
    required = {stub.id for stub in STUBS if stub.file in load_assignment().required_code}
    assert {stub_id: called for stub_id, called in calls.items() if called and stub_id in required} == {
        "cem_plan": {"cem_refit"},
        "model_fit": {"model_loss", "normalizer_fit"},  # the latter through the given `fit_normalizers`
    }
    assert "model_fit" not in calls_between_stubs({**sources, "dynamics_model.py": "def fit("}, STUBS)


def test_a_called_name_is_that_of_its_own_file_or_of_the_file_it_is_imported_from() -> None:
    plan = dataclasses.replace(STUBS[0], id="plan", file="topics/a.py", symbol="plan")
    steps = [dataclasses.replace(plan, id=f"step_{x}", file=f"topics/{x}.py", symbol="step") for x in "abc"]
    step, call = "def step():\n    pass\n", "def plan():\n    step()\n"
    others = {"topics/b.py": step, "topics/c.py": step}
    own = calls_between_stubs({"topics/a.py": step + call, **others}, [plan, *steps])
    assert own["plan"] == {"step_a"}
    imported = calls_between_stubs({"topics/a.py": "from hw4.topics.c import step\n" + call, **others}, [plan, *steps])
    assert imported["plan"] == {"step_c"}
