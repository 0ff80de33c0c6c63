"""Every model on the same folds of one cohort: out-of-fold probabilities, scores with intervals, time and memory."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.pfn import STRATEGIES
from genomap_core.progress import OnProgress, ignore
from genomap_core.store import decode
from genomap_core.workflows.comparison.folds import make_folds
from genomap_core.workflows.comparison.result import Comparison, Table, fold_codes, scores_of
from genomap_core.workflows.comparison.runner import Answer, Clock, Entry, Fold, Run, earlier_run, run_entries
from genomap_core.workflows.comparison.scores import Score, paired_difference, score_table
from genomap_core.workflows.tabular.beside import CONTROL, Beside, chosen
from genomap_core.workflows.tabular.models import MODELS, make_classifier

REFERENCES = ("logistic", "genomap_random")
"""The linear baseline, and the control of the layout: every other model is compared with them."""
NETWORKS = ("genomap", "genomap_random", "genonet")
"""Models that are kept as bundles, one a fold."""
_FASTEST_FIRST = ("logistic", "forest", "pfn", "genonet", "genomap", "genomap_random")


@dataclass(frozen=True, slots=True)
class CompareConfig:
    """What is compared, and how."""

    models: tuple[str, ...] = ("genomap", "genomap_random", "pfn", "logistic", "forest")
    n_folds: int = 5
    seed: int = 0
    max_features: int = 4096
    """The map's features, chosen by variance on the training rows of each fold."""
    max_epochs: int | None = None
    """None: the network's own default."""
    device: str = "auto"
    weights: str | None = None
    """Path of the tabular model's weights; None: the first that are found."""
    n_estimators: int | None = None
    """The tabular model's ensemble size; None: what is usual with its weights and so many rows."""

    def __post_init__(self) -> None:
        unknown = set(self.models) - set(MODELS)
        if unknown or not self.models:
            raise InputError(f"Unknown models {sorted(unknown)}: choose some of {', '.join(MODELS)}.")


