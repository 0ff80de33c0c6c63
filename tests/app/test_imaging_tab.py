"""The tab "Images and omics": an upload is read, reported and shown, and a refresh keeps the cohort."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from app_harness import button, open_page, texts
from PIL import Image
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


def patients(n: int = 8, images: int | None = None, twice: bool = False) -> bytes:
    """A ZIP of ``n`` patients' pictures and two tables; the second lacks one of them."""
    rng = np.random.default_rng(0)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i in range(n if images is None else images):
            picture = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (40, 50)).astype(np.uint8)).save(picture, "PNG")
            archive.writestr(f"images/S{i}.png", picture.getvalue())
        rows = [f"S{i},{i}.5,{i % 3}.1,{'ab'[i % 2]}" for i in range(n)] + ["S1,1.5,1.1,b"] * twice
        archive.writestr("rna.csv", "sample_id,TP53,MYC,label\n" + "\n".join(rows) + "\n")
        archive.writestr("protein.csv", "sample_id,P1,P2\n" + "".join(f"S{i},{i}.5,{i}.1\n" for i in range(n - 1)))
    return out.getvalue()


def upload(app: AppTest, content: bytes, name: str = "cohort.zip") -> AppTest:
    open_page(app, "data")
    next(u for u in app.file_uploader if u.label.startswith("ZIP")).upload(name, content, "application/zip")
    app.run()
    return button(app, "Read images and tables").click().run()


def test_an_upload_is_read_reported_shown_and_kept_over_a_refresh(app, home) -> None:
    upload(app, patients())
    assert not app.exception
    assert "8 samples with 1 image channel" in texts(app)
    assert "1 sample of 8 lack protein" in texts(app)
    assert len(app.get("imgs") or app.get("image")) == 1
    before = app.session_state["session"].dataset.digest
    app.button(key="use-imaging").click().run()
    assert not app.exception
    session = app.session_state["session"]
    assert session.imaging.images.shape == (8, 1, 96, 96)
    assert session.dataset.digest == before, "the table in use was touched"
    assert "Images in use: cohort" in texts(app)
    assert "This cohort is in use" in texts(app)
    assert not [b for b in app.button if b.label == "Use this cohort"]
    assert texts(app).replace("\\", "").count("Classes to predict: a (4), b (4).") == 2
    assert (session.folder / "imaging.npz").is_file()
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    again.query_params["session"] = session.token
    again.run()
    kept = again.session_state["session"].imaging
    np.testing.assert_allclose(kept.images, session.imaging.images, atol=2e-3)
    assert kept.table.digest == session.imaging.table.digest
    open_page(again, "data")
    button(again, "Delete my data").click().run()
    button(again, "Delete now").click().run()
    assert again.session_state["session"].imaging is None
    assert not list(home.rglob("imaging.npz"))
    assert any("1 table" in str(box.value) for box in again.success)


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (patients(twice=True), "cohort.zip", "occurs 2 times"),
        (patients(images=1), "cohort.zip", "at least 2 are needed"),
        (b"PK\x03\x04 cut off", "cohort.zip", "damaged"),
        (b"sample_id,a\n", "cohort.zip", "not a ZIP"),
    ],
    ids=["a patient twice", "one image", "damaged", "no archive"],
)
def test_what_makes_no_cohort_says_why_and_the_page_lives(app, content, name, words) -> None:
    upload(app, content, name)
    assert not app.exception
    assert words in texts(app).replace("\\", "")
    assert not [b for b in app.button if b.label == "Use this cohort"]
    assert app.session_state["session"].imaging is None


def test_options_change_what_is_read(app) -> None:
    open_page(app, "data")
    next(s for s in app.selectbox if s.label == "Image side (pixels)").select(64)
    next(s for s in app.selectbox if s.label == "Intensities").select("histology").run()
    upload(app, patients())
    app.button(key="use-imaging").click().run()
    images = app.session_state["session"].imaging.images
    assert images.shape[2:] == (64, 64)
    assert images.max() == 2, "glass around the picture"


