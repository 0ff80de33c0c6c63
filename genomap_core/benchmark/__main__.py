"""``python -m genomap_core.benchmark plan | run | status | collect | report | summary``: as ``genomap benchmark``."""

import sys

from genomap_core.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["benchmark", *sys.argv[1:]]))
