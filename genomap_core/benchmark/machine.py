"""What a record says of the machine and the versions that made it. No host or user name."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

PACKAGES = ("genomap-studio", "numpy", "scipy", "scikit-learn", "torch", "tabpfn", "lightgbm", "POT")


@cache
def describe_machine() -> str:
    """Such as ``Linux x86_64, Intel Xeon (2 cores, 8 GB)``."""
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{platform.system()} {platform.machine()}, {_processor()} ({os.cpu_count()} cores, {memory} GiB)"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or "unknown processor"


@cache
def describe_versions() -> dict[str, str]:
    """Python and the packages that decide figures -> version; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            if package == "genomap-studio":
                found[package] = "source"
    return found
