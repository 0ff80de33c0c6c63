"""Small checkpoints, made by the real package: untrained ones, and one that was taught for a few seconds."""

import pytest

from genomap_core.pfn.description import Weights


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory) -> Weights:
    from genomap_core.pfn.checkpoint import build_random

    return build_random(tmp_path_factory.mktemp("weights") / "random-v3.safetensors")


@pytest.fixture(scope="session")
def random_weights_ckpt(tmp_path_factory) -> Weights:
    from genomap_core.pfn.checkpoint import build_random

    return build_random(tmp_path_factory.mktemp("weights") / "random-v3.ckpt")


@pytest.fixture(scope="session")
def taught_weights(tmp_path_factory) -> Weights:
    """A tiny network whose answers depend on the table: what an untrained one says hardly does."""
    from genomap_core.pfn.checkpoint import Size, save_checkpoint
    from tools.pretrain import loop
    from tools.pretrain.prior import PriorConfig

    config = loop.PretrainConfig(
        size=Size(8, 1, 2, 1, 4, 2),
        prior=PriorConfig(max_rows=60, max_features=6, max_classes=2),
        cells=600,
        warm_up=5,
        curriculum=10,
        learning_rate=8e-3,
    )
    state = loop.start(config)
    loop.run(state, lambda s: s.step >= 120)
    path = tmp_path_factory.mktemp("weights") / "taught-v3.safetensors"
    provenance = {"licence": "MIT", "selected_features": 4}
    return save_checkpoint(path, state.network.eval(), state.architecture_config, "v3", provenance)
