"""The demonstrations show what is there: order where there is one, none where there is none, planted causes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genomap_core.workflows.lessons import trained as lessons
from genomap_core.workflows.lessons.growth import DIFFUSION, N_VALUES, RATE, growth_lesson, values
from genomap_core.workflows.lessons.trained import METHODS, NOISE, attribution_task, lesson_cohort, map_task
from genomap_core.workflows.lessons.unscramble import KINDS, collection, unscramble


def test_shuffled_textures_are_rebuilt_from_samples_alone() -> None:
    found = unscramble(collection("textures", 300), seed=2)
    assert found.kept > 0.7
    assert found.kept_shuffled < 0.05
    assert found.off < 2  # cells, of a mean distance of 12.5 between two places
    np.testing.assert_array_equal(found.frames[0], found.shuffled)
    for positions in found.frames:  # every frame is the whole picture
        assert len(np.unique(positions @ [24, 1])) == 24 * 24
    assert np.isfinite(found.shown(0, found.frames[3])).all()


def test_pixels_without_any_relation_stay_shuffled() -> None:
    noise = np.random.default_rng(0).normal(size=(200, 12, 12)).astype(np.float32)
    found = unscramble(noise, seed=1)
    assert found.kept < 0.2  # eight of 143 others touch: .056 by chance


@pytest.mark.parametrize("kind", list(KINDS))
def test_collections_are_pictures(kind: str) -> None:
    pictures = collection(kind, 40)
    assert pictures.shape[0] == 40
    assert pictures.dtype == np.float32
    assert np.isfinite(pictures).all()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "lesson_cohort", lambda seed: lesson_cohort(seed, 140, 120, 100))
    monkeypatch.setattr(lessons, "N_EXPLAINED", 6)


@pytest.mark.usefixtures("small")
def test_every_network_is_tested_at_every_noise_on_the_same_patients(tmp_path: Path) -> None:
    stages: list[int] = []
    found = map_task({"seed": 3}, tmp_path, lambda p: stages.append(p.step))
    assert set(found["accuracy"]) == {"ot", "published", "random", "logistic"}
    assert all(len(v) == len(NOISE) for v in found["accuracy"].values())
    assert found["n_test"] == 120
    assert stages == [0, 1, 2, 3]
    for shares in found["accuracy"].values():
        assert shares[0] > 0.45  # a third by chance
        assert shares[-1] < shares[0] + 0.05
    fewer = found["accuracy_reads_lost"]
    assert {name: shares[0] for name, shares in fewer.items()} == {n: s[0] for n, s in found["accuracy"].items()}
    assert all(len(shares) == len(found["reads_lost"]) and shares[-1] < shares[0] + 0.05 for shares in fewer.values())


@pytest.mark.usefixtures("small")
def test_gradients_find_the_planted_genes_and_shuffled_weights_do_not(tmp_path: Path) -> None:
    found = attribution_task({"seed": 0}, tmp_path, lambda p: None)["methods"]
    assert set(found) == set(METHODS)
    assert found["integrated_gradients"]["found"] > 0.6
    assert found["integrated_gradients"]["found"] > found["integrated_gradients"]["found_shuffled"]
    with np.load(tmp_path / "attributions.npz") as file:
        assert file["trained"].shape == file["shuffled"].shape == (len(METHODS), 100)
        assert file["planted"].sum() == pytest.approx(0.8 * 100 * 3 / 10, abs=2)


def test_a_network_taught_a_lighter_background_fails_without_it() -> None:
    found = lessons.background(1)
    assert found["with"] > 0.9
    assert found["without"] < 0.65
    assert found["share"] > found["usual_share"] + 0.05


def test_one_picture_without_its_age_leaves_a_valley_of_growth_parameters() -> None:
    D, rho = values(DIFFUSION), values(RATE)
    i, j = N_VALUES // 2, N_VALUES // 2
    cache: dict = {}
    _, seen = growth_lesson({"diffusion": float(D[i]), "rate": float(rho[j])}, {}, cache)
    assert np.unravel_index(seen["same_time"].argmin(), (N_VALUES, N_VALUES)) == (i, j)
    assert seen["same_time"][i, j] < 1e-6
    assert (seen["any_time"] <= seen["same_time"] + 1e-7).all()
    open_when_known, open_when_not = (seen[k] < 0.02 for k in ("same_time", "any_time"))
    assert open_when_not.sum() > 2 * open_when_known.sum()
    ratio = np.log(D[:, None] / rho[None])
    assert np.ptp(ratio[open_when_not]) < 0.5 * np.ptp(ratio)  # the ratio is what the picture tells
    assert np.ptp(np.log(np.broadcast_to(rho, ratio.shape)[open_when_not])) > 0.5 * np.ptp(np.log(rho))
