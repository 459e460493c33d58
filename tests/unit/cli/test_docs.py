"""The page about the command line says all that the command line can do, and nothing that it cannot."""

import re
from pathlib import Path

import pytest
import typer.main

from hangtag.cli.main import COMMANDS, build_app

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def commands():
    """Return the options and arguments of every command by its full name, subcommands included."""
    found = {}
    group = typer.main.get_command(build_app([command.name for command in COMMANDS]))

    def collect(command, name):
        found[name] = command.params
        for part, child in getattr(command, "commands", {}).items():
            collect(child, f"{name} {part}")

    collect(group, "hangtag")
    return found


@pytest.fixture(scope="module")
def sections():
    """The page's sections by the command in their heading."""
    parts = re.split(r"^#+ `(hangtag[a-z ]*)`$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_is_described(sections, name):
    assert name in sections, f"docs/cli.md has no section with the heading `{name}`"
    for parameter in commands()[name]:
        is_option = parameter.param_type_name == "option"
        names = parameter.opts if is_option else [(parameter.metavar or parameter.name).upper()]
        for written in set(names) - {"--help"}:
            assert f"`{written}`" in sections[name], f"docs/cli.md does not describe {written} of {name}"


def test_nothing_is_described_that_does_not_exist(sections):
    known = commands()
    assert set(sections) <= set(known)
    for name, text in sections.items():
        options = {written for parameter in known[name] for written in parameter.opts} | {"--help"}
        described = set(re.findall(r"^\| `(--?[a-z][a-z-]*)", text, flags=re.MULTILINE))
        assert described <= options, f"docs/cli.md describes {described - options} of {name}"


def test_the_exit_statuses_are_described():
    text = PAGE.read_text("utf-8")
    for status in (0, 1, 2, 3, 130):
        assert re.search(rf"^\| `{status}` \|", text, flags=re.MULTILINE)
