"""``benchmark``: the robustness study, its options as frozen values, and what it shows."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO

import psutil

from genomap_core.benchmark.bundle import RunLimits
from genomap_core.benchmark.catalogue import DEFAULT, choose, counted, folds_of, load_catalogue
from genomap_core.benchmark.driver import Listener, Study, run_study
from genomap_core.benchmark.engine import EngineConfig
from genomap_core.benchmark.estimate import Estimate, seconds_left
from genomap_core.benchmark.models import gpu_models
from genomap_core.benchmark.protocol import (
    CONDITIONS,
    MISSING,
    MODELS,
    TEST_NOISE,
    THINNED,
    Condition,
    Protocol,
    about_left_out,
    bundles,
    runs,
    shard,
)
from genomap_core.benchmark.sources import Places, data_folder
from genomap_core.benchmark.store import HEADER, open_store, planned
from genomap_core.benchmark.text import bar, counts, duration, table
from genomap_core.cli.answer import Answer
from genomap_core.cli.options import Collect, Command, Plan, Run, Status, StudyReport, Summary
from genomap_core.errors import InputError
from genomap_core.progress import OnProgress

SCHEDULER_VARIABLE = "DASK_SCHEDULER_ADDRESS"


def run(options: Command, on_progress: OnProgress) -> Answer | Iterator[Answer]:
    """One of the study's commands."""
    signal.signal(signal.SIGTERM, _interrupt)  # what Slurm sends first; ends as Ctrl-C does
    match options:
        case Plan():
            return _plan(options)
        case Run():
            return _run(options)
        case Status():
            return _status(options)
        case Collect():
            return _collect(options)
        case StudyReport():
            return _report(options)
        case Summary():
            return _summary(options)
    raise TypeError(f"{type(options).__name__} is no command of the study")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _plan(options: Plan) -> Answer:
    """What would run."""
    protocol, _ = to_protocol(options)
    pieces = shard(list(bundles(protocol)), options.shard)
    wanted = [r for piece in pieces for r in piece.runs]
    if options.as_list:
        return Answer("\n".join(r.name for r in wanted))
    store = open_store(options.store) if (options.store / HEADER).is_file() else None
    done = store.done() if store else set()
    missing = [r for r in wanted if r.name not in done]
    left = seconds_left(missing, store.records()) if store and missing else 0.0 if not missing else None
    facts: dict[str, object] = {
        "sets": len(protocol.folds),
        "models": list(protocol.models),
        "conditions": [c.name for c in protocol.conditions],
        "bundles": len(pieces),
        "runs": len(wanted),
        "missing": len(missing),
        "core_hours_left": None if left is None else round(left / 3600, 2),
        "no_counts": list(protocol.left_out),
    }
    time_left = "unknown before the first runs." if left is None else f"{duration(left)} of one core."
    lines = (
        f"{len(protocol.folds)} sets, {len(protocol.models)} models, {len(protocol.conditions)} conditions:",
        f"{len(wanted):,} runs in {len(pieces):,} bundles, {len(missing):,} of them missing in {options.store}.",
        f"Time: {time_left}",
        about_left_out(protocol),
    )
    return Answer("\n".join(filter(None, lines)), facts)


def _run(options: Run) -> Answer:
    """Do what is missing."""
    study = to_study(options)
    outcome = run_study(study, _ignore if options.quiet else _drawn(sys.stderr))
    text = f"{outcome.done:,} of {outcome.total:,} runs are in {options.store}. {about_left_out(study.protocol)}"
    return Answer(text.strip(), problems=outcome.problems, status=int(outcome.done != outcome.total))


def _ignore(estimate: Estimate) -> None:
    """Nothing is shown."""


def _drawn(stream: TextIO) -> Listener:
    """One line that is drawn over; a line every half minute where the output is no terminal."""
    tty = stream.isatty()
    shown_at, ended = -30.0, False

    def show(estimate: Estimate) -> None:
        nonlocal shown_at, ended
        last = estimate.done == estimate.total
        if ended or (not tty and time.monotonic() - shown_at < 30 and not last):
            return
        shown_at, ended = time.monotonic(), last
        text = bar(estimate)
        stream.write((f"\r\x1b[K{text}" if tty else text) + ("\n" if last or not tty else ""))
        stream.flush()

    return show


