"""What the Growth page shows of one image: classes, growth, figures, and where both networks look."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.images.hygiene import head_box, head_region, normalise, to_grey
from genomap_core.io.images.preview import PixelStack, read_pixels
from genomap_core.plotting.colour import vik
from genomap_core.workflows.growth.gate import refuse_content, refuse_modality
from genomap_core.workflows.growth.real import NONE_SHIPPED
from genomap_core.workflows.growth.samples import read_samples, sample_lengths
from genomap_core.workflows.growth.units import IDENTIFIABILITY, PhysicalScale, cell_size, growth_figures
from pages._ui.growth_canvas import GrowthView, growth_canvas
from pages._ui.growth_training import chosen_model
from pages._ui.session import Session, warm
from pages._ui.shell import errors_shown, plain
from pages._ui.widgets import caption

METHODS = {"integrated_gradients": "Integrated Gradients", "gradcam": "Layer Grad-CAM", "occlusion": "Occlusion"}
_KINDS = {
    "": "I don't know",
    "MR": "Magnetic resonance (MRI)",
    "CT": "Computed tomography (CT)",
    "US": "Ultrasound",
    "PT": "Positron emission tomography (PET)",
    "DX": "A radiograph (X-ray)",
    "SM": "Microscopy",
    "OT": "Something else, as a photograph",
}
"""DICOM's name -> the user's"""
_VIEW = "genomap_core.workflows.growth.view"


@dataclass(frozen=True, eq=False)
class ChosenImage:
    """The slice looked at, as read."""

    pixels: np.ndarray
    label: str
    digest: str
    spacing: tuple[float, float] | None = None
    """Height and width of a pixel in mm, where the file says so"""
    truth: str | None = None
    """Class of a simulated slice"""
    length: float = float("nan")
    """sqrt(D / rho) of a simulated slice, in its own pixels"""
    outside: bool = False
    """It came from outside: the gate has to answer before anything is shown of it."""


def one_image(session: Session) -> None:
    """Choose a slice, then see its class, its growth, and where the networks look."""
    image = _choose(session)
    if image is None:
        return
    model = chosen_model(session, image.outside)
    if model is None:
        _no_answer(image, "refused", NONE_SHIPPED)
        return
    clean, box = _clean(image.pixels, model["size"])
    with st.spinner("Asking the networks ..."):
        about, seen = session.remember(
            ("growth", image.digest, model["key"]),
            lambda: warm().call(
                f"{_VIEW}:analyse", {**model["spec"], "outside": image.outside}, {"image": clean}, timeout=300
            ),
        )
    if about["verdict"] != "answer":
        _no_answer(image, about["verdict"], about["why"])
        return
    best = int(seen["mean"].argmax())
    with st.container(key="wide-growth"):
        left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Growth behind the image")
        if about["classes"][best] in about["clear"]:
            st.image(blend(on_black(clean[0]), np.zeros_like(clean[0])), width="stretch")
            caption("The model sees no tumour, so no density is drawn.")
        else:
            growth_canvas(_view(image, clean, about, seen), key="growth_canvas")
            caption("Colour: share of the space that is filled by tumour cells. Lines: where it is 16 % and 80 %.")
    with right:
        st.subheader("Classes")
        _classes(about["classes"], seen, image.truth)
        st.subheader("What the growth model says")
        with errors_shown():
            _figures(about, seen, about["classes"][best], box, image)
    st.subheader("Where the networks look")
    _attribution(session, image, clean, model, about["classes"], best)


def _choose(session: Session) -> ChosenImage | None:
    """A simulated slice, or one slice of an upload; None until there is one."""
    source = st.segmented_control(
        "Image", ["Simulated slices", "My own image"], default="Simulated slices", required=True, key="growth_source"
    )
    if source == "Simulated slices":
        return _sample()
    upload = st.file_uploader(
        "One MRI slice or volume (PNG, JPEG, TIFF, DICOM, NIfTI)",
        type=["png", "jpg", "jpeg", "tif", "tiff", "dcm", "nii", "gz"],
        max_upload_size=200,
    )
    if upload is None:
        st.info(
            "The file is read on this computer only. Its pixels are used; names and dates in it are not.",
            icon=":material/lock:",
        )
        return None
    content = upload.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    stack: PixelStack = session.remember(("pixels", digest), lambda: read_pixels(content, upload.name))
    index = stack.middle
    if len(stack.slices) > 1:
        index = st.slider("Slice", 1, len(stack.slices), stack.middle + 1, key=f"slice-{digest[:12]}") - 1
    pixels = stack.slices[index]
    image = ChosenImage(pixels, f"{upload.name}, slice {index + 1}", f"{digest}-{index}", stack.spacing, outside=True)
    stated = ""
    if not stack.modality:
        asked = st.selectbox(
            "What is this image? The file does not say.",
            list(_KINDS),
            format_func=_KINDS.__getitem__,
            key=f"kind-{digest[:12]}",
        )
        stated = str(asked)
    refusal = refuse_modality(stack.modality, stated) or refuse_content(pixels, upload.name)
    if refusal is not None:
        _no_answer(image, refusal.verdict, refusal.why)
        return None
    return image


def _no_answer(image: ChosenImage, verdict: str, why: str) -> None:
    """The image as it is, and why nothing is said of it: no class, no contour, no figure."""
    words = {"unlike": "No answer: the image is unlike what the model knows.", "refused": "No answer."}
    st.warning(f"**{words[verdict]}** {plain(why)}", icon=":material/block:")
    if np.isfinite(image.pixels).all():
        grey = to_grey(image.pixels)
        st.image(blend(grey, np.zeros_like(grey), 1), width=320, caption=plain(image.label))


def _sample() -> ChosenImage:
    images, _, _, names = st.cache_data(read_samples, show_spinner=False)()
    lengths = st.cache_data(sample_lengths, show_spinner=False)()
    left, right = st.columns([1, 2])
    titles = list(dict.fromkeys(n.rsplit("_", 1)[0] for n in names))
    kind = left.selectbox("Class", titles, format_func=lambda k: k.replace("_", " "), key="growth_class")
    own = [i for i, n in enumerate(names) if n.rsplit("_", 1)[0] == kind]
    i = own[right.slider("Slice", 1, len(own), min(17, len(own)), key="growth_slice") - 1]
    label = names[i].replace("_", " ")
    return ChosenImage(images[i], label, f"sample-{i}", None, kind.replace("_", " "), float(lengths[i]))


def _clean(pixels: np.ndarray, size: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The cleaned slice ``(1, s, s)``, and height and width of the head in the original's pixels."""
    region = head_region(to_grey(pixels))
    rows, columns = head_box(region)
    return normalise(pixels, size, region=region), (rows.stop - rows.start, columns.stop - columns.start)


