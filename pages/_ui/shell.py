"""The frame around every page: navigation, the research-use notice, and errors as messages."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from genomap_core.errors import STORAGE_ERRORS, GenomapError, StorageError

ROOT = Path(__file__).resolve().parents[2]
ICON = Path(__file__).with_name("icon.png")
RESEARCH_USE = "For research use only. Not for use in diagnostic procedures."

PAGES: dict[str, list[tuple[str, str, str, str]]] = {
    "Explore": [
        ("data", "Data", ":material/table_view:", "Choose a cohort or load your own table"),
        ("genomap", "Genomap", ":material/grid_on:", "See every patient as a map of features"),
    ],
    "Model": [
        ("train", "Train", ":material/model_training:", "Train a network on the maps, or load one"),
        ("compare", "Compare", ":material/compare_arrows:", "GenoMap and other models on the same patients"),
        ("benchmark", "Benchmark", ":material/leaderboard:", "Every model on many data sets, disturbed and not"),
    ],
    "Imaging": [
        ("fusion", "Fusion", ":material/join_inner:", "Images and omics in one network, and what each contributes"),
        ("expression", "Expression", ":material/genetics:", "Gene expression predicted from images, gene by gene"),
        ("growth", "Growth", ":material/neurology:", "Class and growth of a brain tumour from one MRI slice"),
    ],
    "Learn": [
        ("learn", "Learn", ":material/school:", "Six lessons: what the methods do, and where they fail"),
    ],
}
DEFAULT = "genomap"
STYLE = """<style>
[data-testid=stMainBlockContainer] {padding: 1.6rem 2.5rem 3rem}
.st-key-page-title {row-gap: 0}
.st-key-page-title h1 {padding: 0; font-size: 1.5rem}
.st-key-findings button {justify-content: flex-start; text-align: left; min-height: 0; padding: .15rem .4rem}
.st-key-findings button > * {width: 100%; justify-content: flex-start; text-align: left}
.st-key-findings button p {font-size: .85rem; line-height: 1.3}
.st-key-said p, .st-key-warned p, .st-key-findings p, [class*=st-key-usual] p {font-size: .88rem; line-height: 1.4}
.st-key-said {gap: .4rem}
.st-key-warned [data-testid=stAlertContainer] {padding: .4rem .8rem}
.st-key-nearest {row-gap: 0}
.st-key-nearest button {min-height: 0; padding: .1rem .3rem}
.st-key-nearest button p, .st-key-nearest p, .st-key-clinical p {font-size: .88rem}
[data-testid=stColumn] {min-width: min(100%, 6rem)}
[data-testid=stHorizontalBlock]:has(> [data-testid=stColumn]) {flex-wrap: wrap}
[data-testid=stPlotlyChart] :is([class$=tick] text, .xtitle, .ytitle, .legendtext, .cbaxis text, .cbtitle text,
  .bartext-outside, .textpoint text,
  .annotation-text:not([style*="rgb(20, 22, 26)"]):not([style*="rgb(255, 255, 255)"])) {fill: currentColor !important}
