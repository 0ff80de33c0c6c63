"""Threat 11: a name is text. On every page, whatever genes, patients, classes and the file are called."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hostile import MARKUP, evil_table
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from pages._ui.shell import PAGES, plain

RENDER = MarkdownIt("gfm-like", {"html": True, "linkify": False})
ACTIVE = re.compile(r"<(a|img|script|svg|iframe|object|embed|link|style|form|input)\b", re.I)
DIRECTIVES = re.compile(r"(?<!\\):(material/\w+|\w+\[)|(?<!\\)\$[^$]*\$")
NAMES = [name for entries in PAGES.values() for name, *_ in entries]


def acting(markdown: str) -> list[str]:
    """What of this text Streamlit would take for more than text (the app's own icons and bold type apart)."""
    html = RENDER.render(markdown)
    return [m.group(0) for m in ACTIVE.finditer(html)] + [m.group(0) for m in DIRECTIVES.finditer(markdown)]


def shown(app: AppTest) -> list[str]:
    """Every text on the page that Streamlit reads as Markdown."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "info", "success", "toast")
    labelled = (
        "button",
        "selectbox",
        "multiselect",
        "radio",
        "checkbox",
        "toggle",
        "slider",
        "metric",
        "tabs",
        "expander",
    )
    texts = [str(e.value) for kind in kinds for e in getattr(app, kind)]
    return texts + [str(getattr(e, "label", "")) for kind in labelled for e in getattr(app, kind)]


@pytest.mark.parametrize("name", MARKUP)
def test_a_name_is_shown_as_it_is(name: str) -> None:
    assert not acting(plain(name))
    assert RENDER.render(plain(name)).count("<") == 2, "a paragraph and nothing else"


LINKED = re.compile(r"(https?://|www(?=\.))[-.\w]+|[-.\w+]+@[-\w]+\.[-\w]", re.I)
"""What the browser's Markdown links by itself in finished text (mdast-util-gfm-autolink-literal), escaped or not."""


@pytest.mark.parametrize(
    "name", ["https://evil.example/x", "see www.evil.example", "ann@evil.example", "HTTP://EVIL.x"]
)
def test_an_address_is_no_link(name: str) -> None:
    assert LINKED.search(name)
    assert not LINKED.search(plain(name).replace("\\", ""))


def test_the_check_sees_what_acts() -> None:
    assert all(acting(name) for name in MARKUP[:4])


def test_no_page_takes_a_name_for_markup(app: AppTest, figure) -> None:
    app.switch_page("pages/data.py").run()
    app.file_uploader[0].set_value((f"{MARKUP[0]}{MARKUP[1]}.csv".replace("/", "_"), evil_table(), "text/csv"))
    app.run()
    seen = {"upload": shown(app)}
    next(b for b in app.button if b.label == "Use this cohort").click().run()
    assert not app.exception
    for name in NAMES:
        app.switch_page(f"pages/{name}.py").run()
        assert not app.exception, name
        seen[name] = shown(app)
    for page, texts in seen.items():
        for text in texts:
            if "evil" in text or "owned" in text:
                assert not acting(text), f"{page}: {text}"
    assert any("evil" in text for text in seen["data"]), "the names are shown at all"
    figure("pages without markup from names", len(seen))


def test_pictures_of_a_map_hold_names_as_text() -> None:
    import numpy as np

    from genomap_core.data.dataset import Dataset
    from genomap_core.data.perturb import Perturbation
    from genomap_core.plotting.static_map import map_svg
    from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap
    from pages._ui.genomap_views import map_data
    from pages._ui.session import Session

    X = np.random.default_rng(0).normal(size=(12, len(MARKUP))).astype(np.float32)
    dataset = Dataset(" ".join(MARKUP), X, MARKUP, tuple(f"{MARKUP[i % len(MARKUP)]}{i}" for i in range(12)))
    session = Session("t" * 22, dataset)
    drawn = map_svg(map_data(session, fit_genomap(dataset, GenomapConfig()), [0]).static(Perturbation()))
    tags = set()
    for element in ElementTree.fromstring(drawn).iter():
        tags.add(element.tag.rpartition("}")[2])
        for attribute, value in element.attrib.items():
            assert not attribute.lower().startswith("on")
            assert not value.strip().lower().startswith(("http", "javascript"))
    assert "svg" in tags
    assert not tags & {"script", "a", "foreignObject", "iframe", "style", "use", "animate", "set", "handler"}
