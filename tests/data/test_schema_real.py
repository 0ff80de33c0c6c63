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


def in_dialects(frame):
    """The table as five kinds of program write it: bytes and a name."""
    import bz2
    import gzip
    import io

    german = frame.to_csv(sep=";", decimal=",", encoding="utf-8").encode("utf-8-sig")
    tabs = gzip.compress(frame.to_csv(sep="\t", lineterminator="\r\n").encode())
    bars = bz2.compress(frame.to_csv(sep="|", quoting=1).encode("utf-16"))
    by_r = frame.rename_axis(None).to_csv(sep="\t", quoting=2, na_rep="NA").split("\t", 1)[1].encode()  # no corner
    workbook = io.BytesIO()
    frame.to_excel(workbook)
    return {
        "german.csv": german,
        "tabs.tsv.gz": tabs,
        "bars.txt.bz2": bars,
        "r.txt": by_r,
        "workbook.xlsx": workbook.getvalue(),
    }


@pytest.mark.shared
@pytest.mark.parametrize("path", files()[:10])
def test_a_published_set_is_one_cohort_in_every_dialect(path):
    import pandas as pd

    frame = pd.read_parquet(path)
    frame = frame.iloc[:: max(1, len(frame) // 60)]
    frame = frame[[*frame.columns[frame.columns != "target"][:60], "target"]]
    frame = frame[frame["target"].map(frame["target"].value_counts()) > 1]
    plain = read_table(frame.to_csv().encode(), "plain.csv")
    known = to_dataset(plain, validate(plain), path.stem)
    for name, content in in_dialects(frame).items():
        table = read_table(content, name)
        dataset = to_dataset(table, validate(table), path.stem)
        assert dataset.sample_ids == known.sample_ids, name
        assert dataset.feature_names == known.feature_names, name
        np.testing.assert_allclose(dataset.X, known.X, rtol=1e-6, atol=1e-12, err_msg=name)
        assert (dataset.classes, dataset.unit) == (known.classes, known.unit), name
        np.testing.assert_array_equal(dataset.y, known.y)
