"""Who is said to idle, and who is not: real processes, watched as workers are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autograder.isolation import idling
from autograder.isolation.idling import IdleWatch, TimeSpent, next_look

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")

SECONDS = 1.5
BUSY = "while True: pass"
SLICES = "import time\nwhile True: time.sleep(0.02)"
SLEEPER_BEHIND = """
import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
"""
TURNS = """
import threading, time
def one(number):
    time.sleep(0.1 * number)
    while True:
        time.sleep(0.4)
        sum(range(10_000))
for number in range(4):
    threading.Thread(target=one, args=(number,)).start()
"""
CROWD = """
import threading, time
def one():
    while True:
        time.sleep(0.2)
        sum(range(2_000))
for _ in range(16):
    threading.Thread(target=one).start()
"""


@contextmanager
def running(program: str, count: int = 1) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes on one processor."""
    processor = {min(os.sched_getaffinity(0))}
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(count)]
    for process in processes:
        os.sched_setaffinity(process.pid, processor)
    time.sleep(0.5)
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def watched(pid: int) -> IdleWatch:
    watch = IdleWatch(pid)
    watch.begin()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        seconds = next_look()
        time.sleep(seconds)
        watch.look(seconds, has_answered=False)
    watch.look(0.0, has_answered=True)
    return watch


def idle_part(pid: int) -> float:
    """Of the time that somebody waits for it."""
    watch = watched(pid)
    return watch.idle_seconds / watch.waited_seconds


def idle_part_of_its_own_time(pid: int) -> float:
    """Of that time without what the machine kept it waiting: so much can be certain, however busy the machine is."""
    watch = watched(pid)
    kept_waiting = watch.machine_seconds + watch.excused_seconds
    return watch.idle_seconds / max(watch.waited_seconds - kept_waiting, SECONDS / 10)


@pytest.mark.parametrize("program", [SLICES, SLEEPER_BEHIND, TURNS, CROWD])
def test_who_sleeps_idles_whatever_its_threads_do(program: str) -> None:
    with running(program) as (process,):
        assert idle_part_of_its_own_time(process.pid) > 0.7


def test_a_stopped_process_idles() -> None:
    with running(BUSY) as (process,):
        process.send_signal(signal.SIGSTOP)
        assert idle_part_of_its_own_time(process.pid) > 0.9


@pytest.mark.parametrize("neighbours", [0, 3])
def test_who_computes_or_waits_for_its_turn_does_not_idle(neighbours: int) -> None:
    with running(BUSY, 1 + neighbours) as (process, *_):
        assert idle_part(process.pid) < 0.05


def test_a_kernel_that_counts_no_waits_makes_nobody_idle_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    real = idling._queues_of
    monkeypatch.setattr(idling, "_queues_of", lambda pid: ({}, real(pid)[1]))
    with running(BUSY, 3) as (process, *_):
        assert idle_part(process.pid) == 0.0
    with running(SLICES) as (process,):
        assert idle_part_of_its_own_time(process.pid) > 0.5


def test_time_in_which_the_machine_keeps_everybody_waiting_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """It pages, or its own host gives it no turn."""
    start = time.monotonic()
    monkeypatch.setattr(idling, "_machine_seconds", lambda: time.monotonic() - start)
    with running(SLICES) as (process,):
        assert idle_part(process.pid) == 0.0


@pytest.mark.parametrize(
    ("own", "machine", "reference", "is_its_own"),
    [
        (100.0, 0.0, 10.0, True),  # idle, or busy with something else, on a quiet machine
        (50.0, 50.0, 10.0, True),  # the same with a neighbour
        (20.0, 80.0, 5.0, True),  # with four; three times the reference would have been done in time
        (20.0, 80.0, 8.0, False),  # here not: the deadline was too short for a machine as busy as this
        (10.0, 90.0, 10.0, False),  # no slower than the reference
        (100.0, 0.0, 90.0, False),  # a machine on which the reference takes as long
        (5.0, 0.0, 1.0, False),  # the time went elsewhere
        (0.0, 0.0, 0.0, False),
    ],
)
def test_a_deadline_is_the_submissions_doing_if_it_used_up_the_time(
    own: float, machine: float, reference: float, is_its_own: bool
) -> None:
    spent = TimeSpent(1, own_seconds=own, machine_seconds=machine, reference_seconds=reference)
    assert spent.used_up(100.0) is is_its_own
