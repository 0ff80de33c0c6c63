"""Numbers by which a row is known again: of its values alone, so that nothing else of it is stored."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import scipy.sparse as sp

_CHUNK = 512  # rows made dense at a time


def row_fingerprints(X: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """``(n,)`` int64, a number for each row of ``(n, p)``: the same where all values are, as float32."""
    found = np.empty(X.shape[0], np.int64)
    for start in range(0, len(found), _CHUNK):
        part: Any = X[start : start + _CHUNK]
        rows = np.asarray(part.toarray() if sp.issparse(part) else part, np.float32) + np.float32(0)  # -0 is 0
        rows = np.where(np.isnan(rows), np.float32(np.nan), rows)
        found[start : start + len(rows)] = [_number(row) for row in rows]
    return found


def _number(row: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little", signed=True)
