"""The route of the names of columns and labels in hangtag's languages."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response

from hangtag.exporting.words import load_words
from hangtag.server.problems import problem_responses
from hangtag.server.schemas import Names

router = APIRouter(prefix="/names", tags=["models"])

Language = Literal["en-GB", "en-US", "de", "fr", "es"]
_KEPT: Final = {"Cache-Control": "public, max-age=600"}


@router.get("", responses=problem_responses(422))
def list_names(
    response: Response,
    language: Annotated[Language, Query(description="The language of the names.")] = "en-GB",
) -> Names:
    """List the names of columns and their labels in a language, as written within a sentence."""
    words = load_words(language)
    response.headers.update(_KEPT)
    return Names(
        language=words.language,
        columns=dict(words.columns),
        labels={
            column: {label: list(word) for label, word in names.items()}
            for column, names in words.names.items()
        },
    )
