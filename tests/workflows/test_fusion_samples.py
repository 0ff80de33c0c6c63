"""The imaging cohort that comes with the program, as an upload, and what its comparison and explanations say."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from genomap_core.data.simulated.fusion import CLASSES, SILENT_MODULE, STATE_MODULES, simulate_fusion
from genomap_core.io.images.cohort import ImagingOptions, read_imaging_cohort
from genomap_core.workflows.fusion import view as fusion_view
from genomap_core.workflows.fusion.samples import ARCHIVE, COMPARED, as_archive, load_fusion_sample
from genomap_core.workflows.fusion.scores import FusionResult
from genomap_core.workflows.fusion.words import gain_is_real, rests_on_background, verdict

QUIET, TEXTURAL, MOLECULAR, CONCORDANT = range(4)


@pytest.fixture(scope="module")
def result() -> FusionResult:
    return FusionResult.load(COMPARED)


@pytest.fixture(scope="module")
def truth():
    return simulate_fusion()


def test_the_stored_cohort_is_the_simulated_one(truth):
    stored = load_fusion_sample()
    np.testing.assert_array_equal(stored.table.X, truth.cohort.table.X)
    np.testing.assert_array_equal(stored.regions, truth.cohort.regions)
    np.testing.assert_allclose(stored.images, truth.cohort.images, atol=2e-3)  # half precision


def test_the_archive_is_written_byte_for_byte_and_read_as_the_same_patients(truth):
    content = as_archive(truth)
    assert content == (COMPARED / ARCHIVE).read_bytes()
    cohort, messages = read_imaging_cohort(content, ImagingOptions(side=64))
    assert cohort is not None, messages
    assert not [m for m in messages if m.severity in ("error", "refuse")]
    table = truth.cohort.table
    assert cohort.table.sample_ids == table.sample_ids
    assert cohort.table.omics_names == table.omics_names
    assert [cohort.table.classes[c] for c in cohort.table.y] == [table.classes[c] for c in table.y]
    np.testing.assert_allclose(cohort.table.X, table.X, atol=1e-5)
    for own, other in zip(cohort.images[:20], truth.cohort.images[:20], strict=True):
        assert np.corrcoef(own.ravel(), other.ravel())[0, 1] > 0.99


def balanced(result: FusionResult, name: str) -> float:
    return result.scores[name]["balanced_accuracy"].value


def test_fusion_beats_either_kind_alone_by_the_planted_margin(result):
    """Either kind alone can't be right for more than three quarters."""
    for alone in ("image", "omics"):
        assert balanced(result, alone) < 0.79
        assert result.gain[alone]["balanced_accuracy"].value > 0.08
        assert result.gain[alone]["balanced_accuracy"].low > 0
    assert gain_is_real(result)
    assert any("is real" in sentence for sentence in verdict(result))


def test_adaptive_fusion_is_ahead_of_its_best_part(result):
    parts = result.tables["adaptive"]
    best = max(
        ("image", "omics", "stacked", "logistic_both", "logistic_image", "logistic_omics"),
        key=lambda p: balanced(result, p),
    )
    assert parts[best]["balanced_accuracy"].low > 0
    assert verdict(result)[0].startswith("The best of all models is “Adaptive fusion”")


def test_controls_fall_to_where_they_must(result):
    """With the omics of others what is left is the image's answer at best, and the reverse."""
    assert balanced(result, "shuffled_omics") < balanced(result, "image") + 0.05
    assert balanced(result, "shuffled_images") < balanced(result, "omics") + 0.05


def test_each_class_is_carried_by_the_type_of_data_that_shows_it(result):
    values = dict(zip(result.types, result.type_values("stacked"), strict=True))
    assert max(result.types, key=lambda t: values[t][TEXTURAL]) == "image"
    assert max(result.types, key=lambda t: values[t][MOLECULAR]) == "methylation"
    assert values["expression"][CONCORDANT] > 0.1


def explained(result: FusionResult, rows: np.ndarray, target: int):
    cache: dict = {}
    for row in rows:
        spec = {"folder": str(COMPARED), "row": int(row), "fold": int(result.fold_of_row[row]), "target": target}
        yield int(row), *fusion_view.explain(spec, {"fold_of_row": result.fold_of_row}, cache)


def right(result: FusionResult, c: int, n: int) -> np.ndarray:
    """The first patients of a class who were recognised."""
    return np.flatnonzero((result.y == c) & (result.runs[0].proba.argmax(1) == c))[:n]


