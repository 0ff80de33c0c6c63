"""Images and omics on the Data page: upload, options, the report of matching, thumbnails, and the cohort in use."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.images.framing import SLICE_CHOICES
from genomap_core.data.images.intensity import CT_WINDOWS
from genomap_core.data.images.patients import MOST_SLICES, TREATMENTS, ImagingOptions, PatientImages
from genomap_core.data.message import Message, Severity
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.cohort import Source, read_imaging_cohort
from genomap_core.io.images.spatial import SpatialOptions, read_spatial_upload
from genomap_core.io.images.tables import CLASS_COLUMN
from genomap_core.progress import Progress
from pages._ui.data_views import report_messages
from pages._ui.imaging_store import IMAGING_SAMPLES, shared_imaging
from pages._ui.session import Session
from pages._ui.shell import TRAIN_TAB, page_link, plain

ZIP, FOLDER = "A ZIP archive", "A folder"
PATIENTS, SPOTS = "A patient", "A spot of tissue"
TREATMENT_TITLES = {
    "auto": "As the files say",
    "ct": "CT: a window of Hounsfield units",
    "mr": "MR: z-score within the foreground",
    "histology": "Histology: as it is",
    "picture": "Pictures: z-score",
}
FOUND = ""
"""No column was chosen: the labels are found by their column's name."""
_SHOWN = 12
_CLASSES = 12
_FIELD = 197
"""Pixels of a choice: four in a row of a wide page, two of a narrow one, no word cut."""
_MOST_MB = 500
"""They lie in the server's memory; larger cohorts are read by :func:`read_imaging_cohort` from a folder."""


def imaging(session: Session) -> None:
    """The whole tab. The cohort in use is not touched before the last button."""
    st.markdown(
        "Images and one or several tables of the same patients, for networks that see both. One image a patient (PNG, "
        "JPEG, TIFF, DICOM, NIfTI, a whole slide, or a folder of DICOM files), named by the patient's id; each CSV, "
        "TSV or Parquet file is a type of omics. A table with the columns *patient* and *file* (and *channel*) says "
        "which image is whose where names do not. Up to 500 MB; larger cohorts through the library. The files stay on "
        "this machine; names and dates in them are never stored."
    )
    _in_use(session)
    _samples(session)
    how = st.segmented_control("Upload", [ZIP, FOLDER], default=ZIP, required=True, key="imaging_source")
    what = st.segmented_control("One row is", [PATIENTS, SPOTS], default=PATIENTS, required=True, key="imaging_rows")
    files = _upload(session, how == FOLDER)
    options: ImagingOptions | SpatialOptions = _options_form() if what == PATIENTS else _spots_form()
    if not files:
        return
    digest = _digest(session, files)
    if isinstance(options, ImagingOptions):
        options = replace(options, target=st.session_state.get(f"imaging-class-{digest[:12]}", FOUND))
    key = ("imaging", digest, options)
    known = key in session.cache or getattr(options, "target", FOUND) != FOUND
    if not known and not st.button("Read images and tables", type="primary", icon=":material/search:"):
        return
    try:
        cohort, messages = _read(session, key, files, options)
    except InputError as error:
        severity: Severity = "refuse" if isinstance(error, RefusedError) else "error"
        report_messages((Message(severity, "unreadable", str(error)),))
        return
    report_messages(messages)
    _class_form(messages, digest)
    if cohort is None:
        st.markdown("There is no cohort until the points marked *Must be mended* are solved.")
        return
    thumbnails(cohort)
    st.markdown(_classes(cohort))
    if session.imaging is cohort:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**This cohort is in use.**")
            page_link("fusion", "Compare or train on it", ":material/join_inner:", TRAIN_TAB)
        return
    st.button(
        "Use this cohort",
        key="use-imaging",
        type="primary",
        icon=":material/check:",
        on_click=lambda: session.attempt(lambda: session.use_imaging(cohort, None)),
    )


def _class_form(messages: tuple[Message, ...], digest: str) -> None:
    """Choose the class among the columns that were read; the tables are then read again with it."""
    columns = list(dict.fromkeys(str(m.column) for m in messages if m.code == CLASS_COLUMN))
    if columns:
        st.selectbox(
            "Class to predict",
            [FOUND, *columns],
            format_func=lambda name: name or "As found, by its name",
            key=f"imaging-class-{digest[:12]}",
        )


