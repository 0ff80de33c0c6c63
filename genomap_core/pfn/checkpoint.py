"""Write weights of our own in the format of the ``tabpfn`` package, so that the real package loads and runs them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genomap_core.errors import InputError
from genomap_core.pfn.description import Weights
from genomap_core.pfn.package import tabpfn_classifier
from genomap_core.pfn.weights import inspect_weights

if TYPE_CHECKING:
    from torch import nn

MAX_CLASSES = 10
ARCHITECTURES = ("v2", "v2_5", "v2_6", "v3", "v3_5")


@dataclass(frozen=True, slots=True)
class Size:
    """Size of a small network of one of the package's architectures; the defaults are enough for tests."""

    width: int = 16
    """Length of the embedding of a cell."""
    layers: int = 2
    """Blocks of the transformer over rows."""
    heads: int = 2
    column_blocks: int = 1
    """v3 only: blocks that read a column's distribution, and blocks that mix the columns of a row."""
    inducing: int = 16
    """v3 only: inducing points of a column's distribution."""
    row_tokens: int = 4
    """v3 only: summary tokens of a row; the transformer over rows is ``row_tokens * width`` wide."""

    def config(self, architecture: str) -> dict[str, Any]:
        """The architecture's own configuration."""
        if architecture not in ARCHITECTURES:
            raise InputError(f"`architecture` must be one of {', '.join(ARCHITECTURES)}, got {architecture!r}.")
        base = {"max_num_classes": MAX_CLASSES, "nlayers": self.layers}
        if architecture == "v2":
            return base | {"emsize": self.width, "nhead": self.heads, "features_per_group": 2}
        if architecture in ("v2_5", "v2_6"):
            thinking = {"num_thinking_rows": 8, "encoder_type": "linear", "features_per_group": 3}
            return base | thinking | {"emsize": self.width, "nhead": self.heads}
        v3 = {
            "embed_dim": self.width,
            "dist_embed_num_blocks": self.column_blocks,
            "dist_embed_num_heads": self.heads,
            "dist_embed_num_inducing_points": self.inducing,
            "feat_agg_num_blocks": self.column_blocks,
            "feat_agg_num_heads": self.heads,
            "feat_agg_num_cls_tokens": self.row_tokens,
            "icl_num_heads": self.heads,
            "decoder_head_dim": 16,
            "decoder_num_heads": 2,
        }
        if architecture == "v3_5":
            v3 |= {"num_buckets": 64, "fourier_encoding_num_frequencies": 8, "cell_ecdf_num_buckets": 512}
        return base | v3


@dataclass(frozen=True, slots=True)
class Range:
    """What our own weights are meant for; it decides the package's preprocessing and our limits."""

    rows: int = 5_000
    features: int = 100
    features_per_estimator: int = 60
    temperature: float = 1.0


def new_network(architecture: str = "v3", size: Size | None = None, seed: int = 0) -> tuple[nn.Module, Any]:
    """A network of one of the package's architectures with random weights, and its configuration."""
    tabpfn_classifier()  # the quiet import
    import torch
    from tabpfn.architectures import ARCHITECTURES as MODULES

    config_values = (size or Size()).config(architecture)
    module = MODULES[f"tabpfn_{architecture}"]
    config, unused = module.parse_config(config_values)
    if unused:
        raise InputError(f"{architecture} does not know {', '.join(unused)}: another version of tabpfn is installed.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return module.get_architecture(config).eval(), config


def save_checkpoint(
    path: str | Path,
    network: nn.Module,
    config: Any,
    architecture: str,
    provenance: dict[str, Any],
    meant_for: Range | None = None,
) -> Weights:
    """Write a network as ``.safetensors`` or ``.ckpt``, with its provenance, and describe the file.

    The package takes a version, and with it a limit of rows, from the file's name: let it contain "v3" for v3 networks.
    """
    import torch
    from tabpfn.checkpoint import save_as_safetensors

    path = Path(path)
    content = {
        "architecture_name": f"tabpfn_{architecture}",
        "config": dataclasses.asdict(config),
        "inference_config": dataclasses.asdict(_inference(meant_for or Range())),
        "state_dict": network.state_dict(),
        "provenance": {"weights": "in-house"} | provenance,
    }
    if path.suffix == ".safetensors":
        save_as_safetensors(content, path)
    elif path.suffix == ".ckpt":
        torch.save(content, path)
    else:
        raise InputError(f"{path.name}: name the file *.safetensors or *.ckpt.")
    return inspect_weights(path)


def _inference(meant_for: Range) -> Any:
    """How the package prepares a table for our weights: two views of it, as the pre-training showed them."""
    from tabpfn.inference_config import InferenceConfig
    from tabpfn.preprocessing import PreprocessorConfig

    width = meant_for.features_per_estimator
    categories = "ordinal_very_common_categories_shuffled"
    return InferenceConfig(
        PREPROCESS_TRANSFORMS=[
            PreprocessorConfig(
                "squashing_scaler_default", categorical_name=categories, max_features_per_estimator=width
            ),
            PreprocessorConfig("none", categorical_name="numeric", max_features_per_estimator=width),
        ],
        FINGERPRINT_FEATURE=False,  # a column the pre-training never showed
        SOFTMAX_TEMPERATURE=meant_for.temperature,
        FEATURE_SUBSAMPLING_METHOD="balanced",
        MAX_NUMBER_OF_CLASSES=MAX_CLASSES,
        MAX_NUMBER_OF_FEATURES=meant_for.features,
        MAX_NUMBER_OF_SAMPLES=meant_for.rows,
    )


def build_random(
    path: str | Path, architecture: str = "v3", size: Size | None = None, seed: int = 0, spread: float = 0.1
) -> Weights:
    """Write an untrained network: for tests and as the start of pre-training, never for answers.

    Layers that the architecture starts at zero get normal weights of standard deviation ``spread``, so that what the
    network says depends on the table at all.
    """
    import torch

    network, config = new_network(architecture, size, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2 and not parameter.any():
                parameter.normal_(0.0, spread, generator=generator)
    provenance = {"name": "random weights", "version": f"seed {seed}", "licence": "MIT", "selected_features": 20}
    return save_checkpoint(path, network, config, architecture, provenance)
