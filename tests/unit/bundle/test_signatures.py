import stat

import pytest

from hangtag.bundle.file import find_bundle, read_bundle, write_bundle
from hangtag.bundle.signatures import (
    OWN,
    PublicKey,
    TrustedKeys,
    make_key,
    read_keys,
    sign_bundle,
    signature_path,
    verify_bundle,
)
from hangtag.domain.errors import BundleError, UsageError
from hangtag.inference.model import load_model
from tiny_bundle import build_tiny_card, build_tiny_graph

MINISIGN_KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
SIGNED_BY_MINISIGN = (
    "untrusted comment: signature from minisign secret key\n"
    "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n"
    "trusted comment: timestamp:1556193335\tfile:test\n"
    "y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n"
)
"""What minisign 0.8 makes of a file that holds `test`."""


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Give a signed bundle, and the public key."""
    folder = tmp_path_factory.mktemp("signed")
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), folder / "tiny.onnx")
    key = make_key(folder / "shop.key")
    sign_bundle(folder / "tiny.onnx", (folder / "tiny.onnx").read_bytes(), folder / "shop.key")
    return folder / "tiny.onnx", key


def problem_of(path, data, *keys):
    with pytest.raises(BundleError) as caught:
        verify_bundle(path, data, keys)
    return caught.value.problem


def test_a_signature_of_minisign_is_understood(tmp_path):
    path = tmp_path / "test"
    signature_path(path).write_text(SIGNED_BY_MINISIGN)
    key = PublicKey.parse(MINISIGN_KEY)
    assert verify_bundle(path, b"test", (key,)) == "timestamp:1556193335\tfile:test"
    assert "another file" in problem_of(path, b"tesT", key)
    signature_path(path).write_text(SIGNED_BY_MINISIGN.replace("file:test", "file:best"))
    assert "was changed" in problem_of(path, b"test", key)


def test_what_is_signed_is_verified(signed):
    path, key = signed
    assert "file:tiny.onnx" in verify_bundle(path, path.read_bytes(), (key,))
    assert read_keys(str(key)) == read_keys(str(path.with_name("shop.pub"))) == (key,)
    assert stat.S_IMODE(path.with_name("shop.key").stat().st_mode) == 0o600


def test_only_models_of_trusted_keys_load(signed, monkeypatch, tmp_path):
    path, key = signed
    monkeypatch.setenv("HANGTAG_TRUSTED_KEYS", f"{MINISIGN_KEY}, {key}")
    assert load_model(path).card == read_bundle(path).card
    monkeypatch.setenv("HANGTAG_TRUSTED_KEYS", MINISIGN_KEY)
    with pytest.raises(BundleError, match="not trusted"):
        load_model(path)
    unsigned = tmp_path / "tiny.onnx"
    unsigned.write_bytes(path.read_bytes())
    with pytest.raises(BundleError, match="not signed"):
        load_model(unsigned)
    load_model(unsigned, trusted=OWN)
    TrustedKeys.of().check(find_bundle("default"), b"")  # it comes with hangtag
    monkeypatch.setenv("HANGTAG_TRUSTED_KEYS", "RWx")
    with pytest.raises(UsageError, match="not a minisign public key"):
        load_model(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a minisign signature"),
        ("a\nb\nc\nd\n", "not a minisign signature"),
        (SIGNED_BY_MINISIGN.replace("RUQ", "RWQ"), "before minisign 0.8"),
        (SIGNED_BY_MINISIGN.replace("RUQf", "RUQg"), "not trusted"),
    ],
)
def test_what_is_no_signature_says_so(tmp_path, text, problem):
    signature_path(tmp_path / "a.onnx").write_text(text)
    assert problem in problem_of(tmp_path / "a.onnx", b"test", PublicKey.parse(MINISIGN_KEY))


def test_a_key_is_never_overwritten_and_one_with_a_password_is_left_to_minisign(signed, tmp_path):
    path, _ = signed
    key = path.with_name("shop.key")
    with pytest.raises(UsageError, match="already"):
        make_key(key)
    lines = key.read_text().splitlines()
    locked = tmp_path / "locked.key"
    locked.write_text(f"{lines[0]}\nRWRTY0Iy{lines[1][8:]}\n")
    with pytest.raises(UsageError, match="password"):
        sign_bundle(path, b"", locked)
    with pytest.raises(UsageError, match="not a minisign secret key"):
        sign_bundle(path, b"", path.with_name("shop.pub"))
