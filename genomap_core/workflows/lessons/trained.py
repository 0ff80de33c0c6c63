"""What the Learn page teaches with a trained network: whether the map matters, and which attributions can be trusted.

Both run in worker processes; both simulate a cohort whose cause is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.counts import thin
from genomap_core.data.perturb import Perturbation, perturb
from genomap_core.data.simulated.tables import ExpressionConfig, expression_cohort
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.tabular.patient import GRADIENT_METHODS

LAYOUTS = ("ot", "published", "random")
NOISE = (0.0, 0.5, 1.0, 1.5, 2.0)
MISSING = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Shares of the genes that were not measured"""
READS_LOST = (0.0, 0.5, 0.9, 0.98)
"""Shares of the reads that were not sequenced"""
SHORTCUT = 2.0
"""How far the shortcut's genes are raised in one class, in their standard deviations"""
BACKGROUND = 1.0
"""How much lighter the empty background of one class is, in standard deviations of the pictures' pixels"""
METHODS = tuple(GRADIENT_METHODS)
N_EXPLAINED = 24
"""Test patients whose attributions are averaged."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """A simulated cohort, split: the first rows train, the others test."""

    X: np.ndarray
    """``(n, p)`` float32, log2(1 + count)"""
    y: np.ndarray
    planted: np.ndarray
    """``(p,)`` bool: features of informative modules"""
    module: np.ndarray
    """``(p,)`` int: the module of each feature, -1 for none"""
    n_train: int

    @property
    def spread(self) -> np.ndarray:
        """``(p,)`` standard deviation of each feature over the training rows."""
        return np.asarray(self.X[: self.n_train].std(0))


def lesson_cohort(seed: int = 0, n_train: int = 180, n_test: int = 420, n_genes: int = 400) -> Lesson:
    """Three subtypes, ten modules of genes, three of them the cause."""
    found = expression_cohort(
        ExpressionConfig(
            n_samples=n_train + n_test,
            n_genes=n_genes,
            n_modules=10,
            n_informative=3,
            module_share=0.8,
            effect=1.2,
            label_noise=0.0,
            seed=seed,
        )
    )
    return Lesson(
        X=np.log2(1 + found.values).astype(np.float32),
        y=found.labels.astype(np.int64),
        planted=np.isin(found.module, found.informative),
        module=found.module,
        n_train=n_train,
    )


def map_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: the same network on maps of three layouts, and logistic regression; accuracy on disturbed test patients.

    The network's linear path is off, so that its convolutions alone read the map. ``spec``: ``seed``. Gives ``noise``
    and ``accuracy`` (model -> one figure a noise level), ``missing`` and ``accuracy_missing`` (a figure a share of
    genes not measured, filled by each model's own rule for missing values), ``reads_lost`` and ``accuracy_reads_lost``
    (test patients sequenced less deeply, their totals scaled to what they were), ``n_test``.
    """
    from genomap_core.training.baselines import logistic_pipeline

    seed = int(spec.get("seed", 0))
    lesson = lesson_cohort(seed)
    train, test = np.arange(lesson.n_train), np.arange(lesson.n_train, len(lesson.X))
    fill = np.median(lesson.X[train], axis=0)
    noisy = [perturb(lesson.X[test], test, lesson.spread, Perturbation(level, seed=seed), fill) for level in NOISE]
    models = {name: _network(name, seed) for name in LAYOUTS} | {"logistic": logistic_pipeline()}
    lacking = [perturb(lesson.X[test], test, lesson.spread, Perturbation(0, 1 - m, seed)) for m in MISSING]
    thinned = [thin(lesson.X[test], test, "log2 scaled", 1 - lost, seed) for lost in READS_LOST]
    disturbed = {"accuracy": noisy, "accuracy_missing": lacking, "accuracy_reads_lost": thinned}
    found: dict[str, dict[str, list[float]]] = {axis: {} for axis in disturbed}
    for k, (name, model) in enumerate(models.items()):
        on_progress(Progress("models trained", k, len(models)))
        model.fit(lesson.X[train], lesson.y[train])
        for axis, tables in disturbed.items():
            found[axis][name] = [float((model.predict(X) == lesson.y[test]).mean()) for X in tables]
    levels = {"noise": list(NOISE), "missing": list(MISSING), "reads_lost": list(READS_LOST)}
    return {**levels, **found, "n_test": len(test)}


