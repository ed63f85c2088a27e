"""A plugin of pytest, for `python -m hw4 check`: notes what was compared where a public test failed (given).

It writes to the same file as hw4/tests/conftest.py, before that writes of the test's end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw4.checking.answers import check_close
from hw4.checking.failure import Comparison

MANY = 12  # of more numbers than this, only the worst is shown


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    path = item.config.getoption("--outcomes")
    compared = None if call.excinfo is None else comparison_in(call.excinfo)
    if path and compared is not None:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": "compared", "test": item.nodeid, **compared._asdict()}) + "\n")


def comparison_in(excinfo: pytest.ExceptionInfo[BaseException]) -> Comparison | None:
    """The answer that `check_close` did not accept, and the one that was wanted."""
    for entry in excinfo.traceback:
        if entry.frame.code.raw is check_close.__code__:
            given = entry.frame.f_locals
            return comparison_of(given["what"], given["actual"], given["wanted"])
    return None


def comparison_of(name: str, seen: Any, wanted: Any) -> Comparison:
    """Both answers as text; of many numbers, the pair that differs most."""
    try:
        seen, wanted = np.asarray(seen, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    except (TypeError, ValueError):  # the answer is no array of numbers
        return Comparison(name, repr(seen)[:200], _text(wanted))
    if seen.shape != wanted.shape:
        return Comparison(f"shape of {name}", str(seen.shape), str(wanted.shape))
    if seen.size > MANY:
        difference = np.abs(seen - wanted)
        worst = np.unravel_index(np.nan_to_num(difference, nan=np.inf).argmax(), seen.shape)
        place = ", ".join(str(int(index)) for index in worst)
        name, seen, wanted = f"{name}[{place}], the worst of {seen.size} numbers", seen[worst], wanted[worst]
    return Comparison(name, _text(seen), _text(wanted))


def _text(values: Any) -> str:
    return np.array2string(np.asarray(values), separator=", ", precision=6, suppress_small=True)
