"""The child of a `WarmWorker`: ``python -m genomap_core.jobs.warm_child CACHE_ITEMS [MODULE ...]``; ends with stdin."""

from __future__ import annotations

import faulthandler
import importlib
import os
import sys
import traceback
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np

from genomap_core.errors import GenomapError, JobError
from genomap_core.jobs.entry import resolve
from genomap_core.jobs.frames import Pipe, PipeClosed
from genomap_core.jobs.worker import ending_of
from genomap_core.process import die_with_parent, private_streams, rss_of


class LruCache(OrderedDict[Any, Any]):
    """A dictionary that forgets the value unused for longest once it has more than ``max_items``."""

    def __init__(self, max_items: int) -> None:
        super().__init__()
        self._max_items = max_items

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        self.move_to_end(key)
        return value

    def get(self, key: Any, default: Any = None) -> Any:
        """As of a dictionary; counts as a use."""
        try:
            return self[key]
        except KeyError:
            return default

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self._max_items:
            del self[next(iter(self))]


def main(cache_items: int, preload: Iterable[str]) -> None:
    """Answer requests one after another until the parent closes its end."""
    die_with_parent(os.getppid())
    pipe = Pipe(*private_streams())
    faulthandler.enable()
    for module in preload:
        importlib.import_module(module)
    cache = LruCache(cache_items)
    while True:
        try:
            head, arrays = pipe.receive()
            answer, found = _serve(head, arrays, cache)
            _reply(pipe, answer, found)
        except PipeClosed:
            return


def _reply(pipe: Pipe, answer: dict[str, Any], found: dict[str, np.ndarray]) -> None:
    rss = {"rss": rss_of(os.getpid())}
    try:
        pipe.send(answer | rss, found)
    except JobError as error:  # raised before the first byte: not JSON, or objects in an array
        pipe.send({"error": {"kind": "JobError", "message": str(error)}} | rss, {})


def _serve(
    head: dict[str, Any], arrays: dict[str, np.ndarray], cache: LruCache
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        answer, found = resolve(head["task"])(head["spec"], arrays, cache)
    except Exception as error:  # noqa: BLE001 - the outermost door: whatever comes out is told in words
        traceback.print_exc()
        kind = type(error).__name__ if isinstance(error, GenomapError) else ""
        return {"error": {"kind": kind, "message": ending_of(error)[1]}}, {}
    return {"answer": answer}, found


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
    os._exit(0)
