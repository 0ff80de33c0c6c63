"""A small cohort as a file, another that does not fit it, and a model that the command line trained on the first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genomap_core.__main__ import main

N, P = 48, 12


def cohort_text(names: list[str], label: bool = True) -> str:
    rng = np.random.default_rng(0)
    y = np.arange(N) % 2
    X = rng.normal(size=(N, P)) + 1.5 * y[:, None] * (np.arange(P) < 3)
    lines = [",".join(["patient_id", "surname", *names, *(["response"] if label else [])])]
    for i in range(N):
        ending = [("good", "poor")[y[i]]] if label else []
        lines.append(",".join([f"P{i:03d}", f"Doe{i}", *(f"{v:.4f}" for v in X[i]), *ending]))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def given(tmp_path_factory) -> SimpleNamespace:
    """Paths: ``table``, ``unlabelled``, ``other`` (other features), ``bad`` (a word among numbers), ``model``."""
    folder: Path = tmp_path_factory.mktemp("cli")
    names = [f"G{j}" for j in range(P)]
    texts = {
        "table": cohort_text(names),
        "unlabelled": cohort_text(names, label=False),
        "other": cohort_text([*names[:-1], "H1"]),
        "bad": cohort_text(names).replace("\nP003,Doe3,", "\nP003,Doe3,high", 1),
    }
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    paths = {name: folder / f"{name}.csv" for name in texts}
    model = folder / "model.safetensors"
    options = ["--epochs", "1", "--networks", "1", "--device", "cpu", "--quiet"]
    assert main(["train", str(paths["table"]), "--out", str(model), *options]) == 0
    return SimpleNamespace(**paths, model=model)
