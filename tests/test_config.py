"""``.streamlit/config.toml``: the settings that keep data on this machine, and a theme that can be read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from streamlit import config

from genomap_core.plotting import colour

ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
THEMES = ("light", "dark")

PRIVATE = {
    "server": {
        "address": "127.0.0.1",
        "allowedHosts": ["127.0.0.1", "localhost"],
        "headless": True,
        "showEmailPrompt": False,
        "maxUploadSize": 200,
        "maxMessageSize": 50,
        "maxCacheDataSize": "1gb",
        "disconnectedSessionTTL": 60,
        "fileWatcherType": "none",
        "enableXsrfProtection": True,
        "enableCORS": True,
        "xsrfCookieSameSite": "strict",
        "enableStaticServing": False,
        "enableAgentApi": False,
    },
    "browser": {"gatherUsageStats": False},
    "client": {
        "showErrorDetails": "none",
        "showErrorLinks": False,
        "toolbarMode": "minimal",
        "disableDataExport": True,
    },
    "runner": {"magicEnabled": False, "postScriptGC": False},
}


@pytest.mark.parametrize("section", PRIVATE)
def test_the_settings_that_keep_data_here_are_set(section: str) -> None:
    assert CONFIG[section] == PRIVATE[section]


def keys(table: dict[str, object], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in table.items():
        found += keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]
    return found


@pytest.mark.parametrize("key", keys(CONFIG))
def test_streamlit_knows_every_setting(key: str) -> None:
    known = set(config._config_options_template)
    assert key in known, "misspelt settings are ignored in silence"


def rgb(code: str) -> np.ndarray:
    return np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)], dtype=float)


def luminance(colour_: np.ndarray) -> float:
    """Relative luminance of an sRGB colour in 0-255 (WCAG 2.2)."""
    c = colour_ / 255
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, two: np.ndarray) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def grounds(theme: str) -> list[np.ndarray]:
    t = CONFIG["theme"][theme]
    parts = (t, t["sidebar"])
    return [rgb(part[name]) for part in parts for name in ("backgroundColor", "secondaryBackgroundColor")]


def test_the_contrast_formula_gives_the_known_ratios() -> None:
    assert contrast(rgb("#ffffff"), rgb("#000000")) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["textColor", "linkColor", "grayTextColor"])
def test_text_can_be_read_on_every_ground(theme: str, name: str) -> None:
    text = rgb(CONFIG["theme"][theme][name])
    assert min(contrast(text, ground) for ground in grounds(theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_captions_at_sixty_per_cent_can_be_read_on_the_page(theme: str) -> None:
    t = CONFIG["theme"][theme]
    ground = rgb(t["backgroundColor"])
    assert contrast(0.6 * rgb(t["textColor"]) + 0.4 * ground, ground) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_buttons_and_controls_stand_out(theme: str) -> None:
    primary = rgb(CONFIG["theme"][theme]["primaryColor"])
    assert contrast(primary, rgb("#ffffff")) >= 4.5, "button labels are white"
    assert min(contrast(primary, ground) for ground in grounds(theme)) >= 3


def test_charts_use_the_same_colours_as_our_pictures() -> None:
    theme = CONFIG["theme"]
    assert tuple(theme["chartCategoricalColors"]) == colour.CATEGORICAL
    for name, table in (("chartSequentialColors", colour.cividis()), ("chartDivergingColors", colour.vik())):
        assert len(theme[name]) == 10
        for code in theme[name]:
            assert np.abs(table - rgb(code)).max(axis=1).min() <= 1, f"{code} is not in the table of {name}"
