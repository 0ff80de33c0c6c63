"""Entry points ``"genomap_core.workflows.x:function"``: the only code that a worker will run."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

from genomap_core.errors import JobError

ALLOWED_PREFIX = "genomap_core."
_SHAPE = re.compile(r"genomap_core(\.[a-z][a-z0-9_]*)+:[a-z][a-z0-9_]*", re.ASCII)


def check_entry_point(task: str) -> str:
    """The entry point unchanged, or :class:`JobError`. Imports nothing."""
    if not isinstance(task, str) or not _SHAPE.fullmatch(task):
        raise JobError(
            f"`task` must be a public function of this library, written {ALLOWED_PREFIX}module:function, got {task!r}."
        )
    return task


def resolve(task: str) -> Callable[..., Any]:
    """Import the module and return its function. Only called in worker processes."""
    module_name, _, name = check_entry_point(task).partition(":")
    function = getattr(importlib.import_module(module_name), name, None)
    if not callable(function):
        raise JobError(f"The module {module_name} has no function {name!r}.")
    return function
