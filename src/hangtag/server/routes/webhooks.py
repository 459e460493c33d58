"""Webhooks: registering, testing and disabling them, and their log of deliveries."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import Field, StrictBool

from hangtag.server.problems import problem_responses
from hangtag.server.routes.batches import Limit, Offset, Who, json_response
from hangtag.server.schemas import Schema
from hangtag.server.service import ServiceDependency
from hangtag.server.uploads import JsonRoute

router = APIRouter(tags=["webhooks"], route_class=JsonRoute)

WebhookId = Annotated[str, Path(description="The id of the webhook.")]
DeliveryId = Annotated[str, Path(description="The id of the message, as in its header `webhook-id`.")]
Event = Literal["products.changed", "batch.ready", "batch.deleted"]
Events = Annotated[list[Event], Field(min_length=1, max_length=3)]
DeliveryState = Literal["waiting", "delivered", "failed"]
Url = Annotated[str, Field(min_length=1, max_length=2000)]
Description = Annotated[str, Field(max_length=200)]
_BY_PERSON: Final = "turned off by hand"


class Webhook(Schema):
    """An address that is notified of changes. `waiting` is the number of messages still to be sent."""

    id: str
    url: str
    description: str
    events: list[Event]
    enabled: bool
    disabled_because: str | None
    created: datetime
    created_by: str | None
    waiting: int
    last_sent: datetime | None
    last_arrived: bool | None


class WebhookWithSecret(Webhook):
    """A webhook with its secret, which is shown only once."""

    secret: str


class WebhookList(Schema):
    """The webhooks, the oldest first."""

    items: list[Webhook]


class NewWebhook(Schema):
    """An address to notify of changes from now on."""

    url: Url
    description: Description = ""
    events: Events


class WebhookPatch(Schema):
    """Changes to a webhook. When it is enabled again, it is told everything it missed."""

    url: Url | None = None
    description: Description | None = None
    events: Events | None = None
    enabled: StrictBool | None = None


class Delivery(Schema):
    """A message and its outcome. `next_try` is the time of the next attempt."""

    id: str
    event: str
    state: DeliveryState
    attempts: int
    created: datetime
    tried: datetime | None
    next_try: datetime | None
    status: int | None
    problem: str | None
    took_ms: int | None
    repeated: bool
    payload: dict[str, Any]


class DeliveryList(Schema):
    """A page of a webhook's log, the newest entry first."""

    items: list[Delivery]
    more: bool


@router.get("/webhooks", response_model=WebhookList)
def list_webhooks(service: ServiceDependency) -> Response:
    """List the webhooks. Their secrets are not shown again."""
    return json_response({"items": service.batches.webhooks.webhooks.list()})


@router.post("/webhooks", status_code=201, response_model=WebhookWithSecret, responses=problem_responses(422))
def add_webhook(new: NewWebhook, service: ServiceDependency, who: Who) -> Response:
    """Register an address. It is notified of changes from now on. The response has the secret that signs messages."""
    sender = service.batches.webhooks
    url = sender.check_url(new.url)
    id_, secret = sender.webhooks.add(url, new.description.strip(), new.events, who)
    return json_response({**sender.webhooks.get(id_), "secret": secret}, 201)


@router.patch("/webhooks/{webhook_id}", response_model=Webhook, responses=problem_responses(404, 422))
def change_webhook(webhook_id: WebhookId, patch: WebhookPatch, service: ServiceDependency) -> Response:
    """Change a webhook, or disable or enable it."""
    sender = service.batches.webhooks
    values = patch.model_dump(exclude_none=True)
    enabled = values.pop("enabled", None)
    if "url" in values:
        values["url"] = sender.check_url(values["url"])
    if enabled is not None:
        values["disabled"] = None if enabled else _BY_PERSON
    changed = sender.webhooks.change(webhook_id, **values)
    sender.wake()
    return json_response(changed)


@router.delete("/webhooks/{webhook_id}", status_code=204, responses=problem_responses(404))
def delete_webhook(webhook_id: WebhookId, service: ServiceDependency) -> None:
    """Delete a webhook with its log."""
    service.batches.webhooks.webhooks.remove(webhook_id)


@router.post(
    "/webhooks/{webhook_id}/secret", response_model=WebhookWithSecret, responses=problem_responses(404)
)
def rotate_webhook_secret(webhook_id: WebhookId, service: ServiceDependency) -> Response:
    """Make a new secret. For a day, messages are signed with the old one, too."""
    webhooks = service.batches.webhooks.webhooks
    secret = webhooks.rotate(webhook_id)
    return json_response({**webhooks.get(webhook_id), "secret": secret})


@router.post(
    "/webhooks/{webhook_id}/test",
    status_code=202,
    response_model=Delivery,
    responses=problem_responses(404, 409),
)
def test_webhook(webhook_id: WebhookId, service: ServiceDependency, who: Who) -> Response:
    """Send a test message. The log shows the outcome."""
    sender = service.batches.webhooks
    delivery = sender.webhooks.send_test(webhook_id, who)
    sender.wake()
    return json_response(delivery, 202)


@router.get(
    "/webhooks/{webhook_id}/deliveries", response_model=DeliveryList, responses=problem_responses(404)
)
def list_deliveries(
    webhook_id: WebhookId,
    service: ServiceDependency,
    state: DeliveryState | None = None,
    offset: Offset = 0,
    limit: Limit = 50,
) -> Response:
    """List what was sent to a webhook in the last 30 days, and what is still to be sent."""
    return json_response(service.batches.webhooks.webhooks.deliveries(webhook_id, offset, limit, state))


@router.post(
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=Delivery,
    responses=problem_responses(404),
)
def redeliver(webhook_id: WebhookId, delivery_id: DeliveryId, service: ServiceDependency) -> Response:
    """Send a message again, under the same id."""
    sender = service.batches.webhooks
    delivery = sender.webhooks.redeliver(webhook_id, delivery_id)
    sender.wake()
    return json_response(delivery, 202)
