"""From the words of a command line to one command's options; what is wrong ends the process with status 2."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import CliApp, CliSettingsSource, get_subcommand

from genomap_core.cli.options import NOTHING, Command, Genomap

EXIT = "Exit status: 0 done, 1 the data are at fault (what, where and how to mend it is said), 2 wrong arguments."
KINDS = {"str": "TEXT", "Path": "FILE", "int": "N", "float": "X"}
"""Types of settings, as help texts call them."""


def parse(arguments: Sequence[str] | None = None) -> tuple[str, Command]:
    """The command's name and its options; of a command of commands those of the inner one."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    source = CliSettingsSource[ArgumentParser](
        Genomap,
        add_argument_method=_add_argument,
        add_subparsers_method=_add_subparsers,
        parse_args_method=_parse_args,
    )
    try:
        chosen: Any = CliApp.run(Genomap, words, cli_settings_source=source)
    except ValidationError as error:
        problems = error.errors()
        source.root_parser.exit(2, "".join(f"{_complaint(problem)}\n" for problem in problems))
    name = next(name for name in Genomap.model_fields if getattr(chosen, name) is not None)
    while (inner := get_subcommand(chosen, is_required=False)) is not None:
        chosen = inner
    return name, chosen


def _add_argument(parser: ArgumentParser, *names: str, **settings: Any) -> None:
    """As the settings say, in help texts for people; options of several words take two, and no table behind them."""
    if "metavar" in settings and names[0].startswith("-"):
        kind = settings["metavar"].removeprefix("tuple[").partition(",")[0]
        settings["metavar"] = KINDS.get(kind, settings["metavar"])
    if settings.get("nargs") == "*":
        settings |= {"nargs": 2, "metavar": ("A", "B")}
    for nothing in (NOTHING, "()", "False"):
        settings["help"] = settings["help"].replace(f"(default: {nothing})", "").strip()
    parser.add_argument(*names, **settings)


def _add_subparsers(parser: ArgumentParser, **settings: Any) -> Any:
    return parser.add_subparsers(required=True, **settings | {"title": "commands", "description": EXIT})


def _parse_args(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """Repeated options as JSON: else a comma or bracket in a column's name would part it into several."""
    found = parser.parse_args(words)
    for name, value in vars(found).items():
        if isinstance(value, list):
            setattr(found, name, json.dumps(value))
    return found


def _complaint(problem: Mapping[str, Any]) -> str:
    """One line, as the parser itself complains: the command, the argument and what is wrong with it."""
    model: type[BaseModel] = Genomap
    command, option = ["genomap"], ""
    for part in problem["loc"]:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        inner = [t for t in getattr(fields[str(part)].annotation, "__args__", ()) if _is_command(t)]
        if not inner:
            option = str(part).replace("_", "-")
            break
        command.append(str(part))
        model = inner[0]
    given, context = problem["input"], problem.get("ctx", {})
    what = {
        "value_error": f"{context.get('error')}",
        "literal_error": f"invalid choice: {given!r} (choose from {context.get('expected')})",
    }.get(problem["type"], f"{given!r}: {problem['msg']}")
    return f"{' '.join(command)}: error: argument --{option}: {what}"


def _is_command(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Command)
