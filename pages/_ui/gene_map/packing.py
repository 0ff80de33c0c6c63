"""`MapData` as blocks of bytes that the browser reads without parsing numbers.

A block: ``uint32 header length | SHA-256 of the rest | JSON header, padded to 4 | arrays, each padded to 4``. The
header lists the arrays as ``[name, type, length]``. Little-endian, as every browser's typed arrays are in practice.

A message: ``uint32 length | JSON [[key, length of its block], ...], padded to 4 | blocks``. The block of the empty key
is what to show; that of another key is shown as soon as the page's button with this key is pressed, without waiting
for the server's answer.

What the browser has from an earlier message stays out: of a block only its digest is sent (with a header length of 0),
and what all patients of a layout share (`COMMON`) is named by its digest in the header.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from genomap_core.data.perturb import MAX_LEVEL, Perturbation
from genomap_core.plotting.colour import cividis, vik
from genomap_core.plotting.research_use import RESEARCH_USE
from pages._ui.gene_map.data import MapData

EXACT_CELLS = 250_000
"""Up to so many values in all maps together, every map crosses in float32; beyond, only the first one."""
STUDY_LEVELS = (0.05, 0.10, 0.15, 0.20)
"""Noise levels of the robustness study, marked on the slider."""
COMMON = ("names", "units", "words", "features", "cells", "rank", "scale", "regions", "mean", "spread")
"""Parts of the header and arrays that are the same for every patient of a layout."""
MOST_BLOCKS = 4
"""So many of the last blocks a browser keeps."""
MISSING_CODE = -32768
_TYPES = {"float32": "f4", "int16": "i2", "int8": "i1", "uint8": "u1", "uint32": "u4", "int32": "i4"}


class Sent:
    """What one browser was given of a map: the common part of a layout, and the last blocks."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The browser says that it lacks something: it was reloaded, or a run was cut short."""
        self._asked: tuple[str, list[bytes]] = ("", [])
        self._answer: tuple[bool, list[bytes]] = (True, [])
        self._given: list[bytes] = []

    def left_out(self, common: str, digests: list[bytes]) -> tuple[bool, list[bytes]]:
        """Whether the common part must go with these blocks, and which of them the browser has.

        A run of the page that asks for the same again is told the same, so that it gives the same bytes.
        """
        if (common, digests) != self._asked:
            whole = common != self._asked[0]
            known = [] if whole else [d for d in digests if d in self._given]
            self._asked, self._answer = (common, digests), (whole, known)
            kept = [] if whole else [d for d in self._given if d not in digests]
            self._given = [*kept, *digests][-MOST_BLOCKS:]
        return self._answer


_packed: WeakKeyDictionary[MapData, tuple[str, _Parts]] = WeakKeyDictionary()


def pack(
    data: MapData,
    view: Mapping[str, Any],
    initial: Perturbation = Perturbation(),
    epoch: int = 0,
    sent: Sent | None = None,
    ahead: Mapping[str, MapData] | None = None,
) -> bytes:
    """A message with everything the canvas needs; equal values give equal bytes, which Streamlit sends once.

    Parameters
    ----------
    data
        The maps.
    view
        JSON-able settings of the screen: ``height``, ``columns``, ``controls``.
    initial, epoch
        Where the sliders stand when the map first appears, or when ``epoch`` differs from the last one seen.
    sent
        What the browser was given before; it is brought up to date. None: nothing.
    ahead
        Key of a button on the page -> the maps that it leads to, of the same layout as ``data``.
    """
    settings = json.dumps([dict(view), initial.level, initial.keep, epoch])

    def parts_of(maps: MapData) -> _Parts:
        known = _packed.get(maps)  # lives as long as the value itself: patients' data are not kept longer
        if known is None or known[0] != settings:
            known = _packed[maps] = settings, _Parts(maps, view, initial, epoch)
        return known[1]

    main = parts_of(data)
    every = {"": main} | {key: parts_of(maps) for key, maps in (ahead or {}).items()}
    whole, known = (sent or Sent()).left_out(main.common, [parts.digest for parts in every.values()])
    blocks = {key: bytes(4) + parts.digest if parts.digest in known else parts.own for key, parts in every.items()}
    if whole:
        blocks[""] = main.whole
    head = json.dumps([[key, len(block)] for key, block in blocks.items()]).encode()
    return len(head).to_bytes(4, "little") + _padded(head) + b"".join(blocks.values())


