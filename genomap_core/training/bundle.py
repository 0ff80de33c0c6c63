"""A trained model in one file: everything needed to predict, nothing that can run.

Tensors are stored as on a CPU, so that a bundle made on a GPU loads anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from sklearn.pipeline import Pipeline

from genomap_core.data.fill import LowRankFill
from genomap_core.data.fingerprint import row_fingerprints
from genomap_core.data.preprocess import Preprocessor
from genomap_core.errors import BundleError, GenomapError, RefusedError
from genomap_core.files import USUAL, write_atomically
from genomap_core.layout import GenomapTransformer, Layout
from genomap_core.modelfile import VERSION, check_finite, checksum, shorten
from genomap_core.models.map_cnn import MeanLogits
from genomap_core.training.bundle_header import FORMAT, BundleHeader, check_features, read_header
from genomap_core.training.classifier import MapClassifier
from genomap_core.training.masking import Endurance
from genomap_core.training.networks import NetworkSpec
from genomap_core.training.pipelines import MapPipeline

MAX_BYTES = 2 * 2**30
_MAX_MEMBERS = 100
_LEARNED = ("median_", "kept_", "mean_", "scale_")
_SEEN = "training/rows"
_FILL = ("mean", "components", "noise")
_LABELS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


@dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded model."""

    pipeline: Pipeline
    """Predicts from raw tables ``(n, p)`` whose columns are ``feature_names`` in this order."""
    feature_names: tuple[str, ...]
    classes: tuple[str, ...]
    """Names of the classes, in the order of ``predict_proba``'s columns."""
    header: BundleHeader
    seen: np.ndarray | None = None
    """``(n,)`` fingerprints of the training rows, see :func:`~genomap_core.data.fingerprint.row_fingerprints`; None in
    files that do not have them"""

    def check_features(self, names: Sequence[str]) -> None:
        """Raise :class:`BundleError` with a readable difference unless ``names`` are the model's, in its order."""
        check_features(self.feature_names, names)


def save_bundle(
    target: str | Path | BinaryIO,
    pipeline: Pipeline,
    *,
    feature_names: Sequence[str],
    classes: Sequence[str],
    metrics: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    training_rows: Any = None,
) -> None:
    """Write a fitted genomap pipeline as one ``.safetensors`` file.

    Parameters
    ----------
    target
        A path (written beside, then renamed), or a binary file.
    pipeline
        As made by :func:`genomap_core.training.genomap_pipeline` and fitted.
    feature_names
        Of the raw table's columns, ``p`` of them.
    classes
        Names of the classes, in the order of ``pipeline.classes_``.
    metrics, provenance
        JSON-able: figures to show; digest of the data set, seed, date.
    training_rows
        ``(n, p)`` raw: their fingerprints are stored, so that the model can say of a row whether it was among them.

    Raises
    ------
    BundleError
        The pipeline is of another kind or not fitted, names don't fit it, or a weight is NaN.
    """
    preprocessor, transformer, classifier = _steps(pipeline)
    if len(feature_names) != preprocessor.n_features_in_:
        raise BundleError(f"{len(feature_names)} feature names for a model of {preprocessor.n_features_in_} features.")
    if len(classes) != len(classifier.classes_):
        raise BundleError(f"{len(classes)} class names for a model of {len(classifier.classes_)} classes.")
    layout_arrays, layout_header = transformer.layout_.to_arrays()
    arrays = {f"preprocess/{name}": np.asarray(getattr(preprocessor, name)) for name in _LEARNED}
    if preprocessor.fill_ is not None:
        arrays |= {f"fill/{name}": getattr(preprocessor.fill_, name) for name in _FILL}
    arrays |= {f"layout/{name}": array for name, array in layout_arrays.items()}
    arrays |= {f"network/{k}": v.cpu().float().numpy() for k, v in classifier.module_.state_dict().items()}
    if training_rows is not None:
        arrays[_SEEN] = row_fingerprints(training_rows)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    check_finite(arrays)
    fields = {
        "classes": [str(name) for name in classes],
        "labels": _labels(classifier.classes_),
        "features": [str(name) for name in feature_names],
        "named_columns": hasattr(preprocessor, "feature_names_in_"),
        "preprocess": _plain(preprocessor),
        "layout": layout_header,
        "transformer": _plain(transformer),
        "network": {**asdict(classifier.network_), "n_members": len(classifier.module_.members)},
        "training": {**_plain(classifier), "n_epochs": classifier.n_epochs_},
        "history": classifier.history_,
        "endurance": None if classifier.endurance_ is None else asdict(classifier.endurance_),
        "metrics": dict(metrics or {}),
        "provenance": dict(provenance or {}),
        "libraries": _libraries(),
        "sha256": checksum(arrays),
    }
    metadata = {"format": FORMAT, "version": str(VERSION), "header": _to_json(fields)}
    content = save_tensors(arrays, metadata)
    if isinstance(target, str | Path):
        write_atomically(Path(target), content, USUAL)
    else:
        target.write(content)


