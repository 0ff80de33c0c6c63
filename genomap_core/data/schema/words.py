"""The words by which columns, genes, missing values and identifying data are recognised. Lists and patterns only."""

from __future__ import annotations

import re


def words_of(text: str) -> tuple[str, ...]:
    """Words set apart by blanks."""
    return tuple(text.split())


ID_NAMES = words_of("""
    sampleid sample samplename samples id ids barcode cellid cellbarcode specimenid specimen aliquot aliquotid
    caseid case patientid patient subjectid subject participantid donorid geoaccession runid run uid key
    observation rowname rownames cell index mouseid
""")
"""Best first; compared by :func:`key`."""

TARGET_NAMES = words_of("""
    target label labels class classes y outcome diagnosis dx response subtype phenotype condition disease
    diseasestate tumortype tumourtype cancertype celltype celltypes leiden louvain cluster clusters status
    histology category group treatment vitalstatus type
""")

GROUP_NAMES = words_of("""
    patientid patient subjectid subject donorid donor participantid participant individual individualid mouseid
    mouse animalid animal familyid family pairid pair groupid groups
""")

GENE_COLUMN_NAMES = frozenset(
    words_of("""
    gene genes geneid genename genesymbol symbol probe probeid probeset probesetid idref ensembl ensemblid
    ensemblgeneid entrez entrezid entrezgeneid hugosymbol feature features featureid featurename transcript
    transcriptid cpg mirna protein uniprot compositeelementref
""")
)

KNOWN_GENES = frozenset(
    words_of("""
    TP53 BRCA1 BRCA2 EGFR MYC KRAS PTEN GAPDH ACTB CD3E CD3D CD4 CD8A CD19 MS4A1 NKG7 RB1 AKT1 PIK3CA BRAF NRAS
    ERBB2 ESR1 PGR VEGFA CDKN2A CDH1 VIM FN1 TNF IL6 IL2 STAT3 JUN FOS MKI67 PCNA TOP2A AURKA BCL2 CCND1 CDK4
    MDM2 NOTCH1 APC SMAD4 B2M A1BG A2M ABCA1 ABCB1 ALB APOE AR GATA3 FOXA1 KRT5 KRT18 PTPRC LYZ S100A8 HLA-A
    HLA-B TUBB RPLP0 HPRT1 SDHA UBC YWHAZ
""")
)

GENE_PATTERN = re.compile(
    r"(?i:ENS[A-Z]*[GTP]\d{6,}(\.\d+)?|\d+(_[a-z])?_(at|st)|AFFX-.+|cg\d{6,8}|ILMN_\d+|(hsa|mmu|rno)-(mir|let)-.+|"
    r"[NX][MR]_\d+|LOC\d+|gene[-_ ]?\d+|rs\d+|A_\d+_P\d+|hsa\.\d+)"
)

SAMPLE_PATTERN = re.compile(
    r"(?i:GSM\d+|[SED]RR\d+|TCGA[-.].+|"
    r"(sample|patient|subject|donor|case|control|tumou?r|normal|s|p|pt|id)[-_. ]?\d+.*)"
)

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "#na", "<na>", "nil", "."})
"""Lower case. Everybody's marks of a missing value: they are read as missing, and counted."""

LIKELY_MISSING_WORDS = frozenset(
    words_of("""
    - -- --- ? nd n.d. n.d n.a. n.a missing unknown unk undefined #value! #ref! #div/0! #num! #name? #null!
""")
) | {"not available", "not done", "not applicable", "not determined", "not reported"}
"""Lower case. Read as missing with a warning that lists them."""

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "1", "1.0", "on", "positive", "pos", "+", "present"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "0", "0.0", "off", "negative", "neg", "-", "absent"})

ORDERED_WORDS: tuple[tuple[str, ...], ...] = (
    ("i", "ii", "iii", "iv", "v"),
    ("0", "i", "ii", "iii", "iv"),
    ("ia", "ib", "iia", "iib", "iiia", "iiib", "iiic", "iv"),
    ("t0", "t1", "t2", "t3", "t4"),
    ("n0", "n1", "n2", "n3"),
    ("g1", "g2", "g3", "g4"),
    ("grade 1", "grade 2", "grade 3", "grade 4"),
    ("stage i", "stage ii", "stage iii", "stage iv"),
    ("low", "medium", "high"),
    ("low", "intermediate", "high"),
    ("low", "moderate", "high"),
    ("none", "mild", "moderate", "severe"),
    ("never", "former", "current"),
    ("small", "medium", "large"),
)
"""Lower case scales, from least to most."""

