"""The Growth page: one image, two dates, training, and the comparison with the baselines."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.images.hygiene import head_box, head_region, normalise, to_grey
from genomap_core.data.images.networks import NETWORKS
from genomap_core.errors import InputError
from genomap_core.io.images.preview import PixelStack, read_pixels
from genomap_core.jobs import Job
from genomap_core.plotting.colour import vik
from genomap_core.reports.growth import slice_document
from genomap_core.workflows.growth.compare import BASELINES, GrowthCompareConfig
from genomap_core.workflows.growth.gate import NO_ANSWER, refuse_content, refuse_modality
from genomap_core.workflows.growth.samples import read_samples, sample_lengths
from genomap_core.workflows.growth.scores import GrowthResult
from genomap_core.workflows.growth.table import lead_rows, report, score_rows, title, wide_rows
from genomap_core.workflows.growth.units import (
    IDENTIFIABILITY,
    WHERE_TAUGHT,
    Figure,
    PhysicalScale,
    cell_size,
    growth_figures,
    no_density,
    told_range,
    why_no_figures,
)
from genomap_core.workflows.growth.view import PHYSNET, PLAIN, real_model, sample_models
from pages._ui import jobs as job_panel
from pages._ui.growth_canvas import GrowthView, growth_canvas
from pages._ui.session import Session, jobs, warm
from pages._ui.shell import errors_shown, plain
from pages._ui.widgets import caption, file_stem, report_downloads

SIMULATED = "Trained on the simulated slices (comes with the program)"
REAL = "Trained on slices of brain MRI (comes with the program)"
TRAIN, COMPARE = "growth.jobs:train_task", "growth.jobs:compare_task"


def chosen_model(session: Session, outside: bool) -> dict[str, Any]:
    """The model of the page: the one that came with the program, or one trained here. ``spec``, ``size``, ``key``.

    ``outside``: for images from outside, which models of simulated slices do not answer.
    """
    found = {REAL: real_model()} if outside else {SIMULATED: sample_models()}
    for job in reversed(_done(session, TRAIN)):
        folder = jobs().folder(job.id, session.owner)
        found[f"{job.title} ({job.id[:6]})"] = {"physnet": str(folder / PHYSNET), "plain": str(folder / PLAIN)}
    names = list(found)
    name = names[0] if len(names) == 1 else st.selectbox("Model", names, key=f"growth_model_{outside}")
    spec = found[name]
    path = Path(spec["physnet"])
    if not path.is_file():
        raise InputError(f"The model {path.name} is missing: get the program's sample_data again, or train one.")
    return {"spec": spec, "size": _size(path), "key": (spec["physnet"], path.stat().st_mtime_ns)}


def _size(path: Path) -> int:
    """Side of the model's images, from the file's header: no torch in the server."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(json.loads(file.read(length))["__metadata__"]["genomap"])
    return int(header["size"])


def panel(session: Session) -> None:
    """Choose images and options, start, follow, read the result."""
    source = st.segmented_control(
        "Images", ["Simulated slices", "My own images"], default="Simulated slices", required=True, key="growth_cohort"
    )
    files = None
    if source == "My own images":
        files = st.file_uploader(
            "A folder with one folder of images for each class",
            type=["png", "jpg", "jpeg", "tif", "tiff"],
            accept_multiple_files="directory",
        )
        st.markdown(
            "Every upload is tested for the known traps: class told by colour mode, size, brightness or margin, and "
            "copies of one image on both sides of a split. Images are cleaned, copies stay in one fold."
        )
    with st.form("growth_training"):
        a, b, c, d = st.columns(4)
        what = a.selectbox("Work", ["Train a PhysNet", "Compare with the baselines"])
        size = b.selectbox("Image side (pixels)", [64, 96, 128, 224], 1)
        width = c.selectbox("Network width", [8, 16, 32, 64], 1, help="64 as published; a small one trains on a CPU.")
        epochs = d.number_input("Epochs", 1, 200, 15)
        e, f, g, h = st.columns(4)
        per_class = e.number_input("Simulated slices a class", 10, 500, 60, disabled=files is not None)
        seeds = f.number_input(
            "Trainings", 1, 5, 3, help="Networks of a PhysNet, each trained from another start; their spread is shown."
        )
        folds = g.number_input("Folds", 2, 10, 3, help="Of a comparison.")
        shares = h.multiselect(
            "Shares of the images", [1.0, 0.5, 0.2], [1.0], format_func="{:.0%}".format, help="Of a comparison."
        )
        networks = st.multiselect(
            "Networks of a comparison", list(NETWORKS), ["physnet18", *BASELINES], format_func=NETWORKS.get
        )
        started = st.form_submit_button("Start", type="primary", icon=":material/play_arrow:")
    if started:
        if source == "My own images" and not files:
            raise InputError("No images were given: choose a folder that holds one folder of images for each class.")
        train = what == "Train a PhysNet"
        config: dict[str, Any] = {"width": width, "max_epochs": int(epochs), "batch_size": 32, "n_folds": int(folds)}
        config["stem_stride"] = 2 if size < 100 else 4
        if not train:
            config |= {"networks": tuple(networks), "shares": tuple(sorted(shares, reverse=True))}
        GrowthCompareConfig(**config)
        spec: dict[str, Any] = {"size": size, "n_per_class": int(per_class), "n_seeds": int(seeds), "config": config}
        _submit(session, TRAIN if train else COMPARE, spec, f"{what}: {source.lower()}", files)
        st.toast("The work is queued. It goes on if this page is closed.")
    job_panel.history(session, TRAIN, lambda job: _trained(session, job))
    job_panel.history(session, COMPARE, lambda job: _table(session, job))


