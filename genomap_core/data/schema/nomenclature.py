"""What names look like: genes, probes, proteins and other features; samples and runs; columns that describe genes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from genomap_core.data.schema.words import GENE_PATTERN, KNOWN_GENES, SAMPLE_PATTERN, key, words_of

T = TypeVar("T")

_FEATURE = re.compile(
    r"Y[A-P][LR]\d{3}[WC](-[A-Z])?|Q\d{4}|R\d{4}W|"  # yeast, ordered locus names
    r"AT[1-5CM]G\d{5}(\.\d+)?|LOC_Os\d+g\d+|Os\d{2}g\d{7}|Zm\d+[a-z]\d+|Glyma.+|Solyc.+|"  # plants
    r"FBgn\d+|CG\d{4,6}(-R[A-Z])?|WBGene\d+|ZK\d+\.\d+|MGI:\d+|RGD:?\d+|HGNC:\d+|ZDB-GENE-.+|"
    r"ENS[A-Z]*\d{6,}(\.\d+)?(_.+)?|STRG\.\d+(\.\d+)?|MSTRG\.\d+|XLOC_\d+|TCONS_\d+|ERCC-\d{5}|"
    r"b\d{4}|PA\d{4}|Rv\d{4}[cA-Z]?|SA[A-Z]*_\d{4,5}|BSU_?\d{5}|PF3D7_\d+|"  # microbes
    r"(sp|tr)\|.+|[A-NR-Z]\d([A-Z][A-Z0-9]{2}\d){1,2}(-\d+)?|IPI\d{8}|[NXYW]P_\d+(\.\d+)?|"
    r"ch\.\d+\.\d+[FR]|chr[\dXYM]+[:_.-]\d+.*|[\dXY]{1,2}:\d+([:_-].+)?|cg\d{6,8}.*|rs\d{3,}|"
    r"[kdpcofgs]__.+|OTU_?\d+|ASV_?\d+|"  # taxa
    r"M\d+(\.\d+)?T\d+(\.\d+)?(_\d+)?|\d+\.\d+_\d+\.\d+(m/z|n)?|\d+\.\d{3,}@\d+\.\d+|mz_?\d+.*|"  # mass and time
    r"HMDB\d{5,}|C\d{5}|CHEBI:\d+|KEGG.+|LM[A-Z]{2}\d{8,}|(PC|PE|TAG|TG|SM|Cer|LPC)[ (]?[OP]?-?\d+:\d+.*|"
    r"MIMAT\d+|[a-z]{3}-(miR|let|mir)-.+|"
    r"[k-p]__.+;.+",
    re.I,
)
"""Names that no sample has."""

_VAGUE_FEATURE = re.compile(
    r"[OPQ]\d[A-Z0-9]{3}\d(-\d+)?|(gene|feat|feature|probe|protein|metabolite|marker|var|f|x|v|g)[-_. ]?\d+|"
    r"(PC|Dim|UMAP|Factor|Component)[-_ ]?\d+",
    re.I,
)
"""Names of features unless they look like those of samples."""

_SAMPLE = re.compile(
    r"GSM\d+|[SED]R[RSX]\d+|SAM[NED]A?\d+|TCGA[-.].+|GTEX-.+|[ACGT]{8,}([-.]\d+)?|"
    r"(.*[-_./ ])?(sample|patient|subject|donor|case|control|ctrl|tumou?r|normal|pat|mouse|rat|healthy|"
    r"treated|untreated|"
    r"wt|ko|mut|dmso|vehicle|rep|replicate|lane|well|batch|array|chip|plate|cell|s|p|pt|id)[-_. ]?\d+.*|"
    r".+\.(bam|sam|cel|fastq|fq|gz|txt|idat|raw|mzml|mzxml|d)|.+[-_. ](rep|r|t|v|visit|day|d|week|w|h|hr)[-_. ]?\d+|"
    r".+_(pre|post|before|after|baseline|tumou?r|normal|[TN])|(lfq )?intensity .+",
    re.I,
)

ANNOTATION_NAMES = frozenset(
    words_of("""
    entrez entrezid entrezgene entrezgeneid geneid length genelength transcriptlength effectivelength efflength
    basepairs chr chrom chromosome seqname seqnames contig scaffold start end stop strand tss width exons exoncount
    nexons band cytoband locus position pos mapinfo cgstart description desc definition genename genesymbol symbol
    hugosymbol annotation biotype genebiotype genetype transcripttype type source mz mass mzmed mzmin mzmax rt rtmin
    rtmax rtmed retentiontime retentiontimemin charge adduct formula npeaks hmdb hmdbid kegg keggid cas inchikey smiles
    pathway superpathway subpathway platform peptides uniquepeptides razoruniquepeptides molweight molweightkda
    sequencecoverage sequencelength score qvalue pvalue pval padj adjpvalue adjpval fdr logfc log2fc log2foldchange
    foldchange basemean stat lfcse gccontent gc percentgc mean average total sum sd std median min max taxonomy taxon
    lineage confidence kingdom phylum class order family genus species refseq uniprot ensembl unigene accession
    taxid taxonomyid taxonomylvl rank
    proteinids majorityproteinids proteinnames genenames fastaheaders numberofproteins intensity msmscount
    """)
)
"""Keys of columns beside the genes that describe these; none is a sample."""

SUMMARY_ROW = re.compile(
    r"_{0,2}(no_feature|ambiguous|too_low_aqual|not_aligned|alignment_not_unique)|"
    r"N_(unmapped|multimapping|noFeature|ambiguous)|total[ _-]?(counts?|reads)?|(un)?assigned(_.+)?|"
    r"(unmapped|mapped|multimapped)[ _-]?(reads)?|library[ _-]?size|sum",
    re.I,
)
"""Rows below or above the genes that count what fell on none."""


def feature_share(names: Sequence[str]) -> float:
    """How many of the names are those of genes, probes, proteins, taxa or masses; names of both kinds: none."""
    few = sample(names)
    return sum(is_feature(name) for name in few) / len(few) if few else 0.0


def is_feature(name: str) -> bool:
    """Whether a name is a feature's by its shape."""
    first = re.split(r"[;|]", name.strip())[0]
    return _is_sure_feature(name, first) or bool(_VAGUE_FEATURE.fullmatch(first) and not is_sample(name))


