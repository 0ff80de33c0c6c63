"""Where the browser is: ``$CHROMIUM``, the system's, or Playwright's own. As a script: print it, or exit with 1."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PLAYWRIGHT = (
    ".cache/ms-playwright/chromium-*/chrome-linux*/chrome",
    "Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)


def find_chromium() -> str | None:
    """Path of a Chromium, or ``None``. A ``$CHROMIUM`` that is no file is an error, not a reason to search on."""
    if named := os.environ.get("CHROMIUM"):
        if not Path(named).is_file():
            raise FileNotFoundError(f"CHROMIUM={named} is no file.")
        return named
    found = [shutil.which(name) for name in NAMES] + [path for path in MAC if Path(path).is_file()]
    kept = [str(path) for pattern in PLAYWRIGHT for path in sorted(Path.home().glob(pattern), reverse=True)]
    return next((path for path in [*found, *kept] if path), None)


if __name__ == "__main__":
    path = find_chromium()
    sys.stdout.write(f"{path or ''}\n")
    sys.exit(path is None)