def _submit(session: Session, task: str, spec: dict[str, Any], title: str, files: Any) -> None:
    given: dict[str, bytes] = {}
    if files:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for file in files:
                archive.writestr(file.name, file.getvalue())
        given["images.zip"] = packed.getvalue()
    jobs().submit(f"genomap_core.workflows.{task}", spec, owner=session.owner, title=title, files=given)


def _trained(session: Session, job: Job) -> None:
    folder = jobs().folder(job.id, session.owner)
    _hygiene(folder)
    st.success("Trained. Choose it under “One image”.", icon=":material/check:")
    st.download_button(
        "Download the model",
        lambda: (folder / PHYSNET).read_bytes(),
        "physnet.safetensors",
        on_click="ignore",
        icon=":material/download:",
        key=f"growth-download-{job.id}",
    )


def _table(session: Session, job: Job) -> None:
    folder = jobs().folder(job.id, session.owner)
    _hygiene(folder)
    result = GrowthResult.load(folder)
    st.dataframe(score_rows(result), hide_index=True)
    caption("95 % intervals over groups of images; every image is tested by networks that never saw it or a copy.")
    for name, dice in result.dice.items():
        caption(f"{title(name)}: Dice of the 16 % contour against the masks {dice}.")
    if result.lead:
        st.markdown("**How far PhysNet leads**")
        st.dataframe(lead_rows(result), hide_index=True)
        caption("Paired on the same images; an interval off zero is a difference.")
    if result.robustness:
        st.markdown("**Macro F1 on degraded images**")
        st.dataframe(wide_rows(result.robustness), hide_index=True)
    if any(len(row) > 1 for row in result.few.values()):
        st.markdown("**Macro F1 by share of the training images**")
        st.dataframe(wide_rows(result.few), hide_index=True)
    st.download_button(
        "Download the report",
        lambda: report(result).encode(),
        "growth.md",
        on_click="ignore",
        icon=":material/download:",
        key=f"growth-report-{job.id}",
    )


def _hygiene(folder: Path) -> None:
    path = folder / "hygiene.json"
    if path.is_file():
        for line in json.loads(path.read_text())["messages"]:
            st.warning(plain(line), icon=":material/policy:")


def _done(session: Session, task: str) -> list[Job]:
    return sorted((j for j in job_panel.of_task(session, task) if j.status == "done"), key=lambda j: j.created)


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
_LEGEND = "Colour: share of the space that is filled by tumour cells. Lines: where it is 16 % and 80 %."


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
            st.image(blend(on_black(clean[0]), np.zeros_like(clean[0])), width="stretch", alt="The slice")
            caption(no_density(about["shipped"]))
        else:
            growth_canvas(_view(image, clean, about, seen), key="growth_canvas")
            caption(f"{_LEGEND} {WHERE_TAUGHT}" if about["shipped"] else _LEGEND)
    with right:
        st.subheader("Classes")
        _classes(about["classes"], seen, image.truth)
        st.subheader("What the growth model says")
        figures: Sequence[Figure] = ()
        with errors_shown():
            figures = _figures(about, seen, about["classes"][best], box, image)
        _report(image, about, seen, figures)
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
    st.warning(f"**{NO_ANSWER[verdict]}** {plain(why)}", icon=":material/block:")
    if np.isfinite(image.pixels).all():
        grey = to_grey(image.pixels)
        st.image(blend(grey, np.zeros_like(grey), 1), width=320, caption=plain(image.label), alt="The slice")
    _report(image, {"verdict": verdict, "why": why}, {})


