"""What one browser tab remembers, typed; and where it lies on disk so that a refresh loses nothing.

Two ways, both optional: OpenID Connect by Streamlit (an ``[auth]`` section in ``.streamlit/secrets.toml``), or a proxy
that signs people in and names them in a header (``server.trustedUserHeaders``, stripped from what browsers send).

The tab's key is a random token in the URL (never a patient's identifier). Its folder is private to the operating
system's user (0700) and holds the cohort in use and the token's jobs.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.patients import PatientImages
from genomap_core.data.perturb import Perturbation
from genomap_core.errors import GenomapError, InputError, StorageError
from genomap_core.files import replacing, write_atomically
from genomap_core.io.sandbox.call import sweep_leftovers
from genomap_core.jobs import JobManager
from genomap_core.jobs.files import make_private, to_json
from genomap_core.jobs.storage import Removed, Storage
from genomap_core.jobs.warm import WarmWorker
from genomap_core.process import handle_of, is_alive
from genomap_core.progress import OnProgress, ignore
from genomap_core.workflows.cohorts.samples import DEFAULT_SAMPLE, load_sample
from genomap_core.workflows.tabular.genomap import GenomapConfig, GenomapResult, fit_genomap
from genomap_core.workflows.tabular.stands_out import COHORT
from pages._ui.imaging_store import IMAGING, restore_imaging
from pages._ui.shell import show_error

NAMES = ("sub", "email", "preferred_username", "name")
"""Claims that tell one person from another, best first."""


def identity() -> str:
    """The signed-in person, for telling sessions apart, never shown or stored; empty where sign-in is off.

    While nobody is signed in the page ends here with a button.
    """
    if _configured():
        if not st.user.is_logged_in:
            st.info("Sign in to see your cohorts, jobs and models.", icon=":material/lock:")
            st.button("Sign in", type="primary", on_click=st.login)
            st.stop()
        return person(st.user)
    if st.get_option("server.trustedUserHeaders"):
        found = person(st.user)
        if not found:
            st.error("The proxy in front of this server did not say who you are.", icon=":material/lock:")
            st.stop()
        return found
    return ""


def person(claims: Mapping[str, object]) -> str:
    """The issuer and the best claim there is; empty when there is none."""
    for name in NAMES:
        if claims.get(name):
            return f"{claims.get('iss', '')}|{name}|{claims[name]}"
    return ""


def _configured() -> bool:
    return bool(st.secrets.load_if_toml_exists() and "auth" in st.secrets)


TOKEN = "session"
STATE = "state.json"
AT_WORK = "at-work.json"
"""What the server is doing for a session; found after its end, it was interrupted."""
USUAL = GenomapConfig()
STORING = "The server stopped while it stored a cohort. If another one than yours is in use, upload yours again."
PLACING = "The server stopped while it placed the features of this cohort; they are placed again now."


def home() -> Path:
    """Private folder of everything the app stores; ``GENOMAP_HOME`` overrides ``~/.genomap-studio``."""
    folder = Path(os.environ.get("GENOMAP_HOME") or Path.home() / ".genomap-studio")
    try:
        return make_private(folder)
    except OSError as error:
        raise StorageError.of(error) from error


@st.cache_resource(show_spinner=False)
def jobs() -> JobManager:
    """The server's one job manager: ``GENOMAP_SLOTS`` workers at a time, one of each owner while others wait."""
    sweep_leftovers()
    manager = JobManager(
        home() / "jobs",
        slots=max(1, int(os.environ.get("GENOMAP_SLOTS", "1"))),
        per_owner=max(1, int(os.environ.get("GENOMAP_JOBS_PER_USER", "1"))),
        min_free_bytes=0,
        make_room=lambda owner, need: storage().make_room(owner, need),
    )
    Storage(home(), lambda: manager).sweep()
    return manager


@st.cache_resource(show_spinner=False)
def storage() -> Storage:
    """Quotas and deletion, for all sessions of this server."""
    return Storage(home(), jobs)


@st.cache_resource(show_spinner=False)
def warm() -> WarmWorker:
    """The process that keeps models loaded between slider releases."""
    return WarmWorker()


@st.cache_resource(show_spinner=False)
def shared_sample(key: str) -> Dataset:
    """A sample cohort, one for all sessions: nobody's data, and nobody can change its arrays."""
    dataset = load_sample(key)
    for array in (dataset.X, dataset.y):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return dataset


@st.cache_resource(show_spinner=False)
def shared_genomap(key: str) -> GenomapResult:
    """The default map of a sample cohort, one for all sessions."""
    return fit_genomap(shared_sample(key), GenomapConfig())


@dataclass(kw_only=True)
class Marks:
    """What is marked on a cohort's map, and whom its patients are held against."""

    feature: int | None = None
    """Column of the feature looked at."""
    region: int | None = None
    """Region of the map that is marked."""
    place: str = ""
    """Names the map that the region is one of, where a cohort has several."""
    reference: str = COHORT
    """Whom patients are held against: the cohort, a class, chosen patients or uploaded controls."""
    chosen: tuple[int, ...] = ()
    """Rows of the patients chosen as controls."""
    controls: Dataset | None = None
    """Uploaded ones; in memory only."""


