"""The imaging cohort that comes with the program, compared: ``python -m genomap_core.workflows.fusion_samples``."""

from __future__ import annotations

from genomap_core.data.imaging import ImagingCohort
from genomap_core.errors import InputError
from genomap_core.workflows.fusion_jobs import COHORT
from genomap_core.workflows.ready import FOLDER

SAMPLE = "fusion"
COMPARED = FOLDER / "fusion"
"""The cohort and a finished comparison on it, as a job leaves them."""


def load_fusion_sample() -> ImagingCohort:
    """The simulated imaging + omics cohort."""
    path = COMPARED / COHORT
    if not path.is_file():
        raise InputError(f"{path.name} is missing: write it with `python -m genomap_core.workflows.fusion_samples`.")
    return ImagingCohort.load(path)


def write_fusion_sample() -> None:
    """Simulate the cohort, compare all networks and controls on it, and write both to ``sample_data/fusion``."""
    from genomap_core.data.synthetic_fusion import simulate_fusion
    from genomap_core.workflows.fusion import FusionCompareConfig, compare_fusion

    COMPARED.mkdir(parents=True, exist_ok=True)
    simulate_fusion().cohort.save(COMPARED / COHORT)
    compare_fusion(load_fusion_sample(), FusionCompareConfig(), keep=COMPARED).save(COMPARED)


if __name__ == "__main__":
    write_fusion_sample()
