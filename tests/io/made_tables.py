"""Tables with planted truth, written as programs, instruments and people write them; and whether they are read so.

``python tests/io/made_tables.py [--count 5000] [--seed 0] [--start 0] [--packing none,gzip]`` draws so many
combinations and prints those that were read otherwise without an error. A table is right when samples, features,
values and labels are those that were planted;
an error that stops the user counts as a question; there is no third outcome.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import lzma
import pathlib
import sys
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass

import numpy as np

from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.errors import GenomapError
from genomap_core.io.tables.read import read_table

HUMAN = """
TP53 EGFR MYC KRAS PTEN GAPDH ACTB CD19 VIM RB1 AKT1 BRAF NRAS ERBB2 ESR1 STAT3 IDS NHS JUN FOS MKI67 PCNA BCL2 CCND1
CDK4 MDM2 APC ALB AR KIT MET RET ALK SRC ABL1 FLT3 JAK2 NPM1 WT1 VHL
""".split()  # noqa: SIM905
MOUSE = """
Gnai3 Pbsn Cdc45 H19 Scml2 Apoh Narf Cav2 Klf6 Scmh1 Cox5a Tbx2 Ngfr Wnt3 Wnt9a Fer Xpo6 Tfe3 Axin2 Brat1 Sox2 Nanog
Pax6 Myod1 Shh Bmp4 Fgf8 Gata4 Hoxa1 Lmna Otx2 Eya1 Six1 Mitf Kitl Dct Tyr Sox10 Ednrb Snai2
""".split()  # noqa: SIM905
CLINICAL = ("age", "crp", "bmi", "glucose", "sodium", "height", "albumin", "score")

FACTORS: dict[str, tuple[str, ...]] = {
    "kind": ("log", "counts", "beta", "clinical"),
    "genes": ("human", "mouse", "ensembl", "entrez", "yeast", "uniprot", "probe", "cpg", "taxa"),
    "samples": ("gsm", "tcga", "S", "groups", "patient", "numbers", "barcode"),
    "orientation": ("samples", "genes"),
    "corner": ("named", "blank", "absent", "id"),
    "delimiter": (",", ";", "\t", "|"),
    "notation": ("point", "comma", "us", "eu", "swiss", "french", "fixed"),
    "above": ("none", "comments", "title", "sep", "blank lines"),
    "annotation": ("none", "words", "numbers", "both"),
    "summary": ("none", "counters", "mean"),
    "quoting": ("none", "words", "all"),
    "encoding": ("utf-8", "utf-8-sig", "utf-16", "cp1252"),
    "ends": ("\n", "\r\n", "\r"),
    "packing": ("none", "gzip", "bzip2", "xz", "zip", "excel", "parquet", "h5ad"),
    "trailing": ("none", "rows", "header", "both"),
    "label": ("none", "label", "words", "numbers"),
    "beside": ("none", "grade", "batch", "total", "pieces"),
    "measures": ("none", "none", "before", "behind"),
    "missing": ("none", "empty", "NA", "?"),
}


@dataclass(frozen=True)
class Made:
    """A file and its truth: ``X (n, p)`` on the scale written, NaN for missing; ``labels`` None without any.

    ``labelled``: the label column's title. ``beside``: titles of columns that are no features.
    """

    data: bytes
    name: str
    X: np.ndarray
    samples: list[str]
    features: list[str]
    labels: list[str] | None
    labelled: str = ""
    beside: tuple[str, ...] = ()


CONTAINERS = ("excel", "parquet", "h5ad")
"""Packings that hold cells, not text."""


def draw(rng: np.random.Generator, packing: str = "") -> dict[str, str]:
    """One combination that some program could write; of this ``packing``, or of any."""
    way = {name: str(rng.choice(levels)) for name, levels in FACTORS.items()}
    way["packing"] = packing or way["packing"]
    if way["kind"] == "clinical":
        way |= {"orientation": "samples", "annotation": "none", "genes": "clinical"}
    if way["orientation"] == "samples":
        way["annotation"] = "none"
        way["summary"] = "mean" if way["summary"] == "mean" and way["corner"] != "absent" else "none"
    else:
        way["label"] = "none"
        way["summary"] = "counters" if way["summary"] == "counters" and way["kind"] == "counts" else "none"
    if way["kind"] == "clinical" or way["packing"] == "h5ad" or way["summary"] == "mean":
        way["beside"] = "none"
    if way["orientation"] == "genes" and way["beside"] == "pieces":
        way["beside"] = "grade"
    if way["orientation"] == "samples" or way["annotation"] != "none" or way["beside"] != "none":
        way["measures"] = "none"
    if way["samples"] == "numbers" and way["corner"] in ("blank", "absent"):
        way["corner"] = "id"
    if way["above"] == "sep" and (way["encoding"] == "utf-16" or way["packing"] in CONTAINERS):
        way["above"] = "none"
    if way["packing"] in CONTAINERS:
        way |= {
            "notation": "point",
            "trailing": "none",
            "corner": "named" if way["corner"] == "absent" else way["corner"],
        }
    if way["packing"] in ("parquet", "h5ad"):
        way |= {"above": "none", "missing": "empty" if way["missing"] == "?" else way["missing"]}
        way["corner"] = "named" if way["corner"] == "blank" else way["corner"]
    if way["packing"] == "h5ad":
        way |= {"orientation": "samples", "annotation": "none", "summary": "none", "measures": "none"}
    return way


def make(way: dict[str, str], rng: np.random.Generator) -> Made:
    """The table of one combination."""
    X, features = _values(way, rng)
    samples = _samples(way["samples"], len(X), rng)
    labels = [["case", "control", "other"][(i * 7) % 3] for i in range(len(X))] if way["label"] != "none" else None
    if labels and way["label"] == "numbers":
        labels = [str(["case", "control", "other"].index(word)) for word in labels]
    if way["missing"] != "none":
        X[rng.random(X.shape) < 0.03] = np.nan
    beside = _strangers(way, X, rng)
    grid = _grid(way, X, samples, features, labels, beside, rng)
    if way["measures"] != "none":
        grid, samples = _with_measures(way, grid, samples, rng)
    data, name = _packed(way, grid)
    return Made(data, name, X, samples, features, labels, _LABELS.get(way["label"], ""), tuple(beside))


_LABELS = {"label": "label", "words": "Gr\u00f6\u00dfe", "numbers": "class"}


def _strangers(way: dict[str, str], X: np.ndarray, rng: np.random.Generator) -> dict[str, list[str]]:
    """Columns (with genes in rows: rows) beside the features that are none."""
    n, kind = len(X), way["beside"]
    if kind == "total":
        whole = bool((np.isnan(X) | (np.rint(X) == X)).all())
        return {"total_sum": [_number(round(float(v), 3), way, whole) for v in np.nansum(X, axis=1)]}
    if kind == "batch":
        return {"batch_no": [str(v) for v in rng.permutation(np.arange(n) % 2 + 1)]}
    if kind == "pieces":
        which = rng.permutation(np.arange(n) % 3)
        return {f"class_{word}": [str(int(which[i] == k)) for i in range(n)] for k, word in enumerate("abc")}
    return {"grade": [str(v) for v in rng.permutation(np.arange(n) % 2 + 1)]} if kind == "grade" else {}


def _with_measures(
    way: dict[str, str], grid: list[list[str]], samples: list[str], rng: np.random.Generator
) -> tuple[list[list[str]], list[str]]:
    """A P value beside every value, of the same sample; its title behind or before that of the sample."""
    named = len(grid[0]) - len(samples)
    join = (lambda s, what: f"{s}.{what}") if way["measures"] == "behind" else (lambda s, what: f"{what}.{s}")
    lead = len(grid[1]) - len(samples)
    rows = [[*grid[0][:named], *(join(s, what) for s in samples for what in ("Signal", "Pval"))]]
    for row in grid[1:]:
        chances = (_number(round(float(v), 4), way, False) for v in rng.uniform(0, 0.1, len(samples)))
        rows.append([*row[:lead], *(cell for pair in zip(row[lead:], chances, strict=True) for cell in pair)])
    return rows, [join(s, "Signal") for s in samples]


def _packed(way: dict[str, str], grid: list[list[str]]) -> tuple[bytes, str]:
    """The file's bytes and its name."""
    packing = way["packing"]
    if packing in CONTAINERS:
        ending = {"excel": "xlsx"}.get(packing, packing)
        return {"excel": _workbook, "parquet": _parquet, "h5ad": _h5ad}[packing](way, grid), f"t.{ending}"
    data = _text(way, grid).encode(way["encoding"])
    name = "t.csv" if way["delimiter"] == "," else "t.txt"
    if packing == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"table/{name}", data)
        return out.getvalue(), "t.zip"
    pack = {
        "none": (bytes, ""),
        "gzip": (gzip.compress, ".gz"),
        "bzip2": (bz2.compress, ".bz2"),
        "xz": (lzma.compress, ".xz"),
    }
    return pack[packing][0](data), name + pack[packing][1]


