"""The documents speak of commands, files and folders that exist."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import typer.main

from hangtag import __version__
from hangtag.bundle.file import DEFAULT_NAME, SHIPPED_FOLDER, read_card
from hangtag.cli.main import COMMANDS, build_app

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "hangtag"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
GROUP = typer.main.get_command(build_app([command.name for command in COMMANDS]))


def iter_calls(text):
    """Yield the words after `hangtag` of every call in a block of code."""
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            call, *_ = re.split(r"\s[|>]\s", line.removeprefix("$ "))
            if re.match(r"(\.venv/bin/)?hangtag\s", call):
                yield shlex.split(call, comments=True)[1:]


def find_command(words):
    command = GROUP
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words[0]]
        words = words[1:]
    return command


def unknown_options(words):
    known = {written for parameter in find_command(words).params for written in parameter.opts}
    return [word for word in words if re.match("--?[a-z]", word) and word not in {*known, "--help"}]


def test_the_calls_in_the_documents_are_possible():
    for path in DOCUMENTS:
        for words in iter_calls(path.read_text("utf-8")):
            assert find_command(words) is not GROUP or words[0].startswith("-"), (path, words)
            assert not unknown_options(words), (path, words)


def test_the_tutorial_calls_every_stage():
    pages = (ROOT / "docs" / "tutorial").glob("*.md")
    called = {words[0] for page in pages for words in iter_calls(page.read_text("utf-8"))}
    assert {"predict", "serve", "clean", "check", "count", "split", "train", "evaluate"} <= called


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 600


def test_every_script_of_the_original_has_its_command():
    text = (ROOT / "docs" / "tutorial" / "from-the-original.md").read_text("utf-8")
    scripts = ("1.1", "1.2", "1.3", "1.4", "1.5", "2.1", "2.2", "2.3", "2.4", "3.1")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [script for script in scripts if not any(f"`{script}_" in row for row in rows)] == []


def test_the_version_is_said_alike_everywhere():
    page = json.loads((ROOT / "web" / "package.json").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert __version__ == project["version"] == page["version"]
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_page_of_the_documentation_is_in_its_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    pages = {str(path.relative_to(ROOT / "docs")) for path in ROOT.glob("docs/**/*.md")}
    listed = set(re.findall(r"[\w/-]+\.md", navigation))
    assert listed <= pages
    assert {page for page in pages - listed if not page.startswith("decisions/")} == set()


def test_the_figures_of_the_readme_are_those_of_the_shipped_model():
    card = read_card(SHIPPED_FOLDER / f"{DEFAULT_NAME}.onnx")
    rows = re.findall(r"^\| (\w+) \| ([\d.]+)% \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    accuracies = {column: card.figure("test", "heads", column, "top1_accuracy") for column in card.columns}
    accuracies["mean"] = card.figure("test", "mean_top1_accuracy")
    assert dict(rows) == {name: f"{100 * value:.1f}" for name, value in accuracies.items()}


def test_the_links_of_the_documents_lead_somewhere():
    for path in DOCUMENTS:
        links = re.findall(r"\]\(([^)#\s]+)", path.read_text("utf-8"))
        local = [link for link in links if not re.match("https?:", link)]
        assert [link for link in local if not (path.parent / link).exists()] == [], path


def test_the_make_targets_of_the_documents_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    for path in DOCUMENTS:
        called = re.findall(r"(?:^|`)make (?:[A-Z]+=\S+ )?([a-z-]+)", path.read_text("utf-8"), re.MULTILINE)
        assert set(called) <= targets, path


def test_the_map_shows_every_folder():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    folders = [path.parent.name for path in SOURCE.glob("*/__init__.py")]
    assert [folder for folder in folders if not re.search(rf"\b{folder}\b", text)] == []


def test_the_glossary_explains_a_word_once():
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    words = re.findall(r"^\| (?!word )([^|]+?) \|", text, flags=re.MULTILINE)
    assert len(words) == len(set(words)) > 40


def test_no_place_is_held_for_something_to_come():
    held = re.compile(r"\b(TODO|FIXME|TBD|[A-Z]+_TABLE|[A-Z]+_HERE)\b")
    assert [
        (path, held.findall(path.read_text("utf-8")))
        for path in DOCUMENTS
        if held.search(path.read_text("utf-8"))
    ] == []
