"""Outputs of programs that count reads, one file a sample: each alone is no table, together they are.

STAR ``ReadsPerGene.out.tab``, Salmon ``quant.sf``, kallisto ``abundance.tsv``, RSEM ``*.results``, htseq-count, the
GDC's ``augmented_star_gene_counts.tsv``, featureCounts of one sample.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.data.schema.nomenclature import SUMMARY_ROW
from genomap_core.data.table import Source, Table, TextColumn
from genomap_core.errors import InputError
from genomap_core.io.kinds import find_kind
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.tables.gunzip import PACKED, unpack
from genomap_core.io.zips import check_members, names_of, open_zip


@dataclass(frozen=True, slots=True)
class Tool:
    """A program's output: its ``columns``, that of the names, and that of the values, by position."""

    name: str
    header: tuple[str, ...]
    names: str
    values: str


_TOOLS = (
    Tool("Salmon (quant.sf)", ("Name", "Length", "EffectiveLength", "TPM", "NumReads"), "Name", "NumReads"),
    Tool("kallisto", ("target_id", "length", "eff_length", "est_counts", "tpm"), "target_id", "est_counts"),
    Tool("RSEM", ("length", "effective_length", "expected_count", "TPM", "FPKM"), "", "expected_count"),
    Tool("STAR, from the GDC", ("gene_id", "gene_name", "gene_type", "unstranded"), "gene_id", "unstranded"),
    Tool("Cufflinks", ("tracking_id", "FPKM", "FPKM_conf_lo"), "tracking_id", "FPKM"),
)
_STAR = Tool("STAR (ReadsPerGene.out.tab)", ("gene", "unstranded", "forward", "reverse"), "gene", "unstranded")
_HTSEQ = Tool("htseq-count", ("gene", "count"), "gene", "count")


def tool_of(text: bytes) -> Tool | None:
    """The program whose output for one sample this is; None for anything else."""
    lines = [line for line in text[:4000].decode("utf-8", "replace").splitlines() if line and line[0] != "#"]
    if not lines:
        return None
    first = lines[0].split("\t")
    if first[0] == "N_unmapped" and len(first) == 4:
        return _STAR
    if len(first) == 2 and first[1].strip().isdigit() and b"\n__no_feature\t" in text[-4000:]:
        return _HTSEQ
    found = next((tool for tool in _TOOLS if set(tool.header) <= set(first)), None)
    return found if found is None or len(first) <= 12 else None


def refuse_single(text: bytes) -> None:
    """Raise :class:`InputError` for the output of one sample."""
    if tool := tool_of(text):
        raise InputError(
            f"The file is the output of {tool.name} for one sample ({', '.join(tool.header)}), no table of samples: "
            "put those of all samples into one ZIP or folder and give that."
        )


def read_quantified(files: Mapping[str, bytes], name: str) -> Table:
    """One table of the outputs of one program, ``{path: content}``, genes in rows; samples named by folder or file."""
    tools = {path: tool_of(text) for path, text in files.items()}
    if len(set(tools.values())) > 1 or None in tools.values():
        listed = some(sorted({tool.name if tool else "another kind" for tool in tools.values()}))
        raise InputError(f"The files are not all the output of one program: {listed}.")
    tool = next(iter(tools.values()))
    assert tool is not None
    counts = {path: _values(path, text, tool) for path, text in files.items()}
    genes = list(dict.fromkeys(gene for column in counts.values() for gene in column))
    at = {gene: i for i, gene in enumerate(genes)}
    numbers = np.full((len(genes), len(counts)), np.nan, np.float32)
    for k, column in enumerate(counts.values()):
        numbers[[at[gene] for gene in column], k] = list(column.values())
    text = f"{plural(len(files), 'output')} of {tool.name} read as one table, of each the column {tool.values!r}."
    said = [Message("warn", "merged-files", text, remedy="Check that this is the column to use.")]
    if lacking := [gene for gene, row in at.items() if np.isnan(numbers[row]).any()]:
        text = f"{plural(len(lacking), 'gene')} not in every file: {some(lacking)}; missing there."
        said.append(Message("warn", "genes-lacking", text, remedy="Count all samples with one annotation."))
    return Table(
        name=name,
        columns=("gene_id", *_sample_names(list(counts))),
        numbers=numbers,
        number_at=np.arange(1, len(counts) + 1),
        texts={0: TextColumn.of(genes)},
        rows=np.arange(2, len(genes) + 2, dtype=np.int32),
        messages=tuple(said),
        source=Source("counts", delimiter="\t"),
    )


