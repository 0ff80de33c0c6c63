"""The site of these pages, by Sphinx and MyST: ``make docs``. The pages are plain Markdown, as a forge shows it."""

from __future__ import annotations

import re

project = "GenoMap Studio"
author = copyright = "the GenoMap Studio authors"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
highlight_language = "text"
html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = html_copy_source = False

_LINK = re.compile(r"\]\(([a-z_-]+)\.md\)")
_OUTSIDE = re.compile(r"\]\((\.\./[^)#]+)(?:#[^)]*)?\)")


def prepare(app: object, name: str, source: list[str]) -> None:
    """Make a forge's Markdown a site's: the index's list becomes the sidebar, files outside ``docs`` downloads."""
    text = source[0]
    if name == "index":
        for section in text.split("\n## ")[1:]:
            pages = "\n".join(_LINK.findall(section))
            caption = section.partition("\n")[0]
            text += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"
    source[0] = _OUTSIDE.sub(r"](path:\1)", text)


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("source-read", prepare)  # type: ignore[attr-defined]
