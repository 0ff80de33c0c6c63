"""Images and expression that come with the program: ``python -m genomap_core.workflows.expression.samples``."""

from __future__ import annotations

from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA
from genomap_core.workflows.expression.jobs import COHORT

SAMPLE = "radiogenomics"
COMPARED = SAMPLE_DATA / "radiogenomics"
"""The cohort and a finished comparison on it, as a job leaves them."""


def load_expression_sample() -> PatientImages:
    """The simulated cohort of images and expression."""
    path = COMPARED / COHORT
    if not path.is_file():
        text = f"{path.name} is missing: write it with `python -m genomap_core.workflows.expression.samples`."
        raise InputError(text)
    return PatientImages.load(path)


def write_expression_sample() -> None:
    """Simulate the cohort, compare all networks and controls on it, and write both."""
    from genomap_core.data.images.expression import expression_cohort
    from genomap_core.data.simulated.radiogenomics import simulate_radiogenomics
    from genomap_core.workflows.expression.compare import compare_expression

    COMPARED.mkdir(parents=True, exist_ok=True)
    simulate_radiogenomics().cohort.save(COMPARED / COHORT)
    compare_expression(expression_cohort(load_expression_sample()), keep=COMPARED).save(COMPARED)


if __name__ == "__main__":
    write_expression_sample()
