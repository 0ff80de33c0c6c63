"""Choose the cohort: a sample, or a table or images of one's own, every problem named and every role correctable."""

from __future__ import annotations

from pages._ui import data_views as views
from pages._ui import shell
from pages._ui.imaging import imaging
from pages._ui.session import current

with shell.page("Data", "Choose the cohort to explore: one that comes with the app, or a table of your own."):
    session = current()
    views.in_use(session)
    samples, upload, images, manage = shell.tabs(
        "data", "Sample cohorts", "Your own table", shell.IMAGES_TAB, "Stored data"
    )
    with samples:
        views.samples(session)
    with upload:
        views.upload(session)
    with images:
        imaging(session)
    with manage:
        views.manage(session)
