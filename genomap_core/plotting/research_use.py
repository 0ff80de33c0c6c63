"""The sentence that stands on every page, picture and report (wording of 21 CFR 809.10(c)(2)(i))."""

RESEARCH_USE = "For research use only. Not for use in diagnostic procedures."
