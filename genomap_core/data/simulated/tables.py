"""Simulated tables whose truth is known; ``python -m genomap_core.data.simulated.tables FOLDER`` writes them.

Counts are negative-binomial-like (Poisson of a log-normal rate) with a library size per patient, as in bulk RNA
sequencing. Genes belong to co-expressed modules: one latent activity per patient and module, one loading per gene.
A module is *informative* when its activity has another mean in each class; those are the planted causes.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True)
class ExpressionConfig:
    """Size and difficulty of a simulated expression cohort."""

    n_samples: int = 300
    n_genes: int = 2000
    classes: tuple[str, ...] = ("Luminal", "Basal", "Immune")
    n_modules: int = 40
    module_share: float = 0.6
    """Share of the genes that belong to a module; the others vary alone."""
    n_informative: int = 6
    effect: float = 1.5
    """Distance of the class means of an informative module, in standard deviations of its activity."""
    batch_effect: float = 0.35
    """Standard deviation over genes of the shift between the two batches, in log2 units."""
    label_noise: float = 0.04
    """Share of patients whose label is drawn at random, as pathologists disagree."""
    seed: int = 7

    def __post_init__(self) -> None:
        if self.n_informative > self.n_modules:
            raise ValueError(f"`n_informative` ({self.n_informative}) must be <= `n_modules` ({self.n_modules}).")
        if self.n_samples < len(self.classes) or self.n_genes < self.n_modules:
            raise ValueError("At least one sample a class and one gene a module are needed.")


@dataclass(frozen=True, eq=False)
class Simulated:
    """A table and the truth behind it."""

    values: np.ndarray
    """``(n, p)``"""
    feature_names: tuple[str, ...]
    labels: np.ndarray
    """``(n,)`` class codes, label noise included."""
    classes: tuple[str, ...]
    module: np.ndarray
    """``(p,)`` module of each feature, -1 for none."""
    informative: tuple[int, ...]
    """Modules whose activity depends on the class."""
    batch: np.ndarray
    """``(n,)`` 0 or 1"""

    @property
    def planted(self) -> tuple[str, ...]:
        """Names of the features in informative modules."""
        hit = np.isin(self.module, self.informative)
        return tuple(name for name, h in zip(self.feature_names, hit) if h)


def module_activities(
    rng: np.random.Generator,
    labels: np.ndarray,
    n_classes: int,
    n_modules: int,
    informative: Sequence[int],
    effect: float,
) -> np.ndarray:
    """Latent activity of every module in every patient, ``(n, n_modules)``, standard normal within a class.

    Modules come in correlated pairs (r = .5), so that neighbourhoods of modules exist as well as of genes.
    """
    n = len(labels)
    activity = rng.standard_normal((n, n_modules))
    pairs = n_modules // 2
    activity[:, 1 : 2 * pairs : 2] = (
        0.5 * activity[:, 0 : 2 * pairs : 2] + np.sqrt(0.75) * activity[:, 1 : 2 * pairs : 2]
    )
    for k, m in enumerate(informative):
        means = np.zeros(n_classes)
        means[k % n_classes] = effect
        activity[:, m] += means[labels] - means.mean()
    return activity


def expression_cohort(config: ExpressionConfig = ExpressionConfig()) -> Simulated:
    """Raw counts ``(n, p)`` of a bulk RNA-seq cohort with planted modules and a batch effect."""
    rng = np.random.default_rng(config.seed)
    n, p, c = config.n_samples, config.n_genes, len(config.classes)
    truth = rng.permutation(np.arange(n) % c)
    batch = (rng.random(n) < 0.4).astype(np.int64)
    informative = tuple(sorted(int(m) for m in rng.choice(config.n_modules, config.n_informative, replace=False)))
    activity = module_activities(rng, truth, c, config.n_modules, informative, config.effect)

    module = np.full(p, -1)
    members = rng.permutation(p)[: int(p * config.module_share)]
    module[members] = np.arange(len(members)) % config.n_modules
    loading = np.where(module >= 0, rng.normal(0.8, 0.25, p), 0.0) * np.where(rng.random(p) < 0.15, -1, 1)
    baseline = np.clip(rng.normal(5.5, 2.2, p), -1, 13)
    log_rate = (
        baseline
        + loading * activity[:, np.maximum(module, 0)]
        + np.outer(batch, rng.normal(0, config.batch_effect, p))
        + rng.normal(0, 0.45, (n, p))
        + rng.normal(0, 0.25, (n, 1))
    )
    counts = rng.poisson(np.exp2(np.clip(log_rate, -4, 17)))
    wrong = rng.random(n) < config.label_noise
    labels = np.where(wrong, rng.integers(0, c, n), truth)
    names = tuple(f"SIM{j + 1:04d}" for j in range(p))
    return Simulated(counts, names, labels, config.classes, module, informative, batch)


OMICS = ("rna", "meth", "cnv")


def multiomics_cohort(n_samples: int = 160, sizes: Sequence[int] = (600, 400, 200), seed: int = 11) -> Simulated:
    """Three omics of the same patients ``(n, 1200)``: log2 expression, methylation beta values, copy-number log ratios.

    Modules 0-3 drive expression and methylation (opposite sign), 4-7 copy number and expression, 8-11 one type each.
    Informative: 0 (class A), 4 (class B), 10 (class C; methylation only), so each class has its own omics type.
    Names carry their type: ``rna:SIM001``.
    """
    rng = np.random.default_rng(seed)
    classes = ("A", "B", "C")
    labels = rng.permutation(np.arange(n_samples) % 3)
    batch = (rng.random(n_samples) < 0.5).astype(np.int64)
    activity = module_activities(rng, labels, 3, 12, (0, 4, 10), 1.6)
    allowed = {"rna": [0, 1, 2, 3, 4, 5, 6, 7, 8], "meth": [0, 1, 2, 3, 9, 10], "cnv": [4, 5, 6, 7, 11]}
    blocks, modules, names = [], [], []
    for kind, p in zip(OMICS, sizes):
        member = np.where(rng.random(p) < 0.7, rng.choice(allowed[kind], p), -1)
        loading = np.where(member >= 0, rng.normal(0.9, 0.2, p), 0) * (-1 if kind == "meth" else 1)
        latent = loading * activity[:, np.maximum(member, 0)] + rng.normal(0, 0.7, (n_samples, p))
        if kind == "rna":
            values = np.log2(1 + rng.poisson(np.exp2(np.clip(rng.normal(6, 1.5, p) + latent, -2, 14))))
        elif kind == "meth":
            values = 1 / (1 + np.exp(-(rng.choice([-1.8, 0.0, 1.8], p) + 0.8 * latent)))
        else:
            values = 0.25 * latent + np.outer(batch, rng.normal(0, 0.05, p))
        blocks.append(np.round(values, 3))
        modules.append(member)
        names += [f"{kind}:SIM{j + 1:03d}" for j in range(p)]
    return Simulated(np.hstack(blocks), tuple(names), labels, classes, np.concatenate(modules), (0, 4, 10), batch)


CLINICAL_HEADER = (
    "patient_id", "age", "sex", "stage", "smoker", "bmi", "tumour_size_mm", "grade", "ki67_percent",
    "haemoglobin_g_dl", "crp_mg_l", "ldh_u_l", "albumin_g_l", "ecog", "treatment_arm", "response",
)  # fmt: skip


def clinical_table(n_samples: int = 200, seed: int = 3) -> list[tuple[str, ...]]:
    """Rows of a small clinical table with 14 features: numbers, categories, and cells missing at random.

    Response depends on stage, Ki-67, LDH and the treatment arm by a logistic model (coefficients in the code).
    """
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n_samples):
        age = rng.normal(61, 11)
        stage = int(rng.choice(4, p=[0.25, 0.35, 0.25, 0.15])) + 1
        grade = int(rng.integers(1, 4))
        size = np.exp(rng.normal(2.8 + 0.18 * stage, 0.4))
        ki67 = float(np.clip(rng.normal(12 + 9 * grade, 9), 1, 95))
        ldh = np.exp(rng.normal(5.25 + 0.07 * stage, 0.22))
        arm = rng.choice(["standard", "experimental"])
        logit = 1.9 - 0.75 * stage + 0.04 * (ki67 - 30) - 0.006 * (ldh - 220) + 0.9 * (arm == "experimental")
        response = "responder" if rng.random() < 1 / (1 + np.exp(-logit)) else "non-responder"
        row = [
            f"{age:.0f}", rng.choice(["female", "male"]), ["I", "II", "III", "IV"][stage - 1],
            rng.choice(["never", "former", "current"]), f"{rng.normal(26, 4):.1f}", f"{size:.0f}", str(grade),
            f"{ki67:.0f}", f"{rng.normal(13.2, 1.5):.1f}", f"{np.exp(rng.normal(1.2, 1.0)):.1f}", f"{ldh:.0f}",
            f"{rng.normal(40, 4):.0f}", str(int(rng.choice(4, p=[0.4, 0.35, 0.18, 0.07]))), arm,
        ]  # fmt: skip
        row = ["" if k in (4, 7, 9, 10) and rng.random() < 0.08 else str(v) for k, v in enumerate(row)]
        rows.append((f"P{i + 1:03d}", *row, response))
    return rows


def csv_bytes(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """A table as UTF-8 text, a line a row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def _table(cohort: Simulated, target: str) -> bytes:
    values = cohort.values.astype(str) if cohort.values.dtype.kind in "iu" else np.char.mod("%g", cohort.values)
    rows = [(f"P{i + 1:03d}", cohort.classes[label], *values[i]) for i, label in enumerate(cohort.labels)]
    return csv_bytes(("patient_id", target, *cohort.feature_names), rows)


def _truth(cohort: Simulated) -> bytes:
    truth = {
        "planted": cohort.planted,
        "informative_modules": cohort.informative,
        "module_of_feature": [int(m) for m in cohort.module],
        "batch_of_patient": [int(b) for b in cohort.batch],
    }
    return (json.dumps(truth) + "\n").encode()


def sample_files() -> dict[str, bytes]:
    """Every file of ``sample_data/`` that is simulated, by name; the same bytes at every call."""
    expression, omics = expression_cohort(), multiomics_cohort()
    return {
        "expression.csv": _table(expression, "subtype"),
        "expression.truth.json": _truth(expression),
        "clinical.csv": csv_bytes(CLINICAL_HEADER, clinical_table()),
        "multiomics.csv": _table(omics, "subtype"),
        "multiomics.truth.json": _truth(omics),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the simulated cohorts of sample_data/, byte for byte.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("sample_data"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in sample_files().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
