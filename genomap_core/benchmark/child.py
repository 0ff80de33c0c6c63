"""``python -m genomap_core.benchmark.child``: the fresh interpreter that does one bundle.

It reads its orders as one line of JSON, says on its standard output which run it is at, and writes the records itself.
It dies with its parent: by a signal on Linux, and everywhere because its standard input ends.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from genomap_core.process import die_with_parent, private_streams

DATA = "data"
"""What the child says while it reads the data set."""


def main() -> int:
    """Do the bundle; 0 even if every run failed, for failures are records."""
    die_with_parent(os.getppid())
    asked, told = private_streams()
    orders_from, channel = os.fdopen(asked), os.fdopen(told, "w")
    orders = json.loads(orders_from.readline())
    threading.Thread(target=_watch_parent, args=(orders_from,), daemon=True).start()
    faulthandler.enable()
    _obey(orders, lambda at: print_line(channel, at))
    return 0


def _obey(orders: dict[str, Any], tell: Callable[[str], None]) -> None:
    from genomap_core.benchmark.catalogue import Entry
    from genomap_core.benchmark.models import plugin_models
    from genomap_core.benchmark.protocol import Run
    from genomap_core.benchmark.records import Record, describe_machine, describe_versions, failed
    from genomap_core.benchmark.sources import Places, read_set
    from genomap_core.benchmark.store import Store
    from genomap_core.benchmark.work import Settings, Trained, check_set, work
    from genomap_core.errors import InputError
    from genomap_core.store import decode

    store = Store(Path(orders["store"]), {})
    entry = decode(Entry, orders["entry"])
    places = Places(*(None if p is None else Path(p) for p in orders["places"]))
    plugin_models(orders["plugin"])  # a plugin that can't be imported is a mistake of the command, not of a run
    common = {**orders["limits"], "machine": describe_machine(), "versions": json.dumps(describe_versions())}
    settings = Settings(orders["n_folds"], orders["options"], orders["device"], orders["plugin"], entry.counts, common)
    dataset, reason, last = None, "", Trained()
    tell(DATA)
    try:
        dataset = read_set(entry, places)
        check_set(dataset)
    except InputError as error:
        reason = str(error)
    for run in map(Run.parse, orders["runs"]):
        tell(run.name)
        if dataset is None or reason:
            record: Record = failed(run, "refused", reason, device=settings.device, **common)
        else:
            record = work(run, dataset, settings, last)
        store.put(_stamped(record))


def _stamped(record: Any) -> Any:
    from dataclasses import replace

    return replace(record, finished=time.time())


def print_line(channel: TextIO, text: str) -> None:
    """One line, at once."""
    channel.write(text + "\n")
    channel.flush()


def _watch_parent(orders: TextIO) -> None:
    orders.read()  # ends when the parent's end of the pipe is closed, also by its death
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