def test_the_lesion_is_what_speaks_for_the_textural_class(result, truth):
    """Out of twelve, the strongest region lies on the lesion in most, though it is a twentieth of the picture."""
    hits = []
    for row, _, parts in explained(result, right(result, TEXTURAL, 12), TEXTURAL):
        region = parts["regions"] == parts["region_values"].argmax()
        hits.append((truth.cohort.regions[row][region] == 2).mean() > 0.2)
    assert np.mean(hits) > 0.6


@pytest.mark.parametrize(("c", "modules", "kind"), [(CONCORDANT, STATE_MODULES, 0), (MOLECULAR, (SILENT_MODULE,), 1)])
def test_the_planted_modules_are_what_speaks_for_their_class(result, truth, c, modules, kind):
    """In all of eight patients but one at most."""
    planted, found = np.isin(truth.module, modules) & (truth.cohort.omics == kind), []
    for _, about, parts in explained(result, right(result, c, 8), c):
        labels, values = parts["modules"], parts["module_values"]
        share = np.array([planted[labels == k].mean() for k in range(len(values))])
        speaks = share[values.argmax()] > 0.5 and np.corrcoef(share, values)[0, 1] > 0.8
        found.append(speaks and roc_auc_score(planted, parts["features"]) > 0.85)
        beaten, deletion, insertion = about["faithful"]
        assert beaten >= 0.9
        assert min(deletion, insertion) > 0
        assert about["gap"] < 0.2
    assert sum(found) >= 7


def overlays(result, rows, method):
    cache: dict = {}
    for row in rows:
        spec = {"folder": str(COMPARED), "row": int(row), "fold": int(result.fold_of_row[row]), "target": TEXTURAL}
        yield int(row), fusion_view.overlay(spec | {"method": method}, {}, cache)[1]["values"]


def test_occlusion_sees_the_lesion_of_the_textural_class_too(result, truth):
    """More often than not: a lesion is a twentieth of the picture."""
    inside = []
    for row, values in overlays(result, right(result, TEXTURAL, 8), "occlusion"):
        lesion = truth.cohort.regions[row] == 2
        inside.append(values[lesion].mean() > values[~lesion].mean())
    assert np.mean(inside) > 0.5


def test_gradcam_is_drawn_over_the_whole_image(result):
    """Its eight by eight places are too coarse to be held against a lesion of eight pixels."""
    ((_, values),) = overlays(result, right(result, TEXTURAL, 1), "gradcam")
    assert values.shape == (64, 64)
    assert np.isfinite(values).all()
    assert np.ptp(values) > 0


def test_modules_are_features_that_vary_together():
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(80, 4))
    of = np.repeat(np.arange(4), 10)
    Z = latent[:, of] + 0.3 * rng.normal(size=(80, 40))
    kinds = np.repeat([0, 1], 20)
    kinds[5] = -1
    found = fusion_view.modules_of(Z, kinds, 4)
    assert found[5] == -1
    for k in range(4):
        own = found[(of == k) & (kinds >= 0)]
        assert (own == own[0]).all()
    assert len(np.unique(found[kinds >= 0])) == 4


def test_parts_and_their_labels_fit_together(result):
    ((_, about, parts),) = explained(result, right(result, CONCORDANT, 1), CONCORDANT)
    n_modules, n_regions = len(about["module_names"]), len(parts["region_values"])
    assert parts["interaction"].shape == (n_modules, n_regions)
    assert set(np.unique(parts["modules"])) <= set(range(-1, n_modules))
    assert parts["types"].shape == (3, len(CLASSES))
    total = parts["region_values"].sum() + parts["module_values"].sum()
    assert about["output"] - about["baseline"] == pytest.approx(total, abs=1e-6)


def test_a_patient_is_looked_at_by_a_network_that_never_saw_that_patient(result):
    run = result.runs[0]
    for row in (0, 7, 100):
        spec = {"folder": str(COMPARED), "row": row, "fold": int(result.fold_of_row[row])}
        _, seen = fusion_view.look(spec, {}, {})
        np.testing.assert_allclose(seen["proba"], run.proba[row], atol=1e-5)


def test_an_attribution_on_empty_background_is_told_from_one_on_tissue():
    rng = np.random.default_rng(0)
    image = np.zeros((1, 12, 12))
    image[:, 4:8, 4:8] = rng.normal(5, 2, size=(1, 4, 4))
    labels = np.zeros((12, 12), int)
    labels[4:8, 4:8] = 1
    assert rests_on_background(image, labels, np.array([-2.0, 1.0]))
    assert not rests_on_background(image, labels, np.array([0.5, 1.0]))
    assert not rests_on_background(rng.normal(size=(1, 12, 12)), labels, np.array([2.0, 1.0])), "tissue to the border"
