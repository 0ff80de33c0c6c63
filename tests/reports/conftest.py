"""Puts the made-up study of the benchmark's tests on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmark"))
