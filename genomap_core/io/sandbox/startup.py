"""For processes that live for a few files: a quick start."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is kept out of this process", name="pandas")


def without_pandas() -> None:
    """Keep pandas out of this process: pyarrow imports it (half a second) for its first array, where it can."""
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas())
