"""The state of a running training on disk: written after each epoch, read when it goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from genomap_core.errors import InputError
from genomap_core.files import write_atomically
from genomap_core.training.loop import TrainState

_VERSION = "2"


@dataclass(frozen=True)
class Checkpoints:
    """States of one training in a folder; ``fingerprint`` says which data and options they belong to."""

    folder: Path
    fingerprint: str

    def saver(self, name: str) -> Callable[[TrainState], None]:
        """What :func:`genomap_core.training.loop.train` calls after each epoch of the network ``name``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return lambda state: write_atomically(self._path(name), _to_bytes(state, self.fingerprint))

    def restore(self, name: str, state: TrainState) -> None:
        """Bring ``state`` to where the saved training stopped; nothing to do if there is none.

        Raises
        ------
        InputError
            The file is damaged, or belongs to other data or options.
        """
        path = self._path(name)
        if not path.is_file():
            return
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                header = dict(file.metadata() or {})
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"The saved training {path} can't be read ({error}): delete it to start anew.") from error
        if header.get("version") != _VERSION or header.get("fingerprint") != self.fingerprint:
            raise InputError(
                f"The saved training in {path.parent} belongs to other data or options: "
                "delete it, or choose another `checkpoint_dir`."
            )
        _from_tensors(state, tensors, json.loads(header["state"]))

    def clear(self) -> None:
        """Remove the states of a finished training."""
        for path in self.folder.glob("member-*.safetensors"):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"member-{name}.safetensors"


def _to_bytes(state: TrainState, fingerprint: str) -> bytes:
    optimiser = state.optimiser.state_dict()
    tensors = {f"module/{k}": v for k, v in state.module.state_dict().items()}
    tensors |= {f"best/{k}": v for k, v in state.best.items()}
    tensors |= {f"generators/{k}": v for k, v in state.generators.items()}
    tensors |= {f"left_out/{epoch}": v for epoch, v in enumerate(state.left_out)}
    for index, values in optimiser["state"].items():
        tensors |= {f"optimiser/{index}/{k}": v for k, v in values.items()}
    plain: dict[str, Any] = {"epoch": state.epoch, "curve": state.curve, "best_epoch": state.best_epoch}
    plain |= {name: _finite_or_none(getattr(state, name)) for name in ("start_loss", "best_loss")}
    header = {"version": _VERSION, "fingerprint": fingerprint, "state": json.dumps(plain)}
    return save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, header)


def _from_tensors(state: TrainState, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    state.module.load_state_dict(part("module/"))
    device = next(state.module.parameters()).device
    state.best = {k: v.to(device) for k, v in part("best/").items()}
    state.generators = part("generators/")
    left_out = part("left_out/")
    state.left_out = [left_out[str(epoch)] for epoch in range(len(left_out))]
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in part("optimiser/").items():
        index, name = key.split("/")
        moments.setdefault(int(index), {})[name] = value
    state.optimiser.load_state_dict({**state.optimiser.state_dict(), "state": moments})
    state.epoch, state.curve = plain["epoch"], plain["curve"]
    state.best_epoch = plain["best_epoch"]
    for name in ("start_loss", "best_loss"):
        setattr(state, name, math.inf if plain[name] is None else plain[name])


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no infinity