@dataclass
class Session(Marks):
    """State of one tab, and what is marked on the cohort in use."""

    token: str
    dataset: Dataset
    sample: str | None = DEFAULT_SAMPLE
    """Key of the sample cohort; None for the user's own table."""
    layout: GenomapConfig = field(default_factory=GenomapConfig)
    patient: int = 0
    """Row of the cohort; changed by :meth:`look_at`."""
    rows: dict[str, int] = field(default_factory=dict)
    """Row looked at in other cohorts, by their digest."""
    followed: str | None = None
    """Id of the patient last chosen: a cohort that has it shows it."""
    elsewhere: dict[str, Marks] = field(default_factory=dict)
    """Marks on other cohorts, by their digest."""
    perturbation: Perturbation = field(default_factory=Perturbation)
    confidence: float = 0.9
    """Asked of prediction sets."""
    imaging: PatientImages | None = None
    """Images and omics beside the table; None: none are in use."""
    imaging_sample: str | None = None
    """Key of the sample they are; None for the user's own."""
    previous: tuple[Dataset, str | None] | None = None
    """The cohort before the present one, for undo."""
    uploads: int = field(default_factory=lambda: secrets.randbelow(10**9))
    """Part of the uploaders' keys: another number, and what they hold in memory is dropped. It differs from server to
    server, so that after a restart no uploader shows a file that the new server was never given."""
    failure: str | None = None
    """What went wrong in a callback, for the page to show once."""
    cache: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    """Results by (digest, config); a handful, oldest out first."""

    def look_at(self, row: int, digest: str | None = None, sample_id: str | None = None) -> None:
        """Choose a patient: of the cohort in use, or of another one; every page that has the same id follows."""
        if digest in (None, self.dataset.digest):
            self.patient, self.followed = row, self.dataset.sample_ids[row]
        else:
            self.rows[str(digest)], self.followed = row, sample_id

    def marks(self, dataset: Dataset) -> Marks:
        """Those on this cohort: the session's own where it is in use."""
        return self if dataset.digest == self.dataset.digest else self.elsewhere.setdefault(dataset.digest, Marks())

    @property
    def owner(self) -> str:
        """Name of the token in ledgers; the token itself is not stored."""
        return _owner(self.token)

    @property
    def folder(self) -> Path:
        """Private folder of the tab."""
        return storage().folder(self.owner)

    def use(self, dataset: Dataset, sample: str | None) -> None:
        """Make this the cohort of the tab; the one before can be brought back."""
        self.previous = (self.dataset, self.sample)
        self._set(dataset, sample)

    def use_imaging(self, cohort: PatientImages, sample: str | None) -> None:
        """Make this the imaging cohort of the tab; ``sample``: its key where it comes with the app."""
        path = self.folder / IMAGING
        with self.at_work(STORING):
            if sample is None:
                storage().make_room(self.owner, cohort.images.nbytes // 2 + _size(cohort.table))
                with replacing(path) as beside:
                    cohort.save(beside)
            self.imaging, self.imaging_sample = cohort, sample
            self._save_state()
            if sample is not None:
                path.unlink(missing_ok=True)

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it inside a widget's callback: a known error is shown by the page that runs next."""
        try:
            action()
        except GenomapError as error:
            self.failure = str(error)
        except OSError as error:
            self.failure = str(StorageError.of(error))

    def undo(self) -> None:
        """Back to the cohort before; a second undo comes forward again."""
        if self.previous is not None:
            present = (self.dataset, self.sample)
            self._set(*self.previous)
            self.previous = present

    def _set(self, dataset: Dataset, sample: str | None) -> None:
        self._show(dataset, sample)
        self.save()

    def _show(self, dataset: Dataset, sample: str | None) -> None:
        self.dataset, self.sample = dataset, sample
        self.patient, self.feature, self.region, self.perturbation = 0, None, None, Perturbation()
        self.layout, self.followed = GenomapConfig(), None
        self.reference, self.chosen, self.controls = COHORT, (), None

    def save(self) -> None:
        """Write what a refresh needs: whole, or not at all."""
        path = self.folder / "dataset.npz"
        with self.at_work(STORING):
            if self.sample is None:
                storage().make_room(self.owner, _size(self.dataset))
                with replacing(path) as beside:
                    self.dataset.save(beside)
            self._save_state()
            if self.sample is not None:
                path.unlink(missing_ok=True)

    def _save_state(self) -> None:
        layout = None if self._usual else asdict(self.layout)
        said = {"sample": self.sample, "layout": layout, "imaging": self.imaging_sample}
        state = to_json(said, "state of the session")
        write_atomically(self.folder / STATE, state.encode())

    def choose(self, layout: GenomapConfig) -> None:
        """These options for the layout from now on; a refresh finds them. The usual ones of a sample are not stored."""
        before, self.layout = self.layout, layout
        if before != layout and not (_is_usual(before, self.dataset) and self._usual):
            self._save_state()

    @property
    def _usual(self) -> bool:
        return _is_usual(self.layout, self.dataset)

    @contextmanager
    def at_work(self, told: str) -> Iterator[None]:
        """What takes a while: if the server is killed meanwhile, the next one says so with the words ``told``."""
        with suppress(OSError):
            (self.folder / AT_WORK).write_text(json.dumps({"by": handle_of(os.getpid()), "told": told}))
        try:
            yield
        finally:
            with suppress(OSError):
                (self.folder / AT_WORK).unlink(missing_ok=True)

    def delete_data(self) -> Removed:
        """Remove all that is stored of this tab and go back to the sample; what there was."""
        removed = storage().delete(self.owner)
        self.cache.clear()
        self.previous = self.imaging = self.imaging_sample = None
        self.uploads += 1
        self._show(shared_sample(DEFAULT_SAMPLE), DEFAULT_SAMPLE)
        return removed

    def genomap(self, on_progress: OnProgress = ignore) -> GenomapResult:
        """Layout and maps of the cohort with the tab's options; computed once."""

        def make() -> GenomapResult:
            if self.sample is not None and self._usual:
                return shared_genomap(self.sample)
            with self.at_work(PLACING):
                return fit_genomap(self.dataset, self.layout, on_progress)

        return self.remember(("genomap", self.dataset.digest, self.layout), make)

    def remember(self, key: tuple[Any, ...], make: Any) -> Any:
        """The value of ``key``, made when it is not there; of the last used ones, 16 are kept."""
        if key not in self.cache:
            value = make()
            while len(self.cache) >= 16:
                self.cache.pop(next(iter(self.cache)))
            self.cache[key] = value
        self.cache[key] = self.cache.pop(key)  # what every run asks for, such as the map, is never the oldest
        return self.cache[key]


def current() -> Session:
    """The session of this tab: from memory, from disk after a refresh, or a new one with the sample cohort.

    Where people sign in, the session is the person's, whatever the URL says.
    """
    person = identity()
    session: Session | None = st.session_state.get("session")
    if session is not None and person and session.token != person:
        st.session_state.clear()
        session = None
    if session is None:
        session = _find(person or st.query_params.get(TOKEN, ""), signed_in=bool(person))
        st.session_state["session"] = session
    if not person and st.query_params.get(TOKEN) != session.token:
        st.query_params[TOKEN] = session.token
    storage().touch(session.owner)
    if (home() / "jobs").is_dir():  # somebody started work on this server
        from pages._ui.jobs import line_beside_menu  # which needs what stands in this module

        line_beside_menu(session)
    if session.failure is not None:
        show_error(GenomapError(session.failure))
        session.failure = None
    return session


def _find(token: str, signed_in: bool) -> Session:
    if signed_in or (len(token) >= 22 and token.replace("-", "").replace("_", "").isalnum()):
        found = _restore(token)
        if found is not None or signed_in:
            return found or Session(token, shared_sample(DEFAULT_SAMPLE))
    fresh = Session(secrets.token_urlsafe(16), shared_sample(DEFAULT_SAMPLE))
    with suppress(OSError, StorageError):  # an empty folder, so that the link outlives a restart of the server
        storage().folder(fresh.owner)
    return fresh


def _restore(token: str) -> Session | None:
    folder = home() / "sessions" / _owner(token)
    _tell_interrupted(folder / AT_WORK)
    if not (folder / STATE).is_file():
        return Session(token, shared_sample(DEFAULT_SAMPLE)) if folder.is_dir() else None
    try:
        state = json.loads((folder / STATE).read_text())
        sample, layout = state["sample"], state.get("layout")
        dataset = Dataset.load(folder / "dataset.npz") if sample is None else shared_sample(sample)
        found = Session(token, dataset, sample, GenomapConfig.from_spec(layout) if layout else USUAL)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
        st.warning("The cohort of this tab could not be read again; the sample cohort is shown.")
        return Session(token, shared_sample(DEFAULT_SAMPLE))
    found.imaging, found.imaging_sample = restore_imaging(folder / IMAGING, state.get("imaging"))
    return found


def _tell_interrupted(note: Path) -> None:
    """Say what a killed server was doing; once."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        found = json.loads(note.read_text())
        if not is_alive(found["by"]):
            note.unlink()
            st.warning(found["told"], icon=":material/restart_alt:")


def _is_usual(layout: GenomapConfig, dataset: Dataset) -> bool:
    """Whether these are the options that everybody begins with, however the number of features is written."""
    most = min(USUAL.max_features, dataset.n_features)
    return layout.max_features >= most and replace(layout, max_features=USUAL.max_features) == USUAL


def _owner(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def _size(dataset: Dataset) -> int:
    X = dataset.X
    return int(X.nbytes) if isinstance(X, np.ndarray) else int(X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