def _values(path: str, text: bytes, tool: Tool) -> dict[str, float]:
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip() and line[0] != "#"]
    if tool in (_STAR, _HTSEQ):
        header = list(tool.header)
    else:
        header, lines = lines[0].split("\t"), lines[1:]
    name_at, value_at = header.index(tool.names) if tool.names else 0, header.index(tool.values)
    values: dict[str, float] = {}
    for number, line in enumerate(lines, 1):
        cells = line.split("\t")
        if SUMMARY_ROW.fullmatch(cells[name_at]):
            continue
        try:
            values[cells[name_at]] = float(cells[value_at])
        except (IndexError, ValueError) as error:
            raise InputError(f"{path}: row {number} of the genes can't be read: {line[:60]!r}.") from error
    return values


def _sample_names(paths: list[str]) -> list[str]:
    """The parts of the paths that tell the files apart: the folder where the files are all called alike."""
    parts = [PurePosixPath(path) for path in paths]
    if len(parts) > 1 and len({part.name for part in parts}) == 1:
        names = [part.parent.name or str(part) for part in parts]
    else:
        ending = r"(\.|_)?(ReadsPerGene\.out\.tab|rna_seq\.augmented_star_gene_counts\.tsv|(genes|isoforms)\.results|"
        ending += r"quant\.sf|abundance\.tsv|counts?\.(txt|tsv)|txt|tsv|tab|sf)(\.gz)?$"
        names = [re.sub(ending, "", part.name) or part.parent.name for part in parts]
    return names if len(set(names)) == len(names) else [str(part) for part in parts]


_TABLES = (
    ".csv",
    ".tsv",
    ".txt",
    ".tab",
    ".xlsx",
    ".ods",
    ".parquet",
    ".h5ad",
    ".h5",
    ".loom",
    ".gct",
    ".sf",
    ".results",
)
_MOST_FILES = 2000
_PACKED_NAME = re.compile(r"\.(gz|bz2|xz)$", re.I)


def files_of(path: Path, limits: FileLimits) -> dict[str, bytes]:
    """The table-like files of a ZIP or folder, ``{path inside: content}``, gzip unpacked; junk of systems left out."""
    found: dict[str, bytes] = {}
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink() and _is_table(file.name):
                found[file.relative_to(path).as_posix()] = file.read_bytes()
            if len(found) > _MOST_FILES:
                raise InputError(f"The folder holds more than {_MOST_FILES} tables.")
    else:
        with open_zip(path) as archive:
            check_members(archive, limits)
            for name in archive.namelist():
                if _is_table(name) and not name.startswith("__MACOSX/"):
                    found[name] = archive.read(name)
    for name, data in found.items():
        if (kind := find_kind(data[:1024])) in PACKED:
            found[name] = unpack(data, kind, limits)
    return {_PACKED_NAME.sub("", name): data for name, data in found.items()}


def is_tenx(names: list[str]) -> bool:
    """Whether there is a MatrixMarket file with its names."""
    plain = {PurePosixPath(name).name.removesuffix(".gz") for name in names}
    return {"matrix.mtx", "barcodes.tsv"} <= plain


_COUNTED = ("quant.sf", "ReadsPerGene.out.tab", "abundance.tsv", ".results", "star_gene_counts.tsv")


def is_zip_of_counts(source: Path | bytes) -> bool:
    """Whether a ZIP holds a 10x matrix, an OpenDocument spreadsheet, or outputs of a counting program."""
    names = names_of(source)
    plain = [name.removesuffix(".gz") for name in names]
    return is_tenx(names) or names[:1] == ["mimetype"] or any(name.endswith(_COUNTED) for name in plain)


def names_in(path: Path) -> list[str]:
    """The files inside a ZIP or folder."""
    if path.is_dir():
        return [file.relative_to(path).as_posix() for file in sorted(path.rglob("*")) if file.is_file()]
    with open_zip(path) as archive:
        return archive.namelist()


def the_table(files: dict[str, bytes]) -> tuple[str, bytes] | None:
    """The one table among the files; None when they are outputs of a counting program, one a sample."""
    if not files:
        raise InputError("The archive holds no table: give CSV, TSV, Excel, Parquet or h5ad.")
    if all(tool_of(data) for data in files.values()):
        return None
    if len(files) > 1:
        raise InputError(f"The archive holds several tables ({some(files, 6)}): give the one to read.")
    return next(iter(files.items()))


def _is_table(name: str) -> bool:
    plain = _PACKED_NAME.sub("", PurePosixPath(name).name.lower())
    return plain.endswith(_TABLES) and not plain.startswith(".")
