"""Pre-train the in-house network: ``python -m tools.pretrain train|finish|evaluate FOLDER``.

``train FOLDER --minutes 60`` starts, or goes on where FOLDER stands; it may be stopped at any time (Ctrl-C, SIGTERM:
the state is saved; killed: two minutes are lost). ``finish FOLDER --export FILE.safetensors`` decays the learning rate
from a copy of the state and writes the checkpoint with its card; training can go on afterwards. ``evaluate FILE``
compares a checkpoint with logistic regression and random forest on real tables. The learning curve is
``FOLDER/curve.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from genomap_core.errors import InputError
from genomap_core.pfn.checkpoint import Range, Size, save_checkpoint
from genomap_core.pfn.description import Weights
from genomap_core.pfn.weights import inspect_weights
from tools.pretrain import loop
from tools.pretrain.card import card_text
from tools.pretrain.loop import PretrainConfig, Pretraining
from tools.pretrain.prior import SHARES, Batch, PriorConfig

_CURVE_POINTS = 8
NAME = "in-house PFN"


def train(
    folder: Path,
    config: PretrainConfig,
    *,
    minutes: float,
    device: str = "cpu",
    workers: int = 0,
    every_seconds: float = 120.0,
    log: Any = None,
    weights: Path | None = None,
) -> Pretraining:
    """Train for ``minutes`` of wall clock, from the state in ``folder``, from ``weights``, or from the beginning.

    Every ``every_seconds`` of training (not of validation, nor of waiting for a busy processor) the state is saved and
    a line of figures goes to ``curve.jsonl`` and to ``log``. An existing state keeps the configuration it was started
    with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "state.pt"
    if path.is_file():
        state = loop.load_state(path, device)
    else:
        began = "" if weights is None else _told(inspect_weights(weights))
        state = loop.start(replace(config, start=began), device, weights)
    validation = loop.validation_batches(state.config)
    end = time.monotonic() + 60 * minutes
    recent: list[float] = []
    last = state.seconds

    def note() -> None:
        figures = loop.validate(state, validation)
        line = {
            "step": state.step,
            "tables": state.tables,
            "minutes": round(state.seconds / 60, 2),
            "loss": round(sum(recent) / max(1, len(recent)), 4),
            **{name: round(value, 4) for name, value in figures.items()},
        }
        loop.save_state(state, path)
        with (folder / "curve.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        if log is not None:
            log(json.dumps(line))
        recent.clear()

    def report(_: Pretraining, loss: float) -> None:
        nonlocal last
        recent.append(loss)
        if state.seconds - last > every_seconds:
            note()
            last = state.seconds

    with _stop_signal() as stopped:
        loop.run(
            state,
            lambda _: stopped() or time.monotonic() >= end,
            batches=lambda step: _batches(state.config, step, workers),
            report=report,
        )
        note()
    return state


def _told(weights: Weights) -> str:
    made = weights.provenance
    already = f", {made['minutes']} minutes, {made['tables']:,} tables" if "tables" in made else ""
    before = made.get("config", {}).get("start")
    return f"{weights.label}, SHA-256 {weights.sha256}{already}" + (f", begun with {before}" if before else "")


def finish(
    folder: Path,
    export: Path,
    *,
    steps: int = 2_000,
    minutes: float | None = None,
    version: str = "1.0",
    device: str = "cpu",
    workers: int = 0,
) -> Weights:
    """Decay the learning rate from a copy of the state, and write checkpoint and card.

    Over ``steps`` steps, or over ``minutes`` of wall clock where they are given (on a busy machine; how many steps that
    makes is not repeatable). Of the last weights and their running average the better on the validation tables is kept.
    """
    path = folder / "state.pt"
    if not path.is_file():
        raise InputError(f"{folder}: nothing has been trained here yet; run `train` first.")
    state = loop.load_state(path, device)
    first, began = state.step, time.monotonic()

    def decay(state: Pretraining) -> float:
        if minutes is not None:
            return 1 - (time.monotonic() - began) / (60 * minutes)
        return 1 - (state.step - first) / steps if steps else 0.0

    loop.run(state, lambda _: False, batches=lambda step: _batches(state.config, step, workers), decay=decay)
    batches = loop.validation_batches(state.config)
    ends = [(loop.validate(state, batches, n), n) for n in (loop.averaged_network(state), state.network.eval())]
    figures, network = min(ends, key=lambda end: end[0]["val_loss"])
    provenance = {
        "name": NAME,
        "version": version,
        "licence": "MIT",
        "selected_features": 20,
        "trained_on": "synthetic tables of tools.pretrain.prior only",
        "steps": state.step,
        "of_these_decaying": state.step - first,
        "tables": state.tables,
        "minutes": round(state.seconds / 60, 1),
        "device": device,
        "config": asdict(state.config),
        **{name: round(value, 4) for name, value in figures.items()},
        "curve": curve_summary(folder / "curve.jsonl"),
    }
    prior = state.config.prior
    meant_for = Range(
        rows=5_000, features=min(100, 2 * prior.max_features), features_per_estimator=min(60, prior.max_features)
    )
    weights = save_checkpoint(export, network.cpu(), state.architecture_config, "v3", provenance, meant_for)
    export.chmod(0o644)  # the package writes it for its owner alone
    export.with_suffix(".md").write_text(card_text(weights))
    return weights


def curve_summary(path: Path) -> list[dict[str, float]]:
    """The learning curve at a few times, each about twice the one before, the last one included."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    if not lines:
        return []
    places = {round(len(lines) * 2.0**-k) - 1 for k in range(_CURVE_POINTS)}
    names = ("minutes", "tables", "val_loss", "val_accuracy")
    return [{name: lines[i][name] for name in names} for i in sorted(places) if i >= 0]


def _batches(config: PretrainConfig, step: int, workers: int) -> Iterable[Batch]:
    """The stream of tables, drawn by other processes when there are any."""
    if workers == 0:
        return loop.table_stream(config, step)
    dataset = _Steps(config)
    return torch.utils.data.DataLoader(
        dataset, batch_size=None, sampler=range(step, sys.maxsize), num_workers=workers, prefetch_factor=4
    )


class _Steps(torch.utils.data.Dataset[Batch]):
    """Batches by step, for worker processes."""

    def __init__(self, config: PretrainConfig) -> None:
        self.config = config

    def __getitem__(self, step: int) -> Batch:
        torch.set_num_threads(1)
        return loop.batch_of_step(self.config, step)


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Within the block Ctrl-C and SIGTERM are only remembered, so that the state is saved first."""
    asked = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in numbers}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.command == "train":
        size = Size(options.width, options.layers, options.heads, 2, 32, 4)
        config = PretrainConfig(
            size=size,
            prior=PriorConfig(max_rows=options.rows, max_features=options.features, **dict(options.prior)),
            seed=options.seed,
            cells=options.cells,
            learning_rate=options.rate,
            curriculum=options.curriculum,
        )
        train(
            options.folder,
            config,
            minutes=options.minutes,
            device=options.device,
            workers=options.workers,
            log=_say,
            weights=options.start,
        )
    elif options.command == "finish":
        weights = finish(
            options.folder,
            options.export,
            steps=options.steps,
            minutes=options.minutes,
            version=options.version,
            device=options.device,
            workers=options.workers,
        )
        _say(f"{weights.path}: {weights.label}, {weights.path.stat().st_size / 1e6:.1f} MB")
    else:
        from tools.pretrain.evaluate import compare, summary, verdict

        found = compare(options.file, n_estimators=options.estimators, n_seeds=options.seeds, report=_say)
        for line in summary(found):
            _say(line)
        if options.card:
            weights = inspect_weights(options.file)
            n = options.estimators or f"{weights.estimators(1000)}, up to 100 rows {weights.estimators(40)}"
            how = f"ROC-AUC (accuracy), {n} estimators: five folds, and two draws of 40 training rows, of each of "
            how += f"{options.seeds} seeds. The regression is tuned on inner folds, the forest has 300 trees."
            card = card_text(weights, [how, "", *summary(found), "", verdict(found)])
            options.file.with_suffix(".md").write_text(card)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _share(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in SHARES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(SHARES)}")
    return name, float(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.pretrain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--threads", type=int, default=1, help="of torch on a CPU")
    machine = argparse.ArgumentParser(add_help=False, parents=[shared])
    machine.add_argument("folder", type=Path)
    machine.add_argument("--device", default="cpu")
    machine.add_argument("--workers", type=int, default=0, help="processes that draw tables; for a GPU")
    training = commands.add_parser("train", parents=[machine], help="start, or go on")
    training.add_argument("--minutes", type=float, default=60)
    training.add_argument("--start", type=Path, metavar="FILE", help="begin with these weights, not with random ones")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--cells", type=int, default=PretrainConfig().cells, help="values in a batch of tables")
    training.add_argument("--rate", type=float, default=PretrainConfig().learning_rate)
    training.add_argument("--rows", type=int, default=PriorConfig().max_rows, help="of the largest tables")
    training.add_argument("--features", type=int, default=PriorConfig().max_features, help="of the widest tables")
    training.add_argument(
        "--prior",
        type=_share,
        action="append",
        default=[],
        metavar="NAME=SHARE",
        help=f"of {', '.join(SHARES)}; repeat it",
    )
    training.add_argument("--curriculum", type=int, default=PretrainConfig().curriculum, help="steps to full sizes")
    training.add_argument("--width", type=int, default=PretrainConfig().size.width)
    training.add_argument("--layers", type=int, default=PretrainConfig().size.layers)
    training.add_argument("--heads", type=int, default=PretrainConfig().size.heads)
    ending = commands.add_parser("finish", parents=[machine], help="decay the learning rate and write the checkpoint")
    ending.add_argument("--export", type=Path, required=True, help="*.safetensors, with v3 in its name")
    ending.add_argument("--steps", type=int, default=2_000)
    ending.add_argument("--minutes", type=float, help="decay over so much wall clock instead")
    ending.add_argument("--version", default="1.0")
    judging = commands.add_parser("evaluate", parents=[shared], help="beside logistic regression and random forest")
    judging.add_argument("file", type=Path)
    judging.add_argument("--seeds", type=int, default=4)
    judging.add_argument("--card", action="store_true", help="write the figures on the card beside the file")
    judging.add_argument("--estimators", type=int, help="default: what is usual with the weights")
    return parser


if __name__ == "__main__":
    main()
