"""Names and options of the networks on images, for pages and tables that must not import torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from genomap_core.errors import InputError

NETWORKS: dict[str, str] = {
    "physnet18": "PhysNet (ResNet-18)",
    "physnet34": "PhysNet (ResNet-34)",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet18_matched": "ResNet-18 + same layer, growth off",
    "resnet34_matched": "ResNet-34 + same layer, growth off",
    "mobilenet_v2": "MobileNetV2",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "physnet_lite": "PhysNet (EfficientNet-Lite0)",
    "efficientnet_lite": "EfficientNet-Lite0",
    "efficientnet_lite_matched": "EfficientNet-Lite0 + same layer, growth off",
}
"""Name -> title. `genomap_core.models.baselines2d.build_network` makes them."""


VARIANTS: dict[str, str] = {
    "stacked": "Images + omics, stacked",
    "image": "Images only",
    "omics": "Omics only",
    "late": "Images + omics, late fusion",
    "attention": "Images + omics, cross-attention",
}
"""Name -> title. `genomap_core.models.fusion.build_fusion` makes them."""

BACKBONES: dict[str, str] = {
    "small": "Small CNN",
    "small3d": "Small CNN in 3-D, over the slices",
    "resnet18": "ResNet-18",
    "densenet121": "DenseNet-121 (MONAI)",
}
"""Name -> title of the convolutional trunk that every variant shares."""

SPREADS: dict[str, str] = {"block": "A block of pixels each", "smooth": "A smooth kernel each"}
"""How a gene's cell covers pixels of the image."""


FRONTS: dict[str, str] = {
    "small": "Small CNN",
    "resnet18": "ResNet-18, three stages",
    "patches": "Patches of a map (tables)",
}
"""Name -> title of what turns a picture into tokens."""

HEADS: dict[str, str] = {"dense": "One output a gene", "map": "Genomap of the expression"}
"""Name -> title of what turns a patient's embedding into expression."""

PATHS: dict[str, str] = {
    "auto": "The CNN's statistics of images; a table's map through the transformer too",
    "statistics": "CNN: statistics of its features",
    "both": "CNN + transformer, the statistics beside it",
    "transformer": "CNN + transformer, no way round it",
}
"""Name -> title of the ways from a feature map to a patient's embedding."""

POOLINGS = ("attention", "mean")
"""How tokens, and slices, become one embedding."""

LOSSES: dict[str, str] = {
    "mse": "Squared error",
    "huber": "Huber",
    "pearson": "Squared error and correlation",
}
"""Name -> title of the loss."""


@dataclass(frozen=True, slots=True)
class ExpressionConfig:
    """Defaults: the small preset, for tens to hundreds of patients. :data:`FULL` is the one for a GPU."""

    front: str = "small"
    paths: str = "auto"
    """Of :data:`PATHS`. Eight transformer layers were not ahead of the statistics alone where both were compared; the
    statistics of a table's map would lose which feature is where."""
    width: int = 16
    embedding: int = 64
    n_layers: int = 8
    n_heads: int = 4
    expansion: int = 2
    """Width of a layer's feed-forward part, in embeddings"""
    dropout: float = 0.1
    pooling: str = "attention"
    head: str = "dense"
    loss: str = "mse"
    weights: str = ""
    """File of a 2-D ResNet-18's weights (.safetensors, names as MONAI's or torchvision's) to start the front from"""
    epochs: int = 40
    batch_size: int = 16
    accumulate: int = 1
    """Parts that a batch is computed in, one after the other, where memory is short"""
    learning_rate: float = 2e-3
    """Highest rate of the one-cycle schedule (Smith & Topin, 2019)"""
    weight_decay: float = 0.05
    noise: float = 0.05
    """Highest standard deviation of the images' noise, in standard deviations of a channel"""
    mirror: bool = True
    shift: float = 0.06
    """Largest move of an image, as a share of its side"""
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        options = (("front", FRONTS), ("pooling", POOLINGS), ("head", HEADS), ("loss", LOSSES), ("paths", PATHS))
        for name, allowed in options:
            if getattr(self, name) not in allowed:
                raise InputError(f"`{name}` must be one of {', '.join(allowed)}, got {getattr(self, name)!r}.")
        for name in ("width", "embedding", "n_heads", "expansion", "epochs", "accumulate"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be >= 1, got {getattr(self, name)}.")
        if self.n_layers < 0:
            raise InputError(f"`n_layers` must be >= 0, got {self.n_layers}.")
        if self.batch_size < 2 * self.accumulate:
            raise InputError(
                f"`batch_size` must be at least twice `accumulate`, got {self.batch_size}: batches are normalised."
            )
        if self.weights and self.front != "resnet18":
            raise InputError("`weights` are those of a ResNet-18: choose the front 'resnet18'.")
        if self.embedding % self.n_heads:
            raise InputError(f"`embedding` ({self.embedding}) must be a multiple of `n_heads` ({self.n_heads}).")
        for name in ("weight_decay", "noise"):
            if getattr(self, name) < 0:
                raise InputError(f"`{name}` must be >= 0, got {getattr(self, name)}.")
        for name in ("dropout", "shift"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"`{name}` must lie in [0, 1), got {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise InputError(f"`learning_rate` must be > 0, got {self.learning_rate}.")

    def seeing(self, images: bool) -> ExpressionConfig:
        """With the paths that ``"auto"`` means for images, or for a table's map."""
        return replace(self, paths="statistics" if images else "both") if self.paths == "auto" else self


FULL = ExpressionConfig(
    front="resnet18", paths="both", width=64, embedding=768, n_heads=12, expansion=4, learning_rate=2e-4, epochs=100
)
"""As large as described (256 x 256 pixels, 768 wide, 8 layers): for a GPU of 24 GB."""
