"""``python -m genomap_core.benchmark plan | run | status | collect | report | summary``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from types import FrameType

from genomap_core.benchmark import cli
from genomap_core.benchmark import cli as terminal
from genomap_core.benchmark.driver import Listener, run_study
from genomap_core.benchmark.estimate import Estimate, seconds_left
from genomap_core.benchmark.protocol import Protocol, bundles, runs, shard
from genomap_core.benchmark.store import HEADER, open_store, planned
from genomap_core.errors import GenomapError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0: done, 1: a problem that was named, 2: wrong arguments, 130: interrupted."""
    args = cli.parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)  # what Slurm sends first; ends as Ctrl-C does
    try:
        return COMMANDS[args.command](args)
    except GenomapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; all results so far are in the store. Repeat the command to continue.", file=sys.stderr)
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def plan(args: argparse.Namespace) -> int:
    """What would run."""
    protocol, _ = cli.to_protocol(args)
    pieces = shard(list(bundles(protocol)), args.shard)
    wanted = [r for piece in pieces for r in piece.runs]
    if args.list:
        print("\n".join(r.name for r in wanted))
        return 0
    store = open_store(args.store) if (args.store / HEADER).is_file() else None
    done = store.done() if store else set()
    missing = [r for r in wanted if r.name not in done]
    left = seconds_left(missing, store.records()) if store and missing else 0.0 if not missing else None
    facts = {
        "sets": len(protocol.folds),
        "models": list(protocol.models),
        "conditions": [c.name for c in protocol.conditions],
        "bundles": len(pieces),
        "runs": len(wanted),
        "missing": len(missing),
        "core_hours_left": None if left is None else round(left / 3600, 2),
    }
    if args.json:
        print(json.dumps(facts))
        return 0
    print(f"{facts['sets']} sets, {len(protocol.models)} models, {len(protocol.conditions)} conditions:")
    print(f"{len(wanted):,} runs in {len(pieces):,} bundles, {len(missing):,} of them missing in {args.store}.")
    print(
        "Time: " + (f"{terminal.duration(left)} of one core." if left is not None else "unknown before the first runs.")
    )
    return 0


def run(args: argparse.Namespace) -> int:
    """Do what is missing."""
    study = cli.to_study(args)
    outcome = run_study(study, _ignore if args.quiet else _bar())
    for problem in outcome.problems:
        print(f"error: {problem}", file=sys.stderr)
    print(f"{outcome.done:,} of {outcome.total:,} runs are in {args.store}.")
    return 0 if outcome.done == outcome.total else 1


def _ignore(estimate: Estimate) -> None:
    """Nothing is shown."""


def _bar() -> Listener:
    """One line that is drawn over; a line every half minute where the output is no terminal."""
    tty = sys.stderr.isatty()
    shown_at, ended = -30.0, False

    def show(estimate: Estimate) -> None:
        nonlocal shown_at, ended
        last = estimate.done == estimate.total
        if ended or (not tty and time.monotonic() - shown_at < 30 and not last):
            return
        shown_at, ended = time.monotonic(), last
        text = terminal.bar(estimate)
        print(f"\r\x1b[K{text}" if tty else text, end="\n" if last or not tty else "", file=sys.stderr, flush=True)

    return show


def status(args: argparse.Namespace) -> int:
    """How far a study is."""
    store = open_store(args.store)
    protocol = planned(store)
    records, damaged = store.read()
    by_status = dict(Counter(r.status for r in records).most_common())
    done = store.done()
    missing = [r for r in runs(protocol) if r.name not in done]
    left = seconds_left(missing, records) if missing else 0.0
    if args.json:
        facts = {
            "done": len(done),
            "missing": len(missing),
            "statuses": by_status,
            "damaged": [str(d.path) for d in damaged],
        }
        print(json.dumps({**facts, "core_seconds_left": left}))
        return 1 if damaged else 0
    print(f"{args.store}: {len(done):,} of {len(done) + len(missing):,} runs ({terminal.counts(by_status)}).")
    if missing:
        print(f"Missing: {len(missing):,} runs, {terminal.duration(left)} of one core.")
    for damage in damaged:
        print(f"damaged: {damage.path}: {damage.reason}")
    print(_by_model(protocol, {r.name: r.status for r in records}))
    return 1 if damaged else 0


def _by_model(protocol: Protocol, statuses: dict[str, str]) -> str:
    names = ("ok", "oom", "timeout", "refused", "crash", "missing")
    found = {model: Counter[str]() for model in protocol.models}
    for r in runs(protocol):
        found[r.model][statuses.get(r.name, "missing")] += 1
    return terminal.table(("model", *names), [(m, *(str(c[n]) for n in names)) for m, c in found.items()])


def collect(args: argparse.Namespace) -> int:
    """Records of other stores, in one."""
    from genomap_core.benchmark.reading import read_study, take_over

    for source in args.sources:
        study = read_study(source)
        added = take_over(study, args.store)
        print(f"{source}: {added:,} of {len(study.table):,} records are new in {args.store}.")
    return 0


def summary(args: argparse.Namespace) -> int:
    """Mean ranks, mean scores, counts."""
    from genomap_core.benchmark.reading import read_study
    from genomap_core.benchmark.summary import summarise, summary_text

    found = summarise(read_study(args.store).filtered(args.sets, args.models), args.condition, args.metric)
    print(json.dumps(found.to_json()) if args.json else summary_text(found))
    return 0


def report(args: argparse.Namespace) -> int:
    """One HTML file."""
    from genomap_core.benchmark.reading import read_study, write_records
    from genomap_core.reports.benchmark import write_report

    study = read_study(args.store).filtered(args.sets, args.models)
    write_report(study, args.out, args.metric)
    print(f"{args.out}: {len(study.table):,} runs.")
    if args.records:
        write_records(study, args.records)
        print(f"{args.records}: {args.records.stat().st_size / 1e6:.1f} MB.")
    return 0


COMMANDS = {"plan": plan, "run": run, "status": status, "collect": collect, "report": report, "summary": summary}

if __name__ == "__main__":
    sys.exit(main())
