"""Attribution on empty background: where it is empty, and networks that look there or do not."""

import numpy as np
import pytest
import torch

from genomap_core.data.images.patients import FusionInputs
from genomap_core.data.images.statistics import empty_background
from genomap_core.explain.background import (
    background_share,
    expression_background,
    fusion_background,
    region_share,
)
from genomap_core.workflows.comparison.runner import Run
from genomap_core.workflows.fusion.words import background_sentences, on_background

RNG = np.random.default_rng(0)
BODY = np.zeros((24, 24), bool)
BODY[6:18, 6:18] = True
IMAGE = np.where(BODY, RNG.normal(3, 1, (24, 24)), 0)[None].astype(np.float32)


def test_what_is_even_up_to_the_border_is_empty_whatever_the_scale():
    for image in (IMAGE, 200 * IMAGE + 1000, -IMAGE):
        empty = empty_background(image)
        assert not empty[BODY].any()
        assert empty[~BODY].mean() > 0.8, "all but the rim of what is shown"
    assert not empty_background(RNG.normal(size=(1, 24, 24))).any()


def test_an_even_place_inside_what_is_shown_is_no_background():
    holed = RNG.normal(3, 1, (2, 24, 24))
    holed[:, 8:16, 8:16] = 0
    assert not empty_background(holed).any()
    holed[0, :8] = 0
    assert not empty_background(holed).any(), "the other channel shows something there"


def test_shares_of_pixels_and_of_regions():
    values = np.zeros((1, 24, 24))
    values[0, 0, 0], values[0, 12, 12] = -1, 3
    share, area = background_share(values, IMAGE[None])
    assert share == 0.25
    assert 0.5 < area < 0.75
    assert background_share(np.zeros((1, 24, 24)), IMAGE[None])[0] == 0
    left = np.repeat([[0, 1]], 24, axis=0).repeat(12, axis=1)
    assert region_share(np.array([1.0, 0.0]), left, IMAGE)[0] == region_share(np.array([-2.0, 0.0]), left, IMAGE)[0]


def test_a_network_that_looks_at_the_margin_is_told_from_one_that_looks_at_the_body():
    where = {"body": torch.from_numpy(BODY), "margin": torch.from_numpy(~BODY)}
    lit = IMAGE + 0.5  # as a scanner that lights the margin
    inputs = FusionInputs(lit[None], np.zeros((1, 1, 24, 24), np.float32), np.ones((1, 1), np.float32))
    found = {}
    for name, mask in where.items():

        def network(images, maps, present, mask=mask):
            logit = (images * mask).mean((1, 2, 3)) + 0 * maps.sum((1, 2, 3))
            return torch.stack([logit, -logit], dim=1)

        found[name] = fusion_background([network], inputs)[0, 0]
        genes = expression_background(lambda rows, mask=mask: (rows * mask).mean((2, 3, 4)), lit[None, None])
        np.testing.assert_allclose(genes[0, 0], found[name], atol=0.05)
    assert found["body"] == 0
    assert found["margin"] > 0.7


def test_the_sentence_says_what_is_known():
    assert "no empty background" in on_background(0.5, 0.001, 0.5, "images")
    assert on_background(0.1, 0.3, None, "images").endswith("30% of the picture.")
    assert on_background(0.1, 0.3, 0.2, "images").endswith("other patients' images 20%.")


@pytest.mark.parametrize(("own", "claimed"), [(0.1, True), (0.2, False), (0.3, False)])
def test_that_less_lies_there_is_claimed_of_patients_who_show_it(own, claimed):
    shares = {"first": own + 0.05 * RNG.normal(size=40), "control": 0.2 + 0.05 * RNG.normal(size=40)}
    runs = {k: Run(k, {"background": np.column_stack([v, np.full(40, 0.4)])}) for k, v in shares.items()}
    (said,) = background_sentences(runs, "first", "control", "images")
    assert ("not shown to be less" in said) != claimed
    runs["first"].values["background"][:30] = np.nan  # not looked at
    assert background_sentences(runs, "first", "control", "images")
    assert not background_sentences({"first": Run("first")}, "first", "control", "images")
