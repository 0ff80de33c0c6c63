"""Outputs of programs that count reads, one file a sample: each alone is no table, together they are.

STAR ``ReadsPerGene.out.tab``, Salmon ``quant.sf``, kallisto ``abundance.tsv``, RSEM ``*.results``, htseq-count, the
GDC's ``augmented_star_gene_counts.tsv``, featureCounts of one sample.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.data.schema.nomenclature import SUMMARY_ROW
from genomap_core.data.table import Source, Table, TextColumn
from genomap_core.errors import InputError


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
