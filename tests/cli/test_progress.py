"""Progress on a terminal is one line that moves; in a log it is a few lines."""

from __future__ import annotations

import io

import pytest

from genomap_core.cli.progress import finish, teller
from genomap_core.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_that_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    screen = Terminal()
    monkeypatch.setattr("genomap_core.cli.progress._EVERY_TTY", 0.0)
    tell = teller(screen)
    for step in range(500):
        stage = "training" if step % 2 else "linear start"
        tell(
            Progress(
                stage, step, 500, {"member": 1.0, "epoch": 3.0, "loss": 0.512345, "val_loss": 0.7, "val_accuracy": 0.8}
            )
        )
    finish(screen)
    shown = screen.getvalue()
    assert "\n" not in shown
    assert max(len(text) for text in shown.split("\r\x1b[K")) < 60
    assert shown.endswith("\r\x1b[K")


def test_a_log_gets_a_line_for_each_stage_however_often_they_alternate() -> None:
    log = io.StringIO()
    tell = teller(log)
    for step in range(500):
        tell(Progress("training" if step % 2 else "linear start", step, 500))
    assert log.getvalue().splitlines() == ["linear start: 0 of 500", "training: 1 of 500"]
