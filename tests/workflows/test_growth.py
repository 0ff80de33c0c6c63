"""PhysNet against its baselines: the table, its intervals, few samples, robustness, units."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from genomap_core.data.images.labelled import LabelledImages
from genomap_core.errors import Cancelled, InputError
from genomap_core.progress import Progress
from genomap_core.workflows.growth.compare import GrowthCompareConfig, compare_growth, conditions, image_folds, share_of
from genomap_core.workflows.growth.scores import ENSEMBLE, GrowthResult, calibration_error, mask_dice
from genomap_core.workflows.growth.table import report
from genomap_core.workflows.growth.units import PhysicalScale, cell_size, growth_figures
from tools.growth_networks_table import pointed
from tools.growth_table import main


def discs(n: int = 48, size: int = 32, groups: bool = True) -> LabelledImages:
    """Half of the images hold a disc; every four neighbours are one patient."""
    rng = np.random.default_rng(0)
    y = (np.arange(n) // 4) % 2
    rows, columns = np.ogrid[:size, :size]
    centres = rng.integers(8, size - 8, (n, 2))
    masks = np.stack([(rows - r) ** 2 + (columns - c) ** 2 < 25 for r, c in centres]) * y[:, None, None]
    return LabelledImages(
        "discs",
        (2 * masks + rng.normal(0, 0.3, masks.shape))[:, None].astype(np.float32),
        y,
        ("clear", "glioma"),
        tuple(map(str, range(n))),
        groups=np.arange(n) // 4 if groups else None,
        masks=masks.astype(np.float32),
        without_tumour=("clear",),
        infiltrating=("glioma",),
    )


CONFIG = GrowthCompareConfig(
    networks=("physnet18", "resnet18", "mobilenet_v2"),
    n_folds=2,
    width=8,
    stem_stride=2,
    stage=1,
    upscale=2,
    n_steps=4,
    max_epochs=6,
    learning_rate=1e-2,
    shares=(1.0, 0.5),
    device="cpu",
)


@pytest.fixture(scope="module")
def result() -> GrowthResult:
    return compare_growth(discs(), CONFIG)


def test_every_image_is_tested_once_by_every_network(result: GrowthResult) -> None:
    assert {(r.facts["network"], r.facts["share"]) for r in result.runs} == {
        (n, s) for n in CONFIG.networks for s in CONFIG.shares
    }
    for run in result.runs:
        np.testing.assert_allclose(run.proba.sum(1), 1, atol=1e-6)


def test_the_table_holds_the_networks_and_their_soft_vote(result: GrowthResult) -> None:
    assert set(result.scores) == {*CONFIG.networks, ENSEMBLE}
    for row in result.scores.values():
        for score in row.values():
            assert score.low <= score.value + 1e-9
            assert score.value <= score.high + 1e-9
    votes = np.mean(
        [r.proba for r in result.runs if r.facts["share"] == 1 and r.facts["network"] != "physnet18"], axis=0
    )
    assert result.scores[ENSEMBLE]["accuracy"].value == (votes.argmax(1) == result.y).mean()


def test_robustness_few_samples_and_leads_are_given_for_each(result: GrowthResult) -> None:
    for name in CONFIG.networks:
        assert set(result.robustness[name]) == {key for key, *_ in conditions()}
        assert set(result.few[name]) == {"100%", "50%"}
    assert set(result.lead) == {"resnet18", "mobilenet_v2", ENSEMBLE}
    assert set(result.dice) == {"physnet18"}


def test_a_result_survives_the_disk(result: GrowthResult, tmp_path) -> None:
    result.save(tmp_path)
    again = GrowthResult.load(tmp_path)
    assert again.scores == result.scores
    assert again.robustness == result.robustness
    for a, b in zip(again.runs, result.runs):
        np.testing.assert_array_equal(a.proba, b.proba)
        assert a.values.keys() == b.values.keys()


def test_a_stopped_comparison_goes_on_and_other_images_are_refused(tmp_path) -> None:
    config = dataclasses.replace(
        CONFIG, networks=("resnet18", "mobilenet_v2"), shares=(1.0,), max_epochs=1, robustness=False
    )
    stages: list[str] = []

    def stop(p: Progress) -> None:
        stages.append(p.stage)
        if p.stage.startswith("mobilenet"):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        compare_growth(discs(24), config, stop, keep=tmp_path)
    stages.clear()
    result = compare_growth(discs(24), config, lambda p: stages.append(p.stage), keep=tmp_path)
    assert {r.name for r in result.runs} == {"resnet18-1", "mobilenet_v2-1"}
    assert not any(stage.startswith("resnet") for stage in stages)
    with pytest.raises(InputError, match="another cohort"):
        compare_growth(discs(28), config, keep=tmp_path)


def test_the_report_names_every_network_lead_and_condition(result: GrowthResult) -> None:
    text = report(result, ("A note.",))
    assert text.startswith("A note.")
    for words in ("PhysNet (ResNet-18)", "MobileNetV2", "Soft vote", "noise 0.5", "50%", "Dice of the 16 % contour"):
        assert words in text
    rows = [line for line in text.splitlines() if line.startswith("| PhysNet")]
    assert all(line.count("(") >= 2 for line in rows)


def test_the_command_makes_a_table_of_a_folder_of_images(tmp_path, capsys) -> None:
    cohort = discs(24)
    for k, (image, c) in enumerate(zip(cohort.images[:, 0], cohort.y)):
        folder = tmp_path / "set" / cohort.classes[c]
        folder.mkdir(parents=True, exist_ok=True)
        grey = np.clip(60 * (image + 1.5), 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{k}.png")
    words = f"{tmp_path / 'set'} --out {tmp_path / 'out'} --networks resnet18 --size 32 --width 8 --folds 2 --epochs 1"
    assert main(words.split()) == 0
    assert "| ResNet-18 |" in capsys.readouterr().out
    assert "ResNet-18" in (tmp_path / "out" / "report.md").read_text()
    assert main([*words.split(), "--shares", "0.5", "1.0"]) == 0
    found = GrowthResult.load(tmp_path / "out")
    examined = [(run.facts["share"], any(k.startswith("degraded/") for k in run.values)) for run in found.runs]
    assert examined == [(1.0, True), (0.5, False)]  # whole ones first
    assert list(found.few["resnet18"]) == ["100%", "50%"]


def test_groups_never_part_and_classes_are_spread() -> None:
    cohort = discs()
    for train, test in image_folds(cohort, 3, 0):
        assert not set(cohort.groups[train]) & set(cohort.groups[test])
        assert set(cohort.y[test]) == {0, 1}


def test_too_many_folds_name_the_class_that_is_too_small() -> None:
    with pytest.raises(InputError, match=r"7 folds.*6 different"):
        image_folds(discs(), 7, 0)
    one = discs()
    with pytest.raises(InputError, match="two classes"):
        image_folds(dataclasses.replace(one, y=np.zeros_like(one.y)), 2, 0)


def test_a_share_keeps_whole_groups_of_every_class() -> None:
    cohort = discs()
    rows = np.arange(40)
    kept = share_of(rows, cohort.y, cohort.groups, 0.5, 0)
    assert 16 <= len(kept) <= 24
    assert set(cohort.y[kept]) == {0, 1}
    for g in np.unique(cohort.groups[kept]):
        assert np.isin(rows[cohort.groups[rows] == g], kept).all()
    np.testing.assert_array_equal(share_of(rows, cohort.y, None, 1.0, 0), rows)
    assert set(share_of(rows, cohort.y, None, 0.01, 0)) <= set(rows)


def test_calibration_error_of_known_forecasts() -> None:
    y = np.array([0] * 8 + [1] * 2)
    honest = np.tile([0.8, 0.2], (10, 1))
    boasting = np.tile([1.0, 0.0], (10, 1))
    assert calibration_error(y, honest) == pytest.approx(0, abs=1e-12)
    assert calibration_error(y, boasting) == pytest.approx(0.2)


def test_dice_at_the_contour_of_16_percent() -> None:
    masks = np.zeros((3, 32, 32), np.float32)
    masks[0, 8:16, 8:16] = 1
    masks[2] = np.nan
    density = np.zeros((3, 16, 16), np.float32)
    density[0, 4:8, 4:8] = 0.17
    dice = mask_dice(density, masks)
    assert dice[0] > 0.7
    assert dice[1] == 1
    assert np.isnan(dice[2])
    assert mask_dice(0.9 * density, masks)[0] == 0


def test_figures_only_for_classes_that_infiltrate() -> None:
    d, r = np.array([0.02, 0.08]), np.array([0.2, 0.2])
    assert growth_figures(d, r, infiltrating=False) == ()
    own = {f.title: f for f in growth_figures(d, r, infiltrating=True)}
    assert own["D / rho"].value == pytest.approx(0.2)
    assert (own["D / rho"].low, own["D / rho"].high) == (pytest.approx(0.1), pytest.approx(0.4))
    assert own["D / rho"].unit == "cells²"
    assert "model's units" in own["D"].unit
    assert own["D"].plausible is None


def test_spacing_gives_millimetres_of_length_only_and_a_second_date_gives_days() -> None:
    d, r = np.array([0.1]), np.array([0.2])
    spaced = {f.title: f for f in growth_figures(d, r, True, PhysicalScale(cell_mm=2.0))}
    assert spaced["Infiltration length sqrt(D / rho)"].value == pytest.approx(2 * np.sqrt(0.5))
    assert spaced["Infiltration length sqrt(D / rho)"].unit == "mm"
    assert "model's units" in spaced["D"].unit
    dated = {f.title: f for f in growth_figures(d, r, True, PhysicalScale(cell_mm=2.0, step_days=10.0))}
    assert (dated["D"].value, dated["D"].unit) == (pytest.approx(0.04), "mm²/day")
    assert (dated["rho"].value, dated["rho"].unit) == (pytest.approx(0.02), "1/day")
    assert dated["Front speed 2 sqrt(D rho)"].value == pytest.approx(2 * np.sqrt(0.04 * 0.02))
    assert dated["D"].plausible == (0.0027, 0.27)


def test_the_published_example_moves_42_mm_a_year() -> None:
    found = growth_figures(np.array([0.13]), np.array([0.025]), True, PhysicalScale(1.0, 1.0))
    speed = next(f for f in found if f.title.startswith("Front speed"))
    assert speed.value * 365.25 == pytest.approx(42, abs=0.5)


def test_cells_in_millimetres_follow_the_crop_and_impossible_spacings_are_refused() -> None:
    assert cell_size((180, 150), 60, (0.5, 0.5)) == pytest.approx(1.5)
    assert cell_size((180, 150), 60, None) is None
    with pytest.raises(InputError, match="not positive"):
        cell_size((10, 10), 5, (0.0, 1.0))
    with pytest.raises(InputError, match="not square"):
        cell_size((10, 10), 5, (0.5, 1.0))
    with pytest.raises(InputError, match="cell_mm"):
        PhysicalScale(cell_mm=0.0)


def test_pointing_and_dice_at_the_masks_own_size() -> None:
    masks = np.zeros((2, 8, 8), np.float32)
    masks[:, 2:4, 2:4] = 1
    values = np.stack([masks[0], np.roll(masks[1], 1, axis=1)])
    hits, dice = pointed(values + 0.1 * masks, masks)
    np.testing.assert_allclose(hits, [1, 1])
    np.testing.assert_allclose(dice, [1, 0.5])
    assert pointed(-masks, masks)[0].tolist() == [0, 0]