def _view(image: ChosenImage, clean: np.ndarray, about: dict[str, Any], seen: dict[str, np.ndarray]) -> GrowthView:
    return GrowthView(
        image=on_black(clean[0]),
        frames=seen["frames"],
        label=image.label,
        diffusion=float(np.exp(np.log(seen["diffusion"]).mean())) if about["simulated"] else None,
        rate=float(np.exp(np.log(seen["rate"]).mean())) if about["simulated"] else None,
        diffusion_range=tuple(about["diffusion_range"]),
        rate_range=tuple(about["rate_range"]),
        n_substeps=about["n_substeps"],
    )


def _classes(classes: list[str], seen: dict[str, np.ndarray], truth: str | None) -> None:
    proba = seen["proba"]
    table: dict[str, list[Any]] = {"class": list(classes), "PhysNet": (100 * seen["mean"]).tolist()}
    if len(proba) > 1:
        table["trainings"] = [_range(a, b) for a, b in zip(proba.min(0), proba.max(0))]
    if "plain" in seen:
        table["no physics"] = (100 * seen["plain"]).tolist()
    bar = st.column_config.ProgressColumn(format="%.0f %%", min_value=0.0, max_value=100.0)
    number = st.column_config.NumberColumn(format="%.0f %%", help="The same ResNet without the growth model.")
    st.dataframe(table, hide_index=True, column_config={"PhysNet": bar, "no physics": number})
    text = f"Trainings: spread between {len(proba)} trainings of the network. " if len(proba) > 1 else ""
    if truth or text:
        caption(text + (f"The slice was simulated as: {truth}." if truth else ""))


def _range(low: float, high: float) -> str:
    """``3 to 8 %``; one number where both round to the same."""
    a, b = (f"{100 * v:.0f}" for v in (low, high))
    return f"{a} %" if a == b else f"{a} to {b} %"


