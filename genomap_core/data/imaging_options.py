"""How images of a cohort become the channels of a network: one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from genomap_core.data.framing import SLICE_CHOICES, SliceChoice
from genomap_core.data.intensity import CT_WINDOWS, MODALITIES, Modality

Treatment = Literal["auto"] | Modality
TREATMENTS: tuple[Treatment, ...] = ("auto", *get_args(Modality))
MOST_SLICES = 32


@dataclass(frozen=True, slots=True)
class ImagingOptions:
    """Choices that hold for all images of a cohort.

    Parameters
    ----------
    side
        Height and width of every image, in pixels; the aspect is kept.
    treatment
        Scale of the intensities; "auto" takes each file's own: CT in Hounsfield units, MR (and NIfTI without values
        far below 0) within the foreground, the rest as plain pictures. Histology can't be told by a file.
    window
        Of CT: a key of :data:`genomap_core.data.intensity.CT_WINDOWS`.
    slices, n_slices
        Which slices of a volume are seen; their number counts for "evenly spaced" ones, as channels.
    colours
        Keep red, green and blue as channels; else their luminance. Channels of other images always stay.
    stains
        Bring haematoxylin and eosin to standard colours (Macenko); needs colours and histology.
    target
        Column with the classes, in whichever table has it; empty: found by its name.
    """

    side: int = 96
    treatment: Treatment = "auto"
    window: str = "soft tissue"
    slices: SliceChoice = "largest foreground"
    n_slices: int = 3
    colours: bool = True
    stains: bool = False
    target: str = ""

    def __post_init__(self) -> None:
        if not 16 <= self.side <= 1024:
            raise ValueError(f"`side` must be 16 to 1024 pixels, got {self.side}.")
        if not 1 <= self.n_slices <= MOST_SLICES:
            raise ValueError(f"`n_slices` must be 1 to {MOST_SLICES}, got {self.n_slices}.")
        for name, value, allowed in (
            ("treatment", self.treatment, ("auto", *MODALITIES)),
            ("window", self.window, tuple(CT_WINDOWS)),
            ("slices", self.slices, SLICE_CHOICES),
        ):
            if value not in allowed:
                raise ValueError(f"`{name}` must be one of {', '.join(allowed)}, got {value!r}.")
        if self.stains and not (self.colours and self.treatment == "histology"):
            raise ValueError("`stains` needs `colours` and the treatment 'histology'.")
