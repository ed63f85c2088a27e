"""What holds for all tests."""

from __future__ import annotations

import gc
import sys

import pytest
from markupsafe import Markup

DRAWS = "test_dashboard.py"  # where the pictures are looked at


@pytest.fixture(autouse=True)
def classes_without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """To draw them takes most of the time in which the lists of a small class are written."""
    page = sys.modules.get("autograder.classroom.marks.dashboard")
    if page is not None and request.path.name != DRAWS:
        monkeypatch.setattr(page, "class_curve", lambda *args: Markup())
        monkeypatch.setattr(page, "histogram", lambda *args: Markup())


def pytest_configure() -> None:
    """What is imported while tests are collected stays; a third of that time went into looking for garbage there."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
