"""Signatures of webhooks, as in Standard Webhooks: made by the service, verified by the receiver.

A message has three headers: `webhook-id`, the same however often it is sent; `webhook-timestamp`, in seconds since
1970; and `webhook-signature`: `v1,` and the HMAC-SHA256 of `id.timestamp.body` in Base64, once for each valid secret.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Final

from hangtag.domain.errors import ServiceError

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - not a secret, but how each begins
TOLERANCE_S: Final = 300
_VERSION: Final = "v1"
_SECRET_BYTES: Final = 32


def make_secret() -> str:
    """Return a new secret."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign_webhook(keys: Sequence[str], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message signed with one or more secrets."""
    signatures = (f"{_VERSION},{_signature(key, message, str(timestamp), body)}" for key in keys)
    return {ID: message, TIMESTAMP: str(timestamp), SIGNATURE: " ".join(signatures)}


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> str:
    """Return the id of a message that the service sent in the last five minutes.

    `body` is the received body, byte for byte. Remember the ids: a message can arrive more than once. Raises
    `ServiceError` for a message that is not signed with the secret, or is too old.
    >>> from hangtag.client import sign_webhook, verify_webhook
    >>> secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    >>> headers = sign_webhook([secret], "msg_1", 1_600_000_000, b"{}")
    >>> verify_webhook(secret, headers, b"{}", now=1_600_000_010)
    'msg_1'
    """
    given = {name.lower(): value for name, value in headers.items()}
    message, sent = given.get(ID, ""), given.get(TIMESTAMP, "")
    if not message or not sent.isdecimal():
        raise ServiceError("the webhook has no id or timestamp")
    if abs((time.time() if now is None else now) - int(sent)) > TOLERANCE_S:
        raise ServiceError(
            "the webhook's timestamp is too old or in the future", fix="Check the clock of this machine."
        )
    wanted = _signature(secret, message, sent, body)
    for signature in given.get(SIGNATURE, "").split():
        version, _, found = signature.partition(",")
        if version == _VERSION and hmac.compare_digest(found.encode(), wanted.encode()):
            return message
    raise ServiceError(
        "the signature of the webhook is wrong", fix="Compare the secret with that of the service."
    )


def _signature(secret: str, message: str, timestamp: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ServiceError("this is not a webhook secret", fix=f"It begins with {SECRET_PREFIX}.") from None
    signed = b".".join((message.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
