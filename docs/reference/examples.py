"""Shows the examples in docstrings as code: Markdown would take the prompt `>>>` for a quotation."""

import re
from typing import Any, Final

from griffe import Extension, Object

_EXAMPLE: Final = re.compile(r"(?:^>>> .*\n?)(?:.+\n?)*", re.MULTILINE)
_DIRECTIVE: Final = re.compile(r" *# doctest: .*")


class FencedExamples(Extension):
    """Puts each doctest of a docstring into a code fence."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:  # noqa: ANN401 - Griffe passes more with each release
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = fence_examples(obj.docstring.value)


def fence_examples(text: str) -> str:
    """Return Markdown in which every run of lines from a prompt to the next empty line is a code block."""
    return _EXAMPLE.sub(lambda found: f"```pycon\n{_DIRECTIVE.sub('', found[0]).rstrip()}\n```\n", text)
