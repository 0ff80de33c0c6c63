"""The Compare page where the network swallows every packet: it answers, and asks nothing of anybody."""

import socket
import threading
import time

import pytest
from app_harness import open_page, texts


@pytest.fixture
def silent_proxy(monkeypatch):
    """A proxy that accepts connections and never answers; the list of those who came."""
    server = socket.create_server(("127.0.0.1", 0))
    came: list[socket.socket] = []

    def accept() -> None:
        try:
            while True:
                came.append(server.accept()[0])
        except OSError:
            return  # closed: the test is over

    threading.Thread(target=accept, daemon=True).start()
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, url)
    yield came
    server.close()
    for connection in came:
        connection.close()


def opened_within(app, seconds):
    """Open the page; processor seconds are counted, for a busy machine is not a hanging network."""
    start = time.process_time()
    open_page(app, "compare")
    assert time.process_time() - start < seconds
    assert not app.exception


def test_without_weights_the_page_says_how_to_get_them(app, silent_proxy, monkeypatch, tmp_path):
    monkeypatch.setattr("genomap_core.pfn.weights.SHIPPED", tmp_path / "nothing")
    monkeypatch.setenv("TABPFN_MODEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GENOMAP_PFN_WEIGHTS", raising=False)
    opened_within(app, 3)
    assert any("none found" in e.label for e in app.expander)
    assert "Licence" in texts(app)
    assert not silent_proxy, "nobody was asked"
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.write_bytes(b"not weights"), "damaged"),
    ],
    ids=["missing", "corrupt"],
)
def test_a_path_without_weights_is_explained(app, silent_proxy, tmp_path, make, words):
    path = tmp_path / "tabpfn-v2-classifier.safetensors"
    make(path)
    opened_within(app, 3)
    next(t for t in app.text_input if "weights file" in t.label).set_value(str(path)).run()
    assert not app.exception
    assert words in texts(app)
    assert not silent_proxy


def test_in_house_weights_have_as_many_estimators_as_answer_in_seconds():
    from genomap_core.pfn import inspect_weights
    from genomap_core.pfn.weights import SHIPPED
    from pages._ui.weights_card import affordable

    weights = inspect_weights(next(SHIPPED.glob("*.safetensors")))
    assert [affordable(weights, n, p) for n, p in ((72, 7_129), (200, 100), (1_080, 77), (5_000, 100))] == [
        32,
        16,
        4,
        1,
    ]


def test_non_commercial_weights_are_announced_with_their_time(app, silent_proxy, tmp_path, monkeypatch):
    import json
    import struct

    header = {"architecture_name": "tabpfn_v3", "config": {"max_num_classes": 10, "embed_dim": 192}}
    tensors = {"w": {"dtype": "F32", "shape": [50_000_000], "data_offsets": [0, 200_000_000]}}
    text = json.dumps({"__metadata__": {k: json.dumps(v) for k, v in header.items()}} | tensors).encode()
    path = tmp_path / "tabpfn-v3-classifier-v3_default.safetensors"
    with path.open("wb") as file:  # a sparse file: its size on paper is that of full-size weights
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + 200_000_000)
    opened_within(app, 3)
    next(t for t in app.text_input if "weights file" in t.label).set_value(str(path)).run()
    assert not app.exception
    words = texts(app)
    assert "Not for commercial use" in words
    assert "is expected to take about" in words
    assert next(n for n in app.number_input if "Estimators" in n.label).value == 1, "fewer are offered"
