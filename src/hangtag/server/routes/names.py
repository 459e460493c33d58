"""The route of the names of columns and labels in hangtag's languages."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response

from hangtag.exporting.words import load_words
from hangtag.server.problems import problem_responses
from hangtag.server.schemas import Names
from hangtag.server.service import ServiceDependency

router = APIRouter(prefix="/names", tags=["models"])

Language = Literal["en-GB", "en-US", "de", "fr", "es"]
_FRESH: Final = {"Cache-Control": "no-cache"}


@router.get("", responses=problem_responses(422))
def list_names(
    response: Response,
    service: ServiceDependency,
    language: Annotated[Language, Query(description="The language of the names.")] = "en-GB",
) -> Names:
    """List the names of columns and their labels in a language, as written within a sentence.

    The shop's own names take precedence.
    """
    words = load_words(language)
    response.headers.update(_FRESH)
    columns = dict(words.columns)
    labels = {
        column: {label: list(word) for label, word in names.items()} for column, names in words.names.items()
    }
    for column, names in service.batches.classes.read_names(language).items():
        for label, word in names.items():
            if label:
                labels.setdefault(column, {})[label] = [word, word]
            else:
                columns[column] = word
    return Names(language=words.language, columns=columns, labels=labels)
