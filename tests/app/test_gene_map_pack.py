"""The bytes that the gene map gets: read back by an independent reader, and sent only when they change."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from genomap_core.data.perturb import Perturbation, noise_field, perturb
from genomap_core.errors import InputError
from pages._ui.gene_map import MapData, Overlay, _Memory, packing, perturbation_fields
from pages._ui.gene_map.packing import pack

VIEW = {"height": 500, "columns": None, "controls": ["noise"]}


class Places:
    """Eight features, the fifth without a cell, on two 3 x 4 grids."""

    shape = (3, 4)
    n_channels = 2
    positions = np.array([[0, 0], [0, 3], [1, 1], [2, 2], [-1, -1], [0, 0], [2, 3], [1, 0]], np.int32)
    channel = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32)


def make(k=2, **changes):
    rng = np.random.default_rng(0)
    noise, rank = perturbation_fields(3, np.arange(k), 8)
    values = rng.normal(size=(k, 8)).astype(np.float32)
    values[0, 2] = np.nan
    fields = {
        "places": Places(), "values": values, "names": tuple(f"g{j}" for j in range(8)), "noise": noise, "rank": rank,
        "labels": tuple(f"p{i}" for i in range(k)), "channel_names": ("rna", "protein"), "seed": 3,
        "overlays": (Overlay("net", rng.normal(size=(k, 8))),), "highlighted": (3, 4),
    }  # fmt: skip
    return MapData(**(fields | changes))


def blocks_of(message):
    """Key -> block, written from the format's description alone."""
    (length,) = struct.unpack_from("<I", message)
    at, blocks = 4 + -(-length // 4) * 4, {}
    for key, size in json.loads(message[4 : 4 + length]):
        blocks[key] = message[at : at + size]
        at += size
    assert at == len(message), "nothing is left over"
    return blocks


def unpack(message, key=""):
    """Header and arrays of a block, written from the format's description alone."""
    block = blocks_of(message)[key]
    (length,) = struct.unpack_from("<I", block)
    header = json.loads(block[36 : 36 + length])
    at, arrays = 36 + -(-length // 4) * 4, {}
    for name, kind, size in header["arrays"]:
        arrays[name] = np.frombuffer(block, np.dtype(kind).newbyteorder("<"), size, at)
        at += -(-arrays[name].nbytes // 4) * 4
    assert at == len(block), "nothing is left over"
    return header, arrays


def test_everything_needed_arrives_in_cells_order():
    data = make()
    header, arrays = unpack(pack(data, VIEW))
    assert header["shape"] == [2, 3, 4]
    assert header["names"] == ["g0", "g1", "g2", "g3", "g5", "g6", "g7"]
    np.testing.assert_array_equal(arrays["features"], [0, 1, 2, 3, 5, 6, 7])
    np.testing.assert_array_equal(arrays["cells"], [0, 3, 5, 10, 12, 23, 16])
    np.testing.assert_array_equal(arrays["values"].reshape(2, 7), data.values[:, data.placed])
    np.testing.assert_array_equal(arrays["noise"].reshape(2, 7), data.noise[:, data.placed])
    np.testing.assert_array_equal(arrays["highlighted"], [3])
    assert arrays["lut"].size == arrays["vik"].size == 768
    assert "For research use only" in header["research"]


def test_many_cells_are_rounded_within_the_promise_but_the_first_map_is_exact(monkeypatch):
    monkeypatch.setattr(packing, "EXACT_CELLS", 10)
    data = make(k=3)
    header, arrays = unpack(pack(data, VIEW))
    assert header["exact"] == 1
    np.testing.assert_array_equal(arrays["values"], data.values[0, data.placed])
    codes = arrays["rounded"].reshape(2, 7).astype(float)
    decoded = (codes + 32500) * header["step"] + header["low"]
    span = np.nanmax(data.values) - np.nanmin(data.values)
    np.testing.assert_allclose(decoded, data.values[1:, data.placed], atol=span / 65_000)
    noise = arrays["roundedNoise"].reshape(2, 7) * header["noiseStep"]
    np.testing.assert_allclose(noise, data.noise[1:, data.placed], atol=0.025)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(0, 9))
def test_rounded_values_keep_missing_apart(low, width, seed):
    values = np.random.default_rng(seed).uniform(low, low + width, (2, 50)).astype(np.float32)
    values[0, ::7] = np.nan
    start, step = packing._scale_of(values)
    codes = packing._to_int16(values, start, step)
    np.testing.assert_array_equal(codes == packing.MISSING_CODE, np.isnan(values))
    decoded = (codes.astype(float) + 32500) * step + start
    measured = ~np.isnan(values)
    np.testing.assert_allclose(decoded[measured], values[measured], atol=0.51 * step + 1e-12)


def test_equal_data_give_equal_bytes_and_any_change_another_digest():
    first = pack(make(), VIEW)
    assert first == pack(make(), VIEW)
    changed = make().values.copy()
    changed[1, 3] += 1e-3
    for other in (
        pack(make(values=changed), VIEW),
        pack(make(), VIEW, Perturbation(level=0.1)),
        pack(make(), VIEW, epoch=1),
    ):
        assert blocks_of(other)[""][4:36] != blocks_of(first)[""][4:36]


def test_what_patients_share_is_sent_with_the_first_and_again_after_a_change_or_a_loss():
    first, second = make(), make(values=make().values + 1, labels=("p7", "p8"))
    sent = packing.Sent()
    whole = pack(first, VIEW, sent=sent)
    assert whole == pack(first, VIEW) == pack(first, VIEW, sent=sent), "a rerun gives the same bytes"
    header, arrays = unpack(pack(second, VIEW, sent=sent))
    assert not set(packing.COMMON) & {*arrays, *header}
    assert header["common"] == unpack(whole)[0]["common"]
    np.testing.assert_array_equal(arrays["values"].reshape(2, 7), second.values[:, second.placed])
    for change in ({"names": tuple("abcdefgh")}, {"rank": None}, {"scale": 2.0}, {"regions": np.arange(8)}):
        assert pack(make(**change), VIEW, sent=sent) == pack(make(**change), VIEW), change
    pack(first, VIEW, sent=sent)
    sent.forget()
    assert pack(second, VIEW, sent=sent) == pack(second, VIEW)


def test_neighbours_are_sent_once_and_named_when_they_are_shown():
    patients = [make(values=make().values + i) for i in range(4)]
    sent = packing.Sent()

    def message(i):
        return pack(patients[i], VIEW, sent=sent, ahead={"next": patients[i + 1], "previous": patients[i - 1]})

    first = message(1)
    assert first == message(1), "a rerun gives the same bytes"
    for key, i in (("", 1), ("next", 2), ("previous", 0)):
        header, arrays = unpack(first, key)
        assert ("names" in header) == (key == ""), "what they share goes with the one that is shown"
        np.testing.assert_array_equal(arrays["values"].reshape(2, 7), patients[i].values[:, patients[i].placed])
    was, now = blocks_of(first), blocks_of(message(2))
    assert now[""] == bytes(4) + was["next"][4:36]
    assert now["previous"] == bytes(4) + was[""][4:36]
    assert len(now["next"]) > 36, "new to the browser"
    sent.forget()
    again = message(2)
    assert "names" in unpack(again)[0]
    assert unpack(again, "previous")[0]["labels"] == unpack(first)[0]["labels"]


def test_what_is_shown_is_perturb_on_the_same_rows_and_columns():
    """The map's own numbers equal genomap_core.data.perturb on the table they come from."""
    table = np.random.default_rng(5).normal(size=(30, 20)).astype(np.float32)
    kept, rows = np.array([1, 4, 5, 7, 11, 12, 17, 19]), np.array([9, 2])
    noise, rank = perturbation_fields(6, rows, 20, kept)
    data = make(values=table[rows][:, kept], noise=noise, rank=rank, seed=6)
    disturbed = Perturbation(level=0.35, keep=0.6, seed=6)
    np.testing.assert_array_equal(data.shown(disturbed), perturb(table[rows], rows, 1.0, disturbed)[:, kept])
    np.testing.assert_array_equal(noise[0], noise_field(6, 9, 20)[kept])


def test_missing_values_are_missing_whatever_was_imputed():
    missing = np.zeros((2, 8), bool)
    missing[1, 6] = True
    assert np.isnan(make(missing=missing).shown()[1, 6])
    _, arrays = unpack(pack(make(missing=missing), VIEW))
    assert np.isnan(arrays["values"].reshape(2, 7)[1, 5])


def test_the_static_picture_has_the_same_values_in_the_same_cells():
    data = make()
    disturbed = Perturbation(level=0.5, keep=0.8, seed=3)
    static = data.static(disturbed, overlay=0)
    shown = data.shown(disturbed)
    assert static.maps.shape == (2, 2, 3, 4)
    np.testing.assert_array_equal(static.maps[:, 1, 2, 3], shown[:, 6])
    assert not static.occupied[1, 2, 0]
    assert "50 %" in static.note
    assert "80 %" in static.note
    np.testing.assert_allclose(static.overlay[:, 0, 1, 1], data.overlays[0].values[:, 2])


def test_the_static_picture_hatches_what_was_filled():
    filled = np.zeros((2, 8), bool)
    filled[1, 6] = True
    drawn = make(filled=filled).static().filled
    assert np.argwhere(drawn).tolist() == [[1, 1, 2, 3]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": ("a",)}, "`names`"),
        ({"noise": np.zeros((2, 7))}, "`noise`"),
        ({"overlays": (Overlay("net", np.zeros((1, 8))),)}, "'net'"),
        ({"overlays": (Overlay("a", np.zeros((2, 8))),) * 3}, "At most 2"),
        ({"value_range": (1.0, 1.0)}, "`value_range`"),
        ({"highlighted": (8,)}, "`highlighted`"),
        ({"values": np.zeros((25, 8)), "labels": ("x",) * 25}, "1 to 24"),
    ],
)
def test_data_that_do_not_fit_together_are_refused_by_name(change, said):
    with pytest.raises(InputError, match=said):
        make(**change)


def test_sliders_resume_after_another_page_and_obey_a_new_start():
    memory = _Memory(Perturbation())
    memory.begin(Perturbation(), mounted=False)
    assert memory.end(None, 4) == Perturbation(seed=4)
    state = {"level": 0.2, "keep": 0.5, "seed": 4, "epoch": 0}
    memory.begin(Perturbation(), mounted=True)
    assert memory.end(state, 4) == Perturbation(0.2, 0.5, 4)
    memory.begin(Perturbation(0.2, 0.5, 4), mounted=True)  # the page repeats what it was told
    assert memory.epoch == 0
    memory.begin(Perturbation(0.2, 0.5), mounted=False)  # back from another page: Streamlit forgot the state
    assert memory.end(None, 4) == Perturbation(0.2, 0.5, 4)
    memory.begin(Perturbation(1.0), mounted=True)  # the page moves the sliders; the browser's old state is void
    assert memory.end(state, 4) == Perturbation(1.0, 1.0, 4)
    assert memory.end(state | {"level": 0.3, "epoch": memory.epoch}, 4) == Perturbation(0.3, 0.5, 4)


def test_the_page_mounts_the_component_with_these_bytes():
    app = AppTest.from_file(str(Path(__file__).parents[1] / "browser" / "apps" / "gene_map_app.py"), default_timeout=60)
    app.query_params["h"] = "5"
    app.query_params["w"] = "6"
    app.query_params["level"] = "0.15"
    app.run()
    assert not app.exception
    assert "committed level=0.15 keep=1.0 seed=7" in [t.value for t in app.text]
    element = next(e for e in app.main if e.type == "bidi_component")
    header, arrays = unpack(element.proto.bytes)
    assert header["shape"] == [1, 5, 6]
    assert header["initial"] == {"level": 0.15, "keep": 1.0, "epoch": 0}
    assert len(arrays["values"]) == 30 - 7


def test_a_misspelt_control_is_named():
    from pages._ui.gene_map import gene_map

    with pytest.raises(ValueError, match="nois"):
        gene_map(make(), key="k", controls=("nois",))


def test_maps_may_be_changed_only_by_making_another():
    data = make()
    assert replace(data, title="other").title == "other"
    with pytest.raises(AttributeError):
        data.title = "x"