def attribution_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: five attributions of a trained network and of the same network with shuffled weights, against the cause.

    ``spec``: ``seed``. Writes ``attributions.npz``: ``trained``, ``shuffled`` ``(methods, p)`` mean sizes over test
    patients, ``planted (p,)``, ``positions (p, 2)``, ``shape``. Gives for each method ``found`` (ROC-AUC of the planted
    features), ``found_shuffled``, ``agreement`` (rank correlation of both) and ``unusual`` (mean rank correlation of a
    patient's attribution with how far each gene lies from its mean), the network's ``accuracy``, and what
    :func:`shortcut` and :func:`background` give for further networks.
    """
    from scipy.stats import spearmanr
    from sklearn.metrics import roc_auc_score

    from genomap_core.explain import explain
    from genomap_core.explain.faithfulness import shuffled_model

    seed = int(spec.get("seed", 0))
    lesson = lesson_cohort(seed)
    train, test = np.arange(lesson.n_train), np.arange(lesson.n_train, len(lesson.X))
    on_progress(Progress("training the network", 0, 1 + 2 * len(METHODS)))
    model = _network("ot", seed)
    model.fit(lesson.X[train], lesson.y[train])
    accuracy = float((model.predict(lesson.X[test]) == lesson.y[test]).mean())
    networks = {"trained": model, "shuffled": shuffled_model(model, seed)}
    far = np.abs(lesson.X[test[:N_EXPLAINED]] - lesson.X[train].mean(0)) / lesson.spread
    unusual: dict[str, float] = {}
    sizes: dict[str, Any] = {name: np.zeros((len(METHODS), lesson.X.shape[1]), np.float32) for name in networks}
    for k, method in enumerate(METHODS):
        for j, (name, network) in enumerate(networks.items()):
            on_progress(Progress(GRADIENT_METHODS[method], 1 + 2 * k + j, 1 + 2 * len(METHODS)))
            found = explain(
                network,
                lesson.X[test[:N_EXPLAINED]],
                target=None,
                method=method,
                background=lesson.X[train],
                random_state=seed,
            )
            sizes[name][k] = np.abs(found.values).mean(0)
            if name == "trained":
                pairs = zip(np.abs(found.values), far, strict=True)
                unusual[method] = float(np.mean([spearmanr(a, b).statistic for a, b in pairs]))
    layout = model.named_steps["genomap"].layout_
    np.savez(
        folder / "attributions.npz",
        planted=lesson.planted,
        positions=layout.positions,
        shape=np.array(layout.shape),
        **sizes,
    )
    return {
        "accuracy": accuracy,
        "shortcut": shortcut(lesson, seed),
        "background": background(seed),
        "methods": {
            method: {
                "found": float(roc_auc_score(lesson.planted, sizes["trained"][k])),
                "found_shuffled": float(roc_auc_score(lesson.planted, sizes["shuffled"][k])),
                "agreement": float(spearmanr(sizes["trained"][k], sizes["shuffled"][k]).statistic),
                "unusual": unusual[method],
            }
            for k, method in enumerate(METHODS)
        },
    }


def shortcut(lesson: Lesson, seed: int) -> dict[str, float]:
    """A network trained where one class carries a mark that has nothing to do with it, as a scanner or a batch leaves.

    The genes of one uninformative module are raised in class 0. ``with`` and ``without``: accuracy on test patients
    that carry the mark too, and on those as they are; ``share``: of the attribution that lies on the marked genes,
    beside their ``share_of_genes``.
    """
    from genomap_core.explain import explain

    marked = lesson.module == min(set(lesson.module[~lesson.planted].tolist()) - {-1})
    X = lesson.X.copy()
    X[np.ix_(lesson.y == 0, marked)] += SHORTCUT * lesson.spread[marked]
    train, test = np.arange(lesson.n_train), np.arange(lesson.n_train, len(X))
    model = _network("ot", seed)
    model.fit(X[train], lesson.y[train])
    rows = test[lesson.y[test] == 0][:N_EXPLAINED]
    size = np.abs(explain(model, X[rows], target=0, method="integrated_gradients", random_state=seed).values).mean(0)
    return {
        "with": float((model.predict(X[test]) == lesson.y[test]).mean()),
        "without": float((model.predict(lesson.X[test]) == lesson.y[test]).mean()),
        "share": float(size[marked].sum() / size.sum()),
        "share_of_genes": float(marked.mean()),
    }


def background(seed: int, n_samples: int = 480, epochs: int = 20) -> dict[str, float]:
    """A network on pictures of an organ, trained where one class has a lighter empty background, and one that was not.

    Half of the pictures train, half test. ``with`` and ``without``: accuracy on test pictures with that background and
    as they are; ``accuracy`` of the other network on these; ``share`` and ``usual_share``: of either's attribution in
    pictures of that class, what lies on the background, which covers ``share_of_pixels``.
    """
    from genomap_core.data.simulated.fusion import CLASSES, FusionSimulation, simulate_fusion
    from genomap_core.explain.fusion import pixel_values
    from genomap_core.training.fusion import FusionClassifier, FusionConfig

    chosen = tuple(CLASSES.index(name) for name in ("quiet", "textural"))
    cohort = simulate_fusion(FusionSimulation(n_samples=n_samples, side=48, seed=seed + 5)).cohort.of_classes(chosen)
    assert cohort.regions is not None
    y, empty = np.asarray(cohort.table.y), cohort.regions == 0
    lighter = BACKGROUND * (empty & (y == 0)[:, None, None])[:, None].astype(np.float32)
    marked = replace(cohort, images=cohort.images + lighter)
    train, test = np.arange(len(y) // 2), np.arange(len(y) // 2, len(y))
    explained = test[y[test] == 0][:N_EXPLAINED]
    found = {"share_of_pixels": float(empty.mean())}
    for pictures, share, scores in (
        (marked, "share", {"with": marked, "without": cohort}),
        (cohort, "usual_share", {"accuracy": cohort}),
    ):
        config = FusionConfig(variant="image", epochs=epochs, n_seeds=1, seed=seed, device="cpu")
        model = FusionClassifier(config).fit(pictures.take(train))
        for name, seen in scores.items():
            found[name] = float((model.predict_proba(seen.take(test)).argmax(1) == y[test]).mean())
        on_empty = []
        for row in explained:
            size = np.abs(pixel_values(model.modules_, model.inputs(pictures.take([row])), 0)[0]).sum(0)
            on_empty.append(size[empty[row]].sum() / size.sum())
        found[share] = float(np.mean(on_empty))
    return found


def _network(solver: str, seed: int) -> Any:
    """Convolutions on maps of one layout, without a linear path."""
    from genomap_core.training.pipelines import genomap_pipeline

    pipeline = genomap_pipeline(solver=solver, selection="none", n_seeds=1, max_epochs=15, random_state=seed)
    return pipeline.set_params(network__network_options={"linear": False})
