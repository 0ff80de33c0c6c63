"""Names of files and members that may name a person: they are not shown, stored or exported."""

from __future__ import annotations

import re
from pathlib import PurePath

_DATE = r"(?<!\d)(?:19|20)\d{2}[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])(?!\d)"
_NUMBER = r"(?i:\b(?:mrn|ssn|nhs|pid|patient)[ _-]?\d{3,})"
_CAPITALS = r"(?<![A-Za-z])[A-Z]{2,}[_^ ,-]+[A-Z]{2,}(?![A-Za-z])"
_WRITTEN = r"(?<![A-Za-z])[A-Z][a-z'-]+(?:,|\^)[ _]*[A-Z][a-z'-]+"
_SURE = re.compile(f"{_DATE}|{_NUMBER}|{_WRITTEN}")
_LIKELY = re.compile(_CAPITALS)
_FIELD = frozenset(
    re.findall(
        r"\w+",
        """
    RNA DNA SEQ MRNA MIRNA TCGA GEO GSE CPTAC GTEX CCLE BRCA LUAD LUSC COAD READ GBM LGG KIRC KIRP KICH THCA PRAD
    SKCM STAD HNSC UCEC OV LIHC PAAD AML ALL CLL CT MR MRI PET CSV TSV TPM FPKM RPKM CPM WGS WES SNP CNV CNA RPPA HE
    WSI FFPE QC ID IDS TRAIN TEST VALID DATA TABLE COUNTS NORM LOG FINAL NEW OLD GSM
    """,
    )
)
"""Capitals of the field: ``RNA_SEQ`` is no person."""


def may_name_a_person(name: str) -> bool:
    """Whether a file's name holds a date, a patient's number, or what looks like a person's name."""
    if _SURE.search(name):
        return True
    return any(not set(re.findall("[A-Z]{2,}", found)) & _FIELD for found in _LIKELY.findall(name))


def public_name(name: str) -> str:
    """The file's name as the name of a cohort; "Table" where it may name a person."""
    return "Table" if may_name_a_person(PurePath(name).name) else name
