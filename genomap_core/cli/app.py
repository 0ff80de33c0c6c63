"""``app``: the app as a server on this machine, from a checkout or from the installed package."""

from __future__ import annotations

import os
import sys

from genomap_core.cli.answer import Answer
from genomap_core.cli.options import App
from genomap_core.errors import InputError
from genomap_core.files import APP_FOLDER
from genomap_core.progress import OnProgress

LOCAL = ("127.0.0.1", "localhost")


def run(options: App, on_progress: OnProgress) -> Answer:
    """Become the server. Its settings are those of ``.streamlit/config.toml`` beside ``app.py``: of all files with
    settings Streamlit reads it last, so that none in the working or home folder opens what it closes.

    Raises
    ------
    InputError
        The app is not there: only the library was copied.
    """
    script = APP_FOLDER / "app.py"
    if not script.is_file():
        raise InputError(f"There is no app at {script}: install the whole package, or start it in a checkout.")
    words = ["-P", "-m", "streamlit", "run", str(script), f"--server.port={options.port}"]  # -P: no module lies here
    if options.browser:
        words.append("--server.headless=false")
    if options.allow_host:  # one option a name: a list in one option would shut out this machine too
        words += [f"--server.allowedHosts={name}" for name in (*LOCAL, *options.allow_host)]
    os.execv(sys.executable, [sys.executable, *words])
