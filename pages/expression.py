"""Gene expression predicted from images: for which genes it works, where it comes from, and how a model is trained."""

from __future__ import annotations

from pages._ui import expression as views
from pages._ui import shell
from pages._ui.session import current
from pages._ui.slide import on_a_slide

with shell.page(
    "Expression", "Gene expression predicted from images: for which genes it works, and where it comes from."
):
    session = current()
    found = views.chosen_comparison(session)
    genes, gene, patient, slide, train = shell.tabs(
        "expression", "Which genes", "One gene", "One patient", "On a slide", shell.TRAIN_TAB
    )
    with genes, shell.errors_shown():
        views.genes(session, found)
    with gene, shell.errors_shown():
        views.one_gene(session, found)
    with patient, shell.errors_shown():
        views.panel(session, found)
    with slide, shell.errors_shown():
        on_a_slide(session)
    with train, shell.errors_shown():
        views.training(session)
