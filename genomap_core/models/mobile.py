"""Networks of inverted residuals: MobileNetV2, and EfficientNet-Lite0 with a place between two stages."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from genomap_core.errors import InputError
from genomap_core.models.staged import Staged

# Of each stage: expansion, channels at width 64, blocks, stride (Sandler et al., CVPR 2018, table 2; stem 32).
_MOBILE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
# Of each stage: expansion, kernel, stride, channels, blocks (Tan & Le, ICML 2019, table 1; stem 32).
_LITE = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
_LITE_STEM, _LITE_EPS = 32, 1e-3
_GREY_UNIT = 0.5
"""A grey value's standard deviation inside a head, in the units of the colours that the weights were trained on"""


class InvertedResidual(nn.Module):
    """Expand by 1 x 1, convolve each channel by itself, project by 1 x 1; shortcut where the shape allows.

    **Shape**: ``(B, c_in, H, W)`` -> ``(B, c_out, ceil(H / stride), ceil(W / stride))``.

    Parameters
    ----------
    corner
        Where the stride is 2, the padding lies below and to the right, as TensorFlow has it (for even sides).
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        expansion: int,
        *,
        kernel: int = 3,
        eps: float = 1e-5,
        corner: bool = False,
    ) -> None:
        super().__init__()
        hidden = c_in * expansion
        layers = [] if expansion == 1 else _convolution(c_in, hidden, 1, eps=eps)
        layers += _convolution(hidden, hidden, kernel, stride, groups=hidden, eps=eps, corner=corner)
        layers += [nn.Conv2d(hidden, c_out, 1, bias=False), nn.BatchNorm2d(c_out, eps=eps)]
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.shortcut else self.layers(x)


class MobileNetV2(nn.Module):
    """Inverted residuals (Sandler et al., CVPR 2018).

    **Shape**: ``(B, in_channels, H, W)`` -> ``(B, n_classes)`` logits. ``width`` 64 is the published network; others
    scale its channels.
    """

    def __init__(self, in_channels: int, n_classes: int, *, width: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        scale = width / 64
        c_in, c_last = _scaled(32, scale), _scaled(1280, min(1.0, scale))
        layers = _convolution(in_channels, c_in, 3, 2)
        for expansion, channels, n_blocks, stride in _MOBILE:
            c_out = _scaled(channels, scale)
            for k in range(n_blocks):
                layers.append(InvertedResidual(c_in, c_out, stride if k == 0 else 1, expansion))
                c_in = c_out
        self.features = nn.Sequential(*layers, *_convolution(c_in, c_last, 1))
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(c_last, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.features(x).mean((2, 3)))


class EfficientNetLite(Staged):
    """The first five stages of EfficientNet-Lite0, mean over the image, linear layer.

    EfficientNet-B0 (Tan & Le, ICML 2019) without squeeze-and-excitation and with ReLU6, as its authors made it for
    small devices. The last two stages are left out: they hold three quarters of the weights and see the image on a grid
    too coarse for a slice of 128 pixels.

    **Shape**: ``(B, in_channels, H, W)``, sides a multiple of 16 -> ``(B, n_classes)`` logits.
    """

    def __init__(self, in_channels: int, n_classes: int, *, dropout: float = 0.2) -> None:
        super().__init__(n_classes, (_LITE_STEM, *(channels for _, _, _, channels, _ in _LITE)))
        self.stem = nn.Sequential(*_convolution(in_channels, _LITE_STEM, 3, 2, eps=_LITE_EPS, corner=True))
        self.stages = nn.ModuleList()
        c_in = _LITE_STEM
        for expansion, kernel, stride, c_out, n_blocks in _LITE:
            blocks = []
            for k in range(n_blocks):
                own = stride if k == 0 else 1
                blocks.append(
                    InvertedResidual(c_in, c_out, own, expansion, kernel=kernel, eps=_LITE_EPS, corner=own == 2)
                )
                c_in = c_out
            self.stages.append(nn.Sequential(*blocks))
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(c_in, n_classes))

    def adopt(self, weights: Mapping[str, Tensor]) -> None:
        """Take stem and stages from the state dict of a published EfficientNet-Lite0 for colour pictures.

        Tensors are matched in their order, which is that of the layers. The first layer is summed over the colours: a
        grey picture is one whose colours are equal.

        Raises
        ------
        InputError
            The weights are those of another network.
        """
        own = {n: v for n, v in self.state_dict().items() if not n.startswith("out.")}
        theirs = list(weights.values())[: len(own)]
        wanted = [tuple(v.shape) for v in own.values()]
        found = [tuple(v.shape) for v in theirs]
        if len(found) < len(wanted) or found[1:] != wanted[1:] or found[0] != (_LITE_STEM, 3, 3, 3):
            raise InputError("The file holds no weights of an EfficientNet-Lite0 for colour pictures.")
        stem = next(iter(own.values()))
        theirs[0] = (theirs[0].sum(1, keepdim=True) * _GREY_UNIT / stem.shape[1]).expand_as(stem)
        self.load_state_dict(dict(zip(own, theirs)), strict=False)


def _convolution(
    c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1, *, eps: float = 1e-5, corner: bool = False
) -> list[nn.Module]:
    padding = 0 if corner else kernel // 2
    convolution = nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=False)
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(c_out, eps=eps), nn.ReLU6()]
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    return [nn.ZeroPad2d((before, after, before, after)), *layers] if corner else layers


def _scaled(channels: int, scale: float) -> int:
    """Channels times scale, to a multiple of 8 that is no more than a tenth smaller."""
    c = max(8, int(channels * scale + 4) // 8 * 8)
    return c + 8 if c < 0.9 * channels * scale else c
