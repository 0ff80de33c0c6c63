"""AnnData in and out: a cohort from an ``AnnData`` object, and the layout written where scverse tools look for it.

::

    dataset = from_anndata(adata, target="cell_type")
    result = fit_genomap(dataset)
    annotate(adata, dataset, result)          # adata.varm["genomap"], adata.obsm["X_genomap"], adata.uns["genomap"]
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core import __version__
from genomap_core.data.dataset import Dataset
from genomap_core.data.schema.check import clean_id
from genomap_core.data.schema.roles import Log
from genomap_core.errors import InputError
from genomap_core.io.tables.h5ad import table_of
from genomap_core.workflows.cohorts.cohort import Wishes, cohort_of, describe
from genomap_core.workflows.tabular.genomap import GenomapResult

if TYPE_CHECKING:
    from anndata import AnnData

KEY, MAPS = "genomap", "X_genomap"
LABEL, GROUP = "label", "group"
"""Columns of ``obs`` that :func:`to_anndata` writes."""


def from_anndata(
    adata: AnnData,
    *,
    target: str | None = None,
    group: str | None = None,
    layer: str | None = None,
    log: Log | None = None,
    name: str = "AnnData",
) -> Dataset:
    """The cohort in an ``AnnData``, under the same checks as a file; the object stays as it is.

    Parameters
    ----------
    adata
        Samples (cells) x genes; ``X`` dense or sparse, in memory.
    target, group
        Columns of ``obs`` with the classes, and with what must stay together in splits; None: as proposed by the
        checks, of which ``Dataset.notes`` tells.
    layer
        A layer, or "raw"; None: ``X``.
    log
        "log2(1+x)", "log2(1+x) per total" or "as is"; None: a logarithm for what looks like counts, of samples scaled
        to one total where those of nine in ten differ more than twofold. ``Dataset.unit`` tells which.

    Raises
    ------
    InputError
        No such column or layer, or values that can't be used; all problems are listed.
    """
    table = table_of(adata, layer, name)
    return cohort_of(table, describe(table, Wishes(target=target, group=group, log=log)))


def to_anndata(dataset: Dataset, result: GenomapResult | None = None) -> AnnData:
    """A new ``AnnData`` of a cohort: values in ``X``, labels and groups in ``obs``; the layout where one is given.

    Columns that were set aside, such as those that may identify persons, are not part of a cohort and so not of the
    result.
    """
    import anndata
    import pandas as pd

    obs = pd.DataFrame(index=pd.Index(dataset.sample_ids, dtype=str))
    if dataset.y is not None:
        obs[LABEL] = _categories(dataset.y, dataset.classes)
    if dataset.groups is not None:
        obs[GROUP] = pd.Categorical([f"group {code + 1}" for code in dataset.groups])
    var = pd.DataFrame(index=pd.Index(dataset.feature_names, dtype=str))
    if dataset.omics is not None:
        var["omics"] = _categories(dataset.omics, dataset.omics_names)
    adata = anndata.AnnData(dataset.X.copy(), obs, var, uns={"unit": dataset.unit})
    if result is not None:
        annotate(adata, dataset, result)
    return adata


def annotate(adata: AnnData, dataset: Dataset, result: GenomapResult, maps: bool = True) -> None:
    """Write a layout into ``adata``, in place, as scanpy's tools do.

    ``varm["genomap"]``: ``(n_vars, 2)`` int32, row and column of each gene, -1 for one without a cell.
    ``obsm["X_genomap"]``: ``(n_obs, c * H * W)`` float32, each sample's map, row by row; NaN for samples that are not
    in the cohort; as large as a dense ``X``, so left out unless ``maps``. ``uns["genomap"]``: shape ``(c, H, W)``,
    names of the ``c`` channels, solver, quality beside that of a random layout, unit, version of this program.

    Parameters
    ----------
    adata
        The object that ``dataset`` was made from, or one with the same names.

    Raises
    ------
    InputError
        No gene, or no sample, of ``adata`` is in the cohort.
    """
    layout = result.layout
    place = {name: j for j, name in enumerate(result.feature_names)}
    at = _found([place.get(str(name), -1) for name in adata.var_names], "genes (var_names)", result.feature_names)
    positions = np.full((len(at), 2), -1, np.int32)
    positions[at >= 0] = layout.positions[at[at >= 0]]
    row = {name: i for i, name in enumerate(dataset.sample_ids)}
    of = _found(
        [row.get(clean_id(str(name)), -1) for name in adata.obs_names], "samples (obs_names)", dataset.sample_ids
    )
    adata.varm[KEY] = positions
    adata.uns[KEY] = {
        "version": __version__,
        "shape": np.array([layout.n_channels, *layout.shape]),
        "channels": np.array(dataset.omics_names if layout.n_channels > 1 else ("features",), dtype=object),
        "solver": layout.solver,
        "quality": asdict(layout.quality),
        "random_quality": asdict(result.control),
        "unit": dataset.unit,
    }
    if maps:
        flat = result.maps.reshape(len(result.maps), -1)
        filled = np.full((len(of), flat.shape[1]), np.nan, np.float32)
        filled[of >= 0] = flat[of[of >= 0]]
        adata.obsm[MAPS] = filled


def _categories(codes: np.ndarray, names: tuple[str, ...]) -> Any:
    import pandas as pd

    return pd.Categorical([names[code] for code in codes], list(names))


def _found(indices: list[int], what: str, wanted: tuple[str, ...]) -> np.ndarray:
    found = np.array(indices, np.int64)
    if not (found >= 0).any():
        example = f", such as {wanted[0]!r}" if wanted else ""
        raise InputError(
            f"None of the {what} of this AnnData is in the cohort{example}: pass the object it was made of."
        )
    return found
