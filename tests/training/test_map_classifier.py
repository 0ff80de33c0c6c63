"""The map classifier: planted signals found, the same seed the same network, and errors that say what to do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from genomap_core.errors import Cancelled, InputError, OutOfMemoryError
from genomap_core.models import GenoNet, MapCNN
from genomap_core.progress import Progress
from genomap_core.training import MapClassifier
from genomap_core.training.members import Trainer


def linear_maps(n: int = 60, seed: int = 0, effect: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that differ in the mean of a patch."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    maps = rng.normal(size=(n, 1, 9, 11)).astype(np.float32)
    maps[:, 0, 2:5, 3:6] += effect * (y - 0.5)[:, None, None]
    return maps, y


def sign_free_maps(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes with equal means: a patch is raised or lowered as one in class 1, at rest in class 0."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    maps = 0.5 * rng.normal(size=(n, 1, 8, 8)).astype(np.float32)
    maps[:, 0, 1:5, 1:5] += (2.0 * y * rng.choice([-1, 1], n))[:, None, None]
    return maps, y


def quick(**options) -> MapClassifier:
    return MapClassifier(**{"max_epochs": 4, "n_threads": 1, "device": "cpu"} | options)


def weights(model: MapClassifier) -> dict[str, torch.Tensor]:
    return model.module_.state_dict()


def assert_same_weights(a: MapClassifier, b: MapClassifier) -> None:
    assert weights(a).keys() == weights(b).keys()
    for name, tensor in weights(a).items():
        assert torch.equal(tensor, weights(b)[name]), name


def test_finds_a_planted_patch():
    model = quick().fit(*linear_maps(effect=1.6))
    maps, y = linear_maps(200, seed=1, effect=1.6)
    assert model.score(maps, y) > 0.93  # the best possible is .99


def test_the_convolutions_find_what_no_linear_model_can():
    options = {"max_epochs": 60, "patience": 30, "learning_rate": 1e-2, "mixup": 0.0, "noise": 0.2}
    maps, y = sign_free_maps(300, seed=1)
    assert quick(**options).fit(*sign_free_maps(160, seed=0)).score(maps, y) > 0.9


def test_even_on_a_linear_task_the_fitted_convolutions_answer_to_the_map():
    maps, y = linear_maps()
    for member in quick().fit(maps, y).module_.members:
        x = torch.from_numpy(maps[:4]).requires_grad_()
        member.convolutional_path(x)[:, 1].sum().backward()
        assert (x.grad != 0).float().mean() > 0.5


def test_genonet_finds_the_planted_patch_too():
    model = quick(network="genonet", max_epochs=30, n_seeds=1).fit(*linear_maps(effect=2.0))
    assert isinstance(model.module_.members[0], GenoNet)
    maps, y = linear_maps(200, seed=1, effect=2.0)
    assert model.score(maps, y) > 0.85


def test_three_classes_with_names_keep_their_columns():
    X, digit = load_digits(return_X_y=True)
    kept = np.isin(digit, [1, 4, 7])
    names = np.array(["zz", "b", "a"])[np.searchsorted([1, 4, 7], digit[kept])]
    maps = X[kept].reshape(-1, 1, 8, 8).astype(np.float32) / 4 - 2
    model = quick().fit(maps[:150], names[:150])
    assert list(model.classes_) == ["a", "b", "zz"]
    probability = model.predict_proba(maps[150:])
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert (model.classes_[probability.argmax(axis=1)] == names[150:]).mean() > 0.95


def test_the_same_seed_gives_the_same_network_bit_for_bit_and_another_seed_another():
    maps, y = linear_maps()
    first, again, other = (quick(random_state=s).fit(maps, y) for s in (3, 3, 4))
    assert_same_weights(first, again)
    assert first.history_ == again.history_
    assert not np.array_equal(first.predict_proba(maps), other.predict_proba(maps))


def test_torchs_random_state_and_threads_are_left_alone():
    before, n_threads = torch.random.get_rng_state(), torch.get_num_threads()
    quick().fit(*linear_maps(24))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == n_threads


def test_a_table_is_laid_out_inside_and_predicts_like_its_maps():
    maps, y = linear_maps(effect=2.0)
    table = maps.reshape(len(maps), -1)
    model = quick().fit(table, y)
    assert model.layout_.n_features == table.shape[1]
    again = quick().fit(model.layout_.to_maps(model.preprocessor_.transform(table)), y)
    np.testing.assert_array_equal(model.predict_proba(table), again.predict_proba(model._maps_to_predict(table)))


def test_the_mean_logits_are_what_predicts():
    maps, y = linear_maps()
    model = quick(n_seeds=3).fit(maps, y)
    assert len(model.module_.members) == 3
    with torch.inference_mode():
        logits = torch.stack([m(torch.from_numpy(maps)) for m in model.module_.members]).mean(0)
    np.testing.assert_allclose(model.predict_proba(maps), torch.softmax(logits, 1).numpy(), atol=1e-6)


def test_an_attribution_reaches_every_varying_cell_and_no_other():
    maps, y = linear_maps()
    maps[:, :, :, 0] = 3.0  # constant
    model = quick().fit(maps, y)
    x = torch.from_numpy(maps[:1]).requires_grad_()
    model.module_(x)[0, 1].backward()
    assert (x.grad[..., 0] == 0).all()
    assert (x.grad[..., 1:] != 0).float().mean() > 0.99


def test_a_cell_that_never_varied_can_not_change_a_prediction():
    maps, y = linear_maps()
    maps[:, :, 0, 0] = 0.0
    model = quick().fit(maps, y)
    wild = maps.copy()
    wild[:, :, 0, 0] = 1e6
    np.testing.assert_array_equal(model.predict_proba(wild), model.predict_proba(maps))


def test_history_has_an_entry_for_every_epoch_with_validation_figures():
    model = quick().fit(*linear_maps())
    validated = [h for h in model.history_ if h["phase"] == "validation"]
    final = [h for h in model.history_ if h["phase"] == "final"]
    assert {h["member"] for h in validated} == {0, 1, 2}
    assert all(np.isfinite([h["loss"], h["val_loss"], h["val_accuracy"]]).all() for h in validated)
    assert [h["epoch"] for h in final] == list(range(1, model.n_epochs_ + 1)) * 2


def test_epochs_that_decide_nothing_are_not_trained_and_the_network_is_the_same(monkeypatch):
    options, data = {"max_epochs": 20, "patience": 7, "learning_rate": 1e-2}, linear_maps(effect=0.8)

    def lengths(model: MapClassifier) -> list[int]:
        members = [entry["member"] for entry in model.history_ if entry["phase"] == "validation"]
        return [members.count(k) for k in sorted(set(members))]

    fewer = quick(**options).fit(*data)
    monkeypatch.setattr(Trainer, "_epochs_that_count", lambda self, states: None)
    all_of_them = quick(**options).fit(*data)
    assert_same_weights(fewer, all_of_them)
    assert lengths(fewer) == np.minimum.accumulate(lengths(all_of_them)).tolist() != lengths(all_of_them)


def test_progress_rises_to_at_most_its_total_and_carries_the_figures():
    seen: list[Progress] = []
    quick(on_progress=seen.append).fit(*linear_maps())
    training = [p for p in seen if p.stage == "training"]
    steps = [p.step for p in training]
    assert steps == sorted(steps)
    assert max(steps) <= training[0].total == 4 * (3 + 2)
    assert any({"loss", "val_loss", "val_accuracy"} <= p.values.keys() for p in training)


def test_cancelling_within_an_epoch_passes_through(monkeypatch):
    from genomap_core.training import members

    monkeypatch.setattr(members, "_HEARTBEAT", 0.0)
    batches = []

    def stop_at_the_third_batch(progress: Progress) -> None:
        if progress.stage == "training":
            batches.append(progress)
            if len(batches) == 3:
                raise Cancelled("stop")

    with pytest.raises(Cancelled):
        quick(batch_size=2, on_progress=stop_at_the_third_batch).fit(*linear_maps())
    assert [p.step for p in batches] == [0, 0, 0]  # still in the first epoch


def test_the_linear_start_can_be_cancelled_too(monkeypatch):
    from genomap_core.training import members

    monkeypatch.setattr(members, "_HEARTBEAT", 0.0)

    def stop(progress: Progress) -> None:
        if progress.stage == "linear start":
            raise Cancelled

    with pytest.raises(Cancelled):
        quick(on_progress=stop).fit(*linear_maps(20))


@pytest.mark.parametrize(
    "cause",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
@pytest.mark.parametrize("during", ["fit", "predict"])
def test_exhausted_memory_is_named_whatever_its_face(monkeypatch, cause, during):
    maps, y = linear_maps(20)
    model = quick().fit(maps, y)

    def forward(self, x):
        raise cause

    monkeypatch.setattr(MapCNN, "forward", forward)
    with pytest.raises(OutOfMemoryError, match=r"memory: (choose fewer|predict fewer)") as error:
        model.fit(maps, y) if during == "fit" else model.predict(maps)
    assert error.value.__cause__ is cause


def test_other_errors_of_the_network_are_not_taken_for_memory(monkeypatch):
    def forward(self, x):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(MapCNN, "forward", forward)
    with pytest.raises(RuntimeError, match="mat1") as error:
        quick().fit(*linear_maps(20))
    assert not isinstance(error.value, OutOfMemoryError)


def test_groups_never_part_in_the_inner_split(monkeypatch):
    from genomap_core.training import members

    seen = []
    real = members.inner_folds
    monkeypatch.setattr(members, "inner_folds", lambda *a: seen.append(real(*a)) or seen[-1])
    maps, y = linear_maps(60)
    groups = np.repeat([f"patient {i}" for i in range(15)], 4)
    quick().fit(maps, y, groups=groups)
    assert seen
    for train, test in seen[0]:
        assert not set(groups[train]) & set(groups[test])
        assert len(np.unique(y[test])) == 2


def test_balanced_classes_raise_the_rare_classs_probability():
    rng = np.random.default_rng(0)
    y = (np.arange(80) % 8 == 0).astype(int)
    maps = rng.normal(size=(80, 1, 6, 6)).astype(np.float32)
    maps[:, 0, 1:3, 1:3] += 0.4 * y[:, None, None]
    plain, balanced = (quick(class_weight=w).fit(maps, y).predict_proba(maps)[:, 1].mean() for w in (None, "balanced"))
    assert balanced > plain + 0.1


def test_tiny_cohorts_train_without_a_validation_split():
    maps, _ = linear_maps(3)
    model = quick().fit(maps, [0, 0, 1])
    assert np.isfinite(model.predict_proba(maps)).all()


def test_without_refit_the_validated_networks_predict():
    maps, y = linear_maps()
    model = quick(refit=False).fit(maps, y)
    assert {h["phase"] for h in model.history_} == {"validation"}
    assert model.score(maps, y) > 0.8


@pytest.mark.parametrize(("value", "words"), [(np.nan, "Missing value"), (np.inf, "Infinite value")])
def test_missing_and_infinite_values_are_located(value, words):
    maps, y = linear_maps()
    maps[4, 0, 0, 2] = value
    with pytest.raises(InputError, match=rf"{words} \(\w+\) in row number 5"):
        quick().fit(maps, y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "resnet"}, "mapcnn, genonet"),
        ({"device": "tpu"}, "auto, cpu, cuda, mps"),
        ({"n_seeds": 0}, "n_seeds"),
        ({"validation_fraction": 0.9}, "validation_fraction"),
        ({"patience": 0}, "patience"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(InputError, match=words):
        quick(**options).fit(*linear_maps(20))


def test_maps_of_another_shape_are_refused_at_prediction():
    model = quick().fit(*linear_maps(20))
    with pytest.raises(InputError, match="fitted on rows of shape"):
        model.predict(np.zeros((2, 1, 9, 12), np.float32))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_asking_for_an_absent_gpu_says_so():
    with pytest.raises(InputError, match="no CUDA device"):
        quick(device="cuda").fit(*linear_maps(20))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_finds_the_planted_patch_and_its_network_ends_on_the_cpu():
    model = quick(device="cuda").fit(*linear_maps(effect=1.6))
    maps, y = linear_maps(200, seed=1, effect=1.6)
    assert model.score(maps, y) > 0.93
    assert {p.device.type for p in model.module_.parameters()} == {"cpu"}
