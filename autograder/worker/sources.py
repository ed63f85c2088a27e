"""Imports modules from memory: no submission is ever in a file that a worker could read."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

PACKAGE = "hw4"


class SourceFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the package `hw4` from source files; what it has no file for is nowhere else looked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}  # `hw4/NAME.py` or `hw4/FOLDER/NAME.py` -> content

    @staticmethod
    def module_of(name: str) -> str:
        """The module of a file of the package: "hw4.checking.subject" for "checking/subject.py"."""
        return f"{PACKAGE}.{name.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        is_package = self.is_package(fullname)
        return importlib.util.spec_from_loader(fullname, self, origin=self._file_of(fullname), is_package=is_package)

    def is_package(self, fullname: str) -> bool:
        return f"{fullname.replace('.', '/')}/__init__.py" in self.files

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self.files[self._file_of(fullname)])

    def get_code(self, fullname: str) -> Any:
        file = self._file_of(fullname)
        return self.source_to_code(self.files[file], file)

    def _file_of(self, fullname: str) -> str:
        place = fullname.replace(".", "/")
        file = f"{place}/__init__.py" if self.is_package(fullname) else f"{place}.py"
        if file not in self.files:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return file


FINDER = SourceFinder()


def install(files: Mapping[str, bytes]) -> None:
    """Let modules of `hw4` be imported from these files, and from those of earlier calls."""
    FINDER.files.update({f"{PACKAGE}/{name}": content for name, content in files.items()})
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)