[data-testid=stButtonGroup] [role=radiogroup] {flex-wrap: wrap}
@media (hover: none) {[data-testid=stPlotlyChart] .modebar-container {display: none}}
@media (max-width: 960px) {
  [data-testid=stMainBlockContainer] {padding: 1.2rem 1rem 2rem}
  [class*=st-key-wide] > [data-testid=stLayoutWrapper] > [data-testid=stHorizontalBlock] > [data-testid=stColumn] {
    min-width: 100%
  }
}
@media (prefers-color-scheme: dark) {
  [data-variant=segmented_control][aria-checked=true] p, [role=tab][aria-selected=true] p,
  [data-testid=stSliderThumbValue] p {color: #e7eef2}
}
</style>"""
"""Little empty space around the page, sentences as buttons that read from the left, words of charts in the ink of the
page (those on coloured cells bring their own), columns that wrap before their text is cut (those in a container whose
key begins with ``wide`` early), chosen tabs and sliders' values with enough contrast in the dark, no tool
bar over a chart on a touch screen. Fixed text."""


def _navigation() -> Any:
    st.set_page_config(page_title="GenoMap Studio", page_icon=str(ICON), layout="wide", initial_sidebar_state=240)
    return st.navigation(
        {
            section: [
                st.Page(
                    ROOT / "pages" / f"{name}.py",
                    title=title,
                    icon=icon,
                    help=about,
                    url_path=name,
                    default=name == DEFAULT,
                )
                for name, title, icon, about in entries
            ]
            for section, entries in PAGES.items()
        }
    )


def run() -> None:
    """What ``app.py`` does: the frame, then the chosen page inside it."""
    page = _frame()
    st.session_state["_shell"] = st.session_state["_framed"] = True
    page.run()


@contextmanager
def page(title: str, purpose: str) -> Iterator[None]:
    """The body of a page: its title, in one line what it is for, and a known error as a message; the page stays alive.

    A folder named ``pages`` beside ``app.py`` puts a fresh server into its older mode, in which a deep link runs a page
    without ``app.py``: then the page draws the frame itself.
    """
    if not st.session_state.pop("_shell", False):
        _frame()
        if not st.session_state.get("_framed"):  # once: in the older mode the first change of a widget would be lost
            st.session_state["_framed"] = True
            st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="page-title"):
        st.title(title, anchor=False, width="content")
        st.markdown(purpose, width="content")
    with errors_shown():
        yield
    _say_what_is_in_use()
    _collect_garbage()


@st.cache_resource(ttl=30, show_spinner=False)
def _collect_garbage() -> int:
    """Every half minute, for what ended sessions leave. Streamlit's own, after each run, took most of a run's time."""
    return gc.collect()


@contextmanager
def errors_shown() -> Iterator[None]:
    """A part of a page that may fail by itself: a known error is shown in its place."""
    try:
        yield
    except GenomapError as error:
        show_error(error)
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        show_error(StorageError.of(error))


def _frame() -> Any:
    os.environ.setdefault("POT_BACKEND_DISABLE_PYTORCH", "1")
    page = _navigation()
    st.html(STYLE)
    st.logo(str(ICON), size="large")
    _notice()
    return page


def _notice() -> None:
    with st.sidebar:
        st.info(RESEARCH_USE, icon=":material/science:")
    if st.get_option("server.address") != "127.0.0.1" or st.get_option("browser.gatherUsageStats"):
        st.warning(
            "The safe settings in .streamlit/config.toml were not read: start the app from its own folder with "
            "`streamlit run app.py`. Until then it may answer other machines or send usage statistics.",
            icon=":material/shield:",
        )


def _say_what_is_in_use() -> None:
    """In the sidebar of every page: the table and the images that the pages work on."""
    session = st.session_state.get("session")
    if session is None:
        return
    with st.sidebar.container(key="in-use"):
        images = "none" if session.imaging is None else plain(session.imaging.name)
        st.caption(f"In use  \nTable: **{plain(session.dataset.name)}**  \nImages: **{images}**")
        page_link("data", "Change", ":material/swap_horiz:")


def show_error(error: Exception) -> None:
    """An error as plain text: what, where, how to mend."""
    st.error(plain(str(error)), icon=":material/error:")


_ADDRESS = re.compile(r"(https?://|\bwww(?=\.)|@)", re.I)


def plain(text: str) -> str:
    """``text`` so that markdown shows it as it is: names from files must not become links, images or formulas.

    Addresses become links even where they are escaped: a word joiner, which nobody sees, keeps them apart.
    """
    text = _ADDRESS.sub("\\1\u2060", text)
    return "".join("\\" + c if c in "\\`*_{}[]()<>#+-.!|$~:^" else c for c in text).replace("\n", "  \n")


def page_link(name: str, label: str, icon: str | None = None, tab: str = "") -> None:
    """A link to another page of the app, or to one of its tabs."""
    asked = {f"{name}_tab": tab} if tab else None
    st.page_link(ROOT / "pages" / f"{name}.py", label=label, icon=icon, width="content", query_params=asked)


IMAGES_TAB = "Images and omics"
"""Of the Data page; other pages lead to it."""
TRAIN_TAB = "Train and compare"
"""Of the imaging pages; the Data page leads to it."""


def tabs(page: str, *names: str) -> Sequence[Any]:
    """The tabs of a page; the address keeps the open one, so that a refresh and a link open the same."""
    return st.tabs(names, key=f"{page}_tab", bind="query-params")
