"""The command line of the study: its arguments as frozen values, and what it shows. Text only; nobody is written to."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from genomap_core.benchmark.bundle import RunLimits
from genomap_core.benchmark.catalogue import DEFAULT, choose, folds_of, load_catalogue
from genomap_core.benchmark.driver import Study
from genomap_core.benchmark.engine import ENGINES, EngineConfig
from genomap_core.benchmark.estimate import Estimate
from genomap_core.benchmark.models import gpu_models
from genomap_core.benchmark.protocol import CONDITIONS, MISSING, MODELS, TEST_NOISE, Condition, Protocol
from genomap_core.benchmark.sources import DATA_VARIABLE, Places, data_folder
from genomap_core.errors import InputError


def bar(estimate: Estimate, width: int = 30) -> str:
    """``[#####     ]  1,234 of 13,200 runs   3 oom   1 h 02 min left``."""
    share = estimate.done / estimate.total if estimate.total else 1.0
    filled = int(share * width)
    failures = [f"{n} {status}" for status, n in sorted(estimate.statuses.items()) if status != "ok"]
    left = "" if estimate.done == estimate.total else f"{duration(estimate.seconds_left)} left"
    parts = [f"[{'#' * filled}{' ' * (width - filled)}] {estimate.done:,} of {estimate.total:,} runs", *failures, left]
    return "   ".join(p for p in parts if p)


def duration(seconds: float | None) -> str:
    """Seconds in words: ``45 s``, ``3 min``, ``1 h 02 min``, ``2 d 5 h``."""
    if seconds is None:
        return "unknown time"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their titles, numbers to the right."""
    widths = [max(len(r[j]) for r in [header, *rows]) for j in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [c.ljust(w) if j == 0 else c.rjust(w) for j, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), line(["-" * w for w in widths]), *map(line, rows)])


def counts(values: Mapping[str, int]) -> str:
    """``12 ok, 3 oom``."""
    return ", ".join(f"{n:,} {name}" for name, n in values.items()) or "none"


SCHEDULER_VARIABLE = "DASK_SCHEDULER_ADDRESS"


def parser() -> argparse.ArgumentParser:
    """``plan | run | status | collect | report | summary``."""
    top = argparse.ArgumentParser(
        prog="python -m genomap_core.benchmark",
        description="The robustness study: every model on every set, under subsampling and noise, failures recorded.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="plan|run|status|collect|report|summary")
    plan = commands.add_parser("plan", help="what would run, and for how long")
    run = commands.add_parser("run", help="do what is missing; repeat the command to continue after anything")
    for command in (plan, run):
        _what(command)
    plan.add_argument("--list", action="store_true", help="print the name of every run")
    _where(run)
    status = commands.add_parser("status", help="how far a study is, and what failed")
    status.add_argument("--store", type=Path, default=Path("study"), help="folder of the results")
    collect = commands.add_parser("collect", help="put the records of other machines, or of a file, into one store")
    collect.add_argument("sources", type=Path, nargs="+", help="folders of results or Parquet files of records")
    collect.add_argument(
        "--store", type=Path, default=Path("study"), help="where they go; `run` then goes on from them"
    )
    report = commands.add_parser("report", help="one HTML file that needs no network")
    report.add_argument("--out", type=Path, default=Path("report.html"), help="the file to write")
    report.add_argument("--records", type=Path, help="also write the records as one Parquet file")
    summary = commands.add_parser("summary", help="mean ranks, mean scores and counts")
    for command in (report, summary):
        command.add_argument(
            "--store", type=Path, help="folder of results or a Parquet file of records; default: the shipped study"
        )
        command.add_argument("--metric", default="balanced_accuracy")
        command.add_argument("--models", type=_names, help="only these")
        command.add_argument("--sets", type=_names, help="only these")
    summary.add_argument("--condition", default="full")
    for command in (plan, status, summary):
        command.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return top


def _what(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("what is run").add_argument
    add("--catalogue", type=Path, default=DEFAULT, help="TOML file of data sets; default: the 22 open sets")
    add("--sets", type=_names, help="only these, with commas")
    add("--models", type=_names, default=MODELS, help="default: the study's eight")
    add("--conditions", type=_names, help="such as full,rows-20,noise-50,keep-20; default: the study's twelve")
    add("--test-noise", action="store_true", help="add noise on the test rows only")
    add("--missing", action="store_true", help="add features missing in the test rows, at random and in blocks")
    add("--seeds", type=int, default=4, metavar="N", help="repetitions of condition full (4)")
    add("--other-seeds", type=int, default=1, metavar="N", help="repetitions of every other condition (1)")
    add("--folds", type=int, default=5, metavar="N", help="cross-validation folds (5)")
    add("--weights", type=Path, help="weights of TabPFN; default: the first that are found")
    add("--option", action="append", default=[], metavar="MODEL.NAME=VALUE", help="of a model; JSON or text; repeat it")
    add("--plugin", metavar="MODULE", help="a module of your own with MODELS = {name: factory}")
    add("--data", type=Path, help=f"folder of Parquet or CSV files; default: ${DATA_VARIABLE}")
    add("--cache", type=Path, help="where sets of OpenML are kept")
    add("--store", type=Path, default=Path("study"), help="folder of the results (study)")
    add("--shard", metavar="I/N", help="only every N-th bundle from the I-th on; other machines do the others")
    add("--device", choices=("cpu", "cuda"), default="cpu")


def _where(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("where and how").add_argument
    add("--engine", choices=ENGINES, default="dask")
    add("--scheduler", help=f"address of a Dask scheduler; default: ${SCHEDULER_VARIABLE}, else this machine alone")
    add("--workers", type=int, help="bundles at a time on this machine; default: one a core")
    add("--threads", type=int, default=1, help="of one bundle (1)")
    add("--memory-limit", type=float, metavar="GB", help="of one run; default: 8, or its share of this machine")
    add("--time-limit", type=float, default=3600, metavar="SECONDS", help="of one run (3600)")
    add("--set-aside", type=_names, default=(), help="do these again: damaged, oom, timeout, crash, refused")
    add("--quiet", action="store_true", help="no progress bar")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.replace(" ", "").split(",") if name)


def to_protocol(args: argparse.Namespace) -> tuple[Protocol, dict[str, Any]]:
    """The protocol these arguments mean, with the catalogue entries of its sets."""
    entries = choose(load_catalogue(args.catalogue), args.sets)
    conditions = CONDITIONS if args.conditions is None else tuple(Condition(name) for name in args.conditions)
    if args.test_noise:
        conditions += TEST_NOISE
    if args.missing:
        conditions += MISSING
    if args.seeds < 1 or args.other_seeds < 0:
        raise InputError("`--seeds` must be at least 1 and `--other-seeds` at least 0.")
    protocol = Protocol(
        folds=folds_of(entries, args.folds),
        models=args.models,
        conditions=conditions,
        seeds=tuple(range(args.seeds)),
        other_seeds=tuple(range(args.other_seeds)),
        options=_options(args),
        gpu_models=gpu_models(args.models, args.device),
    )
    return protocol, entries


def _options(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    options: dict[str, dict[str, Any]] = {}
    if args.weights is not None:
        options["pfn"] = {"model_path": str(args.weights)}
    for text in args.option:
        key, equals, value = text.partition("=")
        model, dot, name = key.partition(".")
        if not (equals and dot and name):
            raise InputError(f"`--option` must be MODEL.NAME=VALUE, such as genomap.max_epochs=30, got {text!r}.")
        if model not in args.models:
            raise InputError(f"`--option {text}`: {model!r} is none of the models {', '.join(args.models)}.")
        options.setdefault(model, {})[name] = _value(value)
    return options


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def to_study(args: argparse.Namespace) -> Study:
    """What ``run`` is to do."""
    protocol, entries = to_protocol(args)
    workers = args.workers or max(1, (os.cpu_count() or 1) // args.threads)
    scheduler = args.scheduler or os.environ.get(SCHEDULER_VARIABLE) or None
    share = psutil.virtual_memory().total / 1e6 / (1 if scheduler else workers)
    memory = args.memory_limit * 1000 if args.memory_limit else round(min(8000.0, 0.9 * share))
    return Study(
        protocol=protocol,
        entries=entries,
        store=args.store,
        places=Places(data_folder(args.data), args.cache),
        limits=RunLimits(memory_mb=memory, seconds=args.time_limit),
        engine=EngineConfig(args.engine, workers, scheduler, gpus=1 if args.device == "cuda" else 0),
        device=args.device,
        threads=args.threads,
        plugin=args.plugin,
        set_aside=args.set_aside,
        part=args.shard,
    )
