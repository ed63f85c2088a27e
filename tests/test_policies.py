"""What being late costs, who has longer: numbers that can be checked by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from autograder.classroom.marks.policies import (
    COLUMNS,
    PolicyError,
    extension_of,
    lateness,
    read_extensions,
)
from hw4.handin.assignment import LatePolicy

DUE = datetime(2030, 1, 5, 12, tzinfo=UTC)
POLICY = LatePolicy(grace_minutes=15, percent_per_day=10, max_days=3)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("after_due", "days_late", "penalty"),
    [
        (-DAY, 0, 0),
        (15 * MINUTE, 0, 0),
        (15 * MINUTE + timedelta(seconds=1), 1, 8),
        (DAY + 15 * MINUTE, 1, 8),
        (DAY + 16 * MINUTE, 2, 16),
        (3 * DAY, 3, 24),
        (3 * DAY + 16 * MINUTE, 4, 80),
    ],
)
def test_each_day_that_has_begun_after_the_grace_costs_its_part(
    after_due: timedelta, days_late: int, penalty: float
) -> None:
    found = lateness(DUE + after_due, 80.0, due=DUE, policy=POLICY)
    assert (found.points, found.days_late, found.penalty, found.final_points) == (
        80.0,
        days_late,
        penalty,
        80 - penalty,
    )


def test_an_extension_moves_the_due_date_of_one_student() -> None:
    submitted = DUE + 2 * DAY
    assert lateness(submitted, 50.0, due=DUE, policy=POLICY, extension_days=1.5).days_late == 1
    assert lateness(submitted, 50.0, due=DUE, policy=POLICY, extension_days=2).days_late == 0


def test_the_same_moment_is_as_late_in_every_time_zone() -> None:
    submitted = DUE + DAY
    elsewhere = submitted.astimezone(timezone(timedelta(hours=-7)))
    assert lateness(elsewhere, 10.0, due=DUE, policy=POLICY) == lateness(submitted, 10.0, due=DUE, policy=POLICY)


def test_a_penalty_never_takes_more_than_was_earned() -> None:
    strict = LatePolicy(grace_minutes=0, percent_per_day=60, max_days=5)
    assert lateness(DUE + 2 * DAY, 33.0, due=DUE, policy=strict).final_points == 0


def test_what_lateness_costs_stands_in_columns_beside_the_points() -> None:
    found = lateness(DUE + DAY, 77.7, due=DUE, policy=POLICY)
    assert found.points == 77.7
    assert found.columns == dict(zip(COLUMNS, (0.0, 1, 7.77, 69.93), strict=True))


def test_a_time_without_its_utc_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="UTC offset"):
        lateness(DUE.replace(tzinfo=None), 1.0, due=DUE, policy=POLICY)


def test_a_group_has_the_longest_extension_of_its_members(tmp_path: Path) -> None:
    (tmp_path / "extensions.csv").write_text("student,days,reason\nada,2,illness\nbob,0.5,\n")
    extensions = read_extensions(tmp_path / "extensions.csv")
    assert extensions == {"ada": 2.0, "bob": 0.5}
    assert extension_of(("bob", "cleo"), extensions) == 0.5
    assert extension_of(("dora",), extensions) == 0.0
    assert extension_of(("Bob@X.org",), {"bob@x.ORG": 2.0}) == 2.0


def test_without_a_file_nobody_has_longer(tmp_path: Path) -> None:
    assert read_extensions(tmp_path / "extensions.csv") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("student;days\nada;2\n", "extensions.csv:1: the head must be student,days,reason"),
        ("student,days\nada,two\n", "extensions.csv:2: days must be a number above 0, got 'two'"),
        ("student,days\nada,nan\n", "extensions.csv:2: days must be a number above 0, got 'nan'"),
        ("student,days\nada,1\nada,2\n", "extensions.csv:3: ada appears twice"),
        ("student,days\nada\n", "extensions.csv:2: 2 cells are needed"),
    ],
)
def test_a_line_that_means_nothing_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "extensions.csv").write_text(text)
    with pytest.raises(PolicyError) as caught:
        read_extensions(tmp_path / "extensions.csv")
    assert str(caught.value).startswith(says)
