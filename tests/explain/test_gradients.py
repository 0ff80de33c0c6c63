"""Captum on the network that predicts: completeness, agreement with known answers, the way back to raw features."""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from genomap_core.data.preprocess import Preprocessor
from genomap_core.errors import Cancelled, InputError
from genomap_core.explain.gradients import COMPLETE, GRADIENT_METHODS, gradient_attribution
from genomap_core.layout import GenomapTransformer
from genomap_core.models import GenoNet, MapCNN, MeanLogits


class FixedNetwork(ClassifierMixin, BaseEstimator):
    """Networks with given weights behind the face of a fitted map classifier."""

    def __init__(self, modules=()):
        self.modules = modules

    def fit(self, X, y):
        self.module_ = MeanLogits(self.modules).eval()
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, maps):
        with torch.no_grad():
            return self.module_(torch.as_tensor(maps, dtype=torch.float32)).softmax(1).numpy()


def randomised(network, seed, spread=0.3):
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            p.normal_(0, spread / max(1, p[0].numel()) ** 0.5 if p.ndim > 1 else spread)
    return network


def pipeline(X, y, networks, max_features=60):
    steps = [("preprocess", Preprocessor(max_features=max_features)), ("genomap", GenomapTransformer())]
    return Pipeline([*steps, ("network", FixedNetwork(networks))]).fit(X, y)


@pytest.fixture(scope="module")
def cohort():
    g = np.random.default_rng(0)
    X = g.normal(size=(40, 80)).astype(np.float32) * g.uniform(0.5, 4, 80) + 3
    X[2, 5] = np.nan
    return X, np.array(["a", "b", "c"])[np.arange(40) % 3], tuple(f"g{j}" for j in range(80))


def networks_for(kind, side=8, classes=3):
    make = {"mapcnn": MapCNN, "genonet": GenoNet}[kind]
    return [randomised(make(1, side, side, classes), seed, 1.0) for seed in (0, 1)]


@pytest.mark.parametrize("kind", ["mapcnn", "genonet"])
@pytest.mark.parametrize("method", COMPLETE)
@pytest.mark.parametrize("output", ["log-odds", "probability"])
def test_values_sum_to_output_minus_baseline(cohort, kind, method, output):
    X, y, names = cohort
    model = pipeline(X, y, networks_for(kind))
    a = gradient_attribution(
        model, X[:3], feature_names=names, target="b", method=method, output=output, background=X, n_samples=400
    )
    moved = np.abs(np.asarray(a.output) - np.asarray(a.baseline_output)).max() + np.abs(a.values).sum(1).max() * 0.05
    # A random baseline leaves sampling error; the others only that of integration and of float32.
    tolerance = {"integrated_gradients": 0.01, "deeplift": 1e-3, "gradient_shap": 0.6}[method]
    assert np.abs(a.completeness_gap).max() < tolerance * moved


def test_what_is_explained_is_what_the_pipeline_predicts(cohort):
    X, y, names = cohort
    model = pipeline(X, y, networks_for("mapcnn"))
    p = model.predict_proba(X[:4])[:, 1]
    a = gradient_attribution(model, X[:4], feature_names=names, target="b", n_samples=8)
    np.testing.assert_allclose(a.output, np.log(p / (1 - p)), rtol=1e-4, atol=1e-5)
    b = gradient_attribution(model, X[:4], feature_names=names, target="b", output="probability", n_samples=8)
    np.testing.assert_allclose(b.output, p, rtol=1e-4)


def test_a_linear_two_class_model_gives_every_feature_weight_times_value(cohort):
    X, _, names = cohort
    y = np.array(["n", "p"])[np.arange(40) % 2]
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    model = pipeline(X, y, [linear])
    w = (linear[1].weight[1] - linear[1].weight[0]).detach().numpy().reshape(1, 1, 8, 8)
    z = model[0].transform(X[:2])
    layout = model[1].layout_
    expected = np.zeros((2, 80))
    expected[:, model[0].kept_] = z * layout.to_features(w)
    for method in ("integrated_gradients", "deeplift"):
        a = gradient_attribution(model, X[:2], feature_names=names, target="p", method=method)
        np.testing.assert_allclose(a.values, expected, atol=1e-4)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_features_without_a_cell_get_exactly_nothing(cohort, method):
    X, y, names = cohort
    model = pipeline(X, y, networks_for("mapcnn"))
    a = gradient_attribution(model, X[:1], feature_names=names, method=method, background=X, n_samples=8)
    dropped = np.setdiff1d(np.arange(80), model[0].kept_)
    assert len(dropped) == 20
    assert (a.values[:, dropped] == 0).all()
    assert np.abs(a.values).sum() > 0
    assert np.isfinite(a.values).all()


