"""The Growth page's jobs: train a PhysNet, compare it with its baselines; and which model the page uses."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import streamlit as st

from genomap_core.data.images.networks import NETWORKS
from genomap_core.errors import InputError
from genomap_core.jobs import Job
from genomap_core.workflows.growth.compare import BASELINES, GrowthCompareConfig
from genomap_core.workflows.growth.scores import GrowthResult
from genomap_core.workflows.growth.table import lead_rows, report, score_rows, title, wide_rows
from genomap_core.workflows.growth.view import PHYSNET, PLAIN, real_model, sample_models
from pages._ui import jobs as job_panel
from pages._ui.session import Session, jobs
from pages._ui.shell import plain
from pages._ui.widgets import caption

SIMULATED = "Trained on the simulated slices (comes with the program)"
REAL = "Trained on slices of brain MRI (comes with the program)"
TRAIN, COMPARE = "growth.jobs:train_task", "growth.jobs:compare_task"


def chosen_model(session: Session, outside: bool) -> dict[str, Any] | None:
    """The model of the page: the one that came with the program, or one trained here. ``spec``, ``size``, ``key``.

    ``outside``: for images from outside, which models of simulated slices do not answer; None where there is no other.
    """
    found: dict[str, dict[str, str]] = {SIMULATED: sample_models()}
    if outside:
        found = {REAL: real_model()} if Path(real_model()["physnet"]).is_file() else {}
    for job in reversed(_done(session, TRAIN)):
        folder = jobs().folder(job.id, session.owner)
        found[f"{job.title} ({job.id[:6]})"] = {"physnet": str(folder / PHYSNET), "plain": str(folder / PLAIN)}
    names = list(found)
    if not names:
        return None
    name = names[0] if len(names) == 1 else st.selectbox("Model", names, key=f"growth_model_{outside}")
    spec = found[name]
    path = Path(spec["physnet"])
    if not path.is_file():
        remedy = "Write it again: `python -m genomap_core.workflows.growth.jobs`."
        raise InputError(f"The model {path.name} is missing. {remedy}")
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
        seeds = f.number_input("Seeds (uncertainty)", 1, 5, 3, help="Networks of a PhysNet that is trained.")
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