PHI_NAMES = frozenset(
    words_of("""
    name fullname firstname lastname surname givenname familyname patientname middlename maidenname nhsnumber
    mrn medicalrecordnumber medicalrecord hospitalnumber ssn socialsecurity socialsecuritynumber passport
    passportnumber insurance insurancenumber dob dateofbirth birthdate birthday patientbirthdate address
    streetaddress homeaddress street zip zipcode postcode postalcode phone phonenumber telephone mobile fax
    email emailaddress mail ipaddress accountnumber admissiondate dischargedate dateofdeath deathdate physician
    referringphysician doctor accessionnumber
""")
)
"""Column names that stand for direct identifiers of persons (after the eighteen of the HIPAA safe harbour rule)."""

PHI_TOKENS = frozenset(words_of("surname firstname lastname birthdate email phone address zipcode"))
"""Parts of a column's name that stand for direct identifiers in any company."""

PHI_SHORT_TOKENS = frozenset(words_of("mrn ssn dob nhs zip"))
PERSON_TOKENS = frozenset(
    words_of("patient pt subject person participant donor id no number nr date of hospital the code")
)
"""``patient_dob`` stands for a date of birth, ``HLA-DOB`` for a gene: the short ones count in this company only."""

PHI_VALUES = {
    "e-mail addresses": re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"),
    "social security numbers": re.compile(r"\d{3}-\d{2}-\d{4}"),
    "phone numbers": re.compile(r"\+?\(?\d{2,4}\)?[-/ ]\d{3,4}[-/ ]\d{3,5}"),
    "names of persons": re.compile(r"[A-Z][A-Z'-]+\^[A-Z][A-Z'^-]*|[A-Z][a-z'-]+, [A-Z][a-z'-]+( [A-Z]\.?)?"),
}

DATE_PATTERN = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?|\d{1,2}[./]\d{1,2}[./](\d{4}|\d{2})|(19|20)\d{6}"
)

_MONTH = (
    "(?P<month>jan|feb|m[aä]r|mar|mrz|apr|may|mai|jun|jul|aug|sep|sept|oct|okt|nov|dec|dez|dic|d[eé]c|set|ago|abr|"
    "avr|f[eé]vr?|juin|juil|ao[uû]t|mag|giu|lug|ott|out)"
)
DATE_GENE_PATTERN = re.compile(
    rf"(?i:(?P<day>\d{{1,2}})(?:[-. ]|\. ){_MONTH}\.?|{_MONTH.replace('month', 'month2')}\.?[-. ](?P<day2>\d{{1,2}})|"
    r"(?P<iso>\d{4}-\d{2}-\d{2})([T ]00:00:00)?|\d{1,2}/\d{1,2}/\d{2,4})"
)
"""What Excel makes of SEPT2, MARCH1, DEC1 ... (Ziemann, Eren, El-Osta, Genome Biology 17:177, 2016)."""

FLOAT_GENE_PATTERN = re.compile(r"\d(\.\d+)?E\+\d{2}")
"""What Excel makes of RIKEN clone names such as 2310009E13."""

INVISIBLE = re.compile(
    "[\u00a0\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)


_ROLE_KEYS = frozenset((*ID_NAMES, *TARGET_NAMES, *GROUP_NAMES))
_SIGNS = re.compile(r"[^a-z0-9]")
_PHI_HINT = re.compile("|".join(sorted(PHI_TOKENS | PHI_SHORT_TOKENS)))


def key(name: str) -> str:
    """A column's name for comparison: ``"Sample ID"`` -> ``"sampleid"``."""
    short = name.casefold()
    return short if short.isascii() and short.isalnum() else _SIGNS.sub("", short)


def is_phi_name(name: str) -> bool:
    """Whether a column's name stands for a direct identifier of persons."""
    if key(name) in PHI_NAMES:
        return True
    if not _PHI_HINT.search(name.casefold()):
        return False
    tokens = set(_SIGNS.split(name.casefold())) - {""}
    return bool(tokens & PHI_TOKENS) or bool(tokens & PHI_SHORT_TOKENS and tokens <= PHI_SHORT_TOKENS | PERSON_TOKENS)


def is_role_name(name: str) -> bool:
    """Whether a column's name stands for an id, a label, a group or an identifier: such columns are read as text."""
    return key(name) in _ROLE_KEYS or is_phi_name(name)
