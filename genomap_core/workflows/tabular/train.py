"""Train one network on a cohort, test it on held-out rows, and keep it as a bundle."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.errors import InputError
from genomap_core.explain.stages import used_features
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.store import decode
from genomap_core.workflows.comparison.folds import hold_out
from genomap_core.workflows.comparison.runner import measure
from genomap_core.workflows.comparison.scores import Score, score_table
from genomap_core.workflows.tabular.compare import fit_on_rows, omics_channels
from genomap_core.workflows.tabular.duration import in_words, network_seconds
from genomap_core.workflows.tabular.models import make_classifier

BUNDLE = "model.safetensors"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Options of a training run."""

    network: str = "genomap"
    """``genomap``, ``genomap_random`` or ``genonet``."""
    solver: str = "ot"
    max_features: int = 4096
    max_epochs: int | None = None
    """None: the network's own default."""
    n_seeds: int = 2
    noise: float | None = None
    """Augmentation: standard deviation of the noise put on training maps; None: the network's own default."""
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in ("genomap", "genomap_random", "genonet"):
            raise InputError(f"`network` must be genomap, genomap_random or genonet, got {self.network!r}.")


def bundle_header(content: bytes) -> Any:
    """What a saved model says of itself, read without torch and without touching the weights."""
    from genomap_core.training.bundle_header import read_header

    return read_header(content)


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What training left: the scores on rows it never saw, the curves, and a bundle in the folder."""

    scores: dict[str, Score]
    test_rows: np.ndarray
    proba: np.ndarray
    """``(len(test_rows), C)``"""
    history: tuple[dict[str, Any], ...]
    """Figures of every epoch: ``member``, ``phase``, ``loss`` and, while validating, ``val_loss``, ``val_accuracy``."""
    seconds: float
    made_of: dict[str, int] = field(default_factory=dict)
    """``training_rows``, ``features`` of the table, ``on_map`` of them, ``networks`` averaged and their first ``seed``;
    empty for what earlier versions left"""

    @property
    def words(self) -> str:
        """What the scores stand on: rows, the map's share of the features, networks and seed."""
        tested = f"Tested on {plural(len(self.test_rows), 'held-out sample')}"
        if not self.made_of:
            return f"{tested}."
        known = self.made_of
        seed = f"seed {known['seed']}"
        networks = f"{known['networks']} networks averaged, {seed}" if known["networks"] > 1 else f"one network, {seed}"
        share = f"{known['on_map']:,} of {known['features']:,} features are on the map"
        return f"{tested}, trained on {known['training_rows']:,}. {share}; {networks}."

    @classmethod
    def load(cls, folder: Path) -> TrainResult:
        """Read what the job wrote."""
        header = json.loads((folder / "train.json").read_text())
        with np.load(folder / "train.npz", allow_pickle=False) as f:
            return cls(
                {k: Score(**s) for k, s in header["scores"].items()},
                f["test_rows"],
                f["proba"],
                tuple(header["history"]),
                header["seconds"],
                header.get("made_of", {}),
            )


def build_network(
    config: TrainConfig, dataset: Dataset, on_progress: OnProgress = ignore, checkpoints: Path | None = None
) -> Any:
    """The unfitted pipeline of ``config`` for ``dataset``; in ``checkpoints`` it keeps its state after each epoch."""
    options: dict[str, Any] = {
        "max_features": config.max_features,
        "device": config.device,
        "random_state": config.seed,
        "on_progress": on_progress,
        "checkpoint_dir": checkpoints,
    }
    if config.network == "genomap":
        options["solver"] = config.solver
    if config.max_epochs is not None:
        options["max_epochs"] = config.max_epochs
    if config.network != "genonet":
        options |= {"n_seeds": config.n_seeds} | omics_channels(dataset, config.max_features)
        if config.noise is not None:
            options["noise"] = config.noise
    return make_classifier(config.network, **options)


def train(dataset: Dataset, config: TrainConfig, folder: Path, on_progress: OnProgress = ignore) -> TrainResult:
    """Fit on four fifths of the rows (groups whole), test on the rest; writes ``model.safetensors`` into ``folder``.

    The state after each epoch lies in ``folder`` too: a training that was stopped goes on from it. The bundle keeps the
    recipe of the table, so that other tables are read as this one was.
    """
    from genomap_core.training import save_bundle

    rows, test = hold_out(dataset, config.seed)
    seconds = network_seconds(len(rows), min(dataset.n_features, config.max_features), config.max_epochs)
    on_progress(Progress(f"the training takes {in_words(seconds)}", 0, 1))
    on_progress(Progress("placing features", 0, 1))
    model = build_network(config, dataset, on_progress, folder / CHECKPOINTS)
    with measure() as measured:
        fit_on_rows(model, dataset, rows)
    assert dataset.y is not None
    proba = np.zeros((len(test), len(dataset.classes)))
    proba[:, model.classes_] = model.predict_proba(dataset.X[test])
    groups = None if dataset.groups is None else dataset.groups[test]
    scores = score_table(dataset.y[test], {"model": proba}, groups)["model"]
    save_bundle(
        folder / BUNDLE,
        model,
        feature_names=dataset.feature_names,
        classes=dataset.classes,
        metrics={k: asdict(s) for k, s in scores.items()},
        provenance={
            "dataset": dataset.digest,
            "training_rows": len(rows),
            "test_rows": len(test),
            "config": asdict(config),
            "unit": dataset.unit,
            **({} if dataset.recipe is None else {"recipe": asdict(dataset.recipe.to_publish())}),
        },
        training_rows=dataset.X[rows],
    )
    np.savez(folder / "train.npz", test_rows=test, proba=proba)
    if (folder / CHECKPOINTS).is_dir():
        shutil.rmtree(folder / CHECKPOINTS)
    header = {
        "scores": {k: asdict(s) for k, s in scores.items()},
        "history": model.named_steps["network"].history_,
        "seconds": measured.seconds,
        "made_of": {
            "training_rows": len(rows),
            "features": dataset.n_features,
            "on_map": int(used_features(model, dataset.n_features).sum()),
            "networks": len(model.named_steps["network"].module_.members),
            "seed": config.seed,
        },
    }
    (folder / "train.json").write_text(json.dumps(header))
    return TrainResult.load(folder)


def task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: train on ``folder/dataset.npz`` with ``spec["config"]``."""
    result = train(Dataset.load(folder / "dataset.npz"), decode(TrainConfig, spec["config"]), folder, on_progress)
    return {"scores": {k: asdict(s) for k, s in result.scores.items()}, "seconds": result.seconds}
