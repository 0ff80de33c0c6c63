"""What one browser tab remembers, typed; and where it lies on disk so that a refresh loses nothing.

The tab's key is a random token in the URL (never a patient's identifier). Its folder is private to the operating
system's user (0700) and holds the cohort in use and the token's jobs.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.perturb import Perturbation
from genomap_core.errors import GenomapError, InputError
from genomap_core.jobs import JobManager
from genomap_core.jobs.warm import WarmWorker
from genomap_core.progress import OnProgress, ignore
from genomap_core.workflows.genomap import GenomapConfig, GenomapResult, fit_genomap
from genomap_core.workflows.samples import load_sample
from pages._ui.shell import show_error

TOKEN = "session"
DEFAULT_SAMPLE = "expression"


def home() -> Path:
    """Folder of everything the app stores; ``GENOMAP_HOME`` overrides ``~/.genomap-studio``."""
    folder = Path(os.environ.get("GENOMAP_HOME") or Path.home() / ".genomap-studio")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@st.cache_resource(show_spinner=False)
def jobs() -> JobManager:
    """The server's one job manager."""
    return JobManager(home() / "jobs")


@st.cache_resource(show_spinner=False)
def warm() -> WarmWorker:
    """The process that keeps models loaded between slider releases."""
    return WarmWorker()


@dataclass
class Session:
    """State of one tab."""

    token: str
    dataset: Dataset
    sample: str | None = DEFAULT_SAMPLE
    """Key of the sample cohort; None for the user's own table."""
    layout: GenomapConfig = field(default_factory=GenomapConfig)
    patient: int = 0
    feature: int | None = None
    """Column of the feature looked at."""
    perturbation: Perturbation = field(default_factory=Perturbation)
    previous: tuple[Dataset, str | None] | None = None
    """The cohort before the present one, for undo."""
    failure: str | None = None
    """What went wrong in a callback, for the page to show once."""
    cache: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    """Results by (digest, config); a handful, oldest out first."""

    @property
    def owner(self) -> str:
        """Name of the token in ledgers; the token itself is not stored."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:32]

    @property
    def folder(self) -> Path:
        """Private folder of the tab."""
        folder = home() / "sessions" / self.owner
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def use(self, dataset: Dataset, sample: str | None) -> None:
        """Make this the cohort of the tab; the one before can be brought back."""
        self.previous = (self.dataset, self.sample)
        self._set(dataset, sample)

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it inside a widget's callback: a known error is shown by the page that runs next."""
        try:
            action()
        except GenomapError as error:
            self.failure = str(error)

    def undo(self) -> None:
        """Back to the cohort before; a second undo comes forward again."""
        if self.previous is not None:
            present = (self.dataset, self.sample)
            self._set(*self.previous)
            self.previous = present

    def _set(self, dataset: Dataset, sample: str | None) -> None:
        self.dataset, self.sample = dataset, sample
        self.patient, self.feature, self.perturbation = 0, None, Perturbation()
        self.layout = GenomapConfig()
        self.save()

    def save(self) -> None:
        """Write what a refresh needs."""
        path = self.folder / "dataset.npz"
        if self.sample is None:
            temporary = path.with_name("dataset.writing.npz")
            self.dataset.save(temporary)
            temporary.replace(path)
        else:
            path.unlink(missing_ok=True)
        (self.folder / "state.json").write_text(json.dumps({"sample": self.sample}))

    def delete_data(self) -> int:
        """Remove this tab's folder and jobs from disk and go back to the sample; the number of files removed."""
        removed = 0
        for job in jobs().list(self.owner):
            removed += sum(1 for f in jobs().folder(job.id, self.owner).rglob("*") if f.is_file())
            jobs().remove(job.id, self.owner)
        removed += sum(1 for f in self.folder.rglob("*") if f.is_file())
        shutil.rmtree(self.folder, ignore_errors=True)
        self.cache.clear()
        self.previous = None
        self.dataset, self.sample = load_sample(DEFAULT_SAMPLE), DEFAULT_SAMPLE
        self.patient, self.feature, self.perturbation = 0, None, Perturbation()
        return removed

    def genomap(self, on_progress: OnProgress = ignore) -> GenomapResult:
        """Layout and maps of the cohort with the tab's options; computed once."""
        return self.remember(
            ("genomap", self.dataset.digest, self.layout), lambda: fit_genomap(self.dataset, self.layout, on_progress)
        )

    def remember(self, key: tuple[Any, ...], make: Any) -> Any:
        """The value of ``key``, made when it is not there; at most 16 values are kept."""
        if key not in self.cache:
            value = make()
            while len(self.cache) >= 16:
                self.cache.pop(next(iter(self.cache)))
            self.cache[key] = value
        return self.cache[key]


def current() -> Session:
    """The session of this tab: from memory, from disk after a refresh, or a new one with the sample cohort."""
    session: Session | None = st.session_state.get("session")
    if session is None:
        token = st.query_params.get(TOKEN, "")
        session = _restore(token) if len(token) >= 22 and token.replace("-", "").replace("_", "").isalnum() else None
        if session is None:
            session = Session(secrets.token_urlsafe(16), load_sample(DEFAULT_SAMPLE))
        st.session_state["session"] = session
    if st.query_params.get(TOKEN) != session.token:
        st.query_params[TOKEN] = session.token
    if session.failure is not None:
        show_error(GenomapError(session.failure))
        session.failure = None
    return session


def _restore(token: str) -> Session | None:
    folder = home() / "sessions" / hashlib.sha256(token.encode()).hexdigest()[:32]
    if not (folder / "state.json").is_file():
        return Session(token, load_sample(DEFAULT_SAMPLE)) if folder.is_dir() else None
    sample = json.loads((folder / "state.json").read_text())["sample"]
    try:
        dataset = Dataset.load(folder / "dataset.npz") if sample is None else load_sample(sample)
    except (OSError, ValueError, KeyError, InputError):
        st.warning("The cohort of this tab could not be read again; the sample cohort is shown.")
        return Session(token, load_sample(DEFAULT_SAMPLE))
    return Session(token, dataset, sample)
