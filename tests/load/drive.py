"""How many people one server holds: ``PYTHONPATH=.:tests/browser python tests/load/drive.py``.

Every session speaks Streamlit's own protocol over a web socket: it opens the Genomap page, then opens the next patient
or releases the noise slider, and now and then goes to the Data page; between two steps it thinks (exponential, with the
mean of its run). The server runs on one core, the sessions on the others. One table is printed, a line a run: median
and 95th percentile of a server's rerun, reruns a second, processor time a rerun, memory a session, errors, and how busy
the machine was with other work; then the targets, held or not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import websockets
from browser_harness import ROOT, AppServer
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PAGES = ("genomap", "data")
RUNS = ("80x10", "10x0", "100x10", "80xinf")
"""Sessions x mean think time in seconds; inf: they come, look, and do nothing."""
AWAY = 0.05
"""Share of the steps that go to the other page."""
TARGETS = {
    "80x10": ("p95_ms", 1000.0),
    "10x0": ("p95_ms", 1000.0),
    "100x10": ("errors", 0.0),
    "80xinf": ("mb_a_session", 5.0),
}
"""What each run must not exceed."""


@dataclass
class Tally:
    """What all sessions saw."""

    reruns: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    exceptions: int = 0
    bytes: int = 0


@dataclass
class Screen:
    """What one session's browser knows: the pages, and the widgets of the present one."""

    pages: dict[str, str] = field(default_factory=dict)
    next_button: str = ""
    map_id: str = ""
    query: str = ""


class Visitor:
    """One session."""

    def __init__(self, url: str, tally: Tally, seed: int) -> None:
        self.url, self.tally, self.rng, self.screen = url, tally, random.Random(seed), Screen()
        self.page, self.level = "genomap", 0.0

    async def visit(self, begin: float, end: float, think: float, least: int = 0) -> None:
        """Come, look around until ``end`` and at least ``least`` times, and go."""
        await asyncio.sleep(max(0.0, begin - time.monotonic()))
        try:
            async with websockets.connect(
                self.url, subprotocols=["streamlit"], max_size=None, ping_interval=None, open_timeout=60
            ) as socket:
                self.tally.first.append(await self._rerun(socket, BackMsg()))
                steps = 0
                while (left := end - time.monotonic()) > 0 or steps < least:
                    pause = think if think in (0, math.inf) else self.rng.expovariate(1 / think)
                    await asyncio.sleep(max(0.0, min(pause, left)))
                    if pause >= left and steps >= least:
                        return
                    steps += 1
                    self.tally.reruns.append(await self._rerun(socket, self._step()))
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            self.tally.errors.append(f"{type(error).__name__}: {str(error)[:100]}")

    def _step(self) -> BackMsg:
        message = BackMsg()
        state = message.rerun_script
        if self.rng.random() < AWAY:
            self.page = PAGES[1 - PAGES.index(self.page)]
        elif self.page == "genomap" and self.rng.random() < 0.5 and self.screen.next_button:
            widget = state.widget_states.widgets.add()
            widget.id, widget.trigger_value = self.screen.next_button, True
        else:
            self.level = round(self.rng.random() * 2, 2)
        if self.page == "genomap" and self.screen.map_id:
            widget = state.widget_states.widgets.add()
            widget.id = self.screen.map_id
            widget.json_value = json.dumps({"perturbation": {"level": self.level, "keep": 1.0, "epoch": 0}})
        state.page_script_hash = self.screen.pages.get(self.page, "")
        state.query_string = self.screen.query
        return message

    async def _rerun(self, socket: websockets.ClientConnection, message: BackMsg) -> float:
        """Send, read until the script has finished: seconds."""
        message.rerun_script.SetInParent()
        began = time.monotonic()
        await socket.send(message.SerializeToString())
        while True:
            data = await asyncio.wait_for(socket.recv(), 120)
            self.tally.bytes += len(data)
            answer = ForwardMsg()
            answer.ParseFromString(data)
            kind = answer.WhichOneof("type")
            if kind == "navigation":
                self.screen.pages = {p.url_pathname: p.page_script_hash for p in answer.navigation.app_pages}
            elif kind == "page_info_changed":
                self.screen.query = answer.page_info_changed.query_string
            elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                self._note(answer.delta.new_element)
            elif kind == "script_finished" and answer.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return time.monotonic() - began

    def _note(self, element: Element) -> None:
        kind = element.WhichOneof("type")
        if kind == "button" and element.button.label == "Next":
            self.screen.next_button = element.button.id
        elif kind == "bidi_component":
            self.screen.map_id = element.bidi_component.id
        elif kind == "exception":
            self.tally.exceptions += 1


