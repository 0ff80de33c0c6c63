"""Numbers as people write them: the cells prove a column's notation, and what nothing proves is a question."""

import numpy as np
import pytest

from genomap_core.data.schema.notation import bound_of, read_words


def read(words, **options):
    return read_words(words, np.ones(len(words), int), **options)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["1.967,16", "12,5"], [1967.16, 12.5]),
        (["1,234.5", "99"], [1234.5, 99]),
        (["1'234.5", "33"], [1234.5, 33]),
        (["1\u202f234", "12,5"], [1234, 12.5]),
        (["\u22121.5", "2"], [-1.5, 2]),
        (["45 %", "12%"], [45, 12]),
        (["12 mg/L", "5 mg/L"], [12, 5]),
        (["1,23,456", "99"], [123456, 99]),
        (["1.203", "4.561"], [1.203, 4.561]),
        (["0,123", "1,456"], [0.123, 1.456]),
    ],
)
def test_a_notation_that_is_proved_is_read(words, values):
    assert read(words).values == pytest.approx(values)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["220,267", "185,111"], "ambiguous"),
        (["985", "1.203", "12.110"], "ambiguous"),
        (["1,5", "1.5"], "mixed"),
        (["1.234,5", "1,234.5"], "mixed"),
        ([f"{i}.5%" for i in range(12)] + [f"{i}.25" for i in range(12)], "units"),
    ],
)
def test_what_nothing_proves_is_a_problem(words, problem):
    assert read(words).problem == problem


def test_one_point_before_three_digits_among_whole_numbers_is_asked_about():
    whole = [str(i) for i in range(100, 140)]
    ones = np.ones(len(whole) + 1, int)
    assert read_words(["5.035", *whole], ones).problem == "ambiguous"
    assert read_words(["0.125", *whole], ones).values[0] == 0.125
    assert read_words(["5.035", *whole], ones, decimal=",").values[0] == 5035


def test_other_columns_and_the_user_decide_what_a_column_does_not():
    assert read(["985", "1.203"], decimal=",").values == (985, 1203)
    assert read(["220,267"], decimal=".").values == (220267,)
    assert read(["220,267"], thousands=",").values == (220267,)


@pytest.mark.parametrize(
    "words", [["12.05.2020"], ["1", "2", "3", "4a", "4b"], ["low", "high"], ["1.2.3"], ["A1", "B2"]]
)
def test_words_dates_and_codes_are_no_numbers(words):
    assert read(words) is None


def test_bounds_are_odd_cells_with_a_number():
    assert read(["<5", "6.1", "7"]).odd == (0,)
    assert bound_of("\u2264 0.5") == 0.5
    assert np.isnan(bound_of("5"))


@pytest.mark.parametrize("seed", range(5))
def test_numbers_come_back_from_every_notation(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.integers(1, 10**7, 20), rng.normal(0, 5000, 20).round(2)])
    for group, point in ((",", "."), (".", ","), ("'", "."), ("\u00a0", ","), ("", ",")):
        words = [f"{v:,.2f}".replace(",", "@").replace(".", point).replace("@", group) for v in values]
        assert read(list(dict.fromkeys(words))).values == pytest.approx(list(dict.fromkeys(values.tolist())), abs=1e-9)
