"""Cells of text become numbers, or are told."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.io.tables.delimited import to_numbers


def read(texts, decimal="."):
    return to_numbers(pa.array(texts, pa.string()), decimal)


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_every_float32_written_out_comes_back_exactly(numbers):
    found = read([repr(x) for x in numbers])
    np.testing.assert_array_equal(found.values, np.array(numbers, np.float32))
    assert found.odd == []


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["1", "-2.5", " 3 ", "1e5", "+7", ".5"]),
            st.sampled_from(["", "NA", "nan", "N/A", "null", "."]),
            st.sampled_from(["n.d.", "?", "missing"]),
            st.sampled_from(["high", "45%", "1,000", "inf", "1e99", "0x1F", "1_0", "٣"]),
        ),
        max_size=30,
    )
)
def test_no_cell_is_lost(texts):
    """Each cell is a number, a usual mark, an unusual mark or odd; what is not a number is NaN."""
    found = read(texts)
    odd, likely = dict(found.odd), dict(found.likely)
    for i, text in enumerate(texts):
        word = text.strip()
        is_number = word in ("1", "-2.5", "3", "1e5", "+7", ".5")
        assert np.isnan(found.values[i]) == (not is_number)
        assert (i in odd) == (word in ("high", "45%", "1,000", "inf", "1e99", "0x1F", "1_0", "٣"))
        assert (i in likely) == (word in ("n.d.", "?", "missing"))
        if is_number:
            assert found.values[i] == np.float32(word)


def test_decimal_comma_is_read_and_a_point_beside_it_is_odd():
    found = read(["1,5", "-0,25", "1.234,5", "2", "NA", "1.5"], ",")
    np.testing.assert_array_equal(found.values, np.array([1.5, -0.25, np.nan, 2, np.nan, np.nan], np.float32))
    assert found.odd == [(2, "1.234,5"), (5, "1.5")]


@pytest.mark.parametrize("text", ["inf", "-Infinity", "1e39", "9" * 400])
def test_nothing_becomes_infinite_silently(text):
    found = read(["1", text])
    assert np.isnan(found.values[1])
    assert found.odd == [(1, text)]
