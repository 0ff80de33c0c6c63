"""A bundle predicts as the model that was saved, and refuses everything that could make it predict otherwise."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from genomap_core.errors import BundleError, RefusedError
from genomap_core.modelfile import checksum, read_container
from genomap_core.training import forest_pipeline, genomap_pipeline, genonet_pipeline, load_bundle, save_bundle

NAMES = [f"GENE{j}" for j in range(50)]


def table(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(36) % 3
    X = rng.normal(5, 3, (36, 50)).astype(np.float32)
    X[:, :6] += 2.0 * y[:, None]
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


@pytest.fixture(scope="module")
def pipeline():
    return genomap_pipeline(max_features=40, max_epochs=2, device="cpu").fit(*table())


@pytest.fixture(scope="module")
def content(pipeline) -> bytes:
    return packed(pipeline)


def packed(pipeline, **options) -> bytes:
    file = io.BytesIO()
    fixed = {"feature_names": NAMES, "classes": ["a", "b", "c"]}
    save_bundle(file, pipeline, **fixed | options)
    return file.getvalue()


def changed(content: bytes, arrays=None, fields=None, metadata=None, seal: bool = True) -> bytes:
    """The bundle with other tensors or header fields, its checksum made to fit again."""
    own, _ = read_container(content)
    header = json.loads(own["header"]) | (fields or {})
    tensors = load_tensors(content) | (arrays or {})
    tensors = {name: array for name, array in tensors.items() if array is not None}
    if seal:
        header["sha256"] = checksum(tensors)
    return save_tensors(tensors, own | {"header": json.dumps(header)} | (metadata or {}))


@pytest.mark.parametrize("maker", [genomap_pipeline, genonet_pipeline])
def test_probabilities_are_those_of_the_saved_model(tmp_path, maker):
    X, y = table()
    model = maker(max_epochs=2, device="cpu").fit(X, y)
    path = tmp_path / "model.safetensors"
    save_bundle(path, model, feature_names=NAMES, classes=["a", "b", "c"])
    new = table(1)[0]
    loaded = load_bundle(path)
    np.testing.assert_array_equal(loaded.pipeline.predict_proba(new), model.predict_proba(new))
    assert loaded.feature_names == tuple(NAMES)
    assert loaded.classes == ("a", "b", "c")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("labels", [np.array(["x", "y", "z"]), np.array([10, 20, 30]), np.array([1.0, 2.0, 4.0])])
def test_labels_of_any_plain_kind_come_back(labels):
    X, y = table()
    model = genomap_pipeline(max_epochs=1, device="cpu").fit(X, labels[y])
    loaded = load_bundle(packed(model)).pipeline
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.classes_.dtype.kind == labels.dtype.kind


def test_a_loaded_model_saves_to_the_same_bytes(content):
    loaded = load_bundle(content)
    again = load_bundle(packed(loaded.pipeline))
    assert again.header.fields["sha256"] == loaded.header.fields["sha256"]


def test_a_loaded_model_keeps_layout_history_and_metrics(pipeline):
    loaded = load_bundle(packed(pipeline, metrics={"accuracy": np.float64(0.9)}, provenance={"seed": 7}))
    layout, own = loaded.pipeline["genomap"].layout_, pipeline["genomap"].layout_
    np.testing.assert_array_equal(layout.positions, own.positions)
    assert layout.quality == own.quality
    assert loaded.pipeline["network"].history_ == pipeline["network"].history_
    assert loaded.header.metrics == {"accuracy": 0.9}
    assert loaded.header.provenance == {"seed": 7}
    assert loaded.header.libraries["torch"] == torch.__version__


def test_tensors_are_those_of_a_cpu_in_full_precision(content):
    kinds = {name: info.dtype for name, info in load_bundle(content).header.tensors.items()}
    assert {kind for name, kind in kinds.items() if name.startswith("network/")} == {"F32"}


def test_another_tables_features_are_answered_with_a_difference_of_names(content):
    bundle = load_bundle(content)
    bundle.check_features(NAMES)
    with pytest.raises(BundleError, match=r"missing in the table \(2\): GENE48, GENE49") as error:
        bundle.check_features([*NAMES[:48], "TP53"])
    assert "unknown to the model (1): TP53" in str(error.value)
    swapped = [NAMES[1], NAMES[0], *NAMES[2:]]
    with pytest.raises(BundleError, match="another order") as error:
        bundle.check_features(swapped)
    assert "column 1: the model has 'GENE0', the table 'GENE1'" in str(error.value)


def test_a_changed_weight_breaks_the_checksum(content):
    arrays = load_tensors(content)
    weight = arrays["network/members.0.linear.weight"] + 0.1
    with pytest.raises(BundleError, match="checksum"):
        load_bundle(changed(content, {"network/members.0.linear.weight": weight}, seal=False))


def test_a_weight_that_is_nan_is_refused_at_saving_and_at_loading(content):
    name = "network/members.0.out.bias"
    with pytest.raises(BundleError, match=r"NaN.*members\.0\.out\.bias"):
        load_bundle(changed(content, {name: np.full(3, np.nan, np.float32)}))
    model = load_bundle(content).pipeline
    model["network"].module_.members[0].out.bias.data[:] = float("inf")
    with pytest.raises(BundleError, match=r"members\.0\.out\.bias"):
        packed(model)


def test_missing_and_unexpected_tensors_are_listed(content):
    name = "network/members.1.hidden.weight"
    bad = changed(content, {name: None, "network/bert.embeddings": np.zeros((2, 2), np.float32)})
    with pytest.raises(BundleError, match=r"Missing tensors: members\.1\.hidden\.weight; unexpected: bert"):
        load_bundle(bad)


def test_a_tensor_of_another_shape_is_named(content):
    bad = changed(content, {"network/members.0.out.bias": np.zeros(7, np.float32)})
    with pytest.raises(BundleError, match=r"members\.0\.out\.bias \(7,\) instead of \(3,\)"):
        load_bundle(bad)


@pytest.mark.parametrize(
    "fields",
    [
        {"features": NAMES[:30]},
        {"classes": ["a", "b"]},
        {"labels": {"kind": "int", "values": [0]}},
        {"labels": {"kind": "eval", "values": ["0", "1", "2"]}},
        {"layout": {}},
        {"network": {"name": "mapcnn"}},
        {"preprocess": {"surprise": 1}},
    ],
)
def test_a_header_that_contradicts_the_tensors_is_an_error_not_a_crash(content, fields):
    with pytest.raises(BundleError):
        load_bundle(changed(content, fields=fields))


def test_a_huge_declared_network_costs_no_memory(content):
    network = json.loads(read_container(content)[0]["header"])["network"] | {"height": 10**7, "width": 10**7}
    with pytest.raises(BundleError, match="another shape"):
        load_bundle(changed(content, fields={"network": network}))


def test_features_out_of_range_are_refused(content):
    kept = load_tensors(content)["preprocess/kept_"].copy()
    kept[-1] = 1000
    with pytest.raises(BundleError, match="keeps features"):
        load_bundle(changed(content, {"preprocess/kept_": kept}))


@pytest.mark.parametrize("cut", [0, 5, 100, -1])
def test_a_cut_file_is_refused(content, cut):
    with pytest.raises(RefusedError):
        load_bundle(content[:cut])


def test_what_can_not_be_bundled_is_said(pipeline):
    X, y = table()
    with pytest.raises(BundleError, match="Only a pipeline"):
        packed(forest_pipeline(n_trees=2).fit(X, y))
    with pytest.raises(BundleError, match="not fitted"):
        packed(genomap_pipeline())
    with pytest.raises(BundleError, match="2 class names for a model of 3"):
        packed(pipeline, classes=["a", "b"])
    with pytest.raises(BundleError, match="1 feature names for a model of 50"):
        packed(pipeline, feature_names=["x"])
    with pytest.raises(BundleError, match="JSON-able"):
        packed(pipeline, provenance={"data": object()})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"no file gone\.safetensors"):
        load_bundle(tmp_path / "gone.safetensors")


def test_a_file_of_the_first_version_answers_with_medians_as_it_did():
    model = genomap_pipeline(max_features=40, max_epochs=1, device="cpu", expect_missing=False).fit(*table())
    content = packed(model)
    header = json.loads(read_container(content)[0]["header"])
    old = {
        name: {k: v for k, v in header[name].items() if k not in ("fill", "missing")}
        for name in ("preprocess", "training")
    }
    loaded = load_bundle(changed(content, fields=old | {"endurance": None}, metadata={"version": "1"}))
    new = table(1)[0]
    np.testing.assert_array_equal(loaded.pipeline.predict_proba(new), model.predict_proba(new))
    assert loaded.pipeline[-1].endurance_ is None
    imputed = np.where(np.isnan(new), model["preprocess"].median_, new)
    np.testing.assert_allclose(loaded.pipeline.predict_proba(imputed), model.predict_proba(new), atol=1e-6)


def test_fill_and_endurance_come_back(pipeline, content):
    loaded = load_bundle(content).pipeline
    for name in ("mean", "components", "noise"):
        np.testing.assert_array_equal(
            getattr(loaded["preprocess"].fill_, name), getattr(pipeline["preprocess"].fill_, name)
        )
    assert loaded["network"].endurance_ == pipeline["network"].endurance_
    assert pipeline["network"].endurance_.shares == (1.0, 0.5, 0.2, 0.1, 0.05)


@pytest.mark.parametrize(
    ("arrays", "fields"),
    [
        ({"fill/mean": np.zeros(39, np.float32)}, {}),
        ({"fill/components": np.zeros((2, 41), np.float32)}, {}),
        ({"fill/noise": np.zeros(40, np.float32)}, {}),
        ({"fill/noise": None}, {}),
        ({}, {"endurance": {"shares": [1.0, 2.0], "accuracy": [0.9, 0.9], "chance": 0.5}}),
        ({}, {"endurance": {"shares": [1.0]}}),
        ({}, {"endurance": [1.0]}),
    ],
)
def test_a_fill_or_endurance_that_does_not_fit_is_refused(content, arrays, fields):
    with pytest.raises(BundleError):
        load_bundle(changed(content, arrays, fields))
