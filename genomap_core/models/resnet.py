"""ResNet-18 and ResNet-34 for any image size, with a place between two stages for another layer."""

from __future__ import annotations

from torch import Tensor, nn

from genomap_core.errors import InputError
from genomap_core.models.staged import Staged

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
STEM_STRIDES = (1, 2, 4)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (He et al., CVPR 2016).

    **Shape**: ``(B, c_in, H, W)`` -> ``(B, c_out, ceil(H / stride), ceil(W / stride))``.
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out))
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        return (self.second(self.first(x)) + self.shortcut(x)).relu()


class ResNet(Staged):
    """Stem, four stages, mean over the image, linear layer.

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, n_classes)`` logits.

    Parameters
    ----------
    depth
        18 or 34.
    width
        Channels of the first stage; 64 as published.
    stem_stride
        4 as published (7 x 7 with stride 2, then pooling); 2 without the pooling; 1 with a 3 x 3, for small images.
    """

    def __init__(
        self, in_channels: int, n_classes: int, *, depth: int = 18, width: int = 64, stem_stride: int = 4
    ) -> None:
        super().__init__(n_classes, (width, *(width * 2**k for k in range(4))))
        if depth not in DEPTHS or stem_stride not in STEM_STRIDES:
            raise InputError(f"`depth` must be 18 or 34 and `stem_stride` 1, 2 or 4, got {depth} and {stem_stride}.")
        self.stem = _stem(in_channels, width, stem_stride)
        self.stages = nn.ModuleList()
        c_in = width
        for k, n_blocks in enumerate(DEPTHS[depth]):
            c_out = width * 2**k
            blocks = [BasicBlock(c_in, c_out, 1 if k == 0 else 2)]
            blocks += [BasicBlock(c_out, c_out) for _ in range(n_blocks - 1)]
            self.stages.append(nn.Sequential(*blocks))
            c_in = c_out
        self.out = nn.Linear(c_in, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _stem(in_channels: int, width: int, stride: int) -> nn.Sequential:
    kernel = 3 if stride == 1 else 7
    convolution = nn.Conv2d(in_channels, width, kernel, min(stride, 2), kernel // 2, bias=False)
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(width), nn.ReLU()]
    if stride == 4:
        layers.append(nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*layers)
