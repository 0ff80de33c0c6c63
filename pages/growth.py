"""PhysNet: the class of a brain MRI slice, and the growth of a tumour that the network holds behind it."""

from __future__ import annotations

import streamlit as st

from pages._ui import shell

shell.guard()

from pages._ui import growth_training as training  # noqa: E402
from pages._ui import growth_views as views  # noqa: E402
from pages._ui.session import current  # noqa: E402

session = current()
shell.header(
    "Growth", "A network that classifies an MRI slice through a model of tumour growth, and shows what the model did."
)
look, train = st.tabs(["One image", "Train and compare"])
with look:
    image = views.choose_image(session)
    if image is not None:
        views.show(session, image)
with train:
    training.panel(session)