class CompareResult(Comparison):
    """All models on the same folds."""

    kind: ClassVar[str] = "compare"

    config: CompareConfig

    @property
    def differences(self) -> dict[tuple[str, str], Score]:
        """(model, reference) -> difference of balanced accuracy, paired by patient; see `REFERENCES`."""
        table = self.tables["differences"]
        return {(model, other): score for other, row in table.items() for model, score in row.items()}

    @classmethod
    def read_config(cls, values: dict[str, Any]) -> CompareConfig:
        return compare_config(values)

    @classmethod
    def _from_earlier(cls, folder: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        differences: Table = {}
        for model, reference, score in header["differences"]:
            differences.setdefault(reference, {})[model] = Score(**score)
        runs = [
            earlier_run(
                {"run": run}, {"proba": proba} if (proba := arrays.get(f"proba_{run['name']}")) is not None else {}
            )
            for run in header["runs"]
        ]
        return cls(
            digest=header["digest"],
            config=compare_config(header["config"]),
            facts={"classes": header["classes"]},
            arrays={"y": arrays["y"], "fold_of_row": arrays["fold_of_row"]},
            tables={"scores": scores_of(header["scores"]), "differences": differences},
            runs=tuple(runs),
        )


def compare_config(values: Mapping[str, Any]) -> CompareConfig:
    """From plain values, as a job or a result holds them."""
    return decode(CompareConfig, values)


def in_short(found: CompareResult) -> str:
    """The verdict as one sentence with its consequence, without a figure; empty where nothing was compared."""
    linear, random = (found.differences.get(("genomap", other)) for other in ("logistic", "genomap_random"))
    if linear is None:
        if random is None:
            return ""
        return (
            "On this cohort the order of the map helps the network."
            if random.low > 0
            else "On this cohort the order of the map is not shown to help: it is for looking, not for the answer."
        )
    if linear.high < 0:
        return "On this cohort a linear model is better than the map's network: use the linear model."
    if linear.low <= 0:
        return (
            "On this cohort the map's network is not shown to beat a linear model: predict with the linear one, and "
            "look at the map to see where a patient differs."
        )
    helped = random is not None and random.low > 0
    why = ", and the order of the map is part of it" if helped else "; that the map's order is the reason is not shown"
    return f"On this cohort the map's network is better than a linear model{why}."


def verdict(found: CompareResult) -> str:
    """In words: does the map beat its control and the linear baseline? Empty where neither was compared."""
    lines = []
    for other, title in (("genomap_random", "a random layout"), ("logistic", "logistic regression")):
        difference = found.differences.get(("genomap", other))
        if difference is None:
            continue
        sure = difference.low > 0 or difference.high < 0
        better = "ahead of" if difference.value > 0 else "behind"
        lines.append(
            f"GenoMap is {better} {title} by {abs(difference.value):.{difference.decimals}f} balanced accuracy"
            if sure
            else f"no difference between GenoMap and {title} can be claimed"
            f" ({difference.low:+.{difference.decimals}f} to {difference.high:+.{difference.decimals}f})"
        )
    return f"{'; '.join(lines)}." if lines else ""


def build(name: str, config: CompareConfig, dataset: Dataset, on_epoch: OnProgress = ignore) -> Any:
    """The unfitted classifier ``name`` as the comparison uses it on ``dataset``."""
    if name in NETWORKS:
        options: dict[str, Any] = {"max_features": config.max_features, "random_state": config.seed}
        options |= {"device": config.device, "on_progress": on_epoch}
        if name != "genonet":
            options |= omics_channels(dataset, config.max_features)
        if config.max_epochs is not None:
            options["max_epochs"] = config.max_epochs
        # What missing features cost is measured for models that are handed out; these answer the cohort's own rows.
        return make_classifier(name, **options).set_params(network__missing=None)
    if name == "pfn":
        return make_classifier(
            name,
            model_path=config.weights,
            n_estimators=config.n_estimators,
            device=config.device,
            random_state=config.seed,
        )
    return make_classifier(name, random_state=config.seed)


def compare(
    dataset: Dataset,
    config: CompareConfig = CompareConfig(),
    folder: Path | None = None,
    on_progress: OnProgress = ignore,
) -> CompareResult:
    """Fit and test every model on the same folds; selection, scaling and layout are learned inside each fold.

    Networks of each fold are saved in ``folder`` (when given), so that a patient can be explained by the very
    model that never saw that patient. So is what each model answered, the fastest first: from the first model on the
    folder holds a comparison with the others :attr:`~Comparison.pending`, and when the work is stopped and run again in
    the folder, a model that was finished is not fitted again. With a folder the control is fitted beside the others.
    """
    folds = make_folds(dataset, config.n_folds, config.seed)
    growing = _Growing(dataset, config, folds, folder)
    with ExitStack() as stack:
        entries = [_entry(name, dataset, config, folder) for name in fastest_first(config.models)]
        if folder is not None and chosen(dataset, config):
            beside = stack.enter_context(Beside(dataset, config, folder))
            # The first answer, logistic regression's, has all cores to itself.
            before = {name: beside.start for name in config.models if name != "logistic"} | {CONTROL: beside.wait}
            entries = [replace(e, before=before.get(e.name, e.before)) for e in entries]
        run_entries(entries, folds, _about(dataset, config), folder, on_progress, on_run=growing.add)
    return growing.result()


def fit_one(name: str, dataset: Dataset, config: CompareConfig, folder: Path) -> None:
    """One model of :func:`compare` alone: its run and its networks in ``folder``, for the comparison to take."""
    folds = make_folds(dataset, config.n_folds, config.seed)
    run_entries([_entry(name, dataset, config, folder)], folds, _about(dataset, config), folder)


def _about(dataset: Dataset, config: CompareConfig) -> dict[str, Any]:
    """What all models depend on."""
    return {"digest": dataset.digest, "n_folds": config.n_folds, "seed": config.seed}


def fastest_first(models: Sequence[str]) -> tuple[str, ...]:
    """The models in the order in which they are fitted, so that there is something to read while the slow ones work."""
    return tuple(sorted(models, key=_FASTEST_FIRST.index))


class _Growing:
    """A comparison model by model: each is written as soon as it has answered, the others are pending."""

    def __init__(
        self,
        dataset: Dataset,
        config: CompareConfig,
        folds: list[tuple[np.ndarray, np.ndarray]],
        folder: Path | None,
    ) -> None:
        assert dataset.y is not None
        self.dataset, self.config, self.folder = dataset, config, folder
        self.y, self.groups = dataset.y, dataset.groups
        self.arrays = {"y": dataset.y, "fold_of_row": fold_codes(folds, dataset.n_samples)}
        if dataset.groups is not None:
            self.arrays["groups"] = dataset.groups
        self.runs: dict[str, Run] = {}
        self.scores: Table = {}
        self.differences: Table = {}

    def add(self, run: Run) -> None:
        """One more run, with its scores and its differences from the references that are there."""
        self.runs[run.name] = run
        if (proba := run.proba) is not None:
            self.scores |= score_table(self.y, {run.name: proba}, self.groups)
            for other in REFERENCES:
                if other in self.scores and other != run.name:
                    self._difference(run.name, other)
            if run.name in REFERENCES:
                self.differences.setdefault(run.name, {})
                for name in self.scores.keys() - {run.name}:
                    self._difference(name, run.name)
        if self.folder is not None:
            self.result().save(self.folder)

    def _difference(self, name: str, other: str) -> None:
        a, b = self.runs[name].proba, self.runs[other].proba
        assert a is not None
        assert b is not None
        found = paired_difference("balanced_accuracy", self.y, a, b, self.groups)
        self.differences.setdefault(other, {})[name] = found

    def result(self) -> CompareResult:
        """What is there so far, models in the order of the options."""
        there = [name for name in self.config.models if name in self.runs]
        pending = [name for name in self.config.models if name not in self.runs]
        return CompareResult(
            name=self.dataset.name,
            digest=self.dataset.digest,
            config=self.config,
            facts={"classes": list(self.dataset.classes), "pending": pending},
            arrays=self.arrays,
            tables={
                "scores": {name: self.scores[name] for name in there if name in self.scores},
                "differences": {
                    other: {name: row[name] for name in there if name in row}
                    for other in REFERENCES
                    if (row := self.differences.get(other)) is not None
                },
            },
            runs=tuple(self.runs[name] for name in there),
        )


def _entry(name: str, dataset: Dataset, config: CompareConfig, folder: Path | None) -> Entry:
    """One model; its networks are kept in ``folder``, one a fold."""
    selections: list[str] = []

    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        model = build(name, config, dataset, on_progress)
        with clock.training(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit_on_rows(model, dataset, fold.train)
        proba = np.zeros((len(fold.test), len(dataset.classes)), np.float64)
        with clock.predicting():
            proba[:, model.classes_] = model.predict_proba(dataset.X[fold.test])
        if folder is not None and name in NETWORKS:
            _keep(model, dataset, folder / f"{name}-fold{fold.index}.safetensors", config)
        return Answer({"proba": proba}, {"label": MODELS[name], **_described(model, selections)})

    return Entry(name, MODELS[name], fit_predict, _options(name, config))


def _options(name: str, config: CompareConfig) -> dict[str, Any]:
    """The options that this model's answers depend on."""
    if name in NETWORKS:
        return {"max_features": config.max_features, "max_epochs": config.max_epochs}
    return {"weights": config.weights, "n_estimators": config.n_estimators} if name == "pfn" else {}


def omics_channels(dataset: Dataset, max_features: int) -> dict[str, Any]:
    """Options that give each omics type a map of its own, where the features of all types fit."""
    if dataset.omics is None or dataset.n_features > max_features:
        return {}
    return {"channels": dataset.omics, "selection": "none"}


def fit_on_rows(model: Any, dataset: Dataset, rows: np.ndarray) -> Any:
    """``model.fit`` on these rows, with the groups where the model's inner splits can use them."""
    assert dataset.y is not None
    X, y = dataset.X[rows], dataset.y[rows]
    if dataset.groups is not None and hasattr(model, "named_steps") and "network" in model.named_steps:
        return model.fit(X, y, network__groups=dataset.groups[rows])
    return model.fit(X, y)


def _described(model: Any, selections: list[str]) -> dict[str, Any]:
    """What a fitted model says of itself: features, weights, and how a wide table was narrowed, fold by fold."""
    used = getattr(model, "n_features_used_", None)
    if used is None and hasattr(model, "named_steps") and "preprocess" in model.named_steps:
        used = len(getattr(model.named_steps["preprocess"], "kept_", ()))
    facts: dict[str, Any] = {"note": f"{used:,} of {model.n_features_in_:,} features"} if used else {}
    if (weights := getattr(model, "weights_", None)) is None:
        return facts
    facts |= {"label": weights.label, "weights_sha256": weights.sha256, "licence": weights.licence}
    if len(model.members_) > 1:
        answered = [member.selection for member in model.members_]
        given = " and ".join(STRATEGIES[way] for way in answered)
        note = f"{model.n_features_in_:,} features, answered twice, given {given}; the mean counts"
        return facts | {"note": note, "answered": answered}
    if model.choice_ is None:
        return facts
    selections.append(model.choice_.selection)
    counted = Counter(selections).most_common()
    ways = ", ".join(f"{STRATEGIES[way]} ({n} of {len(selections)} folds)" for way, n in counted)
    by = f"; chosen of {len(model.choice_.losses)} ways on inner folds" if model.choice_.losses else ""
    note = f"{used:,} inputs from {model.n_features_in_:,} features: {ways}{by}"
    return facts | {"note": note, "selections": list(selections)}


def _keep(model: Any, dataset: Dataset, path: Path, config: CompareConfig) -> None:
    from genomap_core.training import save_bundle

    save_bundle(
        path,
        model,
        feature_names=dataset.feature_names,
        classes=dataset.classes,
        provenance={"dataset": dataset.digest, "seed": config.seed},
    )


def task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: compare on ``folder/dataset.npz`` with ``spec["config"]``; the result lies in ``folder``."""
    dataset = Dataset.load(folder / "dataset.npz")
    result = compare(dataset, compare_config(spec["config"]), folder, on_progress)
    return {"models": {r.name: r.status for r in result.runs}}
