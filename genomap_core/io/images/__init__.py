"""Images from files of any kind: pictures, DICOM, NIfTI, sections of tissue; alone or joined with tables."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "read_imaging_cohort": "cohort",
        "read_spatial": "spatial",
    },
)
