"""The pictures of docs/layout.md, and the study of layouts under noise."""

import io
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from tools.layout_benchmark import synthetic
from tools.layout_figures import before_after, front_svg
from tools.layout_noise import accuracy


def test_the_picture_before_and_after_is_small_and_calmer_after():
    data = before_after(synthetic(60, 144), ("random", "ot"))
    assert len(data) < 100_000
    pixels = np.asarray(Image.open(io.BytesIO(data))).astype(float)[26:]
    panels = [pixels[:, k * 304 : k * 304 + 288] for k in range(3)]
    unrest = [np.abs(np.diff(panel[::24, ::24], axis=0)).mean() for panel in panels]
    assert unrest[2] < 0.8 * unrest[0]
    assert abs(unrest[1] - unrest[0]) < 0.2 * unrest[0]


def test_the_front_shows_every_measured_peer_as_safe_text():
    rows = [
        {"source": "1<b>.csv", "p": 9, "solver": name, "gw_distortion": gw, "neighbour_correlation": near}
        for name, gw, near in (("ot (default)", 0.2, 0.4), ("ot, local", 0.21, 0.5), ("FLAS", 0.205, 0.45))
    ]
    root = ElementTree.fromstring(front_svg([*rows, {"source": "1<b>.csv", "solver": "UMAP", "failed": "over 1 s"}]))
    words = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"1<b>", "FLAS", "ours (default)", "ours, local"} <= set(words)
    assert "UMAP" not in words


def test_neighbourhood_means_read_planted_modules_through_noise_on_our_layout_only():
    """Classes differ in modules of correlated features: averaging neighbours helps where they lie together."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 30)
    modules = rng.normal(size=(4, 16))[y] + 0.5 * rng.normal(size=(120, 16))
    X = (modules @ np.kron(np.eye(16), np.ones((1, 9))) + 0.3 * rng.normal(size=(120, 144))).astype(np.float32)
    X = X[:, rng.permutation(144)]
    ours, control = (accuracy(X, y, balance, noise=3.0) for balance in (0.5, "random"))
    assert ours > control + 0.05


def test_the_commands_run(tmp_path):
    picture = tmp_path / "picture.png"
    command = [sys.executable, "-m", "tools.layout_figures", "--front", str(picture)]
    subprocess.run(command, check=True, capture_output=True)
    assert "<svg" in picture.read_text()
