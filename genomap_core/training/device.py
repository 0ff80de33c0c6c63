"""Where networks run: the choice of device, its threads and precision, and what its memory errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from genomap_core.errors import InputError, OutOfMemoryError

DEVICES = ("auto", "cpu", "cuda", "mps")
_MAX_THREADS = 8  # small maps gain nothing beyond
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")


def choose_device(name: str = "auto") -> torch.device:
    """``"auto"`` (CUDA, else Apple's GPU, else CPU), ``"cpu"``, ``"cuda"`` or ``"mps"`` -> the device.

    Raises
    ------
    InputError
        The name is unknown, or this machine has no such device.
    """
    if name not in DEVICES:
        raise InputError(f"`device` must be one of {', '.join(DEVICES)}, got {name!r}.")
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if present[kind])
    if not present[name]:
        raise InputError(f'This machine has no {name.upper()} device that torch can use: choose `device="auto"`.')
    return torch.device(name)


@contextmanager
def threads(n: int | None = None) -> Iterator[None]:
    """Within the block torch uses ``n`` threads (None: its own number, at most 8)."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, _MAX_THREADS) if n is None else n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def half_precision(device: torch.device) -> torch.dtype | None:
    """The type for mixed precision: bfloat16 on CUDA where the chip has it, else float16; None elsewhere."""
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Mixed precision on CUDA; nothing elsewhere."""
    dtype = half_precision(device)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


@contextmanager
def private_randomness(device: torch.device) -> Iterator[None]:
    """Seeds set within the block are forgotten behind it: the caller's random state is untouched."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def memory_errors_named(work: str, device: torch.device, remedy: str) -> Iterator[None]:
    """Turn the many faces of an exhausted memory into :class:`OutOfMemoryError`; other errors pass."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, OutOfMemoryError) or not _is_memory_error(error):
            raise
        where = "the GPU's" if device.type != "cpu" else "the computer's"
        raise OutOfMemoryError(f"{work} needs more than {where} free memory: {remedy}.") from error


def _is_memory_error(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return any(words in text for words in _MEMORY_WORDS)
