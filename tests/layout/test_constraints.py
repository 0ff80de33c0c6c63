"""Masks, pins, gene sets, stability and joint omics: what is asked for is what is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from planted import factor_table
from scipy.ndimage import label

from genomap_core.errors import InputError, LayoutError
from genomap_core.layout import (
    Constraints,
    align,
    bootstrap_stability,
    disc,
    displacement,
    fitting_mask,
    make_layout,
    mask_from_image,
    read_gmt,
)


@pytest.fixture(scope="module")
def table():
    return factor_table(p=200)


def test_every_feature_lies_within_the_mask_and_the_map_is_still_good(table):
    mask = disc((18, 18))
    layout = make_layout(table, constraints=Constraints(mask=mask))
    assert mask[tuple(layout.positions.T)].all()
    control = make_layout(table, solver="random", constraints=Constraints(mask=mask))
    assert layout.quality.neighbour_correlation > control.quality.neighbour_correlation + 0.2


def test_an_outline_becomes_a_mask_by_alpha_or_by_darkness():
    drawn = np.zeros((40, 60), np.uint8)
    drawn[10:30, 14:44] = 255
    alpha = Image.merge("LA", [Image.fromarray(drawn * 0), Image.fromarray(drawn)])
    dark = Image.fromarray(255 - drawn)
    for picture in (alpha.convert("RGBA"), dark, dark.convert("RGB"), dark.convert("I;16").point(lambda v: v * 257)):
        mask = mask_from_image(np.asarray(picture), (20, 30))
        assert mask[6:14, 8:22].all()
        assert mask.sum() == 10 * 15


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3000), st.floats(0.3, 3))
def test_a_fitting_disc_holds_every_feature_and_a_smaller_one_does_not(p, aspect):
    mask = fitting_mask(disc, p, aspect)
    assert mask.sum() >= p
    assert mask.shape[1] == max(1, round(mask.shape[0] * aspect))
    if mask.sum() > p + 3 * sum(mask.shape):
        smaller = mask.shape[0] - 1
        assert disc((smaller, max(1, round(smaller * aspect)))).sum() < p


def test_a_set_without_connected_room_is_named():
    X = factor_table(p=25)
    wall = {j: (2, j) for j in range(5)}
    with pytest.raises(LayoutError, match=r"'large'.*no connected room"):
        make_layout(X, (5, 5), constraints=Constraints(pins=wall, sets={"large": list(range(5, 20))}))


def test_pinned_features_stay_and_their_friends_come_to_them(table):
    free = make_layout(table)
    C = np.corrcoef(table.T)
    feature = 17
    friends = np.argsort(-C[feature])[1:6]
    corners = [(0, 0), (0, 14), (13, 0), (13, 14)]
    for corner in corners:
        layout = make_layout(table, free.shape, constraints=Constraints(pins={feature: corner}))
        assert tuple(layout.positions[feature]) == corner
        away = np.hypot(*(layout.positions[friends] - corner).T).mean()
        assert away < np.hypot(*(layout.positions - corner).T).mean() - 1


def test_gene_sets_are_contiguous_regions_even_when_their_genes_do_not_correlate(table):
    rng = np.random.default_rng(0)
    picked = rng.permutation(200)
    sets = {"A": picked[:30].tolist(), "B": picked[30:50].tolist(), "C": picked[45:60].tolist()}
    layout = make_layout(table, constraints=Constraints(sets=sets, pins={int(picked[0]): (3, 3)}))
    assert tuple(layout.positions[picked[0]]) == (3, 3)
    for members in (picked[1:30], picked[30:50], picked[50:60]):
        board = np.zeros(layout.shape, bool)
        board[tuple(layout.positions[members].T)] = True
        assert label(board)[1] == 1


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Constraints(pins={0: (99, 0)}), "outside the 14 x 15 grid"),
        (Constraints(pins={0: (1, 1), 5: (1, 1)}), "Features 0 and 5"),
        (Constraints(pins={777: (1, 1)}), "777 does not exist"),
        (Constraints(sets={"A": [200]}), "200 does not exist"),
        (Constraints(pins={0: (0, 0)}, mask=disc((16, 16))), "mask leaves out"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_by_name(table, wishes, message):
    with pytest.raises(LayoutError, match=message):
        make_layout(table, constraints=wishes)


def test_wishes_are_not_silently_dropped_by_other_solvers(table):
    with pytest.raises(LayoutError, match="solver='ot'"):
        make_layout(table, solver="random", constraints=Constraints(pins={0: (0, 0)}))
    with pytest.raises(LayoutError, match="reference"):
        Constraints(stability=1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 7), st.sampled_from([(14, 15), (15, 15)]))
def test_a_turned_or_mirrored_map_is_turned_back_exactly(turn, shape):
    layout = make_layout(factor_table(p=200), shape, solver="random")
    at = layout.positions
    if shape[0] == shape[1] and turn & 4:
        at = at[:, ::-1]
    at = np.where([turn & 1, turn & 2], np.array(shape) - 1 - at, at).astype(np.int32)
    turned = type(layout)(shape, at, layout.channel, 1, layout.quality, "random")
    assert displacement(align(turned, layout), layout).max() == 0


def test_a_reference_keeps_bootstrap_maps_comparable_and_more_so_with_stability(table):
    reference = make_layout(table)
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 200, 200)
    cold = make_layout(table[rows], constraints=Constraints(reference=reference))
    warm = {s: make_layout(table[rows], constraints=Constraints(reference=reference, stability=s)) for s in (0.02, 0.5)}
    moved = [np.mean(displacement(at, reference)) for at in (cold, warm[0.02], warm[0.5])]
    assert moved[0] > moved[1] > moved[2]
    assert moved[2] < 1.0
    control = make_layout(table[rows], solver="random")
    assert warm[0.02].quality.neighbour_correlation > control.quality.neighbour_correlation + 0.2


def test_the_same_rows_with_strong_stability_move_nothing(table):
    reference = make_layout(table)
    again = make_layout(table, constraints=Constraints(reference=reference, stability=10.0))
    assert np.max(displacement(again, reference)) == 0


def test_bootstrap_stability_is_near_one_for_random_layouts_and_lower_for_ours(table):
    ours, control = (
        bootstrap_stability(
            table,
            make_layout(table, solver=s),
            lambda X, s=s, k=iter(range(1, 9)): make_layout(X, solver=s, random_state=next(k)),
            3,
        )
        for s in ("ot", "random")
    )
    assert control.relative == pytest.approx(1, abs=0.15)
    assert ours.relative < control.relative - 0.2
    assert ours.displacement.shape == (200,)


def test_a_new_feature_finds_its_place_in_the_reference_map(table):
    reference = make_layout(table)
    positions = reference.positions.copy()
    positions[40:50] = -1
    gaps = type(reference)(reference.shape, positions, reference.channel, 1, reference.quality, "ot")
    layout = make_layout(table, reference.shape, constraints=Constraints(reference=gaps, stability=1.0))
    assert (layout.positions >= 0).all()
    back = np.hypot(*(layout.positions[40:50] - reference.positions[40:50]).T)
    assert back.mean() < 5


def test_features_of_one_gene_share_a_cell_in_a_joint_layout_of_three_omics():
    genes = factor_table(p=64)
    noise = np.random.default_rng(0).normal(size=(2, 200, 64)).astype(np.float32)
    X = np.hstack([genes, genes + noise[0], genes[:, :40] + noise[1][:, :40]])
    channel, gene = np.repeat([0, 1, 2], [64, 64, 40]), np.r_[np.arange(64), np.arange(64), np.arange(40)]
    layout = make_layout(X, channels=channel, entities=gene)
    assert layout.shape == (8, 8)
    assert layout.n_channels == 3
    for j in range(168):
        assert (layout.positions[j] == layout.positions[gene[j]]).all()
    np.testing.assert_array_equal(layout.to_features(layout.to_maps(X)), X)
    assert layout.quality.neighbour_correlation > 0.1
    with pytest.raises(LayoutError, match="two features"):
        make_layout(X, channels=np.zeros(168, int), entities=gene)


def test_a_gmt_file_is_read_and_its_problems_are_named(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("A\thttp://x\tg1\tg3\tg3\tnope\nB\t\tzzz\n\nC\td\tg2\n")
    found = read_gmt(path, ("g1", "g2", "g3"))
    assert found.sets == {"A": (0, 2), "C": (1,)}
    assert found.missing == {"A": 1, "B": 1, "C": 0}
    for bad, message in (
        (b"A\tx\tg1\nA\tx\tg2\n", "Line 2.*twice"),
        (b"just words\n", "Line 1"),
        (b"\xff\xfe\x00", "UTF-8"),
    ):
        with pytest.raises(InputError, match=message):
            read_gmt(bad, ("g1", "g2"))


def test_a_gene_is_found_by_its_symbol_and_by_its_ensembl_id():
    features = (
        "rna:TP53|ENSG00000141510.18",
        "ENSG00000091831_ESR1",
        "HLA-A (protein)",
        "MYC (ENSG00000136997)",
        "ESR1",
    )
    text = b"A\t\tTP53\tESR1\tMYC\tprotein\nB\t\tENSG00000141510\tENSG00000091831.5\tENSG00000136997\tHLA-A\n"
    found = read_gmt(text, features)
    assert found.sets == {"A": (0, 4, 3), "B": (0, 1, 3)}
    assert found.missing == {"A": 1, "B": 1}
    assert read_gmt(b"C\t\tTP53\tENSG00000141510\n", features).sets == {"C": (0,)}
