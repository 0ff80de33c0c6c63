"""How a wide table is narrowed: chosen on inner folds of the training rows, and said."""

from dataclasses import replace

import numpy as np
import pytest

from genomap_core.errors import ModelLimitError
from genomap_core.pfn import STRATEGIES, PFNClassifier
from genomap_core.pfn.selection import CROSSED, candidates, choose


class Pretending:
    """Answers right with probability ``quality[way]``, and remembers which rows it was given."""

    seen: list[tuple[str, set[int], set[int]]] = []

    def __init__(self, way, quality):
        self.way, self.quality = way, quality

    def fit(self, X, y):
        if self.quality[self.way] is None:
            raise ModelLimitError("too large")
        self.train, self.classes_ = set(X[:, 0].astype(int)), np.unique(y)
        return self

    def predict_proba(self, X):
        self.seen.append((self.way, self.train, set(X[:, 0].astype(int))))
        right = (X[:, 1] > 0).astype(int)
        p = np.full((len(X), 2), 1 - self.quality[self.way])
        p[np.arange(len(X)), right] = self.quality[self.way]
        return p


def cohort(n=30):
    codes = np.arange(n) % 2
    return np.column_stack([np.arange(n), codes * 2 - 1]).astype(np.float32), codes


def test_the_way_that_does_best_on_inner_folds_is_taken_and_all_are_told():
    quality = {"anova": 0.7, "pca": 0.9, "variance": None}
    Pretending.seen.clear()
    found = choose(lambda way: Pretending(way, quality), *cohort(), ["anova", "pca", "variance"])
    assert found.selection == "pca"
    assert found.losses == pytest.approx({"anova": -np.log(0.7), "pca": -np.log(0.9)})
    assert found.words == f"{STRATEGIES['pca']}, chosen of 2 ways on inner folds"
    for way in ("anova", "pca"):
        folds = [(train, test) for name, train, test in Pretending.seen if name == way]
        assert all(not train & test for train, test in folds)
        assert sorted(row for _, test in folds for row in test) == list(range(30)), "every row is tested once"


def test_too_small_a_class_leaves_nothing_to_try():
    X, codes = cohort()
    codes = np.where(np.arange(30) == 4, 2, codes)
    found = choose(lambda way: pytest.fail("nothing may be fitted"), X, codes, ["pca", "anova"])
    assert (found.selection, found.losses) == ("anova", {})


def test_fewer_ways_are_tried_on_a_cpu_and_where_each_try_is_many_models(random_weights):
    assert len(candidates(random_weights, on_cpu=True)) == 2
    assert len(candidates(random_weights, on_cpu=False, n_classes=11)) == 2
    assert set(candidates(random_weights, on_cpu=False)) == set(STRATEGIES) - set(CROSSED)


def test_full_size_weights_choose_by_themselves_how_a_wide_table_is_narrowed(random_weights, monkeypatch):
    monkeypatch.setattr(
        "genomap_core.pfn.classifier.choose_weights", lambda _: replace(random_weights, megabytes=200.0)
    )
    g = np.random.default_rng(0)
    X, y = g.normal(size=(24, 160)).astype(np.float32), np.arange(24) % 2
    model = PFNClassifier(n_estimators=1, device="cpu").fit(X, y)
    assert set(model.choice_.losses) == {"anova", "regions"}
    assert model.choice_.selection == min(model.choice_.losses, key=model.choice_.losses.get)
    assert model.reducer_.method == model.choice_.selection
    assert model.predict_proba(X[:3]).shape == (3, 2)
    assert PFNClassifier(n_estimators=1, device="cpu").fit(X[:, :80], y).choice_ is None, "that one fits"


def test_small_weights_answer_twice_and_the_mean_counts(random_weights):
    g = np.random.default_rng(0)
    X, y = g.normal(size=(24, 160)).astype(np.float32), np.array(["a", "b"])[np.arange(24) % 2]
    model = PFNClassifier(random_weights.path, n_estimators=4).fit(X, y)
    alone = [PFNClassifier(random_weights.path, selection=way, n_estimators=2).fit(X, y) for way in CROSSED]
    expected = np.mean([one.predict_proba(X[:5]) for one in alone], axis=0)
    np.testing.assert_allclose(model.predict_proba(X[:5]), expected, atol=1e-6)
    assert [member.selection for member in model.members_] == list(CROSSED)
    assert list(model.classes_) == ["a", "b"]
    fits = PFNClassifier(random_weights.path, n_estimators=4).fit(X[:, :80], y)
    assert [(m.selection, m.n_features_used_) for m in fits.members_] == [("scores", 2), ("none", 80)]


def test_the_gradient_of_several_members_is_that_of_their_mean(random_weights):
    g = np.random.default_rng(0)
    X, y = g.normal(size=(24, 30)), np.arange(24) % 2
    model = PFNClassifier(random_weights.path, n_estimators=2).fit(X, y)
    step = 0.02 * g.normal(size=30)
    for log_odds in (True, False):
        _, slope = model.input_gradients(X[:3], 1, log_odds=log_odds)
        up, down = (model.input_gradients(X[:3] + sign * step, 1, log_odds=log_odds)[0] for sign in (1, -1))
        np.testing.assert_allclose(up - down, 2 * slope @ step, rtol=0.05, atol=2e-4)


def test_an_unknown_way_is_named(random_weights):
    with pytest.raises(ValueError, match="'auto' or one of scores"):
        PFNClassifier(random_weights.path, selection="best").fit(*cohort())  # type: ignore[arg-type]
