"""Small untrained checkpoints, made by the real package."""

import pytest

from genomap_core.pfn.weights import Weights


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory) -> Weights:
    from genomap_core.pfn.checkpoint import build_random

    return build_random(tmp_path_factory.mktemp("weights") / "random-v3.safetensors")


@pytest.fixture(scope="session")
def random_weights_ckpt(tmp_path_factory) -> Weights:
    from genomap_core.pfn.checkpoint import build_random

    return build_random(tmp_path_factory.mktemp("weights") / "random-v3.ckpt")
