"""Networks: tensors in, logits or values out. No device, loss, loader, seed or softmax inside."""

from genomap_core.models.ensemble import MeanLogits
from genomap_core.models.genonet import GenoNet
from genomap_core.models.map_cnn import MapCNN

__all__ = ["GenoNet", "MapCNN", "MeanLogits"]
