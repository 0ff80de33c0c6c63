"""Reference maps: saved with their features, used for other tables, and refused where they are none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.errors import LayoutError
from genomap_core.layout import GenomapTransformer, LayoutQuality, ReferenceMap, layout_at, make_layout

NAMES = tuple(f"g{j}" for j in range(12))


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(20, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def reference(table: np.ndarray) -> ReferenceMap:
    layout = make_layout(table, halves=1)
    return ReferenceMap("pan", "2", NAMES, layout, make_layout(table, solver="random").quality, {"samples": 20})


def test_a_reference_map_comes_back_from_its_file(reference: ReferenceMap) -> None:
    again = ReferenceMap.from_bytes(reference.to_bytes())
    assert (again.title, again.features, again.control) == ("pan, version 2", NAMES, reference.control)
    np.testing.assert_array_equal(again.layout.positions, reference.layout.positions)
    assert again.layout.quality == reference.layout.quality
    assert again.layout.reproducibility == reference.layout.reproducibility is not None
    assert dict(again.fitted_on) == {"samples": 20}


@settings(max_examples=30, deadline=None)
@given(st.permutations([*NAMES, "new", "other"]), st.integers(4, 14))
def test_features_lie_where_the_map_says_whatever_their_order(
    reference: ReferenceMap, names: list[str], n: int
) -> None:
    names = names[:n]
    match = reference.match(names)
    for column, at in zip(match.columns, match.positions, strict=True):
        np.testing.assert_array_equal(at, reference.layout.positions[NAMES.index(names[column])])
    assert set(match.lacking) == set(NAMES) - set(names)
    assert set(match.unknown) == set(names) - set(NAMES)
    assert len(match.columns) + len(match.unknown) == n


def test_a_table_of_other_features_is_refused_with_names_of_both(reference: ReferenceMap) -> None:
    with pytest.raises(LayoutError, match=r"0 of the table's 2 .*ENSG1, ENSG2.*g0, g1, g2"):
        reference.match(["ENSG1", "ENSG2"])


def test_quality_is_measured_on_the_table_at_hand(reference: ReferenceMap, table: np.ndarray) -> None:
    layout = reference.layout
    same = layout_at(table, layout.positions, layout.shape)
    assert same.quality == layout.quality
    other = np.random.default_rng(1).normal(size=table.shape)
    assert layout_at(other, layout.positions, layout.shape).quality != layout.quality
    maps = GenomapTransformer(layout=same).fit_transform(table)
    np.testing.assert_array_equal(maps, layout.to_maps(table))
    with pytest.raises(LayoutError, match="12 features, the table 3"):
        GenomapTransformer(layout=same).fit(table[:, :3])


@pytest.mark.parametrize("name", ["name", "version"])
def test_a_map_without_name_or_version_is_refused(reference: ReferenceMap, name: str) -> None:
    asked = {"name": "pan", "version": "1", name: " "}
    with pytest.raises(LayoutError, match="needs a name and a version"):
        ReferenceMap(**asked, features=NAMES, layout=reference.layout, control=reference.control)


def test_a_name_that_comes_twice_is_refused(reference: ReferenceMap) -> None:
    with pytest.raises(LayoutError, match="'g0' comes 2 times"):
        ReferenceMap("pan", "1", ("g0", *NAMES[:-1]), reference.layout, reference.control)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "genomap-layout/1"},
        {"features": list(NAMES[:-1])},
        {"positions": [[0, 0]] * 12},
        {"positions": [[99, 0]] * 12},
        {"positions": "many"},
        {"layout": {}},
        {"layout": {"shape": [10**6, 10**6]}},
        {"random_quality": {"gw_distortion": 0.2}},
        {"fitted_on": 3},
    ],
    ids=str,
)
def test_a_forged_file_is_refused(reference: ReferenceMap, change: dict[str, object]) -> None:
    content = json.loads(reference.to_bytes()) | change
    with pytest.raises(LayoutError):
        ReferenceMap.from_bytes(json.dumps(content).encode())


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.binary(max_size=40), st.integers(0, 10**6)))
def test_a_damaged_file_is_refused(reference: ReferenceMap, damage: bytes | int) -> None:
    whole = reference.to_bytes()
    data = damage if isinstance(damage, bytes) else whole[: damage % len(whole)]
    with pytest.raises(LayoutError):
        ReferenceMap.from_bytes(data)


def test_a_map_of_several_types_is_refused() -> None:
    layout = make_layout(np.random.default_rng(0).normal(size=(9, 8)), channels=[0, 1] * 4)
    with pytest.raises(LayoutError, match="one type of features"):
        ReferenceMap("pan", "1", NAMES[:8], layout, LayoutQuality(0, 0, 0, 0))
