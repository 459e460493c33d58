import subprocess
import sys
from importlib import import_module
from inspect import Parameter, signature
from types import SimpleNamespace

import pytest
import typer
import typer.main

from hangtag import __version__
from hangtag.cli.main import COMMANDS, build_app, main
from hangtag.domain.errors import UsageError

HEAVY = ["numpy", "PIL", "onnx", "openvino", "pyarrow", "rich", "torch", "xlsxwriter"]


def run(capsys, *arguments):
    """Run the command line in this process and return its exit status, output and messages."""
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    captured = capsys.readouterr()
    return leaving.value.code or 0, captured.out, captured.err


@pytest.fixture
def replace_samples(monkeypatch):
    """Give the command `samples` another body."""

    def replace(body):
        monkeypatch.setitem(sys.modules, "hangtag.cli.predict", SimpleNamespace(samples=body))

    return replace


def test_help_shows_every_command_in_the_order_of_the_work(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0
    listed = out.split("Commands:")[1].splitlines()
    assert [line.split()[0] for line in listed if line.strip()] == [command.name for command in COMMANDS]
    assert all(command.summary in out for command in COMMANDS)


def test_no_arguments_show_the_help(capsys):
    _, out, err = run(capsys)
    assert "Commands:" in out + err


def test_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom hangtag.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_a_message_that_names_parameters_names_their_options_here(capsys, replace_samples):
    def samples(*, split_table: str = "", resume: bool = False, changes: str = typer.Option("", "--set")):
        del split_table, resume, changes
        raise UsageError(
            "a split is missing",
            where="`changes`",
            fix="Give `split_table='x.csv'`, `resume=True` or a column `split`; see `hangtag split`.",
        )

    replace_samples(samples)
    status, _, err = run(capsys, "samples")
    assert status == 2
    told = "Give --split-table x.csv, --resume or a column `split`; see `hangtag split`."
    assert err == f"error: --set: a split is missing. {told}\n"


@pytest.mark.parametrize(
    ("command", "pipeline", "name"),
    [
        ("evaluate", "hangtag.pipelines.evaluate", "evaluate"),
        ("clean", "hangtag.pipelines.catalogue", "clean"),
        ("check", "hangtag.pipelines.catalogue", "check"),
        ("describe", "hangtag.pipelines.catalogue", "describe"),
        ("quantise", "hangtag.pipelines.quantise", "quantise"),
    ],
)
def test_a_command_has_the_defaults_of_its_function(command, pipeline, name):
    options = signature(next(known for known in COMMANDS if known.name == command).load()).parameters
    parameters = signature(getattr(import_module(pipeline), name)).parameters
    shared = [
        parameter
        for parameter in options.keys() & parameters.keys()
        if options[parameter].default is not Parameter.empty
        and parameters[parameter].default is not Parameter.empty
    ]
    assert shared
    for parameter in shared:
        given, expected = options[parameter].default, parameters[parameter].default
        assert given == expected or str(given) == str(expected), parameter


def test_version(capsys):
    assert run(capsys, "--version")[:2] == (0, f"hangtag {__version__}\n")


def test_an_unknown_command_is_wrong_usage_with_a_proposal(capsys):
    status, _, err = run(capsys, "smaples")
    assert status == 2
    assert "samples" in err


def test_an_unknown_option_is_wrong_usage(capsys):
    assert run(capsys, "samples", "--nonsense")[0] == 2


def test_an_error_is_one_line_without_a_traceback(capsys, replace_samples):
    def fail():
        raise UsageError("this\ncannot be", where="here", fix="Do that.")

    replace_samples(fail)
    assert run(capsys, "samples") == (2, "", "error: here: this cannot be. Do that.\n")


def test_an_error_cannot_steer_the_terminal(capsys, replace_samples):
    def fail() -> None:
        raise UsageError("a name with \x1b[2J in it")

    replace_samples(fail)
    assert run(capsys, "samples")[2] == "error: a name with \\x1b[2J in it\n"


def test_a_full_disk_is_one_line_too(capsys, replace_samples):
    def fail():
        raise OSError(28, "No space left on device", "out.csv")

    replace_samples(fail)
    assert run(capsys, "samples") == (2, "", "error: out.csv: No space left on device\n")


def test_an_interrupted_run_says_so(capsys, replace_samples):
    def stop():
        raise KeyboardInterrupt

    replace_samples(stop)
    status, out, err = run(capsys, "samples")
    assert (status, out, err.strip()) == (130, "", "interrupted")


def test_a_fault_of_the_program_keeps_its_traceback(replace_samples):
    def fail():
        raise ZeroDivisionError

    replace_samples(fail)
    with pytest.raises(ZeroDivisionError):
        main(["samples"])


def test_a_status_of_a_command_is_the_status_of_the_process(capsys, replace_samples):
    def leave():
        raise typer.Exit(3)

    replace_samples(leave)
    assert run(capsys, "samples")[0] == 3


def test_a_command_may_have_subcommands(capsys, replace_samples):
    group = typer.Typer()
    group.command("one")(lambda: typer.echo("first"))
    group.command("two")(lambda: typer.echo("second"))
    replace_samples(group)
    assert run(capsys, "samples", "two")[:2] == (0, "second\n")


def test_samples_are_written(capsys, tmp_path):
    status, out, _ = run(capsys, "samples", str(tmp_path / "photos"))
    assert status == 0
    assert out == f"8 sample photos written to {tmp_path / 'photos'}\n"
    assert len(list((tmp_path / "photos").glob("*.png"))) == 8


def test_a_command_shows_what_most_calls_need_first():
    for command in COMMANDS:
        group = typer.main.get_command(build_app([command.name])).commands[command.name]
        first = [one for one in group.params if getattr(one, "rich_help_panel", None) is None]
        shown = [one for one in first if one.param_type_name == "option"]
        assert len(shown) < 10, f"{command.name} shows {len(shown)} options and --help above the others"


def test_the_other_options_stand_in_a_group_of_their_own(capsys):
    _, out, _ = run(capsys, "train", "--help")
    first, _, more = out.partition("More options:")
    assert "--catalogue" in first
    assert "--tensorboard" in more


def test_the_tab_key_completes_commands_and_options(monkeypatch, capsys):
    monkeypatch.setenv("_HANGTAG_COMPLETE", "complete_bash")
    for words, found in (("hangtag spl", "split"), ("hangtag samples --he", "--help")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert found in run(capsys)[1].split()
