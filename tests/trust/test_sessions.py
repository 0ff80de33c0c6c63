"""P8, threat 9: a session sees its own cohort, jobs and models, no other's; a changed cell is a changed cohort."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from genomap_core.data.dataset import Dataset
from genomap_core.errors import JobError
from pages._ui import session as sign_in

ROOT = Path(__file__).parents[2]


def new_app(**query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def token_of(app: AppTest) -> str:
    found = app.query_params["session"]
    return found if isinstance(found, str) else found[0]


def own_cohort(app: AppTest, word: str) -> None:
    """Give this session a cohort of its own that says ``word`` everywhere."""
    rng = np.random.default_rng(len(word))
    names = tuple(f"{word}-gene{j}" for j in range(8))
    samples = tuple(f"{word}-{i}" for i in range(20))
    X = rng.normal(size=(20, 8)).astype(np.float32)
    dataset = Dataset(f"{word} cohort", X, names, samples, np.arange(20) % 2, (f"{word}-a", f"{word}-b"))
    app.session_state["session"].use(dataset, None)
    app.run()


def words(app: AppTest) -> str:
    kinds = ("title", "markdown", "error", "warning", "info", "metric", "selectbox", "button", "dataframe")
    return "\n".join(f"{e.value} {getattr(e, 'options', '')}" for kind in kinds for e in getattr(app, kind))


def test_two_sessions_see_their_own_cohorts_only(home: Path, figure) -> None:
    alice, bob = new_app(), new_app()
    own_cohort(alice, "alice")
    own_cohort(bob, "bob")
    for page in ("data", "genomap", "train", "compare"):
        for app, own, other in ((alice, "alice", "bob"), (bob, "bob", "alice")):
            app.switch_page(f"pages/{page}.py").run()
            assert not app.exception
            assert own in words(app)
            assert other not in words(app)
    figure("bytes of others seen", 0)


def test_a_refresh_brings_the_own_cohort_back_and_a_guessed_link_nothing(home: Path) -> None:
    alice = new_app()
    own_cohort(alice, "alice")
    token = token_of(alice)
    assert len(token) >= 22
    assert "alice" in words(new_app(session=token))
    for guess in ("a" * 22, token[:-1] + ("A" if token[-1] != "A" else "B"), "../" + token, token + "/..", ""):
        assert "alice" not in words(new_app(session=guess))


def test_the_token_is_stored_nowhere(home: Path) -> None:
    alice = new_app()
    own_cohort(alice, "alice")
    token = token_of(alice).encode()
    for path in home.rglob("*"):
        assert token not in str(path).encode()
        assert not path.is_file() or token not in path.read_bytes()


def test_jobs_of_another_session_can_not_be_read_cancelled_resumed_or_removed(home: Path) -> None:
    from pages._ui.session import jobs

    alice, bob = (new_app().session_state["session"] for _ in range(2))
    job_id = jobs().submit("genomap_core.jobs.selftest:sleep", {"seconds": 30}, alice.owner, "hers")
    for act in (jobs().get, jobs().events, jobs().folder, jobs().result, jobs().spec, jobs().cancel, jobs().resume):
        with pytest.raises(JobError, match="no job"):
            act(job_id, bob.owner)
    with pytest.raises(JobError, match="no job"):
        jobs().remove(job_id, bob.owner)
    assert jobs().list(bob.owner) == ()
    bob.delete_data()
    assert jobs().get(job_id, alice.owner).active


def test_everything_stored_is_private_to_the_systems_user(home: Path) -> None:
    app = new_app()
    own_cohort(app, "alice")
    for path in (home, *home.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or private_above(path, home), path


def private_above(path: Path, home: Path) -> bool:
    """Whether a folder above keeps everybody else out."""
    return any(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in path.parents if home in (p, *p.parents))


def test_delete_my_data_says_what_it_removed_and_leaves_no_byte(home: Path) -> None:
    alice, bob = new_app(), new_app()
    own_cohort(alice, "alice")
    own_cohort(bob, "bob")
    alice.switch_page("pages/data.py").run()
    next(b for b in alice.button if b.label == "Delete my data").click().run()
    next(b for b in alice.button if b.label == "Delete now").click().run()
    said = "\n".join(str(e.value) for e in alice.success)
    assert "Removed: 1 table, 0 loaded models, 0 jobs (" in said
    assert "alice" not in words(alice)
    for path in home.rglob("*"):
        if path.is_file():
            assert b"alice" not in path.read_bytes(), path
    assert b"bob" in b"".join(p.read_bytes() for p in home.rglob("dataset.npz"))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 299), st.integers(0, 1999), st.floats(-100, 100, width=32))
def test_one_changed_cell_changes_the_key_of_every_cache(row: int, column: int, value: float) -> None:
    X = np.zeros((300, 2000), np.float32)
    names, ids = tuple(map(str, range(2000))), tuple(map(str, range(300)))
    before = Dataset("x", X, names, ids)
    changed = X.copy()
    changed[row, column] = value
    same = np.array_equal(changed.view(np.uint32), X.view(np.uint32))
    assert (replace(before, X=changed).digest == before.digest) == same


def test_nothing_is_cached_for_all_users_but_engines_and_the_samples() -> None:
    import ast

    found = []
    for path in sorted((ROOT / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                calls = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
                kinds = [c.attr for c in calls if isinstance(c, ast.Attribute) and c.attr.startswith("cache_")]
                found += [(kind, node.name, [a.arg for a in node.args.args]) for kind in kinds]
    assert {name for kind, name, _ in found if kind == "cache_resource"} >= {"jobs", "warm", "storage"}
    for kind, name, arguments in found:
        assert kind == "cache_resource", f"{name}: cache_data hashes a sample of large arrays"
        assert arguments in ([], ["key"]), f"{name}: what users bring may not be cached for all"


def test_people_are_told_apart_by_issuer_and_claim() -> None:
    ann = {"iss": "https://id.example", "sub": "1", "email": "ann@example.org"}
    assert sign_in.person(ann) != sign_in.person({**ann, "sub": "2"})
    assert sign_in.person(ann) != sign_in.person({**ann, "iss": "https://other.example"})
    assert sign_in.person({"email": "ann@example.org"}) == "|email|ann@example.org"
    assert sign_in.person({}) == ""


def test_without_configuration_nobody_signs_in_and_with_it_the_session_is_the_persons(home: Path, monkeypatch) -> None:
    from pages._ui import session

    first = new_app()
    assert "session" in first.query_params
    who = {"now": "https://id.example|sub|ann"}
    monkeypatch.setattr(session, "identity", lambda: who["now"])
    ann = new_app(session=token_of(first))
    own_cohort(ann, "ann")
    assert "ann cohort" in words(new_app().switch_page("pages/data.py").run()), "the same person on another machine"
    who["now"] = "https://id.example|sub|bob"
    assert "ann cohort" not in words(ann.switch_page("pages/data.py").run()), "another person in the same tab"