def _figures(
    about: dict[str, Any], seen: dict[str, np.ndarray], name: str, box: tuple[int, int], image: ChosenImage
) -> None:
    if not about["simulated"]:
        st.info(
            "No D, rho, length or speed: one image without a second date does not fix them (give two dates below).",
            icon=":material/block:",
        )
        return
    if name not in about["infiltrating"]:
        st.info(
            f"No figures: “{plain(name)}” is no class that infiltrates the brain, so D and rho have no meaning for it.",
            icon=":material/block:",
        )
        return
    steps, cells = len(seen["frames"]) - 1, seen["frames"].shape[-1]
    figures = growth_figures(seen["diffusion"], seen["rate"], True, _scale(image, box, cells, steps))
    table = {
        "figure": [f.title for f in figures],
        "value": [f"{f.value:.2g}" for f in figures],
        "trainings": [f"{f.low:.2g} to {f.high:.2g}" for f in figures],
        "unit": [f.unit for f in figures],
    }
    if any(f.plausible for f in figures):
        table["gliomas"] = [f"{f.plausible[0]:g} to {f.plausible[1]:g}" if f.plausible else "" for f in figures]
    st.dataframe(table, hide_index=True)
    n = len(seen["rate"])
    spread = "Taught by simulation: the true values were training targets. "
    spread += f"Spread between {n} trainings. " if n > 1 else "One training: no spread. "
    if np.isfinite(image.length):
        spread += f"The simulation itself was grown with a length of {image.length * cells / max(box):.2g} cells. "
    caption(spread + IDENTIFIABILITY)


def _scale(image: ChosenImage, box: tuple[int, int], cells: int, steps: int) -> PhysicalScale:
    """Millimetres and days, where the user or the file knows them."""
    known = image.spacing
    left, right = st.columns(2)
    spacing = left.number_input(
        "Pixel size (mm)" if known is None else "Pixel size (mm, file)",
        0.0,
        20.0,
        0.0 if known is None else float(np.mean(known)),
        0.1,
        key=f"spacing-{image.digest[:16]}",
        help="0: not known. With it the infiltration length is given in millimetres.",
    )
    days = right.number_input(
        "Age (days)",
        0.0,
        36_500.0,
        0.0,
        30.0,
        key=f"days-{image.digest[:16]}",
        help="Time from the first frame to the image, from an earlier date. 0: not known. With both, D and rho are "
        "given per day.",
    )
    changed = known is None or abs(spacing - float(np.mean(known))) > 1e-6
    if changed:
        known = (spacing, spacing) if spacing else None
    return PhysicalScale(cell_size(box, cells, known), days / steps if days else None)


def _attribution(
    session: Session, image: ChosenImage, clean: np.ndarray, model: dict[str, Any], classes: list[str], best: int
) -> None:
    a, b, c = st.columns([2, 2, 1], vertical_alignment="bottom")
    target = a.selectbox("Class explained", range(len(classes)), best, format_func=classes.__getitem__)
    method = b.selectbox("Method", list(METHODS), format_func=METHODS.__getitem__)
    if not c.toggle("Compute", key="growth_attribution", help="Takes a few seconds an image."):
        return
    spec = {**model["spec"], "target": int(target), "method": method}
    with st.spinner("Explaining ..."):
        _, found = session.remember(
            ("growth-why", image.digest, model["key"], target, method),
            lambda: warm().call(f"{_VIEW}:attribute", spec, {"image": clean}, timeout=300),
        )
    titles = {"physnet": "PhysNet (first seed)", "plain": "The same network without physics"}
    for column, (key, values) in zip(st.columns(2), found.items(), strict=False):
        column.image(blend(on_black(clean[0]), values), caption=titles[key], width="stretch")
    caption("Red speaks for the class, blue against it; each picture on its own scale, darker is stronger.")


def on_black(clean: np.ndarray) -> np.ndarray:
    """A cleaned image to look at: its outside, 0 for the network, as dark as its darkest pixel."""
    return np.where(clean == 0, clean.min(), clean)


def blend(image: np.ndarray, values: np.ndarray, zoom: int = 4) -> np.ndarray:
    """Signed values over a grey image: ``(H, W)`` twice -> ``(H, W, 3)`` uint8, ``zoom`` times as large."""
    low, high = np.percentile(image, [0.5, 99.5])
    grey = np.clip((image - low) / max(float(high - low), 1e-9), 0, 1)
    limit = max(float(np.quantile(np.abs(values), 0.995)), 1e-12)
    share = np.clip(values / limit, -1, 1)
    colours = vik()[np.clip(((share + 1) * 127.5).round().astype(int), 0, 255)] / 255
    weight = np.abs(share)[..., None] * 0.85
    mixed = ((1 - weight) * grey[..., None] + weight * colours) * 255
    return np.kron(mixed.round().astype(np.uint8), np.ones((zoom, zoom, 1), np.uint8))
