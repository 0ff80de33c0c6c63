"""Messages over a pipe: a JSON header and the raw bytes of arrays. Values only, never objects."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from genomap_core.errors import JobError
from genomap_core.jobs.files import to_json

_LENGTH = struct.Struct("<Q")
_KINDS = "biufcUS"
_MAX_HEADER = 64 * 1024 * 1024


class PipeClosed(Exception):
    """The other side is gone."""


class PipeTimeout(Exception):
    """The other side did not read or write in time."""


class Pipe:
    """Two ends of pipes to one other process. ``deadline`` is a `time.monotonic` value; ``None`` waits for ever."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        os.set_blocking(write_fd, False)
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # 64 kB is the default: arrays would need thousands of turns
                fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, 1024 * 1024)

    def send(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], deadline: float | None = None) -> None:
        """Write one message. Arrays of numbers, bool or fixed-width text only.

        What can't be sent is a :class:`JobError` before the first byte: the pipe stays usable.
        """
        plain = {name: _contiguous(array) for name, array in arrays.items()}
        shapes = [[name, array.dtype.str, list(array.shape)] for name, array in plain.items()]
        head = to_json({"head": header, "arrays": shapes}, "message").encode()
        self._write(_LENGTH.pack(len(head)) + head, deadline)
        for array in plain.values():
            if array.size:
                self._write(array.reshape(-1).view(np.uint8).data, deadline)

    def receive(self, deadline: float | None = None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Read one message: header and arrays (writable, C order)."""
        length = _LENGTH.unpack(self._read(_LENGTH.size, deadline))[0]
        if length > _MAX_HEADER:
            raise PipeClosed("the stream is damaged")
        message = json.loads(self._read(length, deadline))
        arrays = {name: self._read_array(dtype, shape, deadline) for name, dtype, shape in message["arrays"]}
        return message["head"], arrays

    def _read_array(self, dtype: str, shape: list[int], deadline: float | None) -> np.ndarray:
        array = np.empty(shape, dtype=_checked(np.dtype(dtype)))
        if array.size:
            self._fill(array.reshape(-1).view(np.uint8).data, deadline)
        return array

    def _read(self, count: int, deadline: float | None) -> bytearray:
        buffer = bytearray(count)
        self._fill(memoryview(buffer), deadline)
        return buffer

    def _fill(self, buffer: memoryview, deadline: float | None) -> None:
        done = 0
        while done < len(buffer):
            _await(self._read_fd, select.POLLIN, deadline)
            count = os.readv(self._read_fd, [buffer[done:]])
            if count == 0:
                raise PipeClosed("the other side is gone")
            done += count

    def _write(self, data: bytes | memoryview, deadline: float | None) -> None:
        view = memoryview(data)
        while len(view):
            _await(self._write_fd, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._write_fd, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise PipeClosed("the other side is gone") from error


def _await(fd: int, event: int, deadline: float | None) -> None:
    poll = select.poll()
    poll.register(fd, event)
    left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
    if not poll.poll(left):
        raise PipeTimeout("no answer in time")


def _checked(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind not in _KINDS:
        raise JobError(f"Arrays of dtype {dtype} can't be sent: use numbers, bool or fixed-width text.")
    return dtype


def _contiguous(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    _checked(array.dtype)
    return np.ascontiguousarray(array).reshape(array.shape)
