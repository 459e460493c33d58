"""Signatures of webhooks, against the example that the conventions publish."""

import pytest

from hangtag.client import ServiceError, sign_webhook, verify_webhook
from hangtag.client.webhooks import make_secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - published
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example():
    """Others' libraries check what is signed here."""
    headers = sign_webhook([SECRET], MESSAGE, SENT, BODY)
    assert headers == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": str(SENT),
        "webhook-signature": SIGNATURE,
    }
    named_otherwise = {name.title(): value for name, value in headers.items()}
    assert verify_webhook(SECRET, named_otherwise, BODY, now=SENT + 299) == MESSAGE


def test_either_of_two_secrets_is_enough():
    """A receiver that still has the old secret goes on."""
    old, new = make_secret(), make_secret()
    headers = sign_webhook([new, old], MESSAGE, SENT, BODY)
    for secret in (old, new):
        assert verify_webhook(secret, headers, BODY, now=SENT) == MESSAGE


@pytest.mark.parametrize(
    ("changes", "body", "seconds", "message"),
    [
        ({}, b'{"test": 2432232315}', 0, "signature"),
        ({"webhook-id": "msg_other"}, BODY, 0, "signature"),
        ({"webhook-timestamp": str(SENT + 1)}, BODY, 0, "signature"),
        ({"webhook-signature": SIGNATURE.replace("v1,", "v2,")}, BODY, 0, "signature"),
        ({"webhook-signature": "v1,\u00fc"}, BODY, 0, "signature"),
        ({"webhook-timestamp": "soon"}, BODY, 0, "timestamp"),
        ({}, BODY, 301, "too old"),
        ({}, BODY, -301, "in the future"),
    ],
)
def test_what_is_not_trusted(changes, body, seconds, message):
    """A changed body, id or time, another version, an old message."""
    headers = sign_webhook([SECRET], MESSAGE, SENT, BODY) | changes
    with pytest.raises(ServiceError, match=message):
        verify_webhook(SECRET, headers, body, now=SENT + seconds)