def _report(
    image: ChosenImage, about: dict[str, Any], seen: dict[str, np.ndarray], figures: Sequence[Figure] = ()
) -> None:
    report_downloads(
        lambda: slice_document(image.label, about, seen, figures), file_stem(image.label), "Report of this slice"
    )


def _sample() -> ChosenImage:
    images, _, _, names = st.cache_data(read_samples, show_spinner=False)()
    lengths = st.cache_data(sample_lengths, show_spinner=False)()
    left, right = st.columns([1, 2])
    titles = list(dict.fromkeys(n.rsplit("_", 1)[0] for n in names))
    kind = left.selectbox("Class", titles, format_func=lambda k: k.replace("_", " "), key="growth_class")
    own = [i for i, n in enumerate(names) if n.rsplit("_", 1)[0] == kind]
    i = own[right.slider("Slice", 1, len(own), min(15, len(own)), key="growth_slice") - 1]
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
        table["trainings"] = [f"{told_range(a, b, '.0f')} %" for a, b in zip(100 * proba.min(0), 100 * proba.max(0))]
    if "plain" in seen:
        table["no physics"] = (100 * seen["plain"]).tolist()
    bar = st.column_config.ProgressColumn(format="%.0f %%", min_value=0.0, max_value=100.0)
    number = st.column_config.NumberColumn(format="%.0f %%", help="The same ResNet without the growth model.")
    st.dataframe(table, hide_index=True, column_config={"PhysNet": bar, "no physics": number})
    text = f"Trainings: spread between {len(proba)} trainings of the network. " if len(proba) > 1 else ""
    if truth or text:
        caption(text + (f"The slice was simulated as: {truth}." if truth else ""))


def _figures(
    about: dict[str, Any], seen: dict[str, np.ndarray], name: str, box: tuple[int, int], image: ChosenImage
) -> Sequence[Figure]:
    """The figures that may be told, on the page and back; none where nothing identifies them."""
    why = why_no_figures(about["simulated"], name, about["infiltrating"])
    if why:
        st.info(plain(why) + ("" if about["simulated"] else " See “Two dates”."), icon=":material/block:")
        return ()
    steps, cells = len(seen["frames"]) - 1, seen["frames"].shape[-1]
    figures = growth_figures(seen["diffusion"], seen["rate"], True, _scale(image, box, cells, steps))
    table = {
        "figure": [f.title for f in figures],
        "value": [f"{f.value:.2g} {f.unit}".rstrip() for f in figures],
        "trainings": [told_range(f.low, f.high) for f in figures],
    }
    if len(seen["rate"]) == 1:
        del table["trainings"]
    if any(f.plausible for f in figures):
        table["gliomas"] = [f"{f.plausible[0]:g} to {f.plausible[1]:g}" if f.plausible else "" for f in figures]
    st.dataframe(table, hide_index=True)
    n = len(seen["rate"])
    spread = "Taught by simulation: the true values were training targets. "
    spread += f"Spread between {n} trainings. " if n > 1 else "One training: no spread. "
    if np.isfinite(image.length):
        spread += f"The simulation itself was grown with a length of {image.length * cells / max(box):.2g} cells. "
    caption(spread + IDENTIFIABILITY)
    return figures


def _scale(image: ChosenImage, box: tuple[int, int], cells: int, steps: int) -> PhysicalScale:
    """Millimetres and days, where the user or the file knows them."""
    known = image.spacing
    left, right = st.columns(2)
    spacing = left.number_input(
        "Pixel size (mm)" if known is None else "Pixel size (mm, file)",
        0.01,
        20.0,
        None if known is None else float(np.mean(known)),
        0.1,
        placeholder="not given",
        key=f"spacing-{image.digest[:16]}",
        help="With it the infiltration length is given in millimetres.",
    )
    days = right.number_input(
        "Age (days)",
        1.0,
        36_500.0,
        None,
        30.0,
        placeholder="not given",
        key=f"days-{image.digest[:16]}",
        help="Time from the first frame to the image, from an earlier date. With both, D and rho are given per day.",
    )
    changed = known is None or spacing is None or abs(spacing - float(np.mean(known))) > 1e-6
    if changed:
        known = None if spacing is None else (spacing, spacing)
    return PhysicalScale(cell_size(box, cells, known), None if days is None else days / steps)


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
    titles = {"physnet": "PhysNet (first training)", "plain": "The same network without physics"}
    for column, (key, values) in zip(st.columns(2), found.items(), strict=False):
        column.image(blend(on_black(clean[0]), values), caption=titles[key], width="stretch", alt=titles[key])
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


