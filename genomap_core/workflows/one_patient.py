"""One patient of a comparison in one call, without a page: the comparison made or read, his answers with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import some
from genomap_core.data.perturb import Perturbation
from genomap_core.errors import InputError, ModelLimitError
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.workflows.compare import CompareConfig, CompareResult, compare
from genomap_core.workflows.genomap import GenomapResult, region_groups
from genomap_core.workflows.patient import Cache, attribute, methods_for, noisy_rows, predict, spread_of


def row_of(dataset: Dataset, sample: str) -> int:
    """The row of a sample; :class:`InputError` names some that there are."""
    if sample not in dataset.sample_ids:
        raise InputError(
            f"{dataset.name}: there is no sample {sample!r} among the {dataset.n_samples:,} of the cohort, which are "
            f"called {some(dataset.sample_ids, 5)}."
        )
    return dataset.sample_ids.index(sample)


def comparison(
    dataset: Dataset, config: CompareConfig, folder: Path, on_progress: OnProgress = ignore
) -> CompareResult:
    """The comparison in ``folder``: read where it is finished, else made and kept there with the cohort.

    Raises
    ------
    InputError
        The folder holds a comparison of another cohort, or with other options.
    """
    if (folder / "compare.json").is_file():
        found = CompareResult.load(folder)
        if (found.digest, found.config) != (dataset.digest, config):
            what = "other options" if found.digest == dataset.digest else "another cohort"
            raise InputError(f"{folder} holds a comparison of {what}: choose another folder.")
        return found
    folder.mkdir(parents=True, exist_ok=True)
    dataset.save(folder / "dataset.npz")
    return compare(dataset, config, folder, on_progress)


def explained_answers(
    folder: Path,
    dataset: Dataset,
    genomap: GenomapResult,
    found: CompareResult,
    row: int,
    target: int,
    models: Sequence[str],
    on_progress: OnProgress = ignore,
) -> list[dict[str, Any]]:
    """What each model of the comparison in ``folder`` says of a patient that it never saw, and why.

    Returns
    -------
    For each model ``model``, ``label``, ``proba (1 + draws, C)``, ``values (p,)``, ``method``, ``completeness_gap``.

    Raises
    ------
    ModelLimitError
        A model did not get through the comparison; its own message says why.
    """
    for name in models:
        run = found.run(name)
        if run.status != "ok":
            raise ModelLimitError(f"{run.label} has no answer ({run.status}): {run.message}")
    cache: Cache = {}
    fold = int(found.fold_of_row[row])
    X = noisy_rows(dataset, row, Perturbation(), spread_of(dataset))
    _, probas = predict({"run": folder, "fold": fold, "models": list(models)}, {"X": X}, cache)
    groups = region_groups(genomap, dataset.n_features)
    answers = []
    for k, name in enumerate(models):
        label = found.run(name).label
        on_progress(Progress(f"explaining {label}", k, len(models)))
        spec = {"run": folder, "fold": fold, "model": name, "target": target, "method": next(iter(methods_for(name)))}
        about, arrays = attribute(spec, {"x": X[0], "groups": groups}, cache)
        answers.append({"model": name, "label": label, "proba": probas[name], **arrays, **about})
    return answers
