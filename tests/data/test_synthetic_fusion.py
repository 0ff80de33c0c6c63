"""The simulated cohort holds what it says: each class can be told where it shall, and nowhere else."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genomap_core.data.simulated.fusion import (
    CLASSES,
    SILENT_MODULE,
    STATE_MODULES,
    FusionSimulation,
    simulate_fusion,
)

QUIET, TEXTURAL, MOLECULAR, CONCORDANT = range(4)


@pytest.fixture(scope="module")
def simulated():
    return simulate_fusion()


def shares(features: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of each true class (row) that is taken for each class, out of fold."""
    guess = cross_val_predict(make_pipeline(StandardScaler(), LogisticRegression()), features, y, cv=5)
    return confusion_matrix(y, guess, normalize="true")


def module_means(s) -> np.ndarray:
    return np.stack([s.cohort.table.X[:, s.module == m].mean(1) for m in (*STATE_MODULES, SILENT_MODULE)], axis=1)


def lesion_measures(s) -> np.ndarray:
    """Darkness of the core and strength of the texture, with the lesion's place known."""
    found = []
    for picture, region in zip(s.pictures / 255, s.cohort.regions, strict=True):
        depth = ndimage.distance_transform_edt(region == 2)
        core, rim = depth > 0.6 * depth.max(), (depth > 0) & (depth <= 0.6 * depth.max())
        texture = picture - ndimage.gaussian_filter(picture, 2)
        found.append([picture[core].mean() - picture[rim].mean(), texture[region == 2].std()])
    return np.array(found)


def test_the_same_seed_draws_the_same_cohort(simulated):
    assert simulate_fusion().cohort.digest == simulated.cohort.digest
    assert simulate_fusion(FusionSimulation(seed=6)).cohort.digest != simulated.cohort.digest


def test_the_image_does_not_tell_molecular_from_quiet(simulated):
    found = shares(lesion_measures(simulated), simulated.cohort.table.y)
    assert found[TEXTURAL, TEXTURAL] > 0.95
    assert found[CONCORDANT, CONCORDANT] > 0.8
    assert found[QUIET, QUIET] + found[MOLECULAR, MOLECULAR] < 1.2


def test_the_omics_do_not_tell_textural_from_quiet(simulated):
    found = shares(module_means(simulated), simulated.cohort.table.y)
    assert found[MOLECULAR, MOLECULAR] > 0.8
    assert found[CONCORDANT, CONCORDANT] > 0.8
    assert found[QUIET, QUIET] + found[TEXTURAL, TEXTURAL] < 1.2


def test_both_together_tell_all(simulated):
    both = np.hstack([lesion_measures(simulated), module_means(simulated)])
    assert np.diag(shares(both, simulated.cohort.table.y)).mean() > 0.9


def test_the_state_couples_lesion_and_expression_in_every_class(simulated):
    core, expression = lesion_measures(simulated)[:, 0], module_means(simulated)[:, 0]
    for c in (QUIET, MOLECULAR, CONCORDANT):  # stripes hide the core of the textural ones
        rows = simulated.cohort.table.y == c
        assert np.corrcoef(core[rows], expression[rows])[0, 1] < -0.4


def test_planted_features_belong_to_the_three_modules(simulated):
    table = simulated.cohort.table
    kind = dict(zip(table.feature_names, table.omics, strict=True))
    of = dict(zip(table.feature_names, simulated.module, strict=True))
    assert {(kind[name], of[name]) for name in table.planted} == {(0, 0), (0, 1), (1, 2)}
    assert simulated.cohort.table.classes == CLASSES
    lesions = (simulated.cohort.regions == 2).mean((1, 2))
    assert (lesions > 0.01).all()
    assert (lesions < 0.1).all()


def test_too_few_patients_are_refused():
    with pytest.raises(ValueError, match="8 patients"):
        FusionSimulation(n_samples=5)
