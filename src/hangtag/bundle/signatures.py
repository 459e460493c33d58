"""Signatures of bundles, in minisign's format. A digest shows that a file is intact; a signature, who made it.

A signature is next to its bundle, as `NAME.onnx.minisig`. Files, keys and signatures are those of minisign 0.8 and
later (https://jedisct1.github.io/minisign/): Ed25519 of the BLAKE2b hash. Either tool verifies the other's signatures.
"""

import base64
import binascii
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, Self

from hangtag.bundle.file import is_shipped
from hangtag.domain.durable import replacing
from hangtag.domain.errors import BundleError, UsageError
from hangtag.domain.extras import missing_extra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ed25519

SIGNATURE_SUFFIX: Final = ".minisig"
KEYS_VARIABLE: Final = "HANGTAG_TRUSTED_KEYS"
"""The environment variable with the public keys whose bundles may be loaded, separated by spaces or commas."""

_KEY_KIND, _SIGNED_HASH, _SIGNED_FILE = b"Ed", b"ED", b"Ed"
_NO_PASSWORD, _CHECKSUM = b"\0\0", b"B2"
_ID_BYTES, _PUBLIC_BYTES, _SEED_BYTES, _SIGNATURE_BYTES = 8, 32, 32, 64
_SECRET_BYTES: Final = 158
_TRUSTED: Final = "trusted comment: "
_UNTRUSTED: Final = "untrusted comment: "
_MOST_BYTES: Final = 10_000
"""The largest file of a key or signature. They have four short lines."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A minisign public key: the 8 bytes of its id, and the 32 bytes of Ed25519."""

    id: bytes
    point: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a key as printed by minisign, such as `RWQf6LRC…`. Raises `UsageError`."""
        data = _decode(text)
        if data is None or len(data) != 2 + _ID_BYTES + _PUBLIC_BYTES or not data.startswith(_KEY_KIND):
            raise UsageError(
                f"{text!r} is not a minisign public key", fix="It begins with RW and has 56 letters."
            )
        return cls(data[2 : 2 + _ID_BYTES], data[2 + _ID_BYTES :])

    def __str__(self) -> str:
        return base64.b64encode(_KEY_KIND + self.id + self.point).decode()


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The public keys whose bundles may be loaded. Without any, every bundle may be."""

    keys: tuple[PublicKey, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse keys separated by spaces or commas. Raises `UsageError` for an invalid one."""
        return cls(tuple(PublicKey.parse(key) for key in text.replace(",", " ").split()))

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the keys in the variable `HANGTAG_TRUSTED_KEYS`. Raises `UsageError` for an invalid one."""
        return cls.parse(environment.get(KEYS_VARIABLE, ""))

    def check(self, path: Path, data: bytes) -> None:
        """Raise `BundleError` unless one of the keys signed the bundle at `path`, whose bytes are `data`.

        Bundles that come with hangtag need no signature: anyone who can change them can change hangtag.
        """
        if self.keys and not is_shipped(path):
            verify_bundle(path, data, self.keys)


OWN: Final = TrustedKeys()
"""Accepts any bundle, for those that this program itself has just made."""


def verify_bundle(path: Path, data: bytes, keys: tuple[PublicKey, ...]) -> str:
    """Return the trusted comment of the signature of a bundle at `path`, whose bytes are `data`.

    Raises `BundleError` if there is no signature, or it is by none of the keys or for another file.
    """
    place = signature_path(path)
    try:
        lines = _read_lines(place)
    except FileNotFoundError:
        fix = f"Put its signature next to it, as {place.name}, or remove {KEYS_VARIABLE}."
        raise BundleError(
            "the model is not signed, and only signed ones may be used", where=path, fix=fix
        ) from None
    except OSError as error:
        raise BundleError(f"the signature cannot be read ({error.strerror})", where=place) from None
    signed = _decode(lines[1]) if len(lines) > 1 else None
    whole = _decode(lines[3]) if len(lines) > 3 else None  # noqa: PLR2004 - the fourth line
    if signed is None or whole is None or len(signed) != 2 + _ID_BYTES + _SIGNATURE_BYTES:
        raise BundleError("the file is not a minisign signature", where=place)
    if signed[:2] != _SIGNED_HASH:
        problem = "the signature has a format from before minisign 0.8"
        raise BundleError(problem, where=place, fix="Sign the model again.")
    key = next((key for key in keys if key.id == signed[2 : 2 + _ID_BYTES]), None)
    if key is None:
        raise BundleError("the model is signed with a key that is not trusted", where=path, fix=_TRUST_IT)
    signature, comment = signed[2 + _ID_BYTES :], lines[2].removeprefix(_TRUSTED)
    is_of_file = _verify(key, signature, hashlib.blake2b(data).digest())
    if not is_of_file or not _verify(key, whole, signature + comment.encode()):
        raise BundleError("the signature belongs to another file, or was changed", where=path, fix=_ANOTHER)
    return comment


_TRUST_IT: Final = f"If you trust its author, add the key to {KEYS_VARIABLE}."
_ANOTHER: Final = "Do not use the model. Get it and its signature from its author."


def sign_bundle(path: Path, data: bytes, key_file: Path) -> Path:
    """Sign a bundle with a minisign secret key. Write the signature next to it and return its path.

    Raises `UsageError` for an invalid secret key, and for one with a password.
    """
    id_, private = _read_secret(key_file)
    signature = private.sign(hashlib.blake2b(data).digest())
    comment = f"timestamp:{int(time.time())}\tfile:{path.name}\thashed"
    whole = private.sign(signature + comment.encode())
    signed = base64.b64encode(_SIGNED_HASH + id_ + signature).decode()
    place = signature_path(path)
    lines = (
        f"{_UNTRUSTED}signature of a model of hangtag",
        signed,
        _TRUSTED + comment,
        base64.b64encode(whole).decode(),
    )
    with replacing(place) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return place


def make_key(path: Path) -> PublicKey:
    """Write a new secret key without a password, readable only by its owner. Return its public key.

    The public key is written next to it, with the ending `.pub`. Raises `UsageError` if this file already exists.
    """
    if path.exists() or path.with_suffix(".pub").exists() or path.suffix == ".pub":
        raise UsageError("this file already exists", where=path, fix="Name another file.")
    id_, private = os.urandom(_ID_BYTES), _ed25519().Ed25519PrivateKey.generate()
    public = PublicKey(id_, private.public_key().public_bytes_raw())
    secret = private.private_bytes_raw() + public.point
    checksum = hashlib.blake2b(_KEY_KIND + id_ + secret, digest_size=32).digest()
    data = _KEY_KIND + _NO_PASSWORD + _CHECKSUM + bytes(48) + id_ + secret + checksum
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - it has no path yet that others can read
            file.write(f"{_UNTRUSTED}secret key of hangtag\n{base64.b64encode(data).decode()}\n")
        path.with_suffix(".pub").write_text(f"{_UNTRUSTED}public key of hangtag\n{public}\n", "utf-8")
    except OSError as error:
        raise UsageError(f"the key cannot be written ({error.strerror})", where=path) from None
    return public


def read_keys(given: str) -> tuple[PublicKey, ...]:
    """Return the public keys in a text or a minisign file. Raises `UsageError` for anything else."""
    path = Path(given)
    if not path.is_file():
        return TrustedKeys.parse(given).keys
    lines = _read_lines(path)
    return (PublicKey.parse(lines[1] if len(lines) > 1 else ""),)


def signature_path(path: Path) -> Path:
    """Return the path of a bundle's signature."""
    return path.with_name(path.name + SIGNATURE_SUFFIX)


def _read_secret(path: Path) -> "tuple[bytes, ed25519.Ed25519PrivateKey]":
    try:
        lines = _read_lines(path)
    except OSError as error:
        raise UsageError(f"the key cannot be read ({error.strerror})", where=path) from None
    data = _decode(lines[1]) if len(lines) > 1 else None
    if data is None or len(data) != _SECRET_BYTES or not data.startswith(_KEY_KIND):
        raise UsageError(
            "the file is not a minisign secret key", where=path, fix="`hangtag models key` makes one."
        )
    if data[2:4] != _NO_PASSWORD:
        fix = "Sign with minisign itself: minisign -Sm MODEL.onnx."
        raise UsageError("the key has a password, which hangtag does not support", where=path, fix=fix)
    id_, seed = data[54:62], data[62 : 62 + _SEED_BYTES]
    return id_, _ed25519().Ed25519PrivateKey.from_private_bytes(seed)


def _read_lines(path: Path) -> list[str]:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode("utf-8", "replace").splitlines()


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None


def _verify(key: PublicKey, signature: bytes, message: bytes) -> bool:
    module = _ed25519()
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - of an extra

    try:
        module.Ed25519PublicKey.from_public_bytes(key.point).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _ed25519() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - of an extra
    except ImportError:
        raise missing_extra("sign", "signing models and verifying signatures") from None
    return ed25519
