"""PhysNet: the class of a brain MRI slice, and the growth of a tumour that the network holds behind it."""

from __future__ import annotations

from pages._ui import growth as views
from pages._ui import shell
from pages._ui.session import current

with shell.page(
    "Growth", "A network that classifies an MRI slice through a model of tumour growth, and shows what the model did."
):
    session = current()
    look, two, train = shell.tabs("growth", "One image", "Two dates", shell.TRAIN_TAB)
    with look, shell.errors_shown():
        views.one_image(session)
    with two, shell.errors_shown():
        views.dates(session)
    with train, shell.errors_shown():
        views.panel(session)