def load_bundle(source: str | Path | bytes) -> Bundle:
    """Read what :func:`save_bundle` wrote, from a path or from the file's bytes.

    Raises
    ------
    RefusedError
        The file is damaged, too large or contradicts itself.
    BundleError
        It belongs to another program or a later version, or its parts don't fit together.
    """
    data = source if isinstance(source, bytes) else _read(Path(source))
    header = read_header(data)
    arrays = load_tensors(data)
    try:
        if checksum(arrays) != header.fields["sha256"]:
            raise BundleError("The bundle's tensors differ from its checksum: the file was changed or damaged.")
        check_finite(arrays)
        module, spec = _network(header, arrays)
        pipeline = MapPipeline(
            [
                ("preprocess", _preprocessor(header, arrays)),
                ("genomap", _transformer(header, arrays)),
                ("network", _classifier(header, module, spec)),
            ]
        )
        _check_fit(pipeline, header)
    except BundleError:
        raise
    except (GenomapError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BundleError(f"The bundle's parts don't fit together ({type(error).__name__}: {error}).") from error
    return Bundle(pipeline, header.feature_names, header.classes, header, arrays.get(_SEEN))


def _libraries() -> dict[str, str]:
    found = {name: version(name) for name in ("torch", "numpy", "scikit-learn", "safetensors")}
    try:
        return found | {"genomap-studio": version("genomap-studio")}
    except PackageNotFoundError:  # run from its source folder
        return found


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise BundleError(f"There is no file {path.name}.")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise RefusedError(f"{path.name} has {size} bytes, over the limit of {MAX_BYTES} for a bundle.")
    return path.read_bytes()


def _steps(pipeline: Pipeline) -> tuple[Preprocessor, GenomapTransformer, MapClassifier]:
    steps = [step for _, step in getattr(pipeline, "steps", [])]
    kinds = (Preprocessor, GenomapTransformer, MapClassifier)
    if len(steps) != 3 or not all(isinstance(step, kind) for step, kind in zip(steps, kinds)):
        raise BundleError("Only a pipeline of Preprocessor, GenomapTransformer and MapClassifier can be bundled.")
    if not hasattr(steps[2], "module_"):
        raise BundleError("The pipeline is not fitted: call `fit` before saving it.")
    return steps[0], steps[1], steps[2]


def _labels(values: np.ndarray) -> dict[str, Any]:
    plain = values.tolist()
    kind = type(plain[0]).__name__
    if kind not in _LABELS or any(type(v).__name__ != kind for v in plain):
        raise BundleError(f"Class labels must be texts or numbers of one kind, got {kind}.")
    return {"kind": kind, "values": plain}


def _plain(estimator: Any) -> dict[str, Any]:
    """Constructor parameters that JSON can hold; functions, folders and transformers are not part of a model."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in estimator.get_params(deep=False).items()
        if isinstance(value, str | int | float | bool | list | tuple | dict | np.ndarray | None)
        and name != "checkpoint_dir"
    }


def _to_json(fields: Mapping[str, Any]) -> str:
    try:
        return json.dumps(fields, default=_number)
    except (TypeError, ValueError) as error:
        raise BundleError(f"Metrics and provenance must be JSON-able ({error}).") from error


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON-able")


def _network(header: BundleHeader, arrays: Mapping[str, np.ndarray]) -> tuple[MeanLogits, NetworkSpec]:
    """The network, its tensors' names and shapes compared before anything of the declared size is built."""
    fields = dict(header.fields["network"])
    n_members = int(fields.pop("n_members"))
    if not 1 <= n_members <= _MAX_MEMBERS:
        raise BundleError(f"The bundle declares {n_members} networks: expected 1 to {_MAX_MEMBERS}.")
    spec = NetworkSpec(**fields)
    with torch.device("meta"):
        module = MeanLogits(spec.build() for _ in range(n_members))
    own = {k.removeprefix("network/"): a for k, a in arrays.items() if k.startswith("network/")}
    want = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    missing, unexpected = sorted(want.keys() - own.keys()), sorted(own.keys() - want.keys())
    if missing or unexpected:
        raise BundleError(
            f"These are another network's weights. Missing tensors: {shorten(missing) or 'none'}; "
            f"unexpected: {shorten(unexpected) or 'none'}."
        )
    wrong = [f"{name} {own[name].shape} instead of {shape}" for name, shape in want.items() if own[name].shape != shape]
    if wrong:
        raise BundleError(f"Tensors of another shape than the network declared in the header: {shorten(wrong, 3)}.")
    module.load_state_dict({k: torch.from_numpy(a.copy()).float() for k, a in own.items()}, assign=True)
    return module.eval(), spec


def _preprocessor(header: BundleHeader, arrays: Mapping[str, np.ndarray]) -> Preprocessor:
    model = Preprocessor(**header.fields["preprocess"])
    for name in _LEARNED:
        setattr(model, name, arrays[f"preprocess/{name}"])
    p = model.n_features_in_ = len(header.feature_names)
    q = len(model.kept_)
    if len(model.median_) != p or len(model.mean_) != q or len(model.scale_) != q or (model.scale_ <= 0).any():
        raise BundleError(f"The preprocessing is not that of the {p} features in the header.")
    if q and not 0 <= model.kept_.min() <= model.kept_.max() < p:
        raise BundleError("The preprocessing keeps features that the header doesn't name.")
    model.fill_ = _fill(arrays, q) if model.fill == "lowrank" else None
    if header.fields.get("named_columns"):
        model.feature_names_in_ = np.asarray(header.feature_names, dtype=object)
    return model


def _fill(arrays: Mapping[str, np.ndarray], q: int) -> LowRankFill:
    fill = LowRankFill(**{name: arrays[f"fill/{name}"] for name in _FILL})
    sides = {fill.mean.shape, fill.noise.shape, fill.components.shape[1:]}
    if sides != {(q,)} or fill.components.ndim != 2 or not (fill.noise > 0).all():
        raise BundleError(f"The fill of missing values is not that of the {q} features kept.")
    return fill


def _transformer(header: BundleHeader, arrays: Mapping[str, np.ndarray]) -> GenomapTransformer:
    params = dict(header.fields["transformer"])
    if isinstance(params.get("grid"), list):
        params["grid"] = tuple(params["grid"])
    model = GenomapTransformer(**params)
    own = {k.removeprefix("layout/"): a for k, a in arrays.items() if k.startswith("layout/")}
    model.layout_ = Layout.from_arrays(own, header.fields["layout"])
    model.n_features_in_ = model.layout_.n_features
    return model


def _classifier(header: BundleHeader, module: MeanLogits, spec: NetworkSpec) -> MapClassifier:
    params = dict(header.fields["training"])
    n_epochs = int(params.pop("n_epochs"))
    model = MapClassifier(**params).set_params(device="auto")
    labels = header.fields["labels"]
    model.classes_ = np.asarray([_LABELS[labels["kind"]](value) for value in labels["values"]])
    model.module_, model.network_, model.n_epochs_ = module, spec, n_epochs
    model.history_ = tuple(header.fields.get("history", ()))
    endurance = header.fields.get("endurance")
    model.endurance_ = None if endurance is None else Endurance(**{k: _tuples(v) for k, v in endurance.items()})
    model.map_shape_ = (spec.n_channels, spec.height, spec.width)
    model.n_features_in_ = spec.n_channels
    return model


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_fit(pipeline: Pipeline, header: BundleHeader) -> None:
    preprocessor, transformer, classifier = _steps(pipeline)
    layout = transformer.layout_
    if len(preprocessor.kept_) != layout.n_features:
        raise BundleError(f"{len(preprocessor.kept_)} features are kept, but the layout has {layout.n_features}.")
    if (layout.n_channels, *layout.shape) != classifier.map_shape_:
        raise BundleError(f"The layout's maps {layout.shape} are not those of the network {classifier.map_shape_}.")
    if not len(classifier.classes_) == len(header.classes) == classifier.network_.n_classes:
        raise BundleError("The classes of header and network differ in number.")
