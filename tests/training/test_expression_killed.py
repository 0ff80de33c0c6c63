"""A training from images to expression that is killed, not asked to stop, goes on from its last epoch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from planted_expression import TINY, planted_expression

from genomap_core.training.expression import ExpressionRegressor

TRAINS = """
import sys
from pathlib import Path
from planted_expression import TINY, planted_expression
from genomap_core.training.expression import ExpressionRegressor
tell = lambda p: print(p.stage, p.step, bool(p.values), flush=True)
ExpressionRegressor(TINY, tell, Path(sys.argv[1])).fit(planted_expression(32))
"""


def test_a_killed_training_goes_on_and_ends_alike(tmp_path: Path) -> None:
    whole = ExpressionRegressor(TINY).fit(planted_expression(32))
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root}:{root / 'tests'}"}
    child = subprocess.Popen(
        [sys.executable, "-c", TRAINS, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment, cwd=root
    )
    assert child.stdout is not None
    with child:
        for line in child.stdout:
            if line.startswith("training 4 True"):  # the fourth epoch is done and written
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
    epochs: list[int] = []
    again = ExpressionRegressor(TINY, lambda p: epochs.append(p.step), tmp_path).fit(planted_expression(32))
    assert min(step for step in epochs if step) >= 4
    np.testing.assert_allclose(again.predict(planted_expression(32)), whole.predict(planted_expression(32)), atol=1e-5)
