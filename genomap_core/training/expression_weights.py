"""Weights of a trained ResNet from a file of the user's. No pickle."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from genomap_core.errors import InputError


def read_resnet(path: Path) -> dict[str, Tensor]:
    """Tensors by name.

    Raises
    ------
    InputError
        There is no such file, or it is no safetensors file.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path.name}: give the weights of a 2-D ResNet-18 as .safetensors.")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path.name} is no safetensors file: save a state dict with `safetensors.torch.save_file`."
        ) from error
