"""The trusted end of one worker: forwards calls, answers callbacks, and turns every kind of failure into one type."""

from __future__ import annotations

import builtins
import dataclasses
import math
import select
import signal
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from autograder.isolation.confinement import verify_layers
from autograder.isolation.fork_server import ForkServer, WorkerExit
from autograder.isolation.idling import IdleWatch, TimeSpent, cpu_seconds_of, next_look
from autograder.isolation.package import Package
from autograder.worker import wire
from hw4.checking.answers import CheckFailed, failed_callback
from hw4.checking.subject import CALLED_WRONGLY, AsNumPy, Handle, Kept, Seed
from hw4.experiments import Experiment
from hw4.handin.assignment import load_assignment
from hw4.transitions import Transition

HELLO_SECONDS = 60.0
MAX_ANSWER_SIZE = 1_000_000  # numbers in one answer: the trusted process computes with them, a check wants thousands
MAX_CALLBACK_SIZE = 100_000  # numbers in one argument of a callback
MAX_CALLBACK_PRODUCT = (
    1_000_000  # of all arguments broadcast against each other, or of the two largest if they do not fit
)
MAX_CALLBACK_TOTAL = 5_000_000  # numbers in all callbacks of one worker: a check may keep them
MAX_CALLBACK_COUNT = 10_000  # a number of things that a callback is asked for
MAX_CALLBACKS = 5_000  # of one worker
LARGE_KB = 600_000  # a worker that was killed at this size was killed for its size: the reference needs half of it
MAX_IDLE_SECONDS = 10.0  # of a worker, in all: an honest one never idles
MAX_IDLE_OF_ALL = 60.0  # of the workers of one submission in the suite, in its runs, or in its looks
MIN_PATIENCE = 1.0  # that a worker gets when the earlier ones have idled all of that away
WALL_FACTOR = 5.0  # the wall clock may show this many times the processor seconds of a budget

CODE_FILES = tuple(f"hw4/{name}" for name in load_assignment().submission.code)
# A worker names its exceptions itself: only well-known names are repeated to students, so that a name cannot carry
# information.
KNOWN_EXCEPTIONS = {
    name for name, thing in vars(builtins).items() if isinstance(thing, type) and issubclass(thing, BaseException)
} | {"BdbQuit", "OutOfMemoryError"}


class StudentError(Exception):
    """The student's code raised an exception."""

    def __init__(self, type_name: str, text: str, file: str | None, line: int | None) -> None:
        super().__init__(f"{type_name}: {text}")
        self.type_name = type_name
        self.text = text
        self.file = file
        self.line = line

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.file else "not a line of the submission"

    @property
    def shown_type(self) -> str:
        """The type's name, if it is one that everybody knows: students may see it."""
        return self.type_name if self.type_name in KNOWN_EXCEPTIONS else "an exception"


class WorkerDied(Exception):
    """The worker is gone, silent or talking nonsense. Whose fault that is, the canary decides."""

    def __init__(self, reason: str, exit_: WorkerExit, *, spent_its_time: bool) -> None:
        super().__init__(reason)
        self.spent_its_time = spent_its_time
        self.reason = reason
        self.exit = exit_

    @property
    def cause(self) -> str:
        """The likely cause, a key of the hint catalogue, should it be the student's fault."""
        known = {"time": "too_slow", "idle": "too_slow", "memory": "out_of_memory", "deadline": "deadline"}
        return known.get(self.reason, "exits")

    @property
    def may_be_chance(self) -> bool:
        """Whether it is worth trying again: it neither used up its processor time nor idled it away."""
        return self.reason not in ("deadline", "idle") and not (self.reason == "time" and self.spent_its_time)

    @property
    def by_machine(self) -> bool:
        """Whether it ended as no submission can bring about: killed while it was small, or kept from computing.

        A submission sends no signals, and one that grows until it is killed is large.
        """
        return self.reason == "killed" or (self.reason == "time" and not self.spent_its_time)


