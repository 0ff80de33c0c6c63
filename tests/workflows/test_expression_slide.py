"""A prediction on a slide: high where the tissue is dark, and every patch's share of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from planted_slides import COLOURS, SIDE, saved, trained

from genomap_core.data.images.intensity import scale_bytes
from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA
from genomap_core.io.images.slide import SlideOptions, read_slide
from genomap_core.plotting import over_slide
from genomap_core.training.expression_patches import predict_patches
from genomap_core.workflows.expression.slide import on_patches, slide_model
from tools.slide_benchmark import write_slide


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "a.svs"
    write_slide(path, 1024)
    return read_slide(path, SlideOptions(side=SIDE, microns=1.0, tissue=0.9))


def test_the_planted_gene_is_high_on_the_dark_half(cut, tmp_path):
    data = saved(tmp_path / "m.safetensors").read_bytes()
    facts = slide_model(data)
    assert (facts.side, facts.patches, facts.cohort) == (SIDE, 1, "planted spots")
    arrays = {"patches": cut.values, "model": np.frombuffer(data, np.uint8)}
    about, answers = on_patches({"digest": "x"}, arrays, {})
    assert not about["learned"]
    gene, x = answers["values"][:, facts.genes.index("DARK")], cut.places[:, 0] / cut.size[0]
    left, right = gene[x < 0.42], gene[x > 0.58]
    assert left.min() > right.max()
    np.testing.assert_allclose(answers["patient"], answers["values"].mean(0), rtol=1e-5)
    figure = over_slide(cut.thumbnail, cut.size, cut.places, cut.span, gene, "log2")
    z = np.array(figure.data[0].z)
    assert np.isfinite(z).sum() == len(gene)
    half = z.shape[1] // 2
    assert np.nanmean(z[:, : half - 1]) > np.nanmean(z[:, half + 1 :])


def test_a_network_of_several_patches_says_what_each_counts(cut):
    model = trained(patches=4)
    images = scale_bytes(np.moveaxis(cut.values, 3, 1))
    found = predict_patches(model, images)
    assert found.learned
    assert found.weights.shape == (len(images),)
    assert found.weights.sum() == pytest.approx(1, abs=1e-5)
    assert found.patient.shape == (3,)
    one = predict_patches(model, images[:1])
    np.testing.assert_allclose(one.patient, one.values[0], rtol=1e-4)
    with pytest.raises(InputError, match="16 x 16"):
        predict_patches(model, images[:, :, :8, :8])


def test_models_of_other_images_are_refused_by_name():
    with pytest.raises(InputError, match="other channels"):
        slide_model(next((SAMPLE_DATA / "radiogenomics").glob("*.safetensors")).read_bytes())
    with pytest.raises(InputError, match="Expression page"):
        slide_model(next((SAMPLE_DATA / "fusion").glob("*.safetensors")).read_bytes())
    assert COLOURS == ("red", "green", "blue")