def _is_sure_feature(name: str, first: str) -> bool:
    known = first in KNOWN_GENES or bool(GENE_PATTERN.fullmatch(first))
    return known or bool(_FEATURE.fullmatch(name) or _FEATURE.fullmatch(first))


def is_sample(name: str) -> bool:
    """Whether a name is a sample's by its shape."""
    name = name.strip()
    if not (_SAMPLE.fullmatch(name) or SAMPLE_PATTERN.fullmatch(name)):
        return False
    return not _is_sure_feature(name, re.split(r"[;|]", name)[0])


def sample_share(names: Sequence[str]) -> float:
    """How many of the names are those of samples, runs, patients or files."""
    few = sample(names)
    return sum(is_sample(name) for name in few) / len(few) if few else 0.0


def symbol_share(names: Sequence[str]) -> float:
    """How many of the names have the form of a gene's symbol, which samples may have too; 0 if they follow a form."""
    few = sample(names)
    if not few or regularity(names) > 0.3:
        return 0.0
    return sum(bool(_SYMBOL.fullmatch(name)) for name in few) / len(few)


_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{1,9}(-[A-Z0-9]{1,4})?|C[\dXY]+orf\d+|[A-Z][a-z][a-z0-9]{0,8}")


def template(name: str) -> str:
    """A name's form: ``WT_a`` and ``WT_b`` have one, ``Gnai3`` and ``Pbsn`` two."""
    name = re.sub(r"^[ACGT]{8,}(?=[-.]|$)", "#", name.strip())  # the barcode of a cell
    return re.sub(r"(?<=[-_. #])[A-Za-z](?![A-Za-z])|(?<=#)[A-Za-z]$", "@", re.sub(r"\d+([.,]\d+)?", "#", name.strip()))


def is_gene_among_genes(columns: Sequence[str], title: str) -> bool:
    """Whether a title such as NHS, IDS or Nhs stands among columns that are named like genes, in its style."""
    if not title.isalnum() or len(columns) < 12:
        return False
    style = next((style for style in SYMBOL_STYLES if style.fullmatch(title)), None)
    if style is None or sum(bool(style.fullmatch(name)) for name in columns) <= 0.8 * len(columns):
        return False
    numbered = sum(any(c.isdigit() for c in name) for name in columns) > 0.25 * len(columns)
    return len(KNOWN_GENES.intersection(columns)) >= 5 or (numbered and regularity(columns) < 0.7)


SYMBOL_STYLES = (
    re.compile(r"(?=.*[A-Z])[A-Z0-9][A-Z0-9.@/-]*|C[\dXY]+orf\d+"),
    re.compile(r"[A-Z][a-z][A-Za-z0-9.-]*|[A-Z]\d[a-z0-9]*|mt-.+|\d{7}[A-Z]\d\dRik"),
)
"""How symbols are written of man, and of mouse and rat."""


def regularity(names: Sequence[str]) -> float:
    """From 0, every name of its own form, to nearly 1, all of one form."""
    few = sample(names)
    return 1 - len({template(name) for name in few}) / len(few) if few else 0.0


def is_annotation(title: str) -> bool:
    """Whether a column beside the genes describes them, by its name."""
    short = key(re.sub(r"\s*[\[(][^\])]*[\])]\s*$", "", title) if title[-1:] in ")]" else title)  # without the unit
    return short in ANNOTATION_NAMES or bool(re.fullmatch(r"(rt|mz|mass|charge|entrez|retentiontime)[a-z]{0,8}", short))


def sample(names: Sequence[T]) -> Sequence[T]:
    """At most some 1,000 of the names, from all over."""
    return names[:: max(1, len(names) // 500)]
