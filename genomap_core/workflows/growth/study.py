"""What an image can tell of growth: parameters recovered from tumours that the solver itself has grown.

One image fixes the length sqrt(D / rho), the blur of the front; how fast the front moves, 2 sqrt(D rho), needs a second
date. The study trains the network on simulated gliomas and tests it on others, with one image and with two:
``python -m genomap_core.workflows.growth.study``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from genomap_core.data.simulated import mri
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.workflows.growth.samples import grow_arrays

QUANTITIES: dict[str, str] = {
    "ratio": "D / rho (infiltration length squared)",
    "speed": "2 sqrt(D rho) (front speed)",
    "diffusion": "D",
    "rate": "rho",
}
HEAD = 128


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """Size of the study. The unit of time is the time between the two images."""

    n_train: int = 600
    n_test: int = 200
    size: int = 64
    """Side of the images in pixels; the growth model's cells are 2 x 2 pixels."""
    width: int = 16
    max_epochs: int = 20
    n_images: int = 1
    """1, or 2 for a second image one unit of time later."""
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Recovery:
    """True and recovered values of held-out simulations."""

    truth: dict[str, np.ndarray]
    """Quantity -> ``(n_test,)``, pixels and units of time"""
    found: dict[str, np.ndarray]

    def rank_correlation(self, quantity: str) -> float:
        """Spearman's, over the held-out simulations."""
        from scipy.stats import spearmanr

        return float(spearmanr(self.truth[quantity], self.found[quantity]).statistic)

    def typical_factor(self, quantity: str) -> float:
        """Median factor between recovered and true value: 1 is exact."""
        return float(np.exp(np.median(np.abs(np.log(self.found[quantity] / self.truth[quantity])))))


@dataclass(frozen=True, eq=False)
class GliomaPairs:
    """Simulated gliomas at two dates."""

    images: np.ndarray
    """``(n, 2, s, s)`` float32"""
    masks: np.ndarray
    """``(n, s, s)`` bool, 16 % contour at the first date"""
    diffusion: np.ndarray
    rate: np.ndarray


def simulate_pairs(n: int, size: int, seed: int) -> GliomaPairs:
    """``n`` gliomas on FLAIR, at their age and one unit of time later: the same head, new noise.

    Each is a window of ``size`` pixels around the first cells, from a head of 128 x 128 pixels.
    """
    rngs = [np.random.default_rng([seed, i]) for i in range(n)]
    heads = [mri.brain_tissue(HEAD, rng) for rng in rngs]
    tumours = [t for head, rng in zip(heads, rngs) if (t := mri.plan_tumour("glioma", head, rng)) is not None]
    corners = [tuple(int(np.clip(c - size // 2, 0, HEAD - size)) for c in t.seed) for t in tumours]
    tissue = np.stack([h[r : r + size, c : c + size] for h, (r, c) in zip(heads, corners)])
    share = np.stack([mri.conductance("glioma", t) for t in tissue])
    seeds = [(t.seed[0] - r, t.seed[1] - c) for t, (r, c) in zip(tumours, corners)]
    u0 = np.stack([mri.first_cells(seed, size) for seed in seeds]) * (share > 0)
    diffusion, rate, time = np.array([(t.diffusion, t.rate, t.time) for t in tumours]).T
    looks = [int(rng.integers(2**32)) for rng in rngs]
    images, first = [], np.zeros(0)
    for k in range(2):
        spread, growth = (v * (time + k) for v in (diffusion, rate))
        density = grow_arrays(u0, spread[:, None, None] * share, growth[:, None, None] * np.ones_like(share))
        rngs = [np.random.default_rng([look, k]) for look in looks]
        images.append([mri.picture(t, u, "flair", True, rng) for t, u, rng in zip(tissue, density, rngs)])
        first = density if k == 0 else first
    return GliomaPairs(np.stack([np.stack(i) for i in images], axis=1), first >= 0.16, diffusion, rate)


def recover(config: StudyConfig = StudyConfig(), on_progress: OnProgress = ignore) -> Recovery:
    """Train on simulated gliomas, their D and rho known, and recover those of held-out ones.

    The network is taught log(D / rho) and log(D rho) with one image as with two: what it can't see it can't learn.
    """
    from genomap_core.models.physnet import PhysicsConfig
    from genomap_core.training.growth import GrowthClassifier, GrowthTraining, Knowledge
    from genomap_core.training.growth_losses import LossWeights

    on_progress(Progress("simulating", 0, config.max_epochs))
    train = simulate_pairs(config.n_train, config.size, config.seed)
    test = simulate_pairs(config.n_test, config.size, config.seed + 1_000_003)
    step, cell = 0.1, 1.0  # of the growth model: units of time, pixels
    physics = PhysicsConfig(
        n_steps=20, stage=2, upscale=4, length_range=(1.5, 4.0), rate_range=(0.05, 1.0), checkpointing=True
    )
    training = GrowthTraining(
        network="physnet18",
        width=config.width,
        stem_stride=2,
        physics=physics,
        losses=LossWeights(cross_entropy=0.0, density=0.2, burden=0.0, prior=0.0, seed=0.0),
        max_epochs=config.max_epochs,
        batch_size=32,
        learning_rate=3e-3,
        noise=0.0,
        seed=config.seed,
        device=config.device,
    )
    mean, sd = train.images.mean(), train.images.std()
    x, x_test = (((p.images - mean) / sd)[:, : config.n_images] for p in (train, test))
    knowledge = Knowledge(
        masks=train.masks.astype(np.float32),
        log_ratio=np.log(train.diffusion / train.rate / cell**2),
        log_product=np.log(train.diffusion * train.rate / cell**2 * step**2),
    )
    model = GrowthClassifier(training, on_progress).fit(x, np.zeros(len(x), np.int64), 2, knowledge)
    seen = model.observe(x_test)
    return Recovery(
        _quantities(test.diffusion, test.rate), _quantities(seen.diffusion[0] * cell**2 / step, seen.rate[0] / step)
    )


def _quantities(diffusion: np.ndarray, rate: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "ratio": diffusion / rate,
        "speed": 2 * np.sqrt(diffusion * rate),
        "diffusion": diffusion,
        "rate": rate,
    }


def table(recoveries: dict[int, Recovery]) -> str:
    """Rank correlation and typical factor of every quantity, by the number of images, as Markdown."""
    names = [f"{n} image{'s' * (n > 1)}" for n in recoveries]
    lines = [["Quantity", *names], ["---"] * (1 + len(names))]
    for key, words in QUANTITIES.items():
        cells = [f"{r.rank_correlation(key):.2f} (x {r.typical_factor(key):.2f})" for r in recoveries.values()]
        lines.append([words, *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study with one image and with two; print rank correlations and typical factors."""
    parser = argparse.ArgumentParser(prog="python -m genomap_core.workflows.growth.study", description=__doc__)
    default = StudyConfig()
    for name in ("n_train", "n_test", "size", "width", "max_epochs", "seed"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(default, name))
    config = StudyConfig(**vars(parser.parse_args(arguments)))
    sys.stdout.write(table({n: recover(replace(config, n_images=n)) for n in (1, 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
