"""Images and omics in one network, beside each alone, controls and linear models."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "FusionCompareConfig": "compare",
        "compare_fusion": "compare",
        "load_fusion_sample": "samples",
    },
)
