"""Tumour growth inside an image network: PhysNet beside networks without it."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "GrowthCompareConfig": "compare",
        "sample_slices": "samples:read_samples",
    },
)
