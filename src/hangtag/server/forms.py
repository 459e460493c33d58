"""What a form means: its fields and files as a pydantic model."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from hangtag.domain.text import describe_invalid
from hangtag.server.problems import InvalidRequestError
from hangtag.server.schemas import InvalidValue
from hangtag.server.uploads import Form

_MEDIA_TYPE: Final = "multipart/form-data"

FormModel = TypeVar("FormModel", bound=BaseModel)


def describe_body(form: type[BaseModel]) -> dict[str, Any]:
    """Return what the documentation says of a route's body, since the route reads it itself."""
    schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {_MEDIA_TYPE: {"schema": schema}}}}


def require_file(value: object) -> object:
    """Refuse the text of a field where a file belongs; for pydantic, which turns the ValueError into a message."""
    if isinstance(value, str):
        raise ValueError("a file is expected, with a filename")  # noqa: TRY004 - pydantic reports a ValueError alone
    return value


def validate_form(kind: type[FormModel], form: Form[Any]) -> FormModel:
    """Return what a form means; raises `InvalidRequestError`."""
    values: dict[str, list[object]] = {}
    for name, value in [*form.fields, *form.files]:
        values.setdefault(name, []).append(value)
    try:
        return kind.model_validate({name: _one_or_all(kind, name, given) for name, given in values.items()})
    except ValidationError as error:
        raise InvalidRequestError(*(_explain(one) for one in error.errors())) from None


def _one_or_all(kind: type[BaseModel], name: str, given: list[object]) -> object:
    known = kind.model_fields.get(name)
    is_list = known is not None and getattr(known.annotation, "__origin__", None) is list
    if is_list:
        return given
    if len(given) > 1:
        raise InvalidRequestError(InvalidValue(field=name, message="it is given more than once"))
    return given[0]


def _explain(error: Mapping[str, Any]) -> InvalidValue:
    return InvalidValue(field=".".join(str(part) for part in error["loc"]), message=describe_invalid(error))
