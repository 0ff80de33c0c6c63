"""Images and omics in one network: what fusion gains, beside its controls, and what each part contributes."""

from __future__ import annotations

from pages._ui import fusion as views
from pages._ui import shell
from pages._ui.session import current

with shell.page("Fusion", "Images and omics of the same patients in one network, and what each of them contributes."):
    session = current()
    found = views.chosen_comparison(session)
    compare, patient, train = shell.tabs("fusion", "What fusion gains", "One patient", shell.TRAIN_TAB)
    with compare, shell.errors_shown():
        views.result(found)
    with patient, shell.errors_shown():
        views.panel(session, found)
    with train, shell.errors_shown():
        views.training(session)
