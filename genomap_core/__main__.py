"""The command line: ``genomap``, or where the package is not installed ``python -m genomap_core``, and one of::

    app                                                 the app, in a browser on this machine
    inspect   FILE...                                   what is in files, and what is wrong with them
    layout    TABLE --out layout.csv|out.h5ad           a place on the grid for every feature
    train     TABLE --out model.safetensors             a network, tested on held-out rows
    predict   MODEL TABLE --out predictions.csv         class probabilities of every sample
    explain   MODEL TABLE --out attributions.csv        what each feature did to the answers
    report    TABLE --sample ID --out report.html|.pdf  one patient under two models that never saw the row
    growth    IMAGE...                                  the class of brain MRI slices, or why there is none
    benchmark plan|run|status|collect|report|summary    the robustness study
    licences                                            of every package that the program uses

``COMMAND --help`` lists the options. Figures go to standard output (as JSON with ``--json``), progress and notes to
standard error; a file is replaced only when the new one is whole.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from genomap_core.cli.answer import Answer
from genomap_core.cli.options import Command
from genomap_core.cli.parse import parse
from genomap_core.cli.progress import finish, teller
from genomap_core.errors import GenomapError
from genomap_core.progress import ignore


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0: done, 1: the data are at fault, 2: wrong arguments, 130: interrupted.

    ``inspect`` ends with 0 when every file is "ok" or "warn".
    """
    name, options = parse(arguments)
    try:
        return _run(name, options)
    except GenomapError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error.filename or 'A file'} can't be read or written: {error.strerror or type(error).__name__}."
    except KeyboardInterrupt:
        print(f"\nInterrupted; {options.interrupted}", file=sys.stderr)
        return 130
    finish(sys.stderr)
    print(f"error: {problem}", file=sys.stderr)
    return 1


def _run(name: str, options: Command) -> int:
    command = import_module(f"genomap_core.cli.{name}")
    quiet, status = getattr(options, "quiet", False), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, for programmers; what the user must know is a note
        answers = command.run(options, ignore if quiet else teller(sys.stderr))
        for answer in [answers] if isinstance(answers, Answer) else answers:
            _say(answer, getattr(options, "as_json", False), quiet)
            status = max(status, answer.status)
    return status


def _say(answer: Answer, as_json: bool, quiet: bool) -> None:
    if not quiet:
        finish(sys.stderr)
        for note in answer.notes:
            print(f"note: {note}", file=sys.stderr)
    for problem in answer.problems:
        print(f"error: {problem}", file=sys.stderr)
    print(json.dumps(answer.facts) if as_json and answer.facts is not None else answer.text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
