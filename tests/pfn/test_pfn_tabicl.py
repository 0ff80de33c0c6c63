"""TabICL's weights behind the same face. Its package is optional: here a stand-in with its signature answers."""

import sys
import types

import numpy as np
import pytest
import torch

from genomap_core.errors import GenomapError, InputError, ModelLimitError
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


def test_limits_and_damage_are_ours_to_say(file, package):
    X, _ = cohort()
    with pytest.raises(ModelLimitError, match="at most 10"):
        PFNClassifier(file).fit(X, np.arange(60) % 11)
    content = torch.load(file, weights_only=True)
    torch.save(content | {"state_dict": {"w": torch.tensor(float("nan"))}}, file)
    with pytest.raises(InputError, match="TabICL does not load or run"):
        PFNClassifier(file).fit(X, np.arange(60) % 2)


def test_without_its_package_the_remedy_is_said(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "tabicl", None)
    with pytest.raises(GenomapError, match="pip install tabicl"):
        PFNClassifier(file).fit(cohort()[0], np.arange(60) % 2)
