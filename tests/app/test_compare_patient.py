"""The Compare page from its form to one patient, with the weights that come with the program."""

import time

import pytest
from app_harness import button, open_page, texts

SHIPPED_LABEL = "in-house PFN 1.1 (not Prior Labs)"


def wait_for(app, done, seconds=280):
    until = time.monotonic() + seconds
    while not done(app) and time.monotonic() < until:
        time.sleep(0.5)
        app.run()
        assert not app.exception
    assert done(app), texts(app)


@pytest.mark.slow
def test_the_shipped_weights_answer_and_are_explained_under_their_name(app, tmp_path, monkeypatch):
    monkeypatch.delenv("GENOMAP_PFN_WEIGHTS", raising=False)
    monkeypatch.setenv("TABPFN_MODEL_CACHE_DIR", str(tmp_path / "no-official-weights"))
    open_page(app, "data")
    app.button(key="sample-wine").click().run()
    open_page(app, "compare")
    assert any(SHIPPED_LABEL in e.label.replace("\\", "") for e in app.expander)
    next(n for n in app.number_input if n.label == "Folds").set_value(2)
    app.multiselect[0].set_value(["pfn", "logistic"])
    button(app, "Compare").click().run()
    wait_for(app, lambda a: any("All models" in s.value for s in a.subheader) and "Still at work" not in texts(a))
    tables = [d.value for d in app.dataframe]
    assert any("model" in t and SHIPPED_LABEL in list(t["model"]) for t in tables)
    wait_for(app, lambda a: any(m.label.startswith("Shared top") for m in a.metric))
    next(t for t in app.toggle if t.label == "How robust are these answers?").set_value(True).run()
    assert not app.exception
    assert "mean of 6 draws" in texts(app)
    assert SHIPPED_LABEL in texts(app).replace("\\", ""), "the answer about the patient names the weights"
    assert any("differentiable view" in option for s in app.selectbox for option in s.options)
