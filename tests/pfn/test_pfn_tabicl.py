"""TabICL's weights behind the same face: its real package on a small untrained network, and a stand-in with its
signature where the answer must be known."""

import importlib
import sys
import types

import numpy as np
import pytest
import torch

from genomap_core.errors import GenomapError, InputError
from genomap_core.pfn import PFNClassifier, inspect_weights


class StandIn:
    """Nearest class mean, with the arguments of the real class."""

    def __init__(self, *, model_path, allow_auto_download, n_estimators, device, random_state, kv_cache, use_amp):
        assert not allow_auto_download
        self.path = model_path

    def fit(self, X, y):
        if torch.load(self.path, weights_only=True)["state_dict"]["w"].isnan():
            raise RuntimeError("Error(s) in loading state_dict")
        self.means = np.stack([X[y == c].mean(0) for c in np.unique(y)])
        return self

    def predict_proba(self, X):
        p = np.exp(-((X[:, None] - self.means) ** 2).sum(2))
        return p / p.sum(1, keepdims=True)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tabicl-classifier.ckpt"
    config = {"max_classes": 10, "embed_dim": 128, "icl_num_blocks": 12}
    torch.save({"config": config, "state_dict": {"w": torch.zeros(())}}, path)
    return path


@pytest.fixture
def package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tabicl", types.SimpleNamespace(TabICLClassifier=StandIn))


def cohort():
    g = np.random.default_rng(0)
    X = g.normal(size=(60, 6)).astype(np.float32)
    y = np.array(["no", "yes"])[np.arange(60) % 2]
    X[:, 2] += 3 * (y == "yes")
    return X, y


def test_its_weights_are_told_by_their_content(file):
    weights = inspect_weights(file)
    assert weights.family == "tabicl"
    assert weights.label == f"TabICL (sha256 {weights.sha256[:8]})"
    assert (weights.licence, weights.commercial) == ("BSD-3-Clause", True)


def test_it_answers_through_the_same_face(file, package):
    X, y = cohort()
    model = PFNClassifier(file, n_estimators=2).fit(X, y)
    assert (model.predict(X) == y).mean() > 0.9
    assert model.label_.startswith("TabICL (sha256 ")
    with pytest.raises(InputError, match="no gradients"):
        model.input_gradients(X[:1], 0)


@pytest.mark.parametrize("keep_cache", [False, True])
def test_the_real_package_runs_weights_of_its_own_format(tmp_path, keep_cache):
    network = importlib.import_module("tabicl._model.tabicl").TabICL
    sizes = {
        "embed_dim": 16,
        "col_num_blocks": 1,
        "col_nhead": 2,
        "col_num_inds": 8,
        "row_num_blocks": 1,
        "row_nhead": 2,
    }
    config = {"max_classes": 10, **sizes, "row_num_cls": 2, "icl_num_blocks": 2, "icl_nhead": 2, "zero_init": False}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save({"config": config, "state_dict": network(**config).state_dict()}, tmp_path / "own.ckpt")
    X, y = cohort()
    X[0, 0] = np.nan
    model = PFNClassifier(tmp_path / "own.ckpt", n_estimators=2, keep_cache=keep_cache).fit(X, y)
    assert type(model.members_[0].model_).__module__.startswith("tabicl.")
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-6)
    assert np.ptp(proba[:, 0]) > 0
    torch.save({"config": config, "state_dict": {}}, tmp_path / "own.ckpt")
    with pytest.raises(InputError, match="TabICL does not load or run"):
        PFNClassifier(tmp_path / "own.ckpt").fit(X, y)


def test_more_classes_than_it_knows_are_answered_and_damage_is_ours_to_say(file, package):
    X, _ = cohort()
    proba = PFNClassifier(file, n_estimators=1).fit(X, np.arange(60) % 11).predict_proba(X)
    assert proba.shape == (60, 11)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-6)
    content = torch.load(file, weights_only=True)
    torch.save(content | {"state_dict": {"w": torch.tensor(float("nan"))}}, file)
    with pytest.raises(InputError, match="TabICL does not load or run"):
        PFNClassifier(file).fit(X, np.arange(60) % 2)


def test_without_its_package_the_remedy_is_said(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "tabicl", None)
    with pytest.raises(GenomapError, match="pip install tabicl"):
        PFNClassifier(file).fit(cohort()[0], np.arange(60) % 2)
