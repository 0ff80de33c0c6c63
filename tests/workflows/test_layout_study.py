"""What the Genomap page shows of a layout: journeys, named regions, stability, and the wishes that a config carries."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.ndimage import label

from genomap_core.data.dataset import Dataset
from genomap_core.errors import Cancelled
from genomap_core.layout import disc, fitting_mask, read_gmt
from genomap_core.progress import ignore
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap
from genomap_core.workflows.tabular.layout_study import (
    SHIPPED_SETS,
    arrangement_picture,
    feature_colours,
    journey,
    named_regions,
    stability_task,
)

N_MODULES, SIZE = 5, 24


@pytest.fixture(scope="module")
def cohort():
    """Five planted modules of 24 features each, shuffled; the features of module k are called "k.i"."""
    rng = np.random.default_rng(0)
    modules = rng.normal(size=(150, N_MODULES)) @ np.kron(np.eye(N_MODULES), np.ones((1, SIZE)))
    X = (modules + 0.5 * rng.normal(size=modules.shape)).astype(np.float32)
    order = rng.permutation(X.shape[1])
    names = tuple(f"{j // SIZE}.{j % SIZE}" for j in order)
    return Dataset(name="modules", X=X[:, order], feature_names=names, sample_ids=tuple(f"s{i}" for i in range(len(X))))


def test_a_journey_goes_from_the_tables_order_to_the_map_and_never_loses_a_feature(cohort):
    result = fit_genomap(cohort)
    seen = []
    found = journey(result, GenomapConfig(), seen.append)
    assert len(found.frames) == len(seen) + 2
    np.testing.assert_array_equal(found.frames[0][:3], [[0, 0], [0, 1], [0, 2]])
    np.testing.assert_array_equal(found.frames[-1], result.layout.positions)
    for frame in found.frames:
        assert len({tuple(cell) for cell in frame}) == cohort.n_features
    with pytest.raises(Cancelled):
        journey(result, GenomapConfig(), lambda _: (_ for _ in ()).throw(Cancelled()))


def test_features_that_vary_together_have_like_colours_and_the_picture_shows_them_in_place(cohort):
    result = fit_genomap(cohort)
    colours = feature_colours(result.z).astype(float)
    module = np.array([int(name.split(".")[0]) for name in result.feature_names])
    within = np.mean([colours[module == k].std(axis=0).mean() for k in range(N_MODULES)])
    assert within < 0.7 * colours.std(axis=0).mean()
    picture = arrangement_picture(result.layout.positions, feature_colours(result.z), result.layout.shape, side=33)
    cell = 33 // max(result.layout.shape)
    row, column = result.layout.positions[7]
    assert picture[row * cell, column * cell].tolist() == [*colours[7], 255]


def test_regions_carry_the_name_of_a_feature_of_their_own_module(cohort):
    config = GenomapConfig(balance=0.8)
    named = named_regions(fit_genomap(cohort, config), config, N_MODULES)
    assert len(named.names) == N_MODULES
    for k, name in enumerate(named.names):
        inside = [cohort.feature_names[j].split(".")[0] for j in np.flatnonzero(named.labels == k)]
        assert max(set(inside), key=inside.count) == name.split(".")[0]


def test_regions_of_the_real_sample_are_named_after_processes_and_chance_names_none():
    dataset = load_sample("tcga_brca")
    result = fit_genomap(dataset)
    named = named_regions(result, GenomapConfig())
    assert {"Estrogen receptor", "Stroma", "Cell cycle control", "Lymphocytes", "Myeloid cells"} <= set(named.names)
    assert len(set(named.names)) == len(named.names) == len(named.why) == named.labels.max() + 1
    receptor = named.labels[result.feature_names.index("ER-alpha (protein)")]
    assert named.names[receptor].startswith("Estrogen receptor")
    assert "false discovery rate" in named.why[receptor]
    shuffled = tuple(np.random.default_rng(0).permutation(result.feature_names).tolist())
    sets = read_gmt(SHIPPED_SETS, shuffled).sets
    by_chance = named_regions(replace(result, feature_names=shuffled), GenomapConfig())
    assert not set(sets) & set(by_chance.names)


def test_wishes_survive_json_and_are_met_on_the_map(cohort):
    mask = tuple("".join(".#"[int(c)] for c in row) for row in fitting_mask(disc, cohort.n_features))
    sets = (("odd", tuple(range(1, 30, 2))), ("even", tuple(range(0, 30, 2))))
    config = GenomapConfig(balance=0.3, pins=((40, 6, 6), (41, 7, 7)), sets=sets, mask=mask)
    assert GenomapConfig.from_spec(json.loads(json.dumps(asdict(config)))) == config
    result = fit_genomap(cohort, config)
    assert tuple(result.layout.positions[40]) == (6, 6)
    assert tuple(result.layout.positions[41]) == (7, 7)
    open_cells = np.array([[c == "#" for c in row] for row in mask])
    assert open_cells[tuple(result.layout.positions.T)].all()
    named = named_regions(result, config)
    assert named.names == ("odd", "even")
    for k in (0, 1):
        board = np.zeros(result.layout.shape, bool)
        board[tuple(result.layout.positions[named.labels == k].T)] = True
        assert label(board)[1] == 1
    elsewhere = fit_genomap(cohort, GenomapConfig(solver="random", pins=config.pins, sets=sets, mask=mask))
    assert open_cells[tuple(elsewhere.layout.positions.T)].all()


def test_wishes_for_features_that_are_not_on_the_map_are_left_out(cohort):
    result = fit_genomap(cohort, GenomapConfig(max_features=20))
    lost = int(np.setdiff1d(np.arange(cohort.n_features), result.kept)[0])
    there = int(result.kept[3])
    config = GenomapConfig(max_features=20, pins=((lost, 0, 0), (there, 1, 1)))
    again = fit_genomap(cohort, config)
    assert tuple(again.layout.positions[3]) == (1, 1)
    assert again.layout.n_features == 20


def test_holding_on_to_the_map_keeps_features_nearer_and_random_maps_are_not_steady(cohort, tmp_path):
    cohort.save(tmp_path / "dataset.npz")
    moves = {}
    for name, config, hold in (
        ("free", GenomapConfig(), 0.0),
        ("held", GenomapConfig(), 0.2),
    ):
        spec = {"config": asdict(config), "resamples": 3, "stability": hold}
        found = stability_task(json.loads(json.dumps(spec)), tmp_path, ignore)
        moves[name] = found["relative"]
        assert np.load(tmp_path / "moved.npz")["cells_moved"].shape == (cohort.n_features,)
        assert found["quality"]["neighbour_correlation"] > 0.2
    assert moves["held"] < moves["free"] < 1.0
