"""Calls the student's functions with NumPy in and NumPy out (given).

A check talks to a *subject*: `subject.call("mpc.refit_to_elites", ...)`. Here the subject is the `hw4` package in this
process; the grader has one that forwards each call to a process of its own, so the same worked example runs in both.

What may go in: numbers, strings, None, NumPy arrays (they arrive as tensors; floats as float32), `AsNumPy` (arrives as
the array it holds), `Transition`s, tuples and lists of these, a `Seed` (arrives as a torch.Generator), functions over
arrays (arrive as functions over tensors), handles of objects that an earlier call returned, and `Kept` arrays (each
arrives as one tensor, the same in every call). What comes out: numbers, strings, None, arrays, tuples of these, and for
anything else a handle.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from hw4.checking.answers import failed_callback
from hw4.transitions import Transition

CALLED_WRONGLY = (TypeError, ValueError, IndexError, AttributeError)  # of a function over arrays that gets wrong ones


@dataclass(frozen=True)
class Seed:
    """Arrives as a torch.Generator with this seed."""

    value: int


@dataclass(frozen=True)
class AsNumPy:
    """Arrives as a NumPy array, not as a tensor."""

    array: Any


_numbers = itertools.count()


@dataclass(frozen=True, eq=False)
class Kept:
    """Arrives as a tensor that stays: in every call that it is handed to, as the very same one."""

    array: Any
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)


@dataclass(frozen=True)
class Handle:
    """An object that stays where it was made."""

    number: int


class Subject(Protocol):
    """Something with the functions of `hw4` that can be called."""

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call "module.function" or "module.Class" of hw4, for example "mpc.cem"."""

    def call_method(self, handle: Handle, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of an object that an earlier call returned."""


class LocalSubject:
    """The `hw4` package in this process."""

    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._kept: dict[int, Any] = {}

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        module_name, _, symbol = name.rpartition(".")
        function = getattr(importlib.import_module(f"hw4.{module_name}"), symbol)
        return self._call(function, args, kwargs)

    def call_method(self, handle: Handle, name: str, *args: Any, **kwargs: Any) -> Any:
        owner = self._objects[handle.number]
        method = getattr(type(owner), name)  # that of the class, whatever the object calls by this name
        return self._call(method, (handle, *args), kwargs)

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = function(*(self.to_torch(a) for a in args), **{k: self.to_torch(v) for k, v in kwargs.items()})
        return self.to_numpy(result)

    def to_torch(self, value: Any) -> Any:
        """Turn what a check hands in into what the student's code expects."""
        import torch

        if isinstance(value, np.ndarray | np.generic):
            dtype = np.float32 if value.dtype.kind == "f" else np.int64 if value.dtype.kind in "iu" else value.dtype
            return torch.from_numpy(np.array(value, dtype=dtype))
        if isinstance(value, Transition):
            return Transition(*(self.to_torch(field) for field in value))
        if isinstance(value, tuple | list):
            return type(value)(self.to_torch(item) for item in value)
        if isinstance(value, AsNumPy):
            return np.array(value.array)
        if isinstance(value, Kept):
            if value.number not in self._kept:
                self._kept[value.number] = self.to_torch(value.array)
            return self._kept[value.number]
        if isinstance(value, Seed):
            return torch.Generator().manual_seed(value.value)
        if isinstance(value, Handle):
            return self._objects[value.number]
        if callable(value):
            return self._over_tensors(value)
        return value

    def _over_tensors(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def over_tensors(*args: Any, **kwargs: Any) -> Any:
            arrays = [self.to_numpy(arg) for arg in args]
            named = {name: self.to_numpy(value) for name, value in kwargs.items()}
            try:
                answer = function(*arrays, **named)
            except CALLED_WRONGLY as error:
                raise failed_callback(function, (*arrays, *named.values()), error) from error
            return self.to_torch(answer)

        return over_tensors

    def to_numpy(self, value: Any) -> Any:
        """Turn what the student's code answers into what a check reads."""
        import torch

        if isinstance(value, torch.Tensor):
            return value.detach().cpu().numpy().copy()
        if isinstance(value, np.ndarray | np.generic):
            return np.array(value)
        if isinstance(value, Transition):
            return Transition(*(self.to_numpy(field) for field in value))
        if isinstance(value, tuple | list):  # a named tuple, too
            return tuple(self.to_numpy(item) for item in value)
        if value is None or type(value) in (bool, int, float, str):
            return value
        self._objects.append(value)
        return Handle(len(self._objects) - 1)