def _status(options: Status) -> Answer:
    """How far a study is."""
    store = open_store(options.store)
    protocol = planned(store)
    records, damaged = store.read()
    by_status = dict(Counter(r.status for r in records).most_common())
    done = store.done()
    missing = [r for r in runs(protocol) if r.name not in done]
    left = seconds_left(missing, records) if missing else 0.0
    facts: dict[str, object] = {
        "done": len(done),
        "missing": len(missing),
        "statuses": by_status,
        "damaged": [str(d.path) for d in damaged],
        "core_seconds_left": left,
    }
    lines = [f"{options.store}: {len(done):,} of {len(done) + len(missing):,} runs ({counts(by_status)})."]
    if missing:
        lines.append(f"Missing: {len(missing):,} runs, {duration(left)} of one core.")
    lines += [f"damaged: {damage.path}: {damage.reason}" for damage in damaged]
    lines.append(_by_model(protocol, {r.name: r.status for r in records}))
    return Answer("\n".join(lines), facts, status=int(bool(damaged)))


def _by_model(protocol: Protocol, statuses: dict[str, str]) -> str:
    names = ("ok", "oom", "timeout", "refused", "crash", "missing")
    found = {model: Counter[str]() for model in protocol.models}
    for r in runs(protocol):
        found[r.model][statuses.get(r.name, "missing")] += 1
    return table(("model", *names), [(m, *(str(c[n]) for n in names)) for m, c in found.items()])


def _collect(options: Collect) -> Iterator[Answer]:
    """Records of other stores, in one."""
    from genomap_core.benchmark.reading import read_study, take_over

    for source in options.sources:
        study = read_study(source)
        added = take_over(study, options.store)
        yield Answer(f"{source}: {added:,} of {len(study.table):,} records are new in {options.store}.")


def _summary(options: Summary) -> Answer:
    """Mean ranks, mean scores, counts."""
    from genomap_core.benchmark.reading import read_study
    from genomap_core.benchmark.summary import summarise, summary_text

    study = read_study(options.store).filtered(options.sets, options.models)
    found = summarise(study, options.condition, options.metric)
    return Answer(summary_text(found), found.to_json())


def _report(options: StudyReport) -> Iterator[Answer]:
    """One HTML file, and the records."""
    from genomap_core.benchmark.reading import read_study, write_records
    from genomap_core.reports.benchmark import write_report

    study = read_study(options.store).filtered(options.sets, options.models)
    write_report(study, options.out, options.metric)
    yield Answer(f"{options.out}: {len(study.table):,} runs.")
    if options.records:
        write_records(study, options.records)
        yield Answer(f"{options.records}: {options.records.stat().st_size / 1e6:.1f} MB.")


def to_protocol(options: Plan | Run) -> tuple[Protocol, dict[str, Any]]:
    """The protocol these arguments mean, with the catalogue entries of its sets."""
    entries = choose(load_catalogue(options.catalogue or DEFAULT), options.sets)
    models = MODELS if options.models is None else options.models
    conditions = CONDITIONS if options.conditions is None else tuple(Condition(name) for name in options.conditions)
    if options.test_noise:
        conditions += TEST_NOISE
    if options.missing:
        conditions += MISSING
    if options.thinned:
        conditions += THINNED
    if options.seeds < 1 or options.other_seeds < 0:
        raise InputError("`--seeds` must be at least 1 and `--other-seeds` at least 0.")
    protocol = Protocol(
        folds=folds_of(entries, options.folds),
        models=models,
        conditions=conditions,
        seeds=tuple(range(options.seeds)),
        other_seeds=tuple(range(options.other_seeds)),
        options=_model_options(options, models),
        gpu_models=gpu_models(models, options.device),
        counts=counted(entries),
    )
    return protocol, entries


def _model_options(options: Plan | Run, models: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    if options.weights is not None:
        found["pfn"] = {"model_path": str(options.weights)}
    for text in options.option:
        key, equals, value = text.partition("=")
        model, dot, name = key.partition(".")
        if not (equals and dot and name):
            raise InputError(f"`--option` must be MODEL.NAME=VALUE, such as genomap.max_epochs=30, got {text!r}.")
        if model not in models:
            raise InputError(f"`--option {text}`: {model!r} is none of the models {', '.join(models)}.")
        found.setdefault(model, {})[name] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def to_study(options: Run) -> Study:
    """What ``run`` is to do."""
    protocol, entries = to_protocol(options)
    workers = options.workers or max(1, (os.cpu_count() or 1) // options.threads)
    scheduler = options.scheduler or os.environ.get(SCHEDULER_VARIABLE) or None
    share = psutil.virtual_memory().total / 1e6 / (1 if scheduler else workers)
    memory = options.memory_limit * 1000 if options.memory_limit else round(min(8000.0, 0.9 * share))
    return Study(
        protocol=protocol,
        entries=entries,
        store=options.store,
        places=Places(data_folder(options.data), options.cache),
        limits=RunLimits(memory_mb=memory, seconds=options.time_limit),
        engine=EngineConfig(options.engine, workers, scheduler, gpus=1 if options.device == "cuda" else 0),
        device=options.device,
        threads=options.threads,
        plugin=options.plugin,
        set_aside=options.set_aside,
        part=options.shard,
    )
