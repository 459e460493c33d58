"""A client for the service of `hangtag serve`: `Client().predict(["shirt.jpg"])`."""

from hangtag.client.batches import (
    Attribute,
    Batch,
    BatchPhoto,
    Decided,
    Product,
    Progress,
    PushedLabel,
    Received,
)
from hangtag.client.calls import Client
from hangtag.client.values import (
    ChosenLabel,
    Comparison,
    ComparisonAnswer,
    ExplainedLabel,
    ExplainedPhoto,
    FailedPhoto,
    Figures,
    HeadFigures,
    LabelledPhoto,
    Model,
    ModelName,
    PhotoAnswer,
    Predictions,
    Taxonomy,
)
from hangtag.client.webhooks import sign_webhook, verify_webhook
from hangtag.domain.errors import ServiceError
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
