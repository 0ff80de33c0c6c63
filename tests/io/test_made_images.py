"""A slice of what ``made_images.py`` makes by the thousand: no image is read otherwise than planted without a word."""

from __future__ import annotations

import random

import pytest
from made_images import MAKERS, outcome


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("maker", dict.fromkeys(MAKERS), ids=lambda maker: maker.__name__)
def test_planted_pixels_are_read_or_what_is_not_is_said(maker, figure):
    wrong = []
    for k in range(80):
        made = maker(random.Random(f"slice {k}"))
        if why := outcome(made):
            wrong.append((why, made.axes))
    assert not wrong
    figure("images with planted pixels", 80)
