"""What a table became, for the eye: one sentence and its first cells, before anything is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.message import plural
from genomap_core.data.schema.build import split
from genomap_core.data.schema.check import clean_id
from genomap_core.data.schema.validate import SchemaReport
from genomap_core.data.table import Table

if TYPE_CHECKING:
    import pandas as pd


def understood(report: SchemaReport) -> str:
    """``8 samples x 60 features, genes were in rows; label diagnosis; unit log2(1 + count)``."""
    roles = report.roles
    turned = roles.orientation == "genes_in_rows"
    text = f"{plural(report.n_samples, 'sample')} x {plural(report.n_features, 'feature')}"
    text += ", genes were in rows" if turned else ", samples in rows"
    parts = [
        f"named by {roles.id}" if roles.id and not turned else "",
        f"label {roles.target} ({len(report.classes)} classes)" if roles.target else "no label",
        f"unit {report.unit}",
        f"left out: {', '.join(roles.without[:3])}" if roles.without else "",
    ]
    return "; ".join([text, *(part for part in parts if part)])


def first_values(table: Table, report: SchemaReport, rows: int = 5, columns: int = 8) -> pd.DataFrame:
    """The first samples and number features as they will be used, before a logarithm; label first."""
    import pandas as pd

    parts = split(table, report.roles)
    cohort, kept = parts.cohort, np.flatnonzero(parts.kept)[:rows]
    block = cohort.values[kept][:, :columns]
    block = block if isinstance(block, np.ndarray) else block.toarray()
    frame = pd.DataFrame(block, columns=pd.Index(cohort.names[:columns]))
    if parts.target is not None:
        words = parts.target.values()
        frame.insert(0, "(label)", [words[i] for i in kept.tolist()], allow_duplicates=True)
    ids = None if cohort.id is None else cohort.id.values()
    frame.index = pd.Index([clean_id(ids[i] or "") if ids else f"sample {i + 1}" for i in kept.tolist()], name="sample")
    return frame
