"""One joint layout of several omics types: the features of one gene share its cell, each in its own channel."""

from __future__ import annotations

import numpy as np

from genomap_core.errors import LayoutError
from genomap_core.layout.distances import FeatureTable


def entity_table(table: FeatureTable, channel: np.ndarray, entity: np.ndarray) -> FeatureTable:
    """A table whose columns are the entities (genes), so that its correlation is the mean over their omics types.

    The rows of the types are stacked, each feature standardised within its type; an entity without a type has zeros
    there. ``(n, p)`` -> ``(n * types, entities)``.

    Parameters
    ----------
    channel, entity
        ``(p,)`` int codes from 0: each entity has at most one feature of a type.
    """
    if table.distance == "euclidean":
        raise LayoutError("A joint layout needs a correlation distance: euclidean lengths of two omics types differ.")
    pairs = np.unique(np.stack([channel, entity]), axis=1)
    if pairs.shape[1] < len(channel):
        raise LayoutError("An entity has two features of one omics type: give each (entity, type) at most one feature.")
    n, types = table.n_samples, int(channel.max()) + 1
    stacked = np.zeros((n * types, int(entity.max()) + 1), np.float32)
    for columns, Z in table.blocks():
        for code in np.unique(channel[columns]):
            own = channel[columns] == code
            stacked[code * n : (code + 1) * n, entity[columns][own]] = Z[:, own]
    plain = "absolute" if table.distance == "absolute" else "correlation"
    return FeatureTable(stacked, plain, table.memory_mb)