def test_a_single_important_cell_is_found_by_every_pointwise_method(cohort):
    X, _, names = cohort
    y = np.array(["n", "p"])[np.arange(40) % 2]
    model = pipeline(X, y, [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))])
    linear = model[-1].module_.members[0][1]
    column = 17
    row, col = model[1].layout_.positions[column]
    with torch.no_grad():
        linear.weight.zero_()
        linear.weight[1, row * 8 + col] = 3.0
    for method in ("integrated_gradients", "deeplift", "gradient_shap"):
        a = gradient_attribution(model, X[:1], feature_names=names, method=method, target="p", background=X)
        assert np.flatnonzero(np.abs(a.values[0]) > 1e-6).tolist() == [model[0].kept_[column]]
    occlusion = gradient_attribution(model, X[:1], feature_names=names, method="occlusion", target="p")
    hit = np.flatnonzero(np.abs(occlusion.values[0]) > 1e-6)
    positions = model[1].layout_.positions[np.searchsorted(model[0].kept_, hit)]
    assert (np.abs(positions - [row, col]) <= 2).all(), "a 3 x 3 window reaches two cells"


def test_all_seeds_are_explained_together(cohort):
    X, y, names = cohort
    both = networks_for("mapcnn")
    model = pipeline(X, y, both)
    one, other = (gradient_attribution(pipeline(X, y, [n]), X[:1], feature_names=names, target="a") for n in both)
    a = gradient_attribution(model, X[:1], feature_names=names, target="a")
    assert not np.allclose(a.values, one.values, atol=1e-3)
    assert not np.allclose(a.values, other.values, atol=1e-3)
    a = gradient_attribution(model, X[:2], feature_names=names, method="deeplift", target="a")
    np.testing.assert_allclose(a.completeness_gap, 0, atol=1e-3)
    cam = gradient_attribution(model, X[:2], feature_names=names, method="gradcam", target="a")
    assert np.abs(cam.values).sum() > 0


def test_omics_channels_stay_apart(cohort):
    X, y, names = cohort
    channels = np.arange(80) % 2
    net = randomised(MapCNN(2, 6, 7, 3), 0, 1.0)
    with torch.no_grad():
        net.mask[1] = 0  # the network sees the first omics type only
    steps = [("preprocess", Preprocessor()), ("genomap", GenomapTransformer(channels=channels))]
    model = Pipeline([*steps, ("network", FixedNetwork([net]))]).fit(X, y)
    for method in ("integrated_gradients", "occlusion", "deeplift"):
        a = gradient_attribution(model, X[:1], feature_names=names, method=method, n_samples=8)
        np.testing.assert_allclose(a.values[0, channels == 1], 0, atol=1e-6)
        assert np.abs(a.values[0, channels == 0]).sum() > 0


def test_a_seed_decides_and_the_callers_randomness_is_untouched(cohort):
    X, y, names = cohort
    model = pipeline(X, y, networks_for("genonet"))
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    options = {"feature_names": names, "method": "gradient_shap", "background": X, "n_samples": 8}
    a, b = (gradient_attribution(model, X[:1], **options).values for _ in range(2))
    np.testing.assert_array_equal(a, b)
    after = np.random.random(), torch.rand(1).item()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    assert after == (np.random.random(), torch.rand(1).item())  # noqa: NPY002


def test_a_long_explanation_can_be_stopped_and_leaves_the_model_as_it_was(cohort):
    X, y, names = cohort
    model = pipeline(X, y, networks_for("mapcnn"))
    calls = []

    def stop(progress):
        calls.append(progress)
        if len(calls) == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        gradient_attribution(model, X[:1], feature_names=names, n_samples=256, on_progress=stop)
    assert len(calls) == 3
    assert not any(m._forward_hooks for m in model[-1].module_.modules())


def test_models_without_a_network_are_sent_to_regions(cohort):
    from sklearn.linear_model import LogisticRegression

    X, y, names = cohort
    model = Pipeline([("preprocess", Preprocessor()), ("model", LogisticRegression())]).fit(X, y)
    with pytest.raises(InputError, match="shapley"):
        gradient_attribution(model, X[:1], feature_names=names)
    with pytest.raises(InputError, match="background"):
        gradient_attribution(
            pipeline(X, y, networks_for("genonet")), X[:1], feature_names=names, method="gradient_shap"
        )
