"""Time and memory of networks on images, one beside the other: ``python -m tools.image_network_benchmark``.

Without options: PhysNet beside the same ResNet without growth. ``--networks monai_resnet18 expression``: the network
from images to expression beside a plain ResNet of MONAI with as many outputs, stages as wide, images as large.

Each network is measured in a process of its own: time is the least of several runs (processor seconds on a CPU), memory
the process's peak on a CPU, the allocator's on a GPU, over one training step.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from genomap_core.data.images.networks import FULL
from genomap_core.models.baselines2d import build_network
from genomap_core.models.expression import ExpressionNet, ExpressionSpec
from genomap_core.models.physnet import PhysicsConfig

LIMIT = 1.5
EXPRESSION = ("monai_resnet18", "expression")
GENES = 20_000


def measure(name: str, size: int, batch: int, n_steps: int, width: int, repeats: int, device: str) -> dict[str, float]:
    """Seconds of a prediction and of a training step, and MB of a training step."""
    torch.manual_seed(0)
    net = _network(name, size, n_steps, width).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(batch, 1, size, size, device=device)
    y = (
        torch.randn(batch, GENES, device=device)
        if name in EXPRESSION
        else torch.zeros(batch, dtype=torch.long).to(device)
    )
    if device != "cpu":
        train_step(net, x, y)
        torch.cuda.reset_peak_memory_stats()
    train_step(net, x, y)
    memory = _peak_mb(device)
    train = _least(lambda: train_step(net, x, y), repeats, device)
    net.eval()
    with torch.inference_mode():
        predict = _least(lambda: net(x), repeats, device)
    return {"predict_s": predict, "train_s": train, "memory_mb": memory, "parameters": _count(net)}


def train_step(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    """Forward and backward once."""
    net.zero_grad(set_to_none=True)
    loss = F.cross_entropy if y.dtype == torch.long else F.mse_loss
    loss(net(x), y).backward()


def _network(name: str, size: int, n_steps: int, width: int) -> nn.Module:
    """One by its name, on grey images."""
    if name not in EXPRESSION:
        return build_network(name, 1, 4, width=width, physics=PhysicsConfig(n_steps=n_steps))
    if name == "monai_resnet18":
        nets = importlib.import_module("monai.networks.nets")
        planes = [width * 2**k for k in range(4)]
        found: nn.Module = nets.ResNet(
            "basic", [2, 2, 2, 2], planes, spatial_dims=2, n_input_channels=1, conv1_t_stride=2, num_classes=GENES
        )
        return found
    sizes = (FULL.embedding, FULL.n_layers, FULL.n_heads, FULL.expansion)
    spec = ExpressionSpec(1, (size, size), GENES, FULL.front, width, *sizes)
    return nn.Sequential(nn.Unflatten(1, (1, 1)), ExpressionNet(spec))


def report(networks: Sequence[str], rows: dict[str, dict[str, float]], batch: int) -> str:
    """The figures as text, behind each its cost (seconds, memory) as a multiple of the first network's."""
    base = rows[networks[0]]
    heads = ("predict images/s", "train images/s", "memory MB")
    lines = [f"{'network':<20}{'parameters':>12}" + "".join(f"{head:>20}" for head in heads)]
    for name in networks:
        row = rows[name]
        cells = [
            f"{shown(row[key]):>10.1f} ({row[key] / base[key]:.2f} x)"
            for key, shown in (
                ("predict_s", lambda s: batch / s),
                ("train_s", lambda s: batch / s),
                ("memory_mb", float),
            )
        ]
        lines.append(f"{name:<20}{row['parameters']:>12,.0f}" + "".join(f"{c:>20}" for c in cells))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when PhysNet costs more than 1.5 times the ResNet."""
    parser = argparse.ArgumentParser(prog="python -m tools.image_network_benchmark", description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["resnet18", "physnet18"], help="the first is the reference")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="K of the growth model")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.one:
        figures = measure(args.one, args.size, args.batch, args.steps, args.width, args.repeats, args.device)
        sys.stdout.write(json.dumps(figures) + "\n")
        return 0
    rows = {name: _in_its_own_process(name, args) for name in args.networks}
    sys.stdout.write(report(args.networks, rows, args.batch) + "\n")
    if "physnet" not in args.networks[-1]:
        return 0
    first = args.networks[0]
    ratios = {key: rows[args.networks[-1]][key] / rows[first][key] for key in ("predict_s", "train_s", "memory_mb")}
    good = max(ratios.values()) <= LIMIT
    sys.stdout.write(f"{args.networks[-1]} {'keeps' if good else 'misses'} the goal of {LIMIT} x {first}.\n")
    return 0 if good else 1


def _in_its_own_process(name: str, args: argparse.Namespace) -> dict[str, float]:
    options = {"size": args.size, "batch": args.batch, "steps": args.steps, "width": args.width}
    options |= {"repeats": args.repeats, "device": args.device}
    words = [f"--{key}={value}" for key, value in options.items()]
    done = subprocess.run(
        [sys.executable, "-m", "tools.image_network_benchmark", f"--one={name}", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _least(work: Callable[[], object], repeats: int, device: str) -> float:
    # On a CPU its own time counts, so that other work on the machine does not.
    clock = time.process_time if device == "cpu" else time.perf_counter
    seconds = []
    for _ in range(repeats + 1):
        start = clock()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(clock() - start)
    return min(seconds)


def _peak_mb(device: str) -> float:
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def _count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


if __name__ == "__main__":
    sys.exit(main())