class RemoteSubject:
    """A Subject (see hw4/checking/subject.py) in a worker process of its own. Use as a context manager."""

    def __init__(
        self,
        server: ForkServer,
        package: Package,
        *,
        slot: int,
        cpu_seconds: float,
        call_seconds: float,
        memory_mb: int,
        ends: float = math.inf,
        time_spent: TimeSpent | None = None,
        reference_seconds: float = 0.0,
    ) -> None:
        """
        Args:
            server: forks the worker.
            package: the files of `hw4`.
            slot: which of the workers that run at once; decides the user id.
            cpu_seconds: processor time of the whole worker; the wall clock may show WALL_FACTOR times as much.
            call_seconds: the same for one call.
            memory_mb: address space.
            ends: when all must be over, on the clock of time.monotonic.
            time_spent: takes what became of the time of this worker, in the end.
            reference_seconds: of processor time, that the reference needs at most for the same.
        """
        self._server = server
        self._package = package
        self._slot = slot
        self._cpu_seconds = math.ceil(cpu_seconds)  # the kernel's limit counts whole seconds
        self._call_seconds = call_seconds
        self._memory_mb = memory_mb
        self._latest = ends
        self._callbacks: list[Callable[..., Any]] = []
        self._num_callbacks = self._num_callback_numbers = 0
        self._callback_seconds = 0.0  # of the referee's processor time
        self._time_spent = time_spent or TimeSpent(lanes=1)
        self._reference_seconds = reference_seconds
        self._watch: IdleWatch | None = None
        self.layers: dict[str, str] = {}
        self.exit: WorkerExit | None = None

    def __enter__(self) -> RemoteSubject:
        if time.monotonic() >= self._latest:
            self.exit = WorkerExit(None, 0.0, 0)
            raise WorkerDied("deadline", self.exit, spent_its_time=False)
        self.pid, connection = self._server.spawn(
            slot=self._slot, cpu_seconds=self._cpu_seconds, memory_mb=self._memory_mb
        )
        self._connection = _Line(connection)
        try:
            hello_by = time.monotonic() + HELLO_SECONDS
            self._ends = min(hello_by + self._cpu_seconds * WALL_FACTOR, self._latest)
            message, _ = self._receive(hello_by)
            self.layers = message["layers"]
            verify_layers(self.pid, self.layers, self._server.uid_of(self._slot))  # no student's code is in there yet
            contents = [np.frombuffer(content, np.uint8) for content in self._package.values()]
            self._send({"kind": "sources", "names": list(self._package)}, contents, self._ends)
            self._watch = self._connection.watch = IdleWatch(self.pid)
            self._connection.max_idle_seconds = self._patience
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._account()
        self._connection.close()
        if self.exit is None:
            self.exit = self._server.end(self.pid, self._slot)

    @property
    def cpu_seconds(self) -> float:
        """Processor time the worker has used so far."""
        return cpu_seconds_of(self.pid) if self.exit is None else self.exit.cpu_seconds

    @property
    def _patience(self) -> float:
        """Seconds that this worker may idle away."""
        return min(MAX_IDLE_SECONDS, max(MIN_PATIENCE, MAX_IDLE_OF_ALL - self._time_spent.idle_seconds))

    def _account(self) -> None:
        """Write down, once, what became of this worker's time."""
        if self._watch is not None:
            self._time_spent.add(self._watch, self._callback_seconds, self._reference_seconds)
            self._watch = None

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._request({"kind": "call", "name": name}, args, kwargs)

    def call_method(self, handle: Handle, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._request({"kind": "method", "handle": handle.number, "name": name}, args, kwargs)

    def _request(self, message: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        deadline = min(time.monotonic() + self._call_seconds * WALL_FACTOR, self._ends)
        arrays: list[Any] = []
        message["args"] = wire.pack(args, arrays, self._tag)
        message["kwargs"] = {name: wire.pack(value, arrays, self._tag) for name, value in kwargs.items()}
        self._send(message, arrays, deadline)
        while True:
            reply, arrays = self._receive(deadline)
            kind = reply.get("kind")
            if kind == "callback":
                self._answer(reply, arrays, deadline)
            elif kind == "error":
                file, line = _text(reply.get("file"), 100), reply.get("line")
                known_place = file in CODE_FILES and type(line) is int and 0 < line <= self._num_lines(file)
                raise StudentError(
                    _text(reply.get("type"), 100),
                    _text(reply.get("text"), 2000),
                    file if known_place else None,
                    line if known_place else None,
                )
            elif kind == "result":
                if sum(array.size for array in arrays) > MAX_ANSWER_SIZE:
                    raise StudentError("ValueError", f"an answer of more than {MAX_ANSWER_SIZE} numbers", None, None)
                return self._unpack(reply.get("value"), arrays)
            else:
                raise self._died("protocol")

    def _num_lines(self, file: str) -> int:
        return self._package[file.removeprefix("hw4/")].count(b"\n") + 1

    def _answer(self, reply: dict[str, Any], arrays: list[Any], deadline: float) -> None:
        number = reply.get("number")
        if type(number) is not int or not 0 <= number < len(self._callbacks):
            raise self._died("protocol")
        unpacked = self._unpack(reply.get("value"), arrays)
        if not (isinstance(unpacked, tuple) and len(unpacked) == 2 and all(isinstance(u, tuple) for u in unpacked)):
            raise self._died("protocol")
        args, names_and_values = unpacked
        try:
            kwargs = {str(name): value for name, value in names_and_values}
        except (TypeError, ValueError) as error:
            raise self._died("protocol") from error
        self._num_callbacks += 1
        self._num_callback_numbers += _check_callback(self._num_callbacks, [*args, *kwargs.values()])
        if self._num_callback_numbers > MAX_CALLBACK_TOTAL:
            raise CheckFailed("collaborators were called with far more numbers than a solution needs", "wrong_shape")
        answer_arrays: list[Any] = []
        began = time.thread_time()
        try:
            answer = self._callbacks[number](*args, **kwargs)
        except (CheckFailed, StudentError, WorkerDied):
            raise
        except CALLED_WRONGLY as error:
            raise failed_callback(self._callbacks[number], args, error) from error
        finally:
            self._callback_seconds += time.thread_time() - began
        if self._callback_seconds > self._cpu_seconds:  # what it has the referee compute, it computes
            raise self._died("time", spent=True)
        value = wire.pack(answer, answer_arrays, self._tag)
        self._send({"value": value}, answer_arrays, deadline)

    def _unpack(self, value: Any, arrays: list[Any]) -> Any:
        try:
            return wire.unpack(value, arrays, _untag)
        except wire.WireError as error:
            raise self._died("protocol") from error

    def _tag(self, value: Any) -> tuple[str, Any]:
        if isinstance(value, Handle):
            return "handle", value.number
        if isinstance(value, Seed):
            return "seed", value.value
        if isinstance(value, Kept):
            return "kept", (np.asarray(value.array), value.number)
        if isinstance(value, AsNumPy):
            return "as_numpy", np.asarray(value.array)
        if isinstance(value, Transition):
            return "transition", tuple(value)
        if isinstance(value, Experiment):
            return "experiment", tuple(dataclasses.asdict(value).items())
        if callable(value):
            self._callbacks.append(value)
            return "callback", len(self._callbacks) - 1
        raise TypeError(f"a {type(value).__name__} cannot be passed to a worker")

    def _send(self, message: dict[str, Any], arrays: list[Any], deadline: float) -> None:
        try:
            wire.send_frame(self._connection, message, arrays, deadline)
        except wire.DeadlinePassed as error:
            raise self._died("idle" if self._connection.has_idled else "time") from error
        except wire.WireClosed as error:
            raise self._died("closed") from error

    def _receive(self, deadline: float) -> tuple[dict[str, Any], list[Any]]:
        try:
            return wire.receive_frame(self._connection, deadline)
        except wire.DeadlinePassed as error:
            raise self._died("idle" if self._connection.has_idled else "time") from error
        except wire.WireClosed as error:
            raise self._died("closed") from error
        except wire.WireError as error:
            raise self._died("protocol") from error

    def _died(self, reason: str, *, spent: bool = False) -> WorkerDied:
        self._account()
        self.exit = self._server.end(self.pid, self._slot, kill=reason != "closed")
        if reason == "time" and self._latest <= time.monotonic():
            reason = "deadline"
        spent = spent or self.exit.cpu_seconds >= 0.8 * min(self._cpu_seconds, self._call_seconds)
        if reason == "closed" and self.exit.status == -signal.SIGXCPU:
            reason = "time"
        if reason == "closed" and self.exit.status == -signal.SIGKILL:
            reason = "time" if spent else "memory" if self.exit.max_rss_kb >= LARGE_KB else "killed"
        return WorkerDied(reason, self.exit, spent_its_time=spent)


class _Line:
    """The connection to a worker. Whoever waits at it watches the worker, and gives up when that has idled too long."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._until = math.inf
        self.watch: IdleWatch | None = None
        self.max_idle_seconds = math.inf
        self.has_idled = False

    def settimeout(self, seconds: float | None) -> None:
        self._until = math.inf if seconds is None else time.monotonic() + seconds

    def recv(self, size: int) -> bytes:
        while True:
            try:
                return self._connection.recv(size)
            except BlockingIOError:
                self._wait([self._connection], [])

    def sendall(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._connection.send(left) :]
            except BlockingIOError:
                self._wait([], [self._connection])

    def close(self) -> None:
        self._connection.close()

    def _wait(self, to_read: list[socket.socket], to_write: list[socket.socket]) -> None:
        """Until the worker has written or read something.

        Raises:
            TimeoutError: it is too late, or the worker idles.
        """
        if self.watch is not None:
            self.watch.begin()
        while True:
            start = time.monotonic()
            seconds = min(next_look(), max(0.0, self._until - start))
            is_ready = any(select.select(to_read, to_write, [], seconds))
            end = time.monotonic()
            if self.watch is not None:
                self.watch.look(min(seconds, end - start), has_answered=is_ready)
                self.has_idled = self.watch.idle_seconds >= self.max_idle_seconds
            if is_ready:
                return
            if self.has_idled or end >= self._until:
                raise TimeoutError


def _check_callback(number: int, args: list[Any]) -> int:
    """Callbacks compute in the trusted process: a submission must not make it work or remember without bound.

    Returns:
        How many numbers the arguments hold.
    """
    if not all(arg is None or isinstance(arg, np.ndarray | int | float | Handle) for arg in args):
        raise CheckFailed(
            "a collaborator was called with something that is neither an array nor a number", "missing_argument"
        )
    arrays = [arg for arg in args if isinstance(arg, np.ndarray)]
    sizes = sorted((array.size for array in arrays), reverse=True)
    counts = [abs(arg) for arg in args if isinstance(arg, int | float)]
    try:
        together = math.prod(np.broadcast_shapes(*(array.shape[:-1] for array in arrays)))
        product = together * max((array.shape[-1] for array in arrays if array.ndim), default=1)
    except ValueError:  # shapes that do not fit: the collaborator will say so
        product = math.prod(sizes[:2])
    if max(max(sizes, default=0) - MAX_CALLBACK_SIZE, product - MAX_CALLBACK_PRODUCT) > 0 or any(
        not count <= MAX_CALLBACK_COUNT for count in counts
    ):
        raise CheckFailed("a collaborator was called with arguments far larger than any it was given", "wrong_shape")
    if number > MAX_CALLBACKS:
        raise CheckFailed(f"collaborators were called more than {MAX_CALLBACKS} times", "loop_over_sequences")
    return sum(sizes)


def _untag(name: str, content: Any) -> Any:
    if name == "handle" and type(content) is int:
        return Handle(content)
    if name == "transition" and isinstance(content, tuple) and len(content) == 3:
        return Transition(*content)
    raise wire.WireError("a malformed value")


def _text(value: Any, length: int) -> str:
    """A worker's text on its way to terminals and pages: short, without control characters and half characters."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in str(value)[:length])
