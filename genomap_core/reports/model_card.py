"""A saved model's card: what it is, what it was trained and tested on, what it is not for (Mitchell et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genomap_core.data.message import plural
from genomap_core.data.schema.recipe import Recipe
from genomap_core.errors import BundleError
from genomap_core.layout.quality import MEASURES
from genomap_core.reports.document import Document, Heading, Table, Text, warnings
from genomap_core.reports.parts import facts_table, origin
from genomap_core.training.bundle_header import BundleHeader
from genomap_core.training.masking import Endurance
from genomap_core.workflows.comparison.scores import METRICS, Score
from genomap_core.workflows.tabular.genomap import solver_words

NETWORKS = {"mapcnn": "map CNN with a linear path beside its convolutions", "genonet": "genoNet, as published"}
SMALL_TEST = 50
"""Test patients below which the card warns."""


def model_card(header: BundleHeader, title: str = "Model card") -> Document:
    """The card of a bundle, from its header alone.

    Raises
    ------
    BundleError
        The header's fields are not what a bundle of ours holds.
    """
    try:
        return _card(header, title)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"The bundle's header lacks what a model card needs ({error}).") from error


def _card(header: BundleHeader, title: str) -> Document:
    fields, known = header.fields, header.provenance
    network, layout = fields["network"], fields["layout"]
    height, width = layout["shape"]
    scores = {k: Score(**v) for k, v in header.metrics.items() if k in METRICS}
    return Document(
        title,
        (
            *warnings(_cautions(known, scores)),
            Heading("What it is"),
            facts_table(
                {
                    "Network": f"{NETWORKS.get(network['name'], network['name'])}; mean of {network['n_members']}",
                    "Input": f"{len(header.feature_names):,} features of one patient, in the order saved in the file",
                    "Output": f"probabilities of {', '.join(header.classes)}",
                    "Map": f"{height} x {width} cells, {plural(int(layout['n_channels']), 'map')}, "
                    f"places by {solver_words(layout['solver'])}",
                    "Features chosen by": _chosen(fields["preprocess"]),
                    "File": f"format version {header.version}, weights' SHA-256 {fields['sha256']}",
                    "Libraries": ", ".join(f"{k} {v}" for k, v in header.libraries.items()),
                }
            ),
            Heading("What it is for"),
            Text(
                "Research on cohorts like the one it was trained on: the same features, measured and scaled the same "
                "way. It knows the classes above and no other; a patient of another kind still gets probabilities that "
                "sum to 1."
            ),
            Text("Not for diagnosis or the choice of a treatment, nor for patients elsewhere without a test there."),
            Heading("What it was trained on"),
            facts_table(_training(known, fields["training"])),
            Heading("How good it is"),
            Table(("score", "on held-out patients, 95 % interval"), _score_rows(scores)),
            Text(
                "Patients of the same cohort, never used for training, selection, scaling or layout. No other cohort "
                "was tested. Brier score: lower is better.",
                kind="about",
            ),
            *_with_features_missing(fields.get("endurance")),
            Heading("How good its map is"),
            Table(("measure", "on the training patients"), _quality_rows(layout["quality"])),
            Heading("How to use it"),
            Text(
                'from genomap_core import load_bundle; bundle = load_bundle("model.safetensors"); '
                "bundle.check_features(names); bundle.pipeline.predict_proba(X). The file holds no code."
            ),
            Heading("Where this card comes from"),
            facts_table(origin()),
        ),
    )  # fmt: skip


def _cautions(known: Mapping[str, Any], scores: Mapping[str, Score]) -> tuple[str, ...]:
    words = []
    if not scores:
        words.append("The file holds no scores: nothing is known of how good this model is.")
    if (n := int(known.get("test_rows", SMALL_TEST))) < SMALL_TEST:
        words.append(f"Tested on {n} patients only: read the intervals, not the figures.")
    return tuple(words)


def _with_features_missing(measured: Mapping[str, Any] | None) -> tuple[Table | Text, ...]:
    """What the model keeps of its accuracy, and its limit; nothing where it was not measured."""
    if measured is None:
        return ()
    found = Endurance(tuple(measured["shares"]), tuple(measured["accuracy"]), measured["chance"])
    rows = tuple((f"{share:.0%}", f"{accuracy:.2f}") for share, accuracy in zip(found.shares, found.accuracy))
    return (
        Table(("features of the model that are there", "balanced accuracy on rows left out in training"), rows),
        Text(f"Tables that lack features are answered down to {found.limit:.0%} of those it uses.", kind="about"),
    )


def _chosen(preprocess: Mapping[str, Any]) -> str:
    how = (
        f"{preprocess['selection']}, at most {preprocess['max_features']:,}"
        if preprocess.get("max_features")
        else "all"
    )
    return how + (", scaled by each feature's training mean and deviation" if preprocess.get("scale") else "")


def _training(known: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    train, test, seed = (
        known.get("training_rows", "not recorded"),
        known.get("test_rows", "none"),
        options["random_state"],
    )
    recipe = Recipe.of_model(known)
    return {
        "Data set (SHA-256)": str(known.get("dataset", "not recorded")),
        "Table read as": "not recorded" if recipe is None else str(recipe),
        "Patients": f"{train} for training, {test} for the test",
        "Options": ", ".join(
            (
                f"at most {plural(int(options['max_epochs']), 'epoch')}" if options["max_epochs"] else "usual epochs",
                f"learning rate {options['learning_rate']}",
                "usual noise" if options["noise"] is None else f"noise {options['noise']} sd",
                "usual mixup" if options["mixup"] is None else f"mixup {options['mixup']}",
                f"seed {'drawn anew' if seed is None else seed}",
            )
        ),
    }


def _score_rows(scores: Mapping[str, Score]) -> tuple[tuple[str, str], ...]:
    return tuple((METRICS[k], str(s)) for k, s in scores.items())


def _quality_rows(quality: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
    return tuple((title, f"{quality[k]:.3f}") for k, title in MEASURES.items())
