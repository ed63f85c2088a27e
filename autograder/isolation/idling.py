"""Where the time goes while the referee waits for a worker: into computing, into waiting for the machine, or nowhere.

What a worker does not compute, and does not wait for a processor to compute, it idles away, in whatever state its
threads are (asleep, stopped, in the disk's hands, ended). An honest one never idles.

The kernel counts, for all threads together, those that ended included, the processor time; and for each thread how long
it was ready to run and had to wait. Of those waits only the longest of any thread counts: threads that stand in each
other's way wait all at once. Times of looking are drawn at random, so nobody can be busy just then.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

MEAN_LOOK_SECONDS = 0.05  # between two looks at a worker
LONGEST_LOOK_SECONDS = 0.5
WAKING_SECONDS = 0.0005  # of each look: the way into a worker and out of it, on no account of the kernel
RUNNABLE = b"R"
SLOW = 3.0  # times the reference's time: slower than honest work usually is

_random = random.Random()  # of its own: nothing that seeds the usual one makes looks predictable


def next_look() -> float:
    """Seconds until the next look."""
    return min(_random.expovariate(1 / MEAN_LOOK_SECONDS), LONGEST_LOOK_SECONDS)


class IdleWatch:
    """Watches one worker. Whoever waits for it calls `begin`, then `look` after each time of waiting."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cpu = cpu_seconds_of(pid)
        self._queued, _ = _queues_of(pid)
        self._excused = _machine_seconds()
        self._idle = 0.0
        self._undecided = 0.0  # of `_idle`: while a thread was ready to run; the kernel counts its wait when it has run
        self.waited_seconds = 0.0  # for the worker, in all
        self.machine_seconds = 0.0  # of these: for a processor

    def begin(self) -> None:
        """The referee starts to wait: what the worker did before is its own affair."""
        self._cpu = cpu_seconds_of(self._pid)

    def look(self, seconds: float, *, has_answered: bool) -> None:
        """Account for the last `seconds`.

        Args:
            seconds: how long the referee waited. It may find out late that there is an answer.
            has_answered: whether there is one. Then nobody knows when the worker was done, so it is not said to idle.
        """
        self.waited_seconds += seconds
        cpu, before = cpu_seconds_of(self._pid), self._cpu
        self._cpu = cpu
        gap = seconds - WAKING_SECONDS - (cpu - before)
        if gap <= 0 and not self._undecided:
            return
        queued, is_runnable = _queues_of(self._pid)
        delay = max((total - self._queued.get(thread, 0.0) for thread, total in queued.items()), default=0.0)
        self._queued = queued
        self.machine_seconds += delay
        late = min(max(0.0, delay - max(gap, 0.0)), self._undecided)
        self._idle -= late
        self._undecided -= late
        if has_answered:
            self._undecided = 0.0
        elif queued or not is_runnable:
            idle = max(0.0, gap - delay)
            self._idle += idle
            self._undecided = self._undecided + idle if is_runnable else 0.0

    @property
    def idle_seconds(self) -> float:
        """Seconds that the worker idled away, as far as that is certain."""
        certain = self._idle - self._undecided
        return max(0.0, certain - self.excused_seconds) if certain > 0 else 0.0

    @property
    def excused_seconds(self) -> float:
        """Seconds for which the machine kept everybody waiting since this watch began."""
        return _machine_seconds() - self._excused


def cpu_seconds_of(pid: int) -> float:
    """Processor time of a process: of all its threads, also of those that ended. 0 if there is no such process."""
    with contextlib.suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)  # the clock of another process, see clock_getcpuclockid(3)
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _queues_of(pid: int) -> tuple[dict[str, float], bool]:
    """Seconds that each thread has waited for a processor, and whether any thread runs or is ready to.

    A kernel may not count these waits. Then the first is empty. Whether a process that cannot be seen is ready to run,
    nobody knows, so it is.
    """
    waited: dict[str, float] = {}
    states = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):  # it ended
                states.append(Path(f"/proc/{pid}/task/{thread}/stat").read_bytes().rpartition(b") ")[2][:1])
                waited[thread] = int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_bytes().split()[1]) / 1e9
    return waited, RUNNABLE in states or not states


def _machine_seconds() -> float:
    """A number that grows while the machine keeps everybody waiting: for memory, or for its own turn on a larger one.

    What a worker brings about by itself, such as reading files, does not count.
    """
    seconds = 0.0
    with contextlib.suppress(OSError, ValueError, IndexError):
        seconds += int(Path("/proc/pressure/memory").read_text("ascii").partition("total=")[2].split()[0]) / 1e6
    with contextlib.suppress(OSError, ValueError, IndexError):
        seconds += int(Path("/proc/stat").read_text("ascii").split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK")  # stolen
    return seconds


@dataclass
class TimeSpent:
    """What became of the time in which a submission's workers were waited for. Safe to use from several threads."""

    lanes: int  # workers at once
    own_seconds: float = 0.0  # computing or idle
    idle_seconds: float = 0.0  # of these
    machine_seconds: float = 0.0  # waiting for the machine
    reference_seconds: float = 0.0  # that the reference would have needed
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, watch: IdleWatch, callback_seconds: float, reference_seconds: float) -> None:
        """A worker has ended.

        Args:
            watch: of the worker.
            callback_seconds: that the referee computed for it.
            reference_seconds: that the reference would have needed.
        """
        with self._lock:
            machine_seconds = min(watch.waited_seconds, watch.machine_seconds + watch.excused_seconds)
            self.own_seconds += watch.waited_seconds - machine_seconds + callback_seconds
            self.idle_seconds += watch.idle_seconds
            self.machine_seconds += machine_seconds
            self.reference_seconds += reference_seconds

    def used_up(self, seconds: float) -> bool:
        """Whether a deadline that came after so many seconds is the submission's own doing.

        It is if half of that time went into what the submission did beyond what the reference needs, and if one that is
        SLOW times as slow as the reference would have been done in time, on this machine as busy as it was.
        """
        if not self.own_seconds:
            return False
        excess = self.own_seconds - self.reference_seconds
        slowed = 1 + self.machine_seconds / self.own_seconds
        slow = SLOW * self.reference_seconds / self.lanes
        return excess * slowed >= seconds / 2 and slow * slowed <= seconds
