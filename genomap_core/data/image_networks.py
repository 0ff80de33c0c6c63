"""Names of the image networks, for pages and tables that must not import torch."""

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
}
"""Name -> title. `genomap_core.models.baselines2d.build_network` makes them."""
