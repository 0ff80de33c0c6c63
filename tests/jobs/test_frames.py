from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from genomap_core.errors import JobError
from genomap_core.jobs.frames import Pipe, PipeClosed, PipeTimeout

DTYPES = st.one_of(
    npst.floating_dtypes(), npst.integer_dtypes(), npst.complex_number_dtypes(), st.just("?"), st.just("<U3")
)
ARRAYS = st.dictionaries(
    st.text(max_size=5),
    DTYPES.flatmap(lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0))),
    max_size=3,
)


class Loop:
    """A pipe to oneself."""

    def __init__(self) -> None:
        self.fds = os.pipe()
        self.pipe = Pipe(*self.fds)

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@settings(deadline=None, max_examples=60)
@given(ARRAYS, st.dictionaries(st.text(), st.one_of(st.text(), st.floats(allow_nan=False), st.none(), st.booleans())))
def test_what_is_sent_is_received(arrays: dict[str, np.ndarray], head: dict[str, object]) -> None:
    loop = Loop()
    try:
        sender = threading.Thread(target=loop.pipe.send, args=(head, arrays, time.monotonic() + 10))
        sender.start()
        got_head, got = loop.pipe.receive(time.monotonic() + 10)
        sender.join()
    finally:
        loop.close()
    assert got_head == head
    assert list(got) == list(arrays)
    for name, array in arrays.items():
        assert got[name].dtype == array.dtype
        assert got[name].flags.writeable
        np.testing.assert_array_equal(got[name], array)


def test_a_view_that_is_not_contiguous_arrives_as_it_looks(loop: Loop) -> None:
    X = np.arange(24.0).reshape(4, 6)
    loop.pipe.send({}, {"turned": X.T, "strided": X[::-2, 1::2]})
    _, got = loop.pipe.receive()
    np.testing.assert_array_equal(got["turned"], X.T)
    np.testing.assert_array_equal(got["strided"], X[::-2, 1::2])


@pytest.mark.parametrize(
    "array", [np.array([object()]), np.array([(1, 2.0)], dtype="i4,f8"), np.array(["2020-01-01"], dtype="M8[D]")]
)
def test_objects_are_refused_before_the_first_byte(loop: Loop, array: np.ndarray) -> None:
    with pytest.raises(JobError, match="can't be sent"):
        loop.pipe.send({}, {"fine": np.zeros(3), "bad": array})
    loop.pipe.send({"still": "usable"}, {})
    assert loop.pipe.receive(time.monotonic() + 5)[0] == {"still": "usable"}


def test_an_object_dtype_from_the_other_side_is_refused(loop: Loop) -> None:
    body = b'{"head": {}, "arrays": [["x", "|O", [1]]]}'
    os.write(loop.fds[1], len(body).to_bytes(8, "little") + body + b"\0" * 8)
    with pytest.raises(JobError, match="can't be sent"):
        loop.pipe.receive(time.monotonic() + 5)


def test_silence_is_a_timeout_and_an_end_is_an_end(loop: Loop) -> None:
    began = time.monotonic()
    with pytest.raises(PipeTimeout):
        loop.pipe.receive(began + 0.2)
    with pytest.raises(PipeTimeout):  # nobody reads: the pipe fills up
        loop.pipe.send({}, {"X": np.zeros(1_000_000)}, time.monotonic() + 0.2)
    assert time.monotonic() - began < 3


def test_a_closed_pipe_is_told() -> None:
    read, write = os.pipe()
    pipe = Pipe(read, write)
    os.close(write)
    with pytest.raises(PipeClosed):
        pipe.receive(time.monotonic() + 5)
    os.close(read)
