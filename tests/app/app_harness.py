"""What page tests share: find things by the words a person sees."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def open_page(app: AppTest, name: str) -> AppTest:
    """Go to a page as the menu does."""
    app.switch_page(f"pages/{name}.py")
    return app.run()


def texts(app: AppTest) -> str:
    """All words on the page."""
    kinds = ("title", "subheader", "markdown", "error", "warning", "info", "caption")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def button(app: AppTest, label: str):
    """The button with this label."""
    return next(b for b in app.button if b.label == label)


def select(app: AppTest, label: str):
    """The selectbox with this label."""
    return next(s for s in app.selectbox if s.label == label)
