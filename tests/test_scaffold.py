"""What of a submitted file runs in a curve: the student's functions, inside the published files."""

from __future__ import annotations

import ast
import types

import pytest

from autograder.grading.scaffold import scaffolded, scaffolded_code
from autograder.solutions import ROOT, reference_code
from autograder.zoo import code_of, load_animals
from hw4.handin.assignment import load_assignment

PUBLISHED = b'''"""A small file."""

from __future__ import annotations

import math

LIMIT = 10.0  # of a plan


def plan(state):
    """What students write."""
    raise NotImplementedError("plan")


def checked(value):
    """Given."""
    assert value < LIMIT
    return value


class Agent:
    """Given, but for `record`."""

    def __init__(self, policy):
        self.policy = policy
        self.seen = []

    def begin_episode(self):
        self.seen.clear()

    def act(self, state):
        return "given", self.policy(state)

    def record(self, state):
        raise NotImplementedError("record")
'''
SYMBOLS = ("plan", "Agent.record")
SOLVED = (
    PUBLISHED.decode()
    .replace('    raise NotImplementedError("plan")', "    return checked(state + 1)")
    .replace('        raise NotImplementedError("record")', "        self.seen.append(state)")
)


def run(text: str) -> types.SimpleNamespace:
    """What the file defines once it runs as a curve runs it."""
    content, _ = scaffolded(text.encode(), PUBLISHED, SYMBOLS)
    names: dict[str, object] = {"__name__": "small"}
    exec(compile(content, "small.py", "exec"), names)
    return types.SimpleNamespace(**names)


def changes(text: str) -> list[str]:
    return [change.what for change in scaffolded(text.encode(), PUBLISHED, SYMBOLS)[1]]


HONEST = {
    "as published": SOLVED,
    "helpers": SOLVED.replace("checked(state + 1)", "one_more(state)")
    + "\n\ndef one_more(state):\n    return state + 1\n",
    "constants and imports": SOLVED.replace(
        "import math", "import math\nfrom functools import partial\n\nSTEP = math.sqrt(1.0)\nadd = partial(pow, 2)"
    ).replace("state + 1", "state + int(STEP)"),
    "a function under its name": SOLVED + "\n\ndef other(state):\n    return state + 1\n\n\nplan = other\n",
    "a method": SOLVED.replace("self.seen.append(state)", "self._keep(state)")
    + "\n    def _keep(self, state):\n        self.seen.append(state)\n",
    "state": SOLVED.replace("self.seen = []", "self.seen = []\n        self.count = 0").replace(
        "self.seen.append(state)", "self.seen.append(state)\n        self.count += 1"
    ),
    "state that an episode resets": SOLVED.replace("self.seen.clear()", "self.seen = []\n        self.count = 0"),
    "a class of one's own": SOLVED + "\n\nclass Buffer(list):\n    def act(self, state):\n        return state\n",
    "imports for type checkers": SOLVED.replace(
        "import math",
        "import math\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from decimal import Decimal",
    ),
    "an import that may fail": SOLVED.replace(
        "import math", "import math\n\ntry:\n    import itertools\nexcept ImportError:\n    itertools = None"
    ),
    "other comments, layout and docstrings": SOLVED.replace('"""Given."""', '"""Mine."""').replace(
        "assert value < LIMIT", "assert (\n        value < LIMIT  # mine\n    )"
    ),
    "twice": SOLVED.replace("def checked", 'def plan(state):\n    """Mine."""\n    return state + 1\n\n\ndef checked'),
}


@pytest.mark.parametrize("text", HONEST.values(), ids=HONEST)
def test_what_students_write_next_to_their_functions_stays(text: str) -> None:
    assert scaffolded(text.encode(), PUBLISHED, SYMBOLS) == (text.encode(), [])
    small = run(text)
    agent = small.Agent(small.plan)
    agent.begin_episode()
    agent.record(5)
    assert agent.act(1) == ("given", 2)
    assert agent.seen == [5]