def test_a_full_disk_is_told_and_nothing_is_half_in_use(app, monkeypatch) -> None:
    from genomap_core.data.images.patients import PatientImages

    upload(app, patients())

    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PatientImages, "save", full)
    app.button(key="use-imaging").click().run()
    assert "disk is full" in texts(app)
    session = app.session_state["session"]
    assert session.imaging is None
    assert not list(session.folder.glob("*imaging*"))


def test_a_folder_is_taken_as_well(app) -> None:
    open_page(app, "data")
    app.segmented_control(key="imaging_source").set_value("A folder").run()
    with zipfile.ZipFile(io.BytesIO(patients())) as archive:
        files = [(f"mine/{name}", archive.read(name), "") for name in archive.namelist()]
    next(u for u in app.file_uploader if u.label.startswith("Folder")).set_value(files)
    app.run()
    button(app, "Read images and tables").click().run()
    assert not app.exception
    assert "8 samples with 1 image channel" in texts(app)


def sections() -> bytes:
    """Two sections of two patients, eight spots each, with labels."""
    rng = np.random.default_rng(1)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("B1", "C1"):
            picture = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (120, 240, 3)).astype(np.uint8)).save(picture, "PNG")
            archive.writestr(f"st/{name}_HE.png", picture.getvalue())
            spots = [(k % 4, k // 4) for k in range(8)]
            cells = [f"{x}\t{y}\t{30 + 50 * x}\t{30 + 50 * y}\t1" for x, y in spots]
            archive.writestr(f"st/{name}_selection.tsv", "x\ty\tpixel_x\tpixel_y\tselected\n" + "\n".join(cells) + "\n")
            counts = [f"{x}x{y}\t{x + 5}\t{y + 3}\t{rng.integers(2, 60)}" for x, y in spots]
            archive.writestr(f"st/{name}.tsv", "\tG1\tG2\tG3\n" + "\n".join(counts) + "\n")
            rows = [f"{x}.5\t{name[0]}\t{name}\t{'pq'[y]}\t{x}\t{y}" for x, y in spots]
            head = "\tpatient_id\tids\tlabel\tx\ty\n"
            archive.writestr(f"st/{name}-cluster-annotation.tsv", head + "\n".join(rows) + "\n")
    return out.getvalue()


def test_spots_of_tissue_are_a_cohort_too(app) -> None:
    open_page(app, "data")
    app.segmented_control(key="imaging_rows").set_value("A spot of tissue").run()
    next(n for n in app.number_input if n.label.startswith("Patch")).set_value(40).run()
    next(u for u in app.file_uploader if u.label.startswith("ZIP")).upload("st.zip", sections(), "application/zip")
    app.run()
    button(app, "Read images and tables").click().run()
    assert not app.exception
    assert "16 spots of 2 sections in 2 groups" in texts(app)
    app.button(key="use-imaging").click().run()
    cohort = app.session_state["session"].imaging
    assert cohort.images.shape == (16, 3, 64, 64)
    assert cohort.table.classes == ("p", "q")
    next(u for u in app.file_uploader if u.label.startswith("ZIP")).upload("a.zip", patients(), "")
    app.run()
    button(app, "Read images and tables").click().run()
    assert not app.exception
    assert "_HE" in texts(app).replace("\\", "")


def test_the_class_is_picked_from_the_columns_that_were_read(app) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(patients())) as given, zipfile.ZipFile(content, "w") as archive:
        for name in given.namelist():
            data = given.read(name)
            if name == "rna.csv":
                data = data.replace(b",label", b",stage").replace(b",a\n", b",1\n").replace(b",b\n", b",2\n")
            archive.writestr(name, data)
    upload(app, content.getvalue())
    assert "Choose the column to predict under Class to predict" in texts(app)
    listed = next(s for s in app.selectbox if s.label == "Class to predict" and "stage" in s.options)
    listed.select("stage").run()
    assert not app.exception
    assert "Classes to predict: 1 (4), 2 (4)." in texts(app).replace("\\", "")