def _cell(text: str) -> float | str | None:
    """A cell as a spreadsheet keeps what was typed into it."""
    if text == "":
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _workbook(way: dict[str, str], grid: list[list[str]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for line in _above(way):
        book.active.append([line])
    for number, row in enumerate(grid):
        book.active.append([text or None if number == 0 else _cell(text) for text in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _columns(grid: list[list[str]]) -> dict[str, list[float | str | None]]:
    """Columns of one type each: numbers where nothing else stands in them."""
    columns: dict[str, list[float | str | None]] = {}
    for title, *texts in zip(*grid, strict=True):
        typed = [None if text in ("", "NA") else _cell(text) for text in texts]
        words = any(isinstance(value, str) for value in typed)
        columns[title] = [text or None for text in texts] if words else typed
    return columns


def _parquet(way: dict[str, str], grid: list[list[str]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(_columns(grid)), out)
    return out.getvalue()


def _word(value: float | str | None) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _h5ad(way: dict[str, str], grid: list[list[str]]) -> bytes:
    import anndata
    import pandas as pd

    columns = _columns(grid)
    first, *others = columns
    label = [title for title in others if title in ("label", "Gr\u00f6\u00dfe", "class")]
    genes = [title for title in others if title not in label]
    names = list(map(_word, columns[first]))
    obs = pd.DataFrame({title: pd.Categorical(list(map(_word, columns[title]))) for title in label}, index=names)
    X = np.array([columns[title] for title in genes], np.float32).T
    with tempfile.NamedTemporaryFile(suffix=".h5ad") as file:
        anndata.AnnData(X, obs, pd.DataFrame(index=genes)).write_h5ad(file.name)
        return pathlib.Path(file.name).read_bytes()


def _values(way: dict[str, str], rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    n = int(rng.integers(8, 40))
    if way["kind"] == "clinical":
        columns = [
            rng.integers(20, 90, n),
            rng.gamma(1.5, 6, n).round(2),
            rng.normal(26, 4, n).round(1),
            rng.normal(5.5, 1, n).round(2),
            rng.integers(130, 148, n),
            rng.integers(150, 200, n),
            rng.normal(41.3, 4, n).round(1),
            rng.normal(0.1, 1, n).round(3),
        ]
        return np.column_stack(columns).astype(float), list(CLINICAL)
    p = int(rng.integers(24, 40))
    level = rng.normal(0, 1, p)
    X = {
        "log": lambda: (8 + 2 * level + rng.normal(0, 1, (n, p))).clip(0.01).round(3),
        "counts": lambda: rng.poisson(np.exp(5 + 1.3 * level) * rng.uniform(0.8, 1.2, (n, 1))).astype(float),
        "beta": lambda: rng.beta(2, 3, (n, p)).round(4),
    }[way["kind"]]()
    names = {
        "human": lambda: HUMAN[:p],
        "mouse": lambda: MOUSE[:p],
        "ensembl": lambda: [f"ENSG{i * 37 + 1000:011d}" for i in range(p)],
        "entrez": lambda: [str(5594 + 13 * i) for i in range(p)],
        "yeast": lambda: [f"Y{'ABCDEFGH'[i % 8]}{'LR'[i % 2]}{i + 3:03d}{'WC'[i % 2]}" for i in range(p)],
        "uniprot": lambda: [f"Q{i % 10}{'ABCDEFGHKL'[i % 10]}{'TUVWXYZ'[i % 7]}{i % 10}{i // 10}" for i in range(p)],
        "probe": lambda: [f"{200000 + i}_{'s_' * (i % 2)}at" for i in range(p)],
        "cpg": lambda: [f"cg{29 + 7 * i:08d}" for i in range(p)],
        "taxa": lambda: [f"k__Bacteria;p__P{i % 5};g__G{i}" for i in range(p)],
    }[way["genes"]]()
    return X, names


def _samples(kind: str, n: int, rng: np.random.Generator) -> list[str]:
    return {
        "gsm": lambda: [f"GSM{71000 + i}" for i in range(n)],
        "tcga": lambda: [f"TCGA-AA-{3600 + i}-01" for i in range(n)],
        "S": lambda: [f"S{i + 1:02d}" for i in range(n)],
        "groups": lambda: [f"{('WT', 'KO', 'het')[i % 3]}_{i // 3 + 1}" for i in range(n)],
        "patient": lambda: [f"Patient {i + 1}" for i in range(n)],
        "numbers": lambda: [str(v) for v in (1001 + np.cumsum(rng.integers(1, 5, n))).tolist()],
        "barcode": lambda: [f"{''.join(rng.choice(list('ACGT'), 10))}-{i % 3 + 1}" for i in range(n)],
    }[kind]()


def _number(value: float, way: dict[str, str], whole: bool) -> str:
    if np.isnan(value):
        return {"empty": "", "NA": "NA", "?": "?"}[way["missing"]]
    notation = way["notation"]
    if notation == "fixed" and not whole:
        return f"{value:.4f}"
    plain = f"{value:.0f}" if whole else repr(float(value))
    if notation in ("point", "fixed"):
        return plain
    if notation == "comma":
        return plain.replace(".", ",")
    before, _, after = plain.partition(".")
    sign, digits = ("-", before[1:]) if before.startswith("-") else ("", before)
    group, point = {"us": (",", "."), "eu": (".", ","), "swiss": ("'", "."), "french": ("\u00a0", ",")}[notation]
    return sign + f"{int(digits):,}".replace(",", group) + (point + after if after else "")


def _grid(
    way: dict[str, str],
    X: np.ndarray,
    samples: list[str],
    features: list[str],
    labels: list[str] | None,
    strangers: dict[str, list[str]],
    rng: np.random.Generator,
) -> list[list[str]]:
    """Cells, the header first; a header one shorter where the corner is absent."""
    turned = way["orientation"] == "genes"
    V, rows, columns = (X.T, features, samples) if turned else (X, samples, features)
    whole = (np.isnan(X) | (np.rint(X) == X)).all(axis=0)
    cells = [
        [_number(V[i, j], way, bool(whole[i if turned else j])) for j in range(V.shape[1])] for i in range(V.shape[0])
    ]
    corner = {
        "named": "gene" if turned else "sample_id",
        "blank": "",
        "absent": None,
        "id": "gene_id" if turned else "id",
    }
    first, last = _beside(way, rows, labels, rng)
    if not turned:
        last = {**strangers, **last}
    header = [*first, *columns, *last]
    title = corner[way["corner"]]
    grid = [header if title is None else [title, *header]]
    for i, name in enumerate(rows):
        grid.append([name, *(column[i] for column in first.values()), *cells[i], *(c[i] for c in last.values())])
    for name, values in strangers.items() if turned else ():
        grid.insert(1, [name, *("" for _ in first), *values])
    if way["summary"] == "counters":
        for name in ("__no_feature", "__ambiguous", "__too_low_aQual"):
            grid.append([name, *("" for _ in first), *(str(int(v)) for v in rng.integers(1000, 90000, len(columns)))])
    if way["summary"] == "mean":
        mean = [_number(float(f"{v:.2f}"), way, False) for v in np.nanmean(V, axis=0)]
        grid.append(["Mittelwert", *mean, *("" for _ in last)])
    return grid


def _beside(
    way: dict[str, str], rows: list[str], labels: list[str] | None, rng: np.random.Generator
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    first: dict[str, list[str]] = {}
    if way["annotation"] in ("words", "both"):
        first["Description"] = [f"protein {chr(97 + i % 26)} of {name}" for i, name in enumerate(rows)]
    if way["annotation"] in ("numbers", "both"):
        first["Length"] = [str(int(v)) for v in rng.integers(300, 9000, len(rows))]
    return first, {_LABELS[way["label"]]: labels} if labels else {}


def _text(way: dict[str, str], grid: list[list[str]]) -> str:
    sign = way["delimiter"]

    def cell(text: str, header: bool) -> str:
        words = header or not text[:1].isdigit()
        if way["quoting"] == "all" or (way["quoting"] == "words" and words and text) or sign in text:
            return f'"{text}"'
        return text

    lines = [sign.join(cell(text, i == 0) for text in row) for i, row in enumerate(grid)]
    ends = way["trailing"]
    lines = [line + sign * (ends in ("both", "header" if i == 0 else "rows")) for i, line in enumerate(lines)]
    return way["ends"].join([*_above(way), *lines]) + way["ends"]


def _above(way: dict[str, str]) -> list[str]:
    """Lines above the header."""
    return {
        "none": [],
        "comments": ["# made by a program", "# version 1.2"],
        "title": ["Report of a laboratory"],
        "sep": [f"sep={way['delimiter']}"],
        "blank lines": ["", ""],
    }[way["above"]]


def judge(made: Made) -> str:
    """ "read" as planted, "asked" (an error), or what is otherwise."""
    try:
        table = read_table(made.data, made.name)
        report = validate(table)
        if report.errors:
            return "asked"
        dataset = to_dataset(table, report, "made")
    except GenomapError:
        return "asked"
    loud = " ".join(str(m) for m in report.messages if m.severity != "ok")
    extra = [name for name in dataset.feature_names if _stem(name) in {*made.beside, made.labelled}]
    if any(_stem(name) not in loud for name in extra):
        return f"features {extra} without a word"
    if made.labels is not None and dataset.y is None and made.labelled not in " ".join(map(str, report.messages)):
        return "no label, and no word about its column"
    if made.labels is None and dataset.y is not None and str(report.roles.target) not in loud:
        return "a label without a word"
    dataset = dataset.select([j for j, name in enumerate(dataset.feature_names) if name not in extra])
    X = dataset.X if isinstance(dataset.X, np.ndarray) else dataset.X.toarray()
    X = np.exp2(X.astype(np.float64)) - 1 if report.roles.log != "as is" else X
    keep = ~np.isnan(made.X).all(axis=1)
    features = [name for j, name in enumerate(made.features) if not np.isnan(made.X[:, j]).all()]
    samples = [name for name, there in zip(made.samples, keep, strict=True) if there]
    if list(dataset.sample_ids) != samples:
        return f"samples {list(dataset.sample_ids)[:3]} ({dataset.n_samples}), not {samples[:3]} ({len(samples)})"
    if list(dataset.feature_names) != features:
        odd = sorted(set(dataset.feature_names) ^ set(features))[:4]
        return f"features ({dataset.n_features}) differ from those planted ({len(features)}): {odd}"
    truth = made.X[np.ix_(keep, [made.features.index(name) for name in features])]
    if not np.allclose(X, truth, rtol=2e-4, atol=1e-4, equal_nan=True):
        i, j = np.argwhere(~np.isclose(X, truth, rtol=2e-4, atol=1e-4, equal_nan=True))[0]
        return f"{features[j]} of {samples[i]} is {X[i, j]:.6g}, not {truth[i, j]:.6g}"
    if made.labels is not None and dataset.y is not None:
        wanted = [label for label, there in zip(made.labels, keep, strict=True) if there]
        if [dataset.classes[k] for k in dataset.y] != wanted:
            return "labels differ from those planted"
    return "read"


def _stem(name: str) -> str:
    """The column that a feature was made of."""
    return name.partition("=")[0]


def main(arguments: list[str] | None = None) -> int:
    """Draw, judge, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="the first combination")
    parser.add_argument("--packing", default="", help="these packings alone, with commas between them")
    parser.add_argument("--show", type=int, default=40, help="silent errors to print")
    options = parser.parse_args(arguments)
    found: Counter[str] = Counter()
    packings = options.packing.split(",")
    for k in range(options.start, options.start + options.count):
        rng = np.random.default_rng((options.seed, k))
        way = draw(rng, packings[k % len(packings)])
        outcome = judge(make(way, rng))
        found[outcome if outcome in ("read", "asked") else "silent"] += 1
        if outcome not in ("read", "asked") and found["silent"] <= options.show:
            print(k, outcome, way)
    print(dict(found))
    return int(found["silent"] > 0)


if __name__ == "__main__":
    sys.exit(main())
