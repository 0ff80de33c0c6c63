"""Why a model answers as it does: Captum on networks, map regions for any model, and checks of both.

Importing this loads neither torch nor Captum; they come with the first explanation.
"""

from genomap_core.explain.attribution import Agreement, Attribution, agreement
from genomap_core.explain.entry import METHODS, explain, model_regions

__all__ = ["METHODS", "Agreement", "Attribution", "agreement", "explain", "model_regions"]
