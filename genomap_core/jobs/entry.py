"""Entry points ``"genomap_core.workflows.x:function"``: the only code that a worker will run."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

from genomap_core.errors import JobError

ALLOWED_PREFIX = "genomap_core."
_SHAPE = re.compile(r"genomap_core(\.[a-z][a-z0-9_]*)+:[a-z][a-z0-9_]*", re.ASCII)


_MOVED = {
    "workflows.compare": "workflows.tabular.compare",
    "workflows.expression_jobs": "workflows.expression.jobs",
    "workflows.expression_view": "workflows.expression.view",
    "workflows.fusion_jobs": "workflows.fusion.jobs",
    "workflows.fusion_view": "workflows.fusion.view",
    "workflows.genomap": "workflows.tabular.genomap",
    "workflows.growth_jobs": "workflows.growth.jobs",
    "workflows.growth_lesson": "workflows.lessons.growth",
    "workflows.growth_view": "workflows.growth.view",
    "workflows.layout_study": "workflows.tabular.layout_study",
    "workflows.lessons": "workflows.lessons.trained",
    "workflows.patient": "workflows.tabular.patient",
    "workflows.train": "workflows.tabular.train",
}
"""Where modules with entry points lay in version 0.1 -> where they lie now: jobs queued by that version still run."""


def current_name(task: str) -> str:
    """The entry point under its present name; any other text as it is."""
    module, colon, function = task.partition(":")
    moved = _MOVED.get(module.removeprefix(ALLOWED_PREFIX))
    return f"{ALLOWED_PREFIX}{moved}{colon}{function}" if moved else task


def check_entry_point(task: str) -> str:
    """The entry point unchanged, or :class:`JobError`. Imports nothing."""
    if not isinstance(task, str) or not _SHAPE.fullmatch(task):
        raise JobError(
            f"`task` must be a public function of this library, written {ALLOWED_PREFIX}module:function, got {task!r}."
        )
    return task


def resolve(task: str) -> Callable[..., Any]:
    """Import the module and return its function. Only called in worker processes."""
    module_name, _, name = current_name(check_entry_point(task)).partition(":")
    function = getattr(importlib.import_module(module_name), name, None)
    if not callable(function):
        raise JobError(f"The module {module_name} has no function {name!r}.")
    return function
