"""Values survive the way to a file and back, and what does not fit is named."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pytest

from genomap_core.errors import InputError, LayoutError
from genomap_core.store import decode


@dataclass(frozen=True)
class Inner:
    edges: tuple[tuple[int, ...], ...] = ((1, 2), (3,))


@dataclass(frozen=True)
class Outer:
    names: tuple[str, ...]
    rate: float = 0.5
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise LayoutError("`rate` must be >= 0.")


def test_a_dataclass_comes_back_equal_through_json() -> None:
    value = Outer(("a", "b"), 0.25, Inner(((7,), ())))
    assert decode(Outer, json.loads(json.dumps(asdict(value)))) == value


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"names": ["a"], "speed": 1}, "Outer: `speed`"),
        ({}, "`names`.*required"),
        ({"names": ["a"], "inner": {"corners": []}}, "`inner.corners`"),
        ({"names": "ab"}, "`names`.*tuple"),
        ({"names": ["a"], "rate": "fast"}, "`rate`.*number"),
    ],
)
def test_what_does_not_fit_is_named(values: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        decode(Outer, values)


def test_a_dataclass_s_own_error_comes_out_as_it_is() -> None:
    with pytest.raises(LayoutError, match="rate"):
        decode(Outer, {"names": [], "rate": -1})
