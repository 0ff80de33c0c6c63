"""POT, imported without its deep-learning backends: `import ot` alone would import torch."""

from __future__ import annotations

import os
from types import ModuleType

_BACKENDS = ("PYTORCH", "JAX", "CUPY", "TENSORFLOW")


def import_pot() -> ModuleType:
    """The ``ot`` package; arrays only."""
    for name in _BACKENDS:
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{name}", "1")
    import ot

    return ot