def _in_use(session: Session) -> None:
    cohort = session.imaging
    if cohort is None:
        st.info("No images are in use yet.", icon=":material/image:")
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Images in use: {plain(cohort.name)}**")
            page_link("fusion", "Compare or train on them", ":material/join_inner:", TRAIN_TAB)
        a, b, c, d = st.columns(4)
        a.metric("Patients or spots", f"{cohort.n_samples:,}")
        b.metric("Image channels", len(cohort.channels))
        c.metric("Features", f"{cohort.table.n_features:,}")
        d.metric("Omics types", len(cohort.table.omics_names))
        st.markdown(_classes(cohort))
        lacking = (~cohort.present).sum(axis=0)
        for name, count in zip(cohort.table.omics_names, lacking, strict=True):
            if count:
                st.markdown(f"{plain(name)} is missing for {count:,} of {cohort.n_samples:,}.")


def _classes(cohort: PatientImages) -> str:
    """What there is to predict, with the number of each."""
    table = cohort.table
    if table.y is None:
        return "No labels: choose the column to predict under *Class to predict*, if there is one."
    counts = np.bincount(table.y, minlength=len(table.classes))
    listed = [f"{name} ({count:,})" for name, count in zip(table.classes, counts, strict=True)]
    more = "" if len(listed) <= _CLASSES else f" and {len(listed) - _CLASSES} more"
    return f"Classes to predict: {plain(', '.join(listed[:_CLASSES]))}{more}."


def _samples(session: Session) -> None:
    """A card for each imaging cohort that comes with the app."""
    for key, sample in IMAGING_SAMPLES.items():
        chosen = session.imaging is not None and session.imaging_sample == key
        with st.container(border=True):
            st.markdown(f"**{sample.title}**\n\n{sample.about}")
            st.button(
                "In use" if chosen else "Use this",
                key=f"imaging-sample-{key}",
                disabled=chosen,
                on_click=lambda key=key: session.use_imaging(shared_imaging(key), key),
            )


def _upload(session: Session, folder: bool) -> list[Any]:
    """The files given, one of them for an archive; empty while there is none."""
    if folder:
        found = st.file_uploader(
            "Folder with images and tables",
            accept_multiple_files="directory",
            max_upload_size=_MOST_MB,
            key=f"imaging-folder-{session.uploads}",
        )
        return list(found or [])
    label = "ZIP archive with images and tables"
    file = st.file_uploader(label, max_upload_size=_MOST_MB, key=f"imaging-zip-{session.uploads}")
    return [] if file is None else [file]


def _digest(session: Session, files: list[Any]) -> str:
    """Of names and contents; computed once an upload, they may be large."""

    def make() -> str:
        h = hashlib.sha256()
        for file in files:
            h.update(file.name.encode() + b"\0" + hashlib.sha256(file.getbuffer()).digest())
        return h.hexdigest()

    return session.remember(("imaging-digest", *(file.file_id for file in files)), make)


def _source(files: list[Any]) -> Source:
    """What the library reads: the bytes of an archive, or named files of a folder."""
    if len(files) == 1 and "/" not in files[0].name:
        return files[0].getvalue()
    return [(file.name, file.getvalue()) for file in files]


def _name(files: list[Any]) -> str:
    """An archive's name without its ending; that of the folder."""
    first = PurePosixPath(files[0].name)
    return (first.parts[0] if len(first.parts) > 1 else first.stem) or "Imaging cohort"


def _options_form() -> ImagingOptions:
    """How images become channels; every choice holds for the whole cohort."""
    with st.container(border=True, horizontal=True, vertical_alignment="bottom"):
        side = st.selectbox(
            "Image side (pixels)", [64, 96, 128, 224], 1, help="The aspect is kept, the rest is filled.", width=_FIELD
        )
        treatment = st.selectbox("Intensities", TREATMENTS, format_func=TREATMENT_TITLES.__getitem__, width=_FIELD)
        window = st.selectbox(
            "CT window", list(CT_WINDOWS), format_func=_window, help="Of CT alone: Hounsfield units.", width=_FIELD
        )
        slices = st.selectbox(
            "Slices of a volume",
            SLICE_CHOICES,
            help="Evenly spaced slices become channels, or the depth of a network in 3-D; up to 32 over the volume.",
            width=_FIELD,
        )
        count = st.number_input("How many slices", 1, MOST_SLICES, 3, disabled=slices != "evenly spaced", width=_FIELD)
        colours = st.toggle("Colours as channels", True, help="Off: their brightness, one channel.")
        stains = st.toggle(
            "Standard stains",
            disabled=treatment != "histology" or not colours,
            help="Haematoxylin and eosin of each image are found (Macenko) and painted in standard colours.",
        )
        sequence = st.text_input(
            "Sequence",
            help="Of patients with several (BIDS, BraTS): t1w, flair, ...; all: each a channel; empty: that of most.",
            width=_FIELD,
        )
    patches, microns, pixel = _slide_options()
    return ImagingOptions(
        side=int(side),
        sequence=sequence.strip(),
        patches=patches,
        microns=microns,
        pixel=pixel,
        treatment=treatment,
        window=window,
        slices=slices,
        n_slices=int(count),
        colours=colours,
        stains=bool(stains and colours and treatment == "histology"),
    )