EVIL = "\n\ndef evil(self, state):\n    return 'evil', state\n\n\n"
REBINDING = {
    "another class": (
        SOLVED + "\n\nclass Agent(Agent):\n    def act(self, state):\n        return 'evil', state\n",
        "Agent",
    ),
    "a class under its name": (SOLVED + "\n\nclass Other:\n    act = None\n\n\nAgent = Other\n", "Agent"),
    "an import under its name": (SOLVED + "\n\nfrom collections import OrderedDict as Agent\n", "Agent"),
    "an attribute": (SOLVED + EVIL + "Agent.act = evil\n", "a statement"),
    "setattr": (SOLVED + EVIL + "setattr(Agent, 'act', evil)\n", "a statement"),
    "globals": (SOLVED + EVIL + "globals()['Agent'] = type('Agent', (), {'act': evil})\n", "a statement"),
    "exec": (SOLVED + EVIL + "exec('Agent.act = evil')\n", "a statement"),
    "a condition": (SOLVED + EVIL + "if True:\n    Agent.act = evil\n", "a statement"),
    "a loop": (SOLVED + EVIL + "for Agent.act in [evil]:\n    pass\n", "a statement"),
    "a context": (
        SOLVED + EVIL + "import contextlib\nwith contextlib.nullcontext(evil) as Agent.act:\n    pass\n",
        "a statement",
    ),
    "an attempt": (SOLVED + EVIL + "try:\n    Agent.act = evil\nfinally:\n    pass\n", "a statement"),
    "a deletion": (SOLVED + "\n\ndel Agent.act\n", "a statement"),
    "another method": (SOLVED.replace('return "given", self.policy(state)', "return 'evil', state"), "Agent.act"),
    "a second method": (SOLVED + "\n    def act(self, state):\n        return 'evil', state\n", "Agent.act"),
    "a method by assignment": (SOLVED + "\n    act = lambda self, state: ('evil', state)\n", "Agent.act"),
    "a statement in the class": (
        SOLVED + "\n    locals()['act'] = lambda self, state: ('evil', state)\n",
        "a statement in Agent",
    ),
    "no method": (
        SOLVED.replace('    def act(self, state):\n        return "given", self.policy(state)\n\n', ""),
        "Agent.act",
    ),
    "a hook": (
        SOLVED + "\n    def __getattribute__(self, name):\n        return lambda state: ('evil', state)\n",
        "Agent.__getattribute__",
    ),
    "no class": (SOLVED[: SOLVED.index("class Agent")] + "class Buffer(list):\n    pass\n", "Agent"),
}


@pytest.mark.parametrize(("text", "what"), REBINDING.values(), ids=REBINDING)
def test_what_is_given_is_put_back(text: str, what: str) -> None:
    assert what in changes(text)
    small = run(text)
    agent = small.Agent.__new__(small.Agent)
    agent.policy = small.plan
    assert type(agent).act(agent, 1) == ("given", 2)


def test_a_constant_and_a_function_that_are_given_are_put_back() -> None:
    text = SOLVED.replace("LIMIT = 10.0", "LIMIT = 1e9").replace("assert value < LIMIT", "print(value)")
    assert changes(text) == ["LIMIT", "checked"]
    with pytest.raises(AssertionError):
        run(text).plan(20.0)


def test_lines_keep_their_numbers_where_less_is_put_back() -> None:
    text = SOLVED.replace("    assert value < LIMIT\n", "    value = value\n" * 5)
    text += "\n\ndef last():\n    return 1 / 0\n"
    content, (change,) = scaffolded(text.encode(), PUBLISHED, SYMBOLS)
    assert change.line == text.splitlines().index("def checked(value):") + 1
    assert content.decode().splitlines().index("def last():") == text.splitlines().index("def last():")


def test_code_that_is_nested_too_deeply_is_nothing_that_is_given() -> None:
    text = SOLVED.replace("assert value < LIMIT", "assert value < LIMIT" + " + 0" * 1500)
    assert changes(text) == ["checked"]


def test_stubs_and_solutions_are_as_published() -> None:
    stubs = {name: (ROOT / "hw4" / name).read_bytes() for name in load_assignment().submission.code}
    for code in (stubs, reference_code()):
        assert scaffolded_code(code) == (code, ())


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.verify)])
def test_nothing_of_a_correct_animal_is_put_back(step: int) -> None:
    for animal in [animal for animal in load_animals().values() if animal.kind == "correct"][::step]:
        code = code_of(animal)
        assert scaffolded_code(code) == (code, ()), animal.name


def test_every_method_that_answers_is_given_or_a_students() -> None:
    """The rule rests on this: what an agent answers comes from a method that is judged or put back."""
    symbols = {stub.symbol for stub in load_assignment().stubs}
    published = ast.parse((ROOT / "hw4" / "mpc.py").read_text(encoding="utf-8"))
    agent = next(node for node in published.body if isinstance(node, ast.ClassDef) and node.name == "ModelBasedAgent")
    answering = {
        part.name
        for part in agent.body
        if isinstance(part, ast.FunctionDef) and any(isinstance(x, ast.Return) and x.value for x in ast.walk(part))
    }
    assert answering == {"act", "predict_next"}
    assert not {f"ModelBasedAgent.{name}" for name in answering} & symbols
