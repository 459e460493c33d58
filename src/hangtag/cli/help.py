"""The help of a command: the most common options first, the others in groups below."""

from typing import Any, Final

from typer.core import TyperCommand

MORE: Final = "More options"
"""The group of the less common options; a command shows at most ten above it."""

_FIRST: Final = ("Arguments", "Options")


class GroupedCommand(TyperCommand):
    """A command whose help shows its options by their `rich_help_panel`, in plain text: Rich takes long to import."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's own copy of Click
        """Write the arguments, the options, and one section for each further group."""
        groups: dict[str, list[tuple[str, str]]] = {title: [] for title in _FIRST}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(_group_of(parameter), []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _group_of(parameter: Any) -> str:  # noqa: ANN401 - as above
    panel = getattr(parameter, "rich_help_panel", None)
    return panel or _FIRST[parameter.param_type_name == "option"]