def _slide_options() -> tuple[int, float, float | None]:
    """Patches of a slide, micrometres of their pixels, and of the slide's own; None: as its file says."""
    with st.expander("Whole slides", icon=":material/biotech:"), st.container(horizontal=True):
        patches = st.number_input("Patches", 1, 256, 16, help="Of a slide's tissue, seen as slices.", width=_FIELD)
        microns = st.number_input("Micrometres a pixel", 0.1, 50.0, 0.5, step=0.1, help=".5 is 20x.", width=_FIELD)
        pixel = st.number_input(
            "Of the slide's pixels",
            0.02,
            50.0,
            None,
            step=0.05,
            format="%.3f",
            placeholder="as its file says",
            width=_FIELD,
        )
    return int(patches), float(microns), pixel


def _spots_form() -> SpatialOptions:
    """How spots become images with expression."""
    st.markdown(
        "For each section *S*: *S_HE.jpg*, counts *S.tsv.gz* (spots x genes), places *S_selection.tsv* (x, y, pixel_x, "
        "pixel_y) and, where known, *S-cluster-annotation.tsv.gz* (x, y, label, patient_id); the folder *outs* of "
        "Space Ranger as ZIP, tar or tar.gz; or one Visium .h5ad file."
    )
    with st.container(border=True, horizontal=True, vertical_alignment="bottom"):
        patch = st.number_input(
            "Patch (pixels of slide)", 8, 4096, 224, help="Side of the square around a spot.", width=_FIELD
        )
        side = st.selectbox("Image side (pixels)", [64, 96, 128, 224], width=_FIELD)
        genes = st.number_input(
            "Genes", 1, 20_000, 256, help="The most variable ones; labels play no part.", width=_FIELD
        )
        groups = st.selectbox("Never parted in a split", ["patient", "section"], width=_FIELD)
        stains = st.toggle("Standard stains", help="Haematoxylin and eosin of each slide (Macenko).")
    return SpatialOptions(int(patch), int(side), int(genes), groups, bool(stains))


def _window(name: str) -> str:
    centre, width = CT_WINDOWS[name]
    return f"{name}, {centre - width / 2:.0f} to {centre + width / 2:.0f}"


def _read(
    session: Session, key: tuple[Any, ...], files: list[Any], options: ImagingOptions | SpatialOptions
) -> tuple[PatientImages | None, tuple[Message, ...]]:
    """Read once; of former readings none is kept, they are large."""
    for old in [k for k in session.cache if k[0] == "imaging" and k != key]:
        del session.cache[old]
    if key in session.cache:
        return session.cache[key]
    bar = st.progress(0.0, "Reading images ...")

    def tell(progress: Progress) -> None:
        bar.progress(progress.step / max(progress.total, 1), f"Image {progress.step:,} of {progress.total:,}")

    def read() -> tuple[PatientImages | None, tuple[Message, ...]]:
        if isinstance(options, SpatialOptions):
            return read_spatial_upload(_source(files), options, tell, _name(files))
        return read_imaging_cohort(_source(files), options, tell, _name(files))

    try:
        return session.remember(key, read)
    finally:
        bar.empty()


def thumbnails(cohort: PatientImages, count: int = _SHOWN) -> None:
    """The first images as the network gets them, under their sample ids."""
    if not cohort.channels:
        return
    n = min(count, cohort.n_samples)
    st.markdown(f"**The first {n} of {cohort.n_samples:,}, as a network sees them**")
    ids = [plain(sample) for sample in cohort.table.sample_ids[:n]]
    st.image(
        [thumbnail(image, cohort.channels) for image in cohort.images[:n]],
        caption=ids,
        width=110,
        alt=["An image of the cohort"] * n,
    )


def thumbnail(image: np.ndarray, channels: tuple[str, ...]) -> np.ndarray:
    """``(c, H, W)`` normalised -> uint8 ``(H, W)`` of the first channel, or ``(H, W, 3)`` of red, green and blue."""
    shown = np.moveaxis(image, 0, -1) if channels == ("red", "green", "blue") else image[0]
    low, high = np.percentile(shown, [0.5, 99.5])
    return (np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1) * 255).astype(np.uint8)
