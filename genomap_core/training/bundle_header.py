"""What a table's saved model says about itself, and which tables it fits. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genomap_core.errors import BundleError
from genomap_core.modelfile import (
    ANSWERS_ELSEWHERE,
    TensorInfo,
    as_names,
    check_fields,
    own_fields,
    read_container,
    shorten,
)

FORMAT = "genomap"


@dataclass(frozen=True, eq=False)
class BundleHeader:
    """A bundle without its weights."""

    version: int
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]
    libraries: Mapping[str, str]
    fields: Mapping[str, Any]
    """The whole JSON header: preprocessing, layout, network, training, history, checksum."""
    tensors: Mapping[str, TensorInfo]


def read_header(data: bytes) -> BundleHeader:
    """Header of a bundle given as the file's bytes.

    Raises
    ------
    RefusedError
        The file breaks a limit or contradicts itself.
    BundleError
        It is another program's file, or a later version's.
    """
    metadata, tensors = read_container(data)
    fields = own_fields(metadata, tensors)
    if fields["format"] != FORMAT:
        raise BundleError(f"The file holds no model of a table: {ANSWERS_ELSEWHERE[fields['format']]}.")
    check_fields(fields)
    try:
        return BundleHeader(
            version=fields["version"],
            classes=as_names(fields["classes"]),
            feature_names=as_names(fields["features"]),
            metrics=dict(fields.get("metrics", {})),
            provenance=dict(fields.get("provenance", {})),
            libraries=dict(fields.get("libraries", {})),
            fields=fields,
            tensors=tensors,
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"The bundle's header has fields of the wrong kind ({error}).") from error


def check_features(own: Sequence[str], given: Sequence[str]) -> None:
    """Raise :class:`BundleError` with a readable difference unless both are the same names in the same order."""
    own, given = [str(name) for name in own], [str(name) for name in given]
    if own == given:
        return
    missing, extra = sorted(set(own) - set(given)), sorted(set(given) - set(own))
    lines = [f"The model was trained on {len(own)} features, the table has {len(given)}:"]
    lines += [f"  missing in the table ({len(missing)}): {shorten(missing)}"] if missing else []
    lines += [f"  unknown to the model ({len(extra)}): {shorten(extra)}"] if extra else []
    at = next((i for i, pair in enumerate(zip(own, given)) if pair[0] != pair[1]), None)
    if at is not None:
        lines.append(f"  first difference at column {at + 1}: the model has {own[at]!r}, the table {given[at]!r}")
    if not missing and not extra:
        lines[0] = f"The model was trained on the same {len(own)} features (genes) in another order:"
        lines.append("Put the columns in the model's order.")
    else:
        lines.append("Choose a table with the model's features, or train a model on this table.")
    raise BundleError("\n".join(lines))
