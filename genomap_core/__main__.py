"""Command line of the library: files in, files out, no browser.

``python -m genomap_core`` and one of::

    inspect   FILE...                                   what is in files, and what is wrong with them
    layout    TABLE --out layout.csv|out.h5ad           a place on the grid for every feature
    train     TABLE --out model.safetensors             a network, tested on held-out rows
    predict   MODEL TABLE --out predictions.csv         class probabilities of every sample
    explain   MODEL TABLE --out attributions.csv        what each feature did to the answers
    report    TABLE --sample ID --out report.html|.pdf  one patient under two models that never saw him
    licences                                            of every package that the program uses

``COMMAND --help`` lists the options. Figures go to standard output (as JSON with ``--json``), progress and notes to
standard error; a file is replaced only when the new one is whole.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from genomap_core.cli.arguments import parse
from genomap_core.cli.progress import finish, teller
from genomap_core.errors import GenomapError
from genomap_core.progress import ignore


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0: done, 1: the data are at fault, 2: wrong arguments, 130: interrupted.

    ``inspect`` ends with 0 when every file is "ok" or "warn".
    """
    options = parse(arguments)
    if options.command == "licences":
        from genomap_core.licences import as_table, list_licences

        print(as_table(list_licences()))
        return 0
    if options.command == "inspect":
        return _inspect(options)
    try:
        return _run(options)
    except GenomapError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error.filename or 'A file'} can't be read or written: {error.strerror or type(error).__name__}."
    except KeyboardInterrupt:
        print("\nInterrupted; nothing was written.", file=sys.stderr)
        return 130
    finish(sys.stderr)
    print(f"error: {problem}", file=sys.stderr)
    return 1


def _run(options: argparse.Namespace) -> int:
    command = import_module(f"genomap_core.cli.{options.command}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, for programmers; what the user must know is a note
        answer = command.run(options, ignore if options.quiet else teller(sys.stderr))
    if not options.quiet:
        finish(sys.stderr)
        for note in answer.notes:
            print(f"note: {note}", file=sys.stderr)
    print(json.dumps(answer.facts) if options.json else answer.text)
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from genomap_core.io.sandbox.startup import without_pandas

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
