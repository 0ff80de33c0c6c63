"""Networks: tensors in, logits or values out. No device, loss, loader, seed or softmax inside."""

from genomap_core.models.map_cnn import GenoNet, MapCNN, MeanLogits

__all__ = ["GenoNet", "MapCNN", "MeanLogits"]
