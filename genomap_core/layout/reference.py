"""Reference maps: a layout with a name, a version and its features, saved for other cohorts of the same features."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import LayoutError
from genomap_core.layout.distances import FeatureTable
from genomap_core.layout.layout import Layout
from genomap_core.layout.quality import LayoutQuality, measure

FORMAT = "genomap-reference-map/1"
SOLVER = "reference"
"""What a layout calls its solver when its places were taken from a reference map."""
MAX_BYTES = 20_000_000
MAX_CELLS = 1_000_000


@dataclass(frozen=True, eq=False)
class Match:
    """A table's features on a reference map: ``columns (k,)`` of the table and their ``positions (k, 2)``.

    ``lacking``: features of the map that the table has not, whose cells stay empty; ``unknown``: of the table, without
    a place on the map.
    """

    columns: np.ndarray
    positions: np.ndarray
    lacking: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReferenceMap:
    """A layout that other cohorts use as it is, so that a place means the same feature in all of them.

    Parameters
    ----------
    name, version
        Chosen by whoever saves it.
    features
        ``p`` names, all different.
    layout
        Of these features, of one type (``n_channels`` 1).
    control
        Quality of a random layout of the same features on the same cells.
    fitted_on
        JSON-able: cohort, numbers of samples and features, unit, digest.
    """

    name: str
    version: str
    features: tuple[str, ...]
    layout: Layout
    control: LayoutQuality
    fitted_on: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.version.strip():
            raise LayoutError("A reference map needs a name and a version.")
        if self.layout.n_channels != 1:
            raise LayoutError("A reference map holds one type of features: save one of each omics type.")
        if len(self.features) != self.layout.n_features:
            raise LayoutError(f"{len(self.features)} names for a layout of {self.layout.n_features} features.")
        twice = [name for name, count in Counter(self.features).items() if count > 1]
        if twice:
            raise LayoutError(f"The feature {twice[0]!r} comes {self.features.count(twice[0])} times: rename it.")

    @property
    def title(self) -> str:
        return f"{self.name}, version {self.version}"

    def match(self, names: Sequence[str]) -> Match:
        """Where a table's features lie on this map.

        Raises
        ------
        LayoutError
            Fewer than two of them are on it; the message shows names of both.
        """
        place = {name: j for j, name in enumerate(self.features) if self.layout.positions[j, 0] >= 0}
        columns = [j for j, name in enumerate(names) if name in place]
        if len(columns) < 2:
            raise LayoutError(
                f"{len(columns)} of the table's {len(names):,} features are on the map {self.title}. The table's begin "
                f"with {', '.join(names[:3])}; the map's with {', '.join(self.features[:3])}: name them alike."
            )
        known = set(names)
        return Match(
            np.array(columns),
            self.layout.positions[[place[names[j]] for j in columns]],
            tuple(name for name in place if name not in known),
            tuple(name for name in names if name not in place),
        )

    def to_bytes(self) -> bytes:
        """As JSON, UTF-8."""
        arrays, header = self.layout.to_arrays()
        content = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "fitted_on": dict(self.fitted_on),
            "random_quality": asdict(self.control),
            "layout": header,
            "features": list(self.features),
            "positions": arrays["positions"].tolist(),
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> ReferenceMap:
        """What :meth:`to_bytes` wrote.

        Raises
        ------
        LayoutError
            It is too large, damaged, or no reference map.
        """
        if len(data) > MAX_BYTES:
            raise LayoutError(f"The file has {len(data):,} bytes, over the limit of {MAX_BYTES:,} for a reference map.")
        try:
            content = json.loads(data)
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise LayoutError(f"Not a reference map ({FORMAT}): save one on the Genomap page or by layout --save.")
            positions = np.asarray(content["positions"], np.int32).reshape(-1, 2)
            height, width = map(int, content["layout"]["shape"])
            if not (height > 0 < width and height * width <= MAX_CELLS):
                raise LayoutError(f"The reference map has {height} x {width} cells, over the limit of {MAX_CELLS:,}.")
            arrays = {"positions": positions, "channel": np.zeros(len(positions), np.int32)}
            return cls(
                name=str(content["name"]),
                version=str(content["version"]),
                features=tuple(map(str, content["features"])),
                layout=Layout.from_arrays(arrays, content["layout"]),
                control=LayoutQuality(**content["random_quality"]),
                fitted_on=dict(content["fitted_on"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError, IndexError, RecursionError) as error:
            if isinstance(error, LayoutError):
                raise
            raise LayoutError(
                f"The reference map is damaged ({type(error).__name__}: {str(error)[:100]}): save or download it again."
            ) from error


def layout_at(
    z: np.ndarray | sp.spmatrix,
    positions: np.ndarray,
    shape: tuple[int, int],
    distance: str = "correlation",
    notes: Mapping[str, Any] | None = None,
    channel: np.ndarray | None = None,
) -> Layout:
    """The layout of ``z (n, q)`` with given ``positions (q, 2)``, its quality measured on ``z``.

    ``channel (q,)``: the omics type of each feature; None: one type.
    """
    codes = np.zeros(len(positions), np.int32) if channel is None else np.asarray(channel, np.int32)
    quality = measure(FeatureTable(z, distance), positions, codes)
    return Layout(shape, positions.astype(np.int32), codes, int(codes.max()) + 1, quality, SOLVER, notes or {})
