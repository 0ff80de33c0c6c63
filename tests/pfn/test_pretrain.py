"""Pre-training: learns, resumes to the same weights, and exports what the real package runs."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from genomap_core.errors import InputError
from genomap_core.pfn import PFNClassifier, checkpoint
from genomap_core.pfn.checkpoint import Size
from genomap_core.pfn.weights import inspect_weights
from tools.pretrain import __main__ as pretrain
from tools.pretrain import loop as pretrain_loop
from tools.pretrain.evaluate import Score, compare, models, summary, verdict
from tools.pretrain.loop import PretrainConfig
from tools.pretrain.muon import Muon, orthogonalised
from tools.pretrain.prior import Batch, PriorConfig

TINY = PretrainConfig(
    size=Size(8, 1, 2, 1, 4, 2),
    prior=PriorConfig(max_rows=60, max_features=6, max_classes=3),
    cells=600,
    warm_up=5,
    curriculum=10,
)


def weights_of(state):
    return torch.cat([p.detach().flatten() for p in state.network.parameters()])


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# ------------------------------------------------------------------ optimiser


def test_muon_takes_the_steps_of_torchs_own():
    torch.manual_seed(0)
    shapes = [(24, 40), (40, 24), (24, 40), (16, 16)]
    ours = [torch.nn.Parameter(torch.randn(s)) for s in shapes]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    a = Muon(ours, lr=1e-2)
    b = torch.optim.Muon(theirs, lr=1e-2, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    start = [p.detach().clone() for p in ours]
    for _ in range(6):
        for p, q in zip(ours, theirs):
            p.grad = torch.randn(p.shape)
            q.grad = p.grad.clone()
        a.step()
        b.step()
    for p, q, s in zip(ours, theirs, start):
        moved = (p - s).norm()
        assert (p - q).norm() < 0.02 * moved, "torch works in bfloat16, so a little is allowed"


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((3, 20, 50), (3, 50, 20)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.min() > 0.5
        assert values.max() < 1.3


# ------------------------------------------------------------------ loss


def test_the_loss_knows_only_classes_of_the_training_rows():
    class Certain(torch.nn.Module):
        def forward(self, x, y, task_type):
            logits = torch.zeros(2, 1, 10)
            logits[:, :, 7] = 50.0  # a class that no training row has
            logits[:, :, 1] = 3.0
            return logits

    X = np.zeros((5, 1, 2), np.float32)
    batch = Batch(X, np.array([[0], [1], [0], [1], [9]]), n_train=3)
    loss, accuracy = pretrain_loop.table_loss(Certain(), batch, torch.device("cpu"))
    expected = F.cross_entropy(torch.tensor([[0.0, 3.0]]), torch.tensor([1]))
    assert float(loss) == pytest.approx(float(expected), abs=1e-5)
    assert float(accuracy) == 1


# ------------------------------------------------------------------ training


def test_tables_seen_again_and_again_are_learned_by_heart():
    state = pretrain_loop.start(TINY)
    batch = pretrain_loop.batch_of_step(TINY, 3)
    before = pretrain_loop.validate(state, [batch])["val_loss"]
    losses = []
    pretrain_loop.run(
        state,
        lambda s: s.step >= 60,
        batches=lambda step: iter([batch] * 60),
        report=lambda _, loss: losses.append(loss),
    )
    assert losses[-1] < 0.8 * losses[0]
    assert pretrain_loop.validate(state, [batch])["val_loss"] < before, "the averaged weights follow"
    assert state.tables == 60 * batch.n_tables
    assert state.seconds > 0


def test_a_resumed_training_is_the_same_training(tmp_path):
    whole = pretrain_loop.start(TINY)
    pretrain_loop.run(whole, lambda s: s.step >= 12)
    part = pretrain_loop.start(TINY)
    pretrain_loop.run(part, lambda s: s.step >= 7)
    pretrain_loop.save_state(part, tmp_path / "state.pt")
    resumed = pretrain_loop.load_state(tmp_path / "state.pt")
    assert (resumed.step, resumed.tables) == (7, part.tables)
    pretrain_loop.run(resumed, lambda s: s.step >= 12)
    torch.testing.assert_close(weights_of(resumed), weights_of(whole), rtol=0, atol=0)
    for name, value in whole.averaged.items():
        torch.testing.assert_close(resumed.averaged[name], value, rtol=0, atol=0)


def test_a_broken_table_does_not_end_the_training():
    state = pretrain_loop.start(TINY)
    good = pretrain_loop.batch_of_step(TINY, 0)
    bad = Batch(good.X, good.y, good.n_train)
    real = pretrain_loop.table_loss

    def poisoned(network, batch, device):
        loss, accuracy = real(network, batch, device)
        return (loss * float("nan") if batch is bad else loss), accuracy

    pretrain_loop.table_loss = poisoned
    try:
        pretrain_loop.run(state, lambda s: s.step >= 3, batches=lambda step: iter([good, bad, good]))
    finally:
        pretrain_loop.table_loss = real
    assert torch.isfinite(weights_of(state)).all()
    assert state.step == 3


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not the state"):
        pretrain_loop.load_state(tmp_path / "state.pt")
    torch.save({"other": 1}, tmp_path / "state.pt")
    with pytest.raises(InputError, match="not the state"):
        pretrain_loop.load_state(tmp_path / "state.pt")


# ------------------------------------------------------------------ command


def test_train_goes_on_finish_exports_and_the_package_runs_it(tmp_path):
    folder, file = tmp_path / "run", tmp_path / "genomap-inhouse-v3-test.safetensors"
    lines = []
    first = pretrain.train(folder, TINY, minutes=0.02, every_seconds=0.3, log=lines.append)
    again = pretrain.train(folder, TINY, minutes=0.02, log=lines.append)
    assert again.step > first.step
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    assert [line["step"] for line in curve] == sorted(line["step"] for line in curve)
    assert len(curve) == len(lines)
    assert all(np.isfinite([line["loss"], line["val_loss"]]).all() for line in curve)

    before = (folder / "state.pt").read_bytes()
    weights = pretrain.finish(folder, file, steps=3, version="0.1")
    assert (folder / "state.pt").read_bytes() == before, "training can go on"
    assert weights.label == "in-house PFN 0.1 (not Prior Labs)"
    assert weights.provenance["steps"] == again.step + 3
    card = file.with_suffix(".md").read_text()
    assert weights.sha256 in card
    assert "Not weights of Prior Labs" in card

    X = np.random.default_rng(0).normal(size=(60, 5))
    y = (X[:, 0] > 0).astype(int)
    proba = PFNClassifier(file, n_estimators=1).fit(X[:40], y[:40]).predict_proba(X[40:])
    assert np.isfinite(proba).all()
    assert np.ptp(proba[:, 0]) > 0


def test_training_can_begin_with_weights_and_the_card_says_with_which(tmp_path):
    first, second = tmp_path / "first-v3.safetensors", tmp_path / "second-v3.safetensors"
    pretrain.train(tmp_path / "a", TINY, minutes=0.01)
    weights = pretrain.finish(tmp_path / "a", first, steps=2)
    begun = pretrain_loop.start(TINY, weights=first)
    network, _ = checkpoint.new_network("v3", TINY.size)
    assert not torch.equal(weights_of(begun), torch.cat([p.detach().flatten() for p in network.parameters()]))
    assert all(torch.equal(value, begun.network.state_dict()[name]) for name, value in load_file(first).items())
    pretrain.train(tmp_path / "b", TINY, minutes=0.01, weights=first)
    made = pretrain.finish(tmp_path / "b", second, steps=1)
    assert weights.sha256 in made.provenance["config"]["start"]
    assert weights.sha256 in second.with_suffix(".md").read_text()


@pytest.mark.parametrize("content", [None, b"nothing"])
def test_weights_that_do_not_fit_are_no_start(tmp_path, content):
    path = tmp_path / "other-v3.safetensors"
    if content is None:
        checkpoint.build_random(path, "v3", Size(16, 1, 2, 1, 4, 2))
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="another architecture or size" if content is None else "no weights"):
        pretrain_loop.start(TINY, weights=path)


def test_the_mix_of_the_prior_is_an_option_and_stands_on_the_card(tmp_path):
    words = "--width 8 --layers 1 --heads 2 --rows 60 --features 6 --cells 600 --minutes 0.01 --prior binary=0.25"
    pretrain.main(["train", str(tmp_path / "run"), *words.split()])
    file = tmp_path / "mixed-v3.safetensors"
    pretrain.main(["finish", str(tmp_path / "run"), "--export", str(file), "--steps", "1"])
    assert inspect_weights(file).provenance["config"]["prior"]["binary"] == 0.25
    assert "--prior binary=0.25`" in file.with_suffix(".md").read_text()
    with pytest.raises(SystemExit):
        pretrain.main(["train", str(tmp_path / "run"), "--prior", "forests=0.1"])
    with pytest.raises(InputError, match="binary"):
        PriorConfig(binary=1.5)


def test_tables_drawn_by_workers_are_the_same_ones():
    inline = pretrain._batches(TINY, 5, 0)
    drawn = pretrain._batches(TINY, 5, 2)
    for a, b, _ in zip(inline, drawn, range(4)):
        np.testing.assert_array_equal(a.X, b.X)


def test_a_stop_signal_saves_the_state_and_is_given_back(tmp_path):
    import os
    import signal
    import threading

    before = signal.getsignal(signal.SIGTERM)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    state = pretrain.train(tmp_path, TINY, minutes=5)
    assert pretrain_loop.load_state(tmp_path / "state.pt").step == state.step > 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_to_finish_is_said(tmp_path):
    with pytest.raises(InputError, match="nothing has been trained"):
        pretrain.finish(tmp_path, tmp_path / "x.safetensors")


# ------------------------------------------------------------------ evaluation


def test_all_models_are_scored_on_the_same_rows(random_weights):
    from sklearn.datasets import load_iris

    scores = compare(random_weights.path, tables={"iris": load_iris(return_X_y=True)}, n_estimators=1, n_seeds=1)
    assert {(s.model, s.train_rows) for s in scores} == {
        (m, r) for m in ("pfn", "logistic", "forest") for r in ("all", "40")
    }
    by = {(s.model, s.train_rows): s for s in scores}
    assert by["logistic", "all"].auc > 0.98
    assert by["forest", "40"].accuracy > 0.85
    lines = summary(scores)
    assert lines[-1].startswith("| **mean ROC-AUC** | 40 |")


def test_the_summary_shows_means():
    scores = tuple(Score(t, "pfn", r, auc, 0.5, 1.0) for t, auc in (("a", 0.8), ("b", 0.9)) for r in ("all", "40"))
    assert "**0.8500**" in summary(scores)[-1]


def test_the_goal_is_judged_by_the_better_rival():
    def scores(pfn, rows):
        values = {"pfn": pfn, "logistic": 0.90, "forest": 0.92}
        return [Score("a", m, rows, auc, 0.5, 1.0) for m, auc in values.items()]

    words = verdict((*scores(0.916, "all"), *scores(0.93, "40")))
    assert "Four fifths of the rows: mean ROC-AUC -0.0040 against the better of the two, goal reached" in words
    assert "40 training rows: mean ROC-AUC +0.0100 against the better of the two, goal reached" in words
    assert verdict((*scores(0.914, "all"), *scores(0.919, "40"))).count("missed") == 2


def test_the_logistic_rival_takes_a_class_of_two_rows(random_weights):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 9
    assert models(random_weights.path, 1, 0, smallest=2)["logistic"].fit(X, y).predict(X).shape == (20,)


def test_the_learning_curve_is_shortened_to_doublings_and_keeps_its_end(tmp_path):
    lines = [{"minutes": m, "tables": 10 * m, "val_loss": 1 / m, "val_accuracy": 0.5} for m in range(1, 41)]
    path = tmp_path / "curve.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [line["minutes"] for line in pretrain.curve_summary(path)] == [1, 2, 5, 10, 20, 40]
    assert pretrain.curve_summary(tmp_path / "none") == []


def test_finishing_over_wall_clock_ends_with_the_clock(tmp_path):
    import time

    pretrain.train(tmp_path, TINY, minutes=0.01)
    start = time.monotonic()
    weights = pretrain.finish(tmp_path, tmp_path / "genomap-inhouse-v3-test.safetensors", minutes=0.05)
    assert weights.provenance["of_these_decaying"] > 0
    assert time.monotonic() - start < 120
    assert "Learning curve" in weights.path.with_suffix(".md").read_text()
