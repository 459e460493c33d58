"""The command `hangtag`: the list of its commands and what happens when one fails."""

import io
import os
import re
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from hangtag import __version__
from hangtag.cli.help import GroupedCommand
from hangtag.domain.errors import HangtagError
from hangtag.domain.text import printable

EXIT_WRONG_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
_PARAMETER: Final = re.compile(r"`(?P<name>[a-z_]+)(?:=(?P<value>[^`]+))?`")
_QUOTES: Final = "'\""
_COMPLETION: Final = "_HANGTAG_COMPLETE"
"""The environment variable with which a shell asks for completions."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, its summary, and the module of `hangtag.cli` that holds it.

    The module has a function with the command's name, or a `typer.Typer` if there are subcommands.
    """

    name: str
    summary: str
    module: str = ""
    """Empty if the module has the command's name, too."""

    def load(self) -> Callable[..., Any] | typer.Typer:
        """Import the command's module, which may take a moment, and return its function or subcommands."""
        found: Callable[..., Any] | typer.Typer = getattr(
            import_module(f"hangtag.cli.{self.module or self.name}"), self.name
        )
        return found


COMMANDS: Final = (
    Command("predict", "Label photos in files, folders, archives and tables."),
    Command("export", "Export labels to shop systems, feeds or your own sheet."),
    Command("taxonomy", "Show, check or draft the mapping to a shop's categories.", "export"),
    Command("serve", "Serve the page and the HTTP API.", "service"),
    Command("models", "List the models, or show the card of one."),
    Command("clean", "Repair a catalogue's table without losing a row.", "catalogue"),
    Command("check", "Find what is wrong with a catalogue and its photos."),
    Command("count", "Count products by one column or several.", "catalogue"),
    Command("describe", "Show what is in a catalogue, as a page with plots.", "catalogue"),
    Command("custom", "Make a labelled set of your own photos."),
    Command("split", "Split a cleaned table into train, validation and test.", "catalogue"),
    Command("train", "Train a model from a recipe."),
    Command("adapt", "Adapt a model to your shop with a few dozen labels."),
    Command("evaluate", "Measure models on labelled photos."),
    Command("quantise", "Make the int8 form of a model.", "precision"),
    Command("bench", "Find the fastest way to label on this machine.", "precision"),
    Command("users", "Manage the people who may use the service.", "accounts"),
    Command("tokens", "Manage API tokens of the service.", "accounts"),
    Command("upgrade", "Migrate the database of an older version.", "service"),
    Command("doctor", "Check this installation: what is wrong, and how to fix it.", "service"),
    Command("backup", "Write all batches and their photos to one file.", "service"),
    Command("restore", "Restore a backup into an empty data folder or database.", "service"),
    Command("samples", "Write the sample photos that come with hangtag.", "predict"),
)


def build_app(called: Collection[str]) -> typer.Typer:
    """Build the command line. Only the commands in `called` are imported; the others have just a summary.

    This keeps `hangtag --help` instant, whatever the commands need.
    """
    app = typer.Typer(
        name="hangtag",
        help="Looks at product photos and writes the label that a shop needs, with an honest confidence.",
        no_args_is_help=True,
        rich_markup_mode=None,  # importing Rich would take longer than showing the help
        pretty_exceptions_enable=False,
    )
    app.callback()(_global_options)
    for command in COMMANDS:
        _add(app, command, loaded=command.name in called)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    0: done. 1: `hangtag check` found something, or the reader of the output closed the pipe. 2: the call or its input
    is invalid. 3: done, with findings that the command describes. 130: interrupted.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    _replace_what_cannot_be_shown()
    app = build_app([called := _find_called(given)])
    try:
        app(given, prog_name="hangtag")
    except HangtagError as error:
        _leave(f"error: {_name_options(error, app, called)}", EXIT_WRONG_USAGE)
    except BrokenPipeError:
        _leave_quietly()
    except OSError as error:
        _leave(f"error: {_describe(error)}", EXIT_WRONG_USAGE)
    except KeyboardInterrupt:
        _leave("interrupted", EXIT_INTERRUPTED)
    except SystemExit as leaving:
        if leaving.code == EXIT_INTERRUPTED:
            _leave("interrupted", EXIT_INTERRUPTED)
        raise


def _replace_what_cannot_be_shown() -> None:
    """Print `?` for characters that standard output cannot encode, as in a locale that is not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdout else "backslashreplace")


def _find_called(words: Sequence[str]) -> str:
    """Return the command that a command line calls, or that a shell asks to complete; empty for none."""
    if _COMPLETION in os.environ:  # zsh, fish and PowerShell set the first variable, bash the second
        typed = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
        words = typed.split()[1:]
    return next((word for word in words if not word.startswith("-")), "")


def _add(app: typer.Typer, command: Command, *, loaded: bool) -> None:
    body = command.load() if loaded else _not_loaded
    if isinstance(body, typer.Typer):
        app.add_typer(body, name=command.name, short_help=command.summary)
    else:
        app.command(command.name, cls=GroupedCommand, short_help=command.summary)(body)


def _not_loaded() -> None:
    """Do nothing, in place of a command that was not called."""


def _show_version(value: bool) -> None:  # noqa: FBT001 - Typer passes an option's value by position
    if value:
        typer.echo(f"hangtag {__version__}")
        raise typer.Exit


def _global_options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options before a command."""


def _name_options(error: HangtagError, app: typer.Typer, called: str) -> str:
    """Return an error's message, with parameters of the Python API replaced by the command's options.

    A message writes a parameter as `split_table`, or with a value, `resume=True`.
    """
    group: Any = typer.main.get_command(app)
    command = group.commands[called]
    options = {
        parameter.name: max(parameter.opts, key=len)
        if parameter.param_type_name == "option"
        else (parameter.metavar or parameter.name).upper()
        for part in (command, *getattr(command, "commands", {}).values())
        for parameter in part.params
    }

    def name_option(found: re.Match[str]) -> str:
        option, value = options.get(found["name"]), found["value"]
        if option is None:
            return found[0]
        return option if value in {None, "True"} else f"{option} {value.strip(_QUOTES)}"

    return _PARAMETER.sub(name_option, str(error))


def _leave(message: str, status: int) -> None:
    sys.stderr.write(printable(" ".join(message.split())) + "\n")
    sys.exit(status)


def _leave_quietly() -> None:
    """Exit after the reader of the output closed the pipe, and keep Python from complaining when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def _describe(error: OSError) -> str:
    located = "" if error.filename is None else f"{error.filename}: "
    return f"{located}{error.strerror or error}"


if __name__ == "__main__":
    main()