async def drive(url: str, sessions: int, think: float, seconds: float, tally: Tally, least: int = 0) -> None:
    """All sessions at once; they arrive within the first half of ten seconds."""
    now = time.monotonic()
    arrive = min(5.0, seconds / 4)
    visitors = [Visitor(url, tally, seed).visit(now + arrive * seed / sessions, now + seconds, think, least)
                for seed in range(sessions)]  # fmt: skip
    await asyncio.gather(*visitors)


def measure(server: AppServer, sessions: int, think: float, seconds: float, least: int = 0) -> dict[str, float]:
    """One line of the table; every session makes at least ``least`` reruns, however long that takes."""
    process = max(server.processes(), key=lambda p: p.memory_info().rss if "streamlit" in " ".join(p.cmdline()) else 0)
    memory, cpu, other = process.memory_info().rss, process.cpu_times(), psutil.cpu_times()
    tally = Tally()
    began = time.monotonic()
    asyncio.run(drive(server.url.replace("http", "ws") + "/_stcore/stream", sessions, think, seconds, tally, least))
    took = time.monotonic() - began
    used = sum(process.cpu_times()[:2]) - sum(cpu[:2])
    now = psutil.cpu_times()
    busy = (now.user + now.system + now.nice) - (other.user + other.system + other.nice)
    reruns = sorted(tally.reruns) or [float("nan")]
    return {
        "sessions": sessions,
        "think_s": think,
        "reruns": len(tally.reruns),
        "p50_ms": 1e3 * statistics.median(reruns),
        "p95_ms": 1e3 * reruns[min(len(reruns) - 1, int(0.95 * len(reruns)))],
        "first_p95_ms": 1e3 * sorted(tally.first or [float("nan")])[int(0.95 * max(len(tally.first) - 1, 0))],
        "per_second": len(tally.reruns) / took,
        "cpu_ms_a_rerun": 1e3 * used / max(len(tally.reruns) + len(tally.first), 1),
        "mb_a_session": (process.memory_info().rss - memory) / 1e6 / sessions,
        "kb_a_rerun": tally.bytes / 1e3 / max(len(tally.reruns) + len(tally.first), 1),
        "errors": len(tally.errors) + tally.exceptions,
        "other_cores_busy": max(0.0, (busy - used) / took),
    }


def serve(home: Path, core: int | None) -> AppServer:
    """The app on a home of its own, all of its threads on one core; this process leaves that core to it."""
    server = AppServer(ROOT / "app.py", home)
    if core is None or not hasattr(os, "sched_setaffinity"):
        return server.start()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return server.start()
    finally:
        os.sched_setaffinity(0, cores - {core} or cores)


def table(found: dict[str, dict[str, float]]) -> str:
    """All runs, and whether the targets hold."""
    names = list(next(iter(found.values())))
    rows = [names, *([f"{run[name]:.4g}" for name in names] for run in found.values())]
    widths = [max(len(row[k]) for row in rows) for k in range(len(names))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]
    for name, run in found.items():
        if name in TARGETS:
            what, most = TARGETS[name]
            lines.append(
                f"{name}: {what} {run[what]:.4g}, at most {most:g}: {'held' if run[what] <= most else 'MISSED'}"
            )
    return "\n".join(lines)


def main() -> None:
    """Print the table; every line is a fresh server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", nargs="*", default=list(RUNS), help="SESSIONSxTHINK")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for run in options.runs:
        sessions, think = run.split("x")
        with tempfile.TemporaryDirectory() as home:
            server = serve(Path(home), options.core)
            try:
                asyncio.run(drive(server.url.replace("http", "ws") + "/_stcore/stream", 1, 0, 3, Tally()))
                found[run] = measure(server, int(sessions), float(think), options.seconds)
            finally:
                server.close()
    print(json.dumps(found) if options.json else table(found))


if __name__ == "__main__":
    main()
