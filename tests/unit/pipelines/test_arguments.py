from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pytest

from hangtag.domain.errors import UsageError
from hangtag.pipelines.arguments import SILENT, AnyPath, Progress, checked


@checked
def act(  # noqa: PLR0913 - a kind of argument each
    path: AnyPath,
    names: Sequence[str] = (),
    *,
    size: int = 1,
    share: float | None = 0.5,
    mode: Literal["fast", "slow"] = "fast",
    changes: Mapping[str, object] | None = None,
    progress: Progress = SILENT,
    loaded: "NoSuchType" = None,  # noqa: F821 - an extra's type, which is not imported
) -> str:
    return f"{path} {names} {size} {share} {mode} {changes} {progress is SILENT} {loaded}"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("a.jpg",), {}),
        ((Path("a.jpg"), ["x"]), {"size": 2, "share": 1, "mode": "slow", "changes": {"a": 1}}),
        (("a.jpg",), {"share": None, "progress": object(), "loaded": object()}),
    ],
)
def test_what_fits_passes(arguments, options):
    assert act(*arguments, **options).startswith("a.jpg")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3,), {}, "path: a str or a path is expected, not an int"),
        ((b"a.jpg",), {}, "path: a str or a path is expected, not a bytes"),
        (("a.jpg", "names"), {}, "names: a Sequence is expected, not a str"),
        (("a.jpg",), {"size": "2"}, "size: an int is expected, not a str"),
        (("a.jpg",), {"size": True}, "size: an int is expected, not a bool"),
        (("a.jpg",), {"share": "2"}, "share: a float is expected, not a str"),
        (("a.jpg",), {"mode": "quick"}, "mode: one of 'fast', 'slow' is expected"),
        (("a.jpg",), {"changes": [1]}, "changes: a Mapping is expected, not a list"),
        (("a.jpg",), {"colour": 1}, "act: got an unexpected keyword argument 'colour'"),
        ((), {}, "act: missing a required argument: 'path'"),
    ],
)
def test_what_does_not_fit_is_named(arguments, options, message):
    with pytest.raises(UsageError) as caught:
        act(*arguments, **options)
    assert message in str(caught.value)


def test_a_type_error_inside_stays_a_defect():
    @checked
    def fail() -> None:
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        fail()
