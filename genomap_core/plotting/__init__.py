"""Values -> figures. Nothing is shown or saved, little computed; plotly is imported with the first figure."""

from genomap_core.plotting.features import (
    attribution_agreement,
    attribution_bars,
    feature_distribution,
    probability_bars,
)
from genomap_core.plotting.imaging import (
    interaction_heatmap,
    over_slide,
    predicted_measured,
    r_histogram,
    tissue,
    type_heatmap,
)
from genomap_core.plotting.layouts import displacement_map, feature_journey, layout_quality
from genomap_core.plotting.performance import (
    confusion,
    learning_curves,
    reliability,
    robustness_curves,
    roc,
    score_intervals,
)
from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.plotting.static_map import StaticMap, map_png, map_svg
from genomap_core.plotting.template import for_export

__all__ = [
    "RESEARCH_USE",
    "StaticMap",
    "attribution_agreement",
    "attribution_bars",
    "confusion",
    "displacement_map",
    "feature_distribution",
    "feature_journey",
    "for_export",
    "interaction_heatmap",
    "layout_quality",
    "learning_curves",
    "map_png",
    "map_svg",
    "over_slide",
    "predicted_measured",
    "probability_bars",
    "r_histogram",
    "reliability",
    "robustness_curves",
    "roc",
    "score_intervals",
    "tissue",
    "type_heatmap",
]
