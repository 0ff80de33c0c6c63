"""P7, threat 8: what names a person is set aside at upload, and stands in no log, store, URL or export."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hostile import SECRETS, phi_table
from streamlit.testing.v1 import AppTest

from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.io.inspect import inspect
from genomap_core.io.tables.read import read_table


def leaks(content: bytes) -> list[str]:
    """Which secrets stand in these bytes, in any of the encodings that our files use."""
    return [s for s in SECRETS if any(s.encode(code) in content for code in ("utf-8", "utf-16-le", "utf-32-le"))]


def test_the_search_finds_what_is_there() -> None:
    assert len(leaks(phi_table())) == len(SECRETS) - 1


def test_identifying_columns_are_set_aside_and_told_by_name_only() -> None:
    table = read_table(phi_table(), "cohort.csv")
    report = validate(table)
    aside = {"patient_name", "mrn", "date_of_birth", "email", "ssn", "street_address"}
    assert aside <= set(report.roles.set_aside)
    assert report.roles.id == "sample_id"
    said = repr(report.messages) + inspect(phi_table(), "cohort.csv").as_json()
    assert not leaks(said.encode())
    assert all(name in said for name in aside)
    dataset = to_dataset(table, report, "cohort")
    assert set(dataset.feature_names) == {f"g{j}" for j in range(5)}


def test_nothing_of_a_person_is_stored_logged_or_exported(app: AppTest, home: Path, caplog, capfd, figure) -> None:
    caplog.set_level(logging.DEBUG)
    app.switch_page("pages/data.py").run()
    app.file_uploader[0].set_value(("Doe, Jane 1961-03-17.csv", phi_table(), "text/csv"))
    app.run()
    preview = [str(frame.value.to_dict()) for frame in app.dataframe]
    assert not leaks("".join(preview).encode()), "the preview shows columns that are set aside"
    next(b for b in app.button if b.label == "Use this cohort").click().run()
    assert not app.exception
    for name in ("genomap", "train", "compare"):
        app.switch_page(f"pages/{name}.py").run()
    session = app.session_state["session"]
    from pages._ui.genomap_views import maps_npz
    from pages._ui.session import jobs

    job = jobs().submit(
        "genomap_core.jobs.selftest:count", {"steps": 1}, session.owner, f"On {session.dataset.name}",
        files={"dataset.npz": session.folder / "dataset.npz"},
    )  # fmt: skip
    assert jobs().wait(job, session.owner, 60).status == "done"
    found = {"export": leaks(maps_npz(session.dataset, session.genomap()))}
    found |= {str(path): leaks(path.read_bytes()) for path in home.rglob("*") if path.is_file()}
    found |= {"log": leaks(caplog.text.encode()), "output": leaks("".join(capfd.readouterr()).encode())}
    found |= {"url": leaks(str(dict(app.query_params)).encode())}
    found |= {"name": leaks(session.dataset.name.encode())}
    assert len(found) > 8
    assert not {place: what for place, what in found.items() if what}
    figure("places searched for identifiers", len(found))
    figure("identifiers leaked", sum(map(len, found.values())))


@pytest.mark.parametrize(
    "name", ["DOE_JOHN.csv", "Doe, Jane.csv", "ct 1961-03-17.xlsx", "MRN0000042 export.csv", "19610317.csv"]
)
def test_a_file_name_that_may_name_a_person_is_not_kept(name: str) -> None:
    from genomap_core.data.personal import public_name

    assert public_name(name) == "Table"


@pytest.mark.parametrize(
    "name", ["leukemia_golub.csv", "TCGA-BRCA.tsv", "GSE12345_series_matrix.txt", "my cohort (2).csv", "RNA_SEQ.csv"]
)
def test_other_file_names_stay(name: str) -> None:
    from genomap_core.data.personal import public_name

    assert public_name(name) == name
