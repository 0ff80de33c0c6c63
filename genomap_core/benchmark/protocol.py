"""The study's protocol as frozen values, and the one generator of every run. Reads no data, fits no model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from genomap_core.errors import InputError

SUBSAMPLE_PERCENT = (80, 60, 40, 20)
NOISE_PERCENT = (5, 10, 15, 20, 50, 100, 150)
KEEP_PERCENT = (80, 50, 20, 10, 5)
READS_PERCENT = (50, 10, 2)
MODELS = ("genomap", "genomap_random", "genonet", "pfn", "logistic", "forest", "lightgbm", "svm")
"""The study's eight models, by their names in :mod:`genomap_core.benchmark.models`."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_]*", re.ASCII)
_CONDITION = re.compile(r"full|(rows|keep|blocks|thin)-([1-9][0-9]?)|(noise|testnoise)-([1-9][0-9]{0,2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """How training and test rows are disturbed; its name says it all: ``full``, ``rows-40``, ``noise-15``."""

    name: str

    def __post_init__(self) -> None:
        if not _CONDITION.fullmatch(self.name):
            raise InputError(
                f"Unknown condition {self.name!r}: write `full`, `rows-40` (40 % of the training rows), `noise-15` "
                "(15 % of each feature's standard deviation, on training and test rows), `testnoise-15` (test only), "
                "`keep-20` (test rows keep 20 % of the features), `blocks-20` (correlated features lost together) or "
                "`thin-10` (test rows of counts keep 10 % of the reads)."
            )

    @property
    def fraction(self) -> float:
        """Share of the training rows that is kept, in (0, 1]."""
        return int(self.name[5:]) / 100 if self.name.startswith("rows-") else 1.0

    @property
    def keep(self) -> float:
        """Share of the features that test rows keep, in (0, 1]."""
        return int(self.name.partition("-")[2]) / 100 if self.name.startswith(("keep-", "blocks-")) else 1.0

    @property
    def in_blocks(self) -> bool:
        """Whether correlated features are lost together."""
        return self.name.startswith("blocks-")

    @property
    def reads(self) -> float:
        """Share of the reads that test rows keep, in (0, 1]; less than 1 on sets that hold counts only."""
        return int(self.name[5:]) / 100 if self.name.startswith("thin-") else 1.0

    @property
    def noise(self) -> float:
        """Standard deviation of the added noise, in units of each feature's standard deviation in the training rows."""
        return int(self.name.partition("-")[2]) / 100 if "noise" in self.name else 0.0

    @property
    def noisy_training(self) -> bool:
        """Whether the training rows get the noise too."""
        return self.name.startswith("noise-")

    @property
    def training(self) -> Condition:
        """The condition with these training rows: undisturbed where test rows alone are disturbed."""
        return FULL if self.name.startswith(("testnoise-", "keep-", "blocks-", "thin-")) else self


FULL = Condition("full")
CONDITIONS: tuple[Condition, ...] = (
    FULL,
    *(Condition(f"rows-{p}") for p in SUBSAMPLE_PERCENT),
    *(Condition(f"noise-{p}") for p in NOISE_PERCENT),
)
"""The study's twelve conditions."""
TEST_NOISE: tuple[Condition, ...] = tuple(Condition(f"testnoise-{p}") for p in NOISE_PERCENT)
"""The option: noise on the test rows only."""
MISSING: tuple[Condition, ...] = tuple(Condition(f"{way}-{p}") for way in ("keep", "blocks") for p in KEEP_PERCENT)
"""The option: features missing in the test rows, at random and in blocks of correlated ones."""
THINNED: tuple[Condition, ...] = tuple(Condition(f"thin-{p}") for p in READS_PERCENT)
"""The option: fewer reads in the test rows, on the sets that hold counts."""
PAIRS = {
    "convolutions_random": "convolutions",
    "convolutions_random2": "convolutions",
    "convolutions_random3": "convolutions",
    "genonet_random": "genonet",
}
"""Control -> the model on the map whose seeds and inner folds it shares, so that they differ in the layout only."""


def seed_of(name: str) -> int:
    """A seed from a name: the first 31 bits of its SHA-256. Renaming a run is the only way to change its chance."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) >> 1


@dataclass(frozen=True, slots=True)
class Run:
    """One cell of the study: plain arguments, and every seed it needs, derived from names."""

    dataset: str
    condition: Condition
    model: str
    seed: int
    fold: int

    @property
    def name(self) -> str:
        """``set/condition/model/s<seed>/f<fold>``: unique in a study, and the path of its record."""
        return f"{self.dataset}/{self.condition.name}/{self.model}/s{self.seed}/f{self.fold}"

    @property
    def random_state(self) -> int:
        """Of the model; a control of :data:`PAIRS` has that of its partner.

        Where test rows alone are disturbed it is that of the undisturbed run, so that one model answers them all; there
        the map classifier's control has the map classifier's, too (its other records are older than this rule).
        """
        trained, model = self.condition.training, PAIRS.get(self.model, self.model)
        if trained != self.condition and model == "genomap_random":
            model = "genomap"
        return seed_of(replace(self, condition=trained, model=model).name)

    @property
    def trained(self) -> tuple[str, int, str]:
        """Runs of one data set and fold that agree in this ask one fitted model."""
        return self.model, self.random_state, self.condition.training.name

    @property
    def split_seed(self) -> int:
        """Of the folds: the same for all models and conditions, so that they are compared on the same rows."""
        return seed_of(f"{self.dataset}/s{self.seed}/folds")

    @property
    def noise_seed(self) -> int:
        """Of the noise field: the same for all models, and for all levels, which differ in amplitude only."""
        return seed_of(f"{self.dataset}/s{self.seed}/noise")

    @property
    def keep_seed(self) -> int:
        """Of the features lost: the same for all models; what a smaller share keeps a larger one keeps too."""
        return seed_of(f"{self.dataset}/s{self.seed}/f{self.fold}/keep")

    @property
    def reads_seed(self) -> int:
        """Of the reads that are kept: the same for all models."""
        return seed_of(f"{self.dataset}/s{self.seed}/reads")

    @property
    def rows_seed(self) -> int:
        """Of the choice of training rows: smaller fractions lie inside larger ones."""
        return seed_of(f"{self.dataset}/s{self.seed}/f{self.fold}/rows")

    @classmethod
    def parse(cls, name: str) -> Run:
        """The run of this name."""
        dataset, condition, model, seed, fold = name.split("/")
        return cls(dataset, Condition(condition), model, int(seed[1:]), int(fold[1:]))


@dataclass(frozen=True, slots=True)
class RunBundle:
    """The runs one fresh interpreter does: one data set, one fold, one seed."""

    dataset: str
    seed: int
    fold: int
    runs: tuple[Run, ...]
    needs_gpu: bool = False

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.dataset}/s{self.seed}/f{self.fold}" + ("/gpu" if self.needs_gpu else "")


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is run on what.

    Parameters
    ----------
    folds
        Data set -> number of folds, in the order of the study.
    models, conditions
        Names of the models; the disturbances.
    seeds
        Repetitions of condition ``full``.
    other_seeds
        Repetitions of every other condition: with little compute, fewer seeds first, never fewer sets.
    options
        Model -> its options, JSON values only.
    gpu_models
        Models that need a GPU worker; empty when everything runs on CPUs.
    counts
        The data sets that hold counts of reads: conditions with fewer reads are run on these alone.
    """

    folds: Mapping[str, int]
    models: tuple[str, ...] = MODELS
    conditions: tuple[Condition, ...] = CONDITIONS
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    other_seeds: tuple[int, ...] = (0,)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    gpu_models: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for what, names in (("data set", self.folds), ("model", self.models)):
            bad = [n for n in names if not _NAME.fullmatch(n)]
            if bad or not names:
                raise InputError(f"Not the name of a {what}: {bad or 'none is given'}. Use a-z, 0-9 and `_`.")
        for what, values in (("models", self.models), ("conditions", self.conditions), ("seeds", self.seeds)):
            if len(set(values)) != len(values):
                raise InputError(f"`{what}` names one of its members twice.")
        for dataset, n in self.folds.items():
            if n < 2:
                raise InputError(f"{dataset}: {n} folds; at least 2 are needed.")
        if any(s < 0 for s in (*self.seeds, *self.other_seeds)) or not self.seeds:
            raise InputError(f"`seeds` must be whole numbers >= 0, got {self.seeds} and {self.other_seeds}.")
        if self.left_out and len(self.left_out) == len(self.folds):
            raise InputError(
                "Fewer reads (`thin-..`) need a data set that holds counts, and none of these does: "
                f"{', '.join(self.left_out)}. Choose others, or say in the catalogue what its `counts` are."
            )

    @property
    def left_out(self) -> tuple[str, ...]:
        """Data sets on which a condition that was asked is not run, since they hold no counts of reads."""
        return tuple(d for d in self.folds if not all(self.applies(c, d) for c in self.conditions))

    def applies(self, condition: Condition, dataset: str) -> bool:
        """Whether this condition can be run on this data set."""
        return condition.reads == 1 or dataset in self.counts

    def seeds_of(self, condition: Condition) -> tuple[int, ...]:
        """The repetitions of this condition."""
        return self.seeds if condition == FULL else self.other_seeds


def runs(protocol: Protocol) -> Iterator[Run]:
    """Every run of the study: the first seed of all sets before the second seed of any."""
    for seed in sorted({*protocol.seeds, *protocol.other_seeds}):
        for dataset, n_folds in protocol.folds.items():
            for fold in range(n_folds):
                for condition in protocol.conditions:
                    if seed in protocol.seeds_of(condition) and protocol.applies(condition, dataset):
                        for model in protocol.models:
                            yield Run(dataset, condition, model, seed, fold)


def about_left_out(protocol: Protocol) -> str:
    """A sentence where sets are left out under a condition; empty where none is."""
    if not protocol.left_out:
        return ""
    held = ", ".join(d for d in protocol.folds if d in protocol.counts)
    return f"Fewer reads: on sets that hold counts only ({held}); {len(protocol.left_out)} of the sets hold none."


def bundles(protocol: Protocol) -> Iterator[RunBundle]:
    """The runs in the pieces that workers get; those of GPU models apart, for another kind of worker."""
    for (seed, dataset, fold), group in groupby(runs(protocol), key=lambda r: (r.seed, r.dataset, r.fold)):
        members = _by_model_trained(group)
        for gpu in (False, True):
            part = tuple(r for r in members if (r.model in protocol.gpu_models) == gpu)
            if part:
                yield RunBundle(dataset, seed, fold, part, needs_gpu=gpu)


def _by_model_trained(group: Iterable[Run]) -> tuple[Run, ...]:
    """Runs that ask one fitted model stand together, at the place of the first of them."""
    together: dict[tuple[str, int, str], list[Run]] = {}
    for run in group:
        together.setdefault(run.trained, []).append(run)
    return tuple(run for some in together.values() for run in some)


def shard(pieces: list[RunBundle], text: str | None) -> list[RunBundle]:
    """Every n-th bundle from the i-th on, for ``text = "i/n"`` with i from 1 to n; all without it."""
    if text is None:
        return pieces
    match = re.fullmatch(r"([1-9][0-9]*)/([1-9][0-9]*)", text)
    if not match or int(match[1]) > int(match[2]):
        raise InputError(f"`--shard` must be i/n with i from 1 to n, such as 3/8, got {text!r}.")
    return pieces[int(match[1]) - 1 :: int(match[2])]
