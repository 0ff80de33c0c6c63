"""``figure(name, amount)``: what a test counted, for the table that ``make trust`` prints (tests/trust/report.py)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Notes a figure; nothing happens without ``GENOMAP_FIGURES``, the file to add it to."""
    place = os.environ.get("GENOMAP_FIGURES")

    def note(name: str, amount: float) -> None:
        if place:
            with Path(place).open("a") as file:
                file.write(json.dumps({"figure": name, "amount": amount, "test": request.node.nodeid}) + "\n")

    return note