class _Parts:
    """A map's block without the common part (``own``) and with it, under the same digest."""

    def __init__(self, data: MapData, view: Mapping[str, Any], initial: Perturbation, epoch: int) -> None:
        height, width = data.places.shape
        arrays, encoding = _arrays(data)
        self.common = _common_digest(data, arrays)
        header: dict[str, Any] = {
            "shape": [int(data.places.n_channels), int(height), int(width)],
            "maps": data.n_maps,
            "labels": [str(text) for text in data.labels],
            "channels": [str(text) for text in data.channel_names],
            "regionNames": [str(text) for text in data.region_names],
            "title": data.title,
            "unit": data.unit,
            "noun": data.noun,
            "absent": data.absent,
            "range": [float(v) for v in data.span],
            "overlays": [{"label": o.label, "limit": o.span} for o in data.overlays],
            "seed": int(data.seed),
            "study": list(STUDY_LEVELS),
            "maxLevel": MAX_LEVEL,
            "initial": {"level": initial.level, "keep": initial.keep, "epoch": epoch},
            "research": RESEARCH_USE,
            "common": self.common,
            **encoding,
            **view,
        }
        self.own = _block(header, {name: array for name, array in arrays.items() if name not in COMMON})
        self.digest = self.own[4:36]
        # Not `data`: it would keep itself alive.
        self._rest = {"names": [str(data.names[j]) for j in data.placed], **_readings(data)}, header, arrays

    @cached_property
    def whole(self) -> bytes:
        common, header, arrays = self._rest
        block = _block(header | common | {"commonParts": COMMON}, arrays)
        return block[:4] + self.digest + block[36:]


def _common_digest(data: MapData, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps([data.names, _readings(data)]).encode())
    for name in COMMON:
        if name in arrays:
            digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


def _readings(data: MapData) -> dict[str, Any]:
    """Units and words of the placed features, by their place in the message; one unit alone where all have it."""
    if data.as_measured is None:
        return {}
    units, words = [data.as_measured.units[j] for j in data.placed], data.as_measured.words
    common = units[:1] if len(set(units)) == 1 else units
    return {"units": common, "words": {str(k): words[j] for k, j in enumerate(data.placed.tolist()) if j in words}}


def _block(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    listed = [[name, _name(array), int(array.size)] for name, array in arrays.items()]
    body = b"".join(_padded(array.astype(f"<{_TYPES[_name(array)]}").tobytes()) for array in arrays.values())
    head = json.dumps({**header, "arrays": listed}, ensure_ascii=False, allow_nan=False).encode()
    rest = _padded(head) + body
    return len(head).to_bytes(4, "little") + hashlib.sha256(rest).digest() + rest


def _arrays(data: MapData) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    placed, k = data.placed, data.n_maps
    exact = k if k * len(placed) <= EXACT_CELLS else 1
    values = data.measured[:, placed]
    low, step = _scale_of(values)
    arrays = {
        "cells": data.cells,
        "features": placed.astype(np.uint32),
        "values": values[:exact],
        "rounded": _to_int16(values[exact:], low, step),
        "lut": cividis(),
        "vik": vik(),
        "highlighted": np.flatnonzero(np.isin(placed, data.highlighted)).astype(np.uint32),
    }
    if data.noise is not None:
        noise = np.asarray(data.noise, np.float32)[:, placed]
        scale = np.broadcast_to(np.asarray(data.scale, np.float32), (len(data.names),))[placed]
        arrays |= {"noise": noise[:exact], "roundedNoise": _to_int8(noise[exact:]), "scale": scale}
    if data.as_measured is not None:
        arrays["mean"] = np.asarray(data.as_measured.mean, np.float32)[placed]
        arrays["spread"] = np.asarray(data.as_measured.scale, np.float32)[placed]
    if data.rank is not None:
        arrays["rank"] = np.asarray(data.rank, np.float32)[placed]
    if data.filled is not None:
        arrays["filled"] = np.asarray(data.filled, np.uint8)[:, placed]
    if data.regions is not None:
        arrays["regions"] = np.asarray(data.regions)[placed].astype(np.int32)
    for i, overlay in enumerate(data.overlays):
        arrays[f"overlay{i}"] = np.asarray(overlay.values, np.float32)[:, placed]
    return arrays, {"exact": exact, "low": low, "step": step, "noiseStep": NOISE_STEP}


NOISE_STEP = 6 / 127
"""Rounding of the noise of maps that are not exact: standard normal numbers beyond 6 do not occur."""


def _scale_of(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return low, (high - low) / 65_000 or 1.0


def _to_int16(values: np.ndarray, low: float, step: float) -> np.ndarray:
    codes = np.rint((values.astype(np.float64) - low) / step) - 32_500
    return np.where(np.isnan(values), MISSING_CODE, np.nan_to_num(codes)).astype(np.int16)


def _to_int8(noise: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(noise / NOISE_STEP), -127, 127).astype(np.int8)


def _name(array: np.ndarray) -> str:
    return array.dtype.name


def _padded(block: bytes) -> bytes:
    return block + b"\0" * (-len(block) % 4)
