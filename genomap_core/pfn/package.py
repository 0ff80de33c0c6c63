"""The only door to the ``tabpfn`` package: imported late, kept off the network, its errors turned into ours.

Importing it takes seconds (torch comes with it), so this happens in a worker, never on the way to the first picture.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genomap_core.errors import GenomapError, InputError, ModelLimitError, OutOfMemoryError

if TYPE_CHECKING:
    from tabpfn import TabPFNClassifier

    from genomap_core.pfn.description import Weights

QUIET = {
    "TABPFN_NO_BROWSER": "1",
    "TABPFN_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TABPFN_MODEL_CACHE_SIZE": "1",
}
"""Set before the import: no browser window, no download, no usage statistics; weights are built once."""

_IMPORT_LOCK = threading.Lock()


def tabpfn_classifier() -> type[TabPFNClassifier]:
    """The package's classifier class, imported quietly.

    Raises
    ------
    GenomapError
        The package is not installed.
    """
    with _IMPORT_LOCK:
        os.environ.update(QUIET)
        try:
            with _no_dotenv():
                from tabpfn import TabPFNClassifier
        except ImportError as error:
            raise GenomapError(f"The `tabpfn` package can't be imported ({error}): pip install tabpfn.") from error
    return TabPFNClassifier


def make(
    weights: Weights, *, n_estimators: int, device: str, random_state: int, keep_cache: bool, **more: Any
) -> TabPFNClassifier:
    """The package's unfitted classifier on these weights; ``more`` goes to it as it is."""
    classifier = tabpfn_classifier()
    import torch

    return classifier(
        model_path=str(weights.path),
        n_estimators=n_estimators,
        device=device,
        random_state=random_state,
        inference_precision=torch.float32,  # "auto" is bfloat16 on some processors: other numbers on other machines
        ignore_pretraining_limits=True,  # checked by family before; the package goes by the file's name
        fit_mode="fit_with_cache" if keep_cache else "fit_preprocessors",
        kv_cache_precision="auto",
        **more,
    )


@contextmanager
def _no_dotenv() -> Iterator[None]:
    """Keep the package from reading a ``.env`` file in the folder the program happens to run in.

    Its settings are made while it is imported, so it is enough that ``BaseSettings`` ignores such files until then.
    """
    from pydantic_settings import BaseSettings

    original = BaseSettings.__init__

    def without_file(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **{"_env_file": None} | kwargs)

    BaseSettings.__init__ = without_file  # type: ignore
    try:
        yield
    finally:
        BaseSettings.__init__ = original  # type: ignore


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the package raises into errors of ours, with a remedy."""
    import pydantic
    import torch
    from tabpfn.errors import TabPFNError, TabPFNOutOfMemoryError, TabPFNUserError

    try:
        yield
    except GenomapError:
        raise
    except (TabPFNOutOfMemoryError, torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory() from error
    except TabPFNUserError as error:
        message = str(error)
        if "supported" in message or "exceeds" in message:
            raise ModelLimitError(f"The tabular model refuses the table: {message}") from error
        raise InputError(f"The tabular model refuses the table: {message}") from error
    except TabPFNError as error:
        raise InputError(f"{path.name}: the weights can't be used: {error}") from error
    except (KeyError, EOFError, OSError, TypeError, pickle.UnpicklingError, pydantic.ValidationError) as error:
        raise unusable(path, error) from error
    except (RuntimeError, ValueError) as error:
        raise _from_runtime(path, error) from error


def _from_runtime(path: Path, error: Exception) -> GenomapError:
    message = str(error)
    if "allocate" in message or "out of memory" in message.lower():
        return _out_of_memory()
    if "Running on CPU with more than" in message:
        return ModelLimitError(f"{message.splitlines()[0]} Use fewer rows, or a GPU.")
    return unusable(path, error)


def unusable(path: Path, error: Exception) -> InputError:
    """The weights themselves are at fault."""
    reason = " ".join(str(error).split())[:300]
    return InputError(
        f"{path.name}: the weights don't load or don't run ({type(error).__name__}: {reason}). The file is damaged, or "
        "belongs to another version of the `tabpfn` package: download it again, or update the package."
    )


def _out_of_memory() -> OutOfMemoryError:
    return OutOfMemoryError(
        "Memory is too small for the tabular model on this table: use fewer estimators, fewer training rows or fewer "
        "features (selection), or predict fewer rows at a time."
    )