_DATES = "genomap_core.workflows.growth.dates:dates_view"
_ASKED = {
    "wide": "Outer outline (T2 or FLAIR: 16 % of the space filled by tumour cells)",
    "dense": "Inner outline (T1 with contrast agent: 80 %)",
    "later_wide": "Outer outline at the later date",
    "later_dense": "Inner outline at the later date",
}
_TYPES = ["png", "tif", "tiff", "nii", "gz"]


def dates(session: Session) -> None:
    """Masks in, figures with intervals and a look ahead out."""
    st.markdown(
        "One image alone fixes no figure in millimetres or days. **Two outlines of one date** fix the infiltration "
        "length sqrt(D / rho); **the same two at a later date** fix D and rho. Outlines are masks: pixels above 0 are "
        "inside. All of them lie on one grid."
    )
    left, right = st.columns(2)
    files = {
        name: (left if k < 2 else right).file_uploader(text, _TYPES) for k, (name, text) in enumerate(_ASKED.items())
    }
    spacing = left.number_input("Pixel size (mm)", 0.05, 20.0, None, 0.1, placeholder="not given")
    days = right.number_input("Days between the dates", 1.0, 36_500.0, None, 1.0, placeholder="not given")
    given = {name: file for name, file in files.items() if file is not None}
    if not {"wide", "dense"} <= given.keys() or spacing is None:
        st.info("Give both outlines of the first date and the pixel size.", icon=":material/info:")
        return
    later = {"later_wide", "later_dense"} <= given.keys() and days is not None
    if not later:
        caption("D, rho and days are not told: they need both outlines of a second date, and the days between.")
    masks, digests = {}, []
    for name, file in given.items():
        content = file.getvalue()
        digests.append(hashlib.sha256(content).hexdigest())
        masks[name] = _mask(content, file.name)
    if len({m.shape for m in masks.values()}) > 1:
        raise InputError("The outlines differ in size: all of them must lie on one grid.")
    spec: dict[str, Any] = {"spacing": spacing, "days": days if later else None}
    with st.spinner("Fitting ..."):
        about, seen = session.remember(
            ("growth dates", *digests, *spec.values()),
            lambda: warm().call(_DATES, spec, masks, timeout=300),
        )
    _date_figures(about["figures"])
    if later:
        caption(f"The fit's outlines lie {about['misfit']:.2g} mm off those drawn at the later date.")
        _ahead(seen, float(days or 0))


def _mask(content: bytes, name: str) -> np.ndarray:
    stack = read_pixels(content, name)
    return np.asarray(to_grey(stack.slices[stack.middle]) > 0)


def _date_figures(figures: dict[str, dict[str, Any]]) -> None:
    rows = figures.items()
    st.dataframe(
        {
            "figure": [name for name, _ in rows],
            "value": [f"{f['value']:.2g} {f['unit']}".rstrip() for _, f in rows],
            "95 % interval": [told_range(f["low"], f["high"]) for _, f in rows],
        },
        hide_index=True,
    )


def _ahead(seen: dict[str, np.ndarray], days: float) -> None:
    st.subheader("The same time ahead")
    frames = seen["frames"]
    side = max(frames.shape[1:])
    square = np.zeros((len(frames), side, side), np.float32)
    square[:, : frames.shape[1], : frames.shape[2]] = frames
    growth_canvas(
        GrowthView(np.zeros((side, side), np.float32), square, "The tumour after the later date"), key="ahead"
    )
    now, (value, low, high) = seen["areas"][0, 0], seen["areas"][-1]
    caption(_LEGEND)
    st.markdown(
        f"Outer outline: {now:.0f} mm² at the later date, **{value:.0f} mm²** after {days:.0f} days more "
        f"(95 % of the figures that fit: {low:.0f} to {high:.0f} mm²), if nothing is treated."
    )
