"""Names of the fusion networks, for pages and tables that must not import torch."""

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
