"""Tables that hold no samples: results of a comparison, one row a gene; long tables, one row a sample and feature."""

from __future__ import annotations

import numpy as np

from genomap_core.data.message import Message, some
from genomap_core.data.schema.nomenclature import is_annotation
from genomap_core.data.schema.words import GENE_COLUMN_NAMES, KNOWN_GENES, key, words_of
from genomap_core.data.table import Table

_RESULTS = 14
"""With more number columns there are values of samples beside the results."""
_COMPARED = words_of("""
    logfc log2fc log2foldchange foldchange avelogfc avglog2fc avglogfc lfc lfcse effect effectsize t f b stat basemean
    aveexpr logcpm oddsratio
""")
_CHANCES = words_of("pvalue pval p padj pvaladj adjpval adjpvalue fdr qvalue qval fwer")
_FEATURE_TITLES = words_of("""
    assay analyte test testname parameter marker measurement variable olinkid biomarker labtest untersuchung parametro
    loinc
""")


def no_samples(table: Table, position: int | None) -> Message | None:
    """An error for such a table; ``position``: the column that names its rows."""
    if len(table.number_at) > _RESULTS:
        return None
    names = [table.columns[at] for at in table.number_at.tolist()]
    compared = [name for name in names if key(name) in _COMPARED]
    chances = [at for at in table.number_at.tolist() if key(table.columns[at]) in _CHANCES]
    others = [name for name in names if name not in compared and key(name) not in _CHANCES and not is_annotation(name)]
    genes = position is not None and len(compared) + len(chances) >= 2 and len(chances) > 0 and len(others) < 2
    if genes and all(np.nanmin(v) >= 0 and np.nanmax(v) <= 1 for at in chances if len(v := table.number_column(at))):
        listed = some([*compared, *(table.title(at) for at in chances)])
        text = f"The table holds results of a comparison ({listed}), one row a gene, and no values of samples."
        return Message("error", "results-only", text, remedy="Give the table of counts or intensities behind them.")
    if (pair := _long(table)) is not None:
        sample, feature = (table.title(at) for at in pair)
        text = f"The table is long: one row for each {sample} and {feature}, not one row a sample."
        remedy = f"Spread it, with pandas: table.pivot(index={sample!r}, columns={feature!r}, values=...)."
        return Message("error", "long-table", text, feature, remedy=remedy)
    return None


def _long(table: Table) -> tuple[int, int] | None:
    """Columns of samples and of features where every pair of the two has one row; no column names the rows."""
    texts = {at: c for at, c in table.texts.items() if 1 < len(c.words) < 0.6 * len(c) and at not in table.annotations}
    features = [at for at in texts if _names_features(table, at)]
    for feature in features:
        for at, column in texts.items():
            pairs = len(column.words) * len(texts[feature].words)
            if at == feature or len(column.words) < 3 or not 0.8 * pairs <= table.n_rows <= pairs:
                continue
            keys = column.codes.astype(np.int64) * len(texts[feature].words) + texts[feature].codes
            if len(np.unique(keys)) == table.n_rows and len(table.number_at) <= 6:
                return at, feature
    return None


def _names_features(table: Table, at: int) -> bool:
    title = key(table.columns[at])
    return title in _FEATURE_TITLES or title in GENE_COLUMN_NAMES or len(KNOWN_GENES & set(table.texts[at].words)) >= 3
