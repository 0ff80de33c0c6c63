"""Published data sets, written as CSV the way people do, load with the right samples, features and classes."""

import os
from pathlib import Path

import numpy as np
import pytest

from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.io.tables.read import read_table

FOLDER = Path(os.environ.get("GENOMAP_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "tabular"
FILES = sorted(FOLDER.glob("*.parquet"))


def files():
    if not FILES:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no data at {FOLDER} (set GENOMAP_DATA)"))]
    return [pytest.param(path, id=path.stem) for path in FILES]


@pytest.mark.shared
@pytest.mark.parametrize("as_csv", [True, False], ids=["csv", "parquet"])
@pytest.mark.parametrize("path", files())
def test_a_published_set_loads_as_it_is(path, as_csv):
    import pandas as pd

    frame = pd.read_parquet(path)
    source = frame.to_csv().encode() if as_csv else path
    table = read_table(source, path.stem + (".csv" if as_csv else ".parquet"))
    report = validate(table)
    dataset = to_dataset(table, report, path.stem)
    assert report.verdict in ("ok", "warn")
    assert dataset.sample_ids == tuple(frame.index)
    assert [dataset.classes[k] for k in dataset.y] == frame["target"].tolist()
    values = frame.drop(columns="target").to_numpy(np.float32)
    expected = values if report.roles.log == "as is" else np.log2(1 + values)
    np.testing.assert_allclose(dataset.X, expected, rtol=2e-5, atol=1e-6)
