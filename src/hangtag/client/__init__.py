"""A client for the service of `hangtag serve`: `Client().predict(["shirt.jpg"])`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import httpx

from hangtag.client.batches import (
    Attribute,
    Batch,
    BatchCalls,
    BatchPhoto,
    Decided,
    Product,
    Progress,
    PushedLabel,
    Received,
)
from hangtag.client.connection import Connection
from hangtag.client.values import (
    ChosenLabel,
    Comparison,
    ComparisonAnswer,
    ExplainedLabel,
    ExplainedPhoto,
    ExplanationAnswer,
    FailedPhoto,
    Figures,
    HeadFigures,
    LabelledPhoto,
    Model,
    ModelName,
    Models,
    PhotoAnswer,
    Predictions,
    Taxonomy,
)
from hangtag.client.webhooks import sign_webhook, verify_webhook
from hangtag.domain.errors import ServiceError, UsageError
from hangtag.domain.prediction import Flag, Label

__all__ = [
    "Attribute",
    "Batch",
    "BatchPhoto",
    "ChosenLabel",
    "Client",
    "Comparison",
    "ComparisonAnswer",
    "Decided",
    "ExplainedLabel",
    "ExplainedPhoto",
    "FailedPhoto",
    "Figures",
    "Flag",
    "HeadFigures",
    "Label",
    "LabelledPhoto",
    "Model",
    "ModelName",
    "PhotoAnswer",
    "Predictions",
    "Product",
    "Progress",
    "PushedLabel",
    "Received",
    "ServiceError",
    "Taxonomy",
    "sign_webhook",
    "verify_webhook",
]


GivenPhoto = str | Path | bytes
"""A path of a photo, or its bytes."""

TOKEN_VARIABLE: Final = "HANGTAG_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable of the token to send."""


class Client(BatchCalls):
    """A client for a service.

    `token` is an API token, if the service has accounts; by default the environment variable `HANGTAG_TOKEN`. If it has
    no accounts, `user` is the name stored with decisions. `timeout_s` limits each call. `attempts` is how
    often a call is sent while the service is busy. Every method raises `ServiceError` if the service cannot be reached
    or returns a problem.
    """

    def __init__(  # noqa: PLR0913 - what a person may choose is a keyword of its own
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        user: str | None = None,
        token: str | None = None,
        timeout_s: float = 60.0,
        attempts: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.user = user
        secret = token or os.environ.get(TOKEN_VARIABLE) or None
        self._connection = Connection(
            base_url, max(1, attempts), secret, timeout=timeout_s, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def predict(
        self,
        photos: Sequence[GivenPhoto],
        *,
        model: str | None = None,
        top_k: int = 5,
        probabilities: bool = False,
    ) -> Predictions:
        """Label photos. The predictions are in the same order. Photos given as bytes are named `photo 1` and so on.

        Raises `UsageError` for a single photo instead of a list, and `OSError` for a file that cannot be read.
        """
        if isinstance(photos, str | Path | bytes):
            raise UsageError("predict takes a list of photos", fix="Write predict([photo]).")
        fields = _known(model=model, top_k=str(top_k), probabilities=str(probabilities).lower())
        files = [("photos", _name_and_bytes(photo, position)) for position, photo in enumerate(photos, 1)]
        return self._connection.call(Predictions, "POST", "/predictions", data=fields, files=files)

    def explain(
        self, photo: GivenPhoto, *, model: str | None = None, columns: Sequence[str] = ()
    ) -> ExplainedPhoto | FailedPhoto:
        """Return heat maps of a photo, for the usual columns or for those given.

        Returns a `FailedPhoto` if the photo cannot be decoded. Raises `OSError` for a file that cannot be read.
        """
        fields = _known(model=model) | {"columns": list(columns)}
        files = {"photo": _name_and_bytes(photo, 1)}
        return self._connection.call(
            ExplanationAnswer,  # type: ignore[arg-type]  # an annotated union is not a class, and pydantic reads it
            "POST",
            "/explanations",
            data=fields,
            files=files,
        )

    def compare(
        self, photo: GivenPhoto, *, models: Sequence[str] | None = None, top_k: int = 5
    ) -> Comparison:
        """Label one photo with several models, or with all of them."""
        fields = _known(models=models, top_k=str(top_k))
        files = {"photo": _name_and_bytes(photo, 1)}
        return self._connection.call(Comparison, "POST", "/predictions/compare", data=fields, files=files)

    def models(self) -> list[Model]:
        """List the models, the default one first."""
        return list(self._connection.call(Models, "GET", "/models").models)

    def taxonomy(self, model: str | None = None) -> Taxonomy:
        """Return the labels of a model and its category paths."""
        return self._connection.call(Taxonomy, "GET", "/taxonomy", params=_known(model=model))


def _known(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - what a form or a query can say
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _name_and_bytes(photo: GivenPhoto, position: int) -> tuple[str, bytes]:
    if isinstance(photo, bytes):
        return f"photo {position}", photo
    return Path(photo).name, Path(photo).read_bytes()
