"""The simulated cohort holds what it says: planted genes follow their trait, the image shows it, no other gene does."""

import numpy as np
import pytest
from scipy import ndimage

from genomap_core.data.simulated.radiogenomics import TRAITS, RadiogenomicSimulation, simulate_radiogenomics


@pytest.fixture(scope="module")
def simulated():
    return simulate_radiogenomics()


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Every column of ``a`` with every column of ``b``."""
    return np.corrcoef(a.T, b.T)[: a.shape[1], a.shape[1] :]


def lesion_measures(s) -> np.ndarray:
    """Size, darkness of the core and strength of the texture, with the lesion's place known."""
    found = []
    for picture, region in zip(s.pictures / 255, s.cohort.regions, strict=True):
        lesion = region == 2
        depth, blurred = ndimage.distance_transform_edt(lesion), ndimage.gaussian_filter(picture, 2)
        core = depth > 0.6 * depth.max()
        texture = picture - ndimage.gaussian_filter(picture, 1.5)
        found.append(
            [np.sqrt(lesion.sum()), blurred[lesion & ~core].mean() - blurred[core].mean(), texture[lesion].std()]
        )
    return np.array(found)


def test_the_same_seed_draws_the_same_cohort(simulated):
    assert simulate_radiogenomics().cohort.digest == simulated.cohort.digest
    assert simulate_radiogenomics(RadiogenomicSimulation(seed=6)).cohort.digest != simulated.cohort.digest


def test_planted_genes_follow_their_trait_and_no_other_gene_does(simulated):
    found = correlation(simulated.cohort.table.X, simulated.factors)
    for trait in range(len(TRAITS)):
        own = np.abs(found[simulated.driven_by == trait, trait])
        assert len(own) == 40
        assert (own > 0.4).all()
        assert 0.65 < own.mean() < 0.8
        assert np.abs(found[simulated.driven_by != trait, trait]).max() < 0.4
    names = simulated.cohort.table.feature_names
    planted = {name for name, trait in zip(names, simulated.driven_by, strict=True) if trait >= 0}
    assert planted == set(simulated.cohort.table.planted)
    assert len(planted) == 120


def test_who_knows_the_lesion_sees_every_trait_and_the_mean_of_the_image_does_not_tell(simulated):
    seen = correlation(lesion_measures(simulated), simulated.factors)
    assert (np.diag(seen) > 0.6).all()
    mean = simulated.pictures.mean((1, 2))[:, None]
    assert np.abs(correlation(mean, simulated.factors)).max() < 0.5


def test_the_other_genes_hang_together_in_modules(simulated):
    others = simulated.cohort.table.X[:, simulated.driven_by < 0]
    strongest = np.abs(np.corrcoef(others.T) - np.eye(others.shape[1])).max(0)
    assert (strongest > 0.3).all()


def test_it_is_a_cohort_without_labels_in_log_units(simulated):
    table = simulated.cohort.table
    assert table.y is None
    assert (table.X >= 0).all()
    assert table.X.max() < 16
    assert (table.unit, table.omics_names, table.feature_names[0]) == ("log2(1 + TPM)", ("expression",), "GENE001")
    lesions = (simulated.cohort.regions == 2).mean((1, 2))
    assert (lesions > 0.01).all()
    assert (lesions < 0.2).all()


def test_impossible_options_are_refused():
    with pytest.raises(ValueError, match="10 patients"):
        RadiogenomicSimulation(n_samples=5)
    with pytest.raises(ValueError, match="planted"):
        RadiogenomicSimulation(n_planted=500)
