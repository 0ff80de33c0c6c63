"""Command line of the library: ``python -m genomap_core inspect FILE... [--json]`` and ``... licences``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when every file is "ok" or "warn", 1 when one is not, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m genomap_core", description="GenoMap Studio's library.")
    commands = parser.add_subparsers(dest="command", required=True)
    inspect = commands.add_parser("inspect", help="say what is in files, and what is wrong with them")
    inspect.add_argument("files", nargs="+", metavar="FILE")
    inspect.add_argument("--json", action="store_true", help="one line of JSON for each file")
    commands.add_parser("licences", help="the licence of every package that the program uses, as a table")
    options = parser.parse_args(arguments)
    if options.command == "licences":
        from genomap_core.licences import as_table, list_licences

        print(as_table(list_licences()))
        return 0
    return _inspect(options)


def _inspect(options: argparse.Namespace) -> int:
    from genomap_core.io.startup import without_pandas

    without_pandas()
    from genomap_core.io.inspect import inspect

    failed = False
    for file in options.files:
        report = inspect(file)
        print(report.as_json() if options.json else report.as_text(), flush=True)
        failed |= report.verdict in ("error", "refuse")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
