"""Object stores: against a server on this machine that speaks the protocol of S3."""

import sys

import pytest

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.labelling.inputs.opening import open_inputs
from hangtag.labelling.inputs.photo import InputSettings
from hangtag.labelling.inputs.prefetch import FetchingAhead

boto3 = pytest.importorskip("boto3")
pytest.importorskip("obstore")
moto_server = pytest.importorskip("moto.server")

QUICK = InputSettings(timeout_s=10, attempts=2, backoff_s=0.01)


@pytest.fixture(scope="module")
def server():
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    """A bucket with photos, and the environment in which it is found."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    client.create_bucket(Bucket="shop")
    for key, body in {
        "photos/2.jpg": b"two",
        "photos/1.JPG": b"one",
        "photos/a/é b.png": b"three",
        "photos/notes.txt": b"x",
        "photos/.hidden/1.jpg": b"x",
        "other/1.jpg": b"other",
    }.items():
        client.put_object(Bucket="shop", Key=key, Body=body)
    yield client
    boto3.resource("s3", endpoint_url=server, region_name="us-east-1").Bucket("shop").objects.delete()


def walk(*urls, settings=QUICK):
    with open_inputs(urls, settings) as inputs:
        photos = list(FetchingAhead().start(inputs))
        return [(photo.name, read_or_reason(photo)) for photo in photos], inputs.other_files


def read_or_reason(photo):
    try:
        return photo.read()
    except PhotoError as error:
        return error.reason


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("url", ["s3://shop/photos", "s3://shop/photos/"])
def test_a_prefix_is_all_photos_below_it(url):
    photos, other_files = walk(url)
    assert photos == [
        ("s3://shop/photos/1.JPG", b"one"),
        ("s3://shop/photos/2.jpg", b"two"),
        ("s3://shop/photos/a/é b.png", b"three"),
    ]
    assert other_files == 1


@pytest.mark.usefixtures("bucket")
def test_a_bucket_is_all_photos_in_it():
    photos, _ = walk("s3://shop")
    assert photos[0] == ("s3://shop/other/1.jpg", b"other")
    assert len(photos) == 4


@pytest.mark.usefixtures("bucket")
def test_an_object_is_one_photo():
    photos, _ = walk("s3://shop/photos/a/é b.png", "s3://shop/photos/gone.jpg", "s3://nowhere/1.jpg")
    assert [found for _, found in photos] == [b"three", Reason.NOT_FOUND, Reason.NOT_FOUND]


@pytest.mark.usefixtures("bucket")
def test_a_large_object_is_not_downloaded():
    settings = InputSettings(timeout_s=10, limits=DecodeLimits(max_bytes=2))
    photos, _ = walk("s3://shop/other/1.jpg", settings=settings)
    assert photos == [("s3://shop/other/1.jpg", Reason.TOO_MANY_BYTES)]


@pytest.mark.usefixtures("bucket")
def test_a_table_can_name_objects(tmp_path):
    (tmp_path / "a.csv").write_text("sku,url\n1,s3://shop/photos/2.jpg\n2,s3://shop/gone.jpg\n")
    photos, _ = walk(tmp_path / "a.csv")
    assert photos == [("s3://shop/photos/2.jpg", b"two"), ("s3://shop/gone.jpg", Reason.NOT_FOUND)]


def test_a_long_listing_comes_page_by_page(bucket, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")
    for number in range(30):
        bucket.put_object(Bucket="shop", Key=f"many/{number:05}.jpg", Body=b"%d" % number)
    with open_inputs(["s3://shop/many"], QUICK) as inputs:
        photos = list(inputs)
        assert [photo.name for photo in photos] == [f"s3://shop/many/{number:05}.jpg" for number in range(30)]
        assert photos[-1].read() == b"29"


@pytest.mark.usefixtures("bucket")
def test_a_prefix_with_nothing_below_is_an_entry():
    photos, _ = walk("s3://shop/nothing")
    assert photos == [("s3://shop/nothing", Reason.NOT_FOUND)]


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_cannot_be_listed():
    with pytest.raises(UsageError, match="AWS_ACCESS_KEY_ID"):
        walk("s3://nowhere/photos")


@pytest.mark.usefixtures("bucket")
def test_a_store_that_cannot_be_reached_is_a_reason(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    photos, _ = walk("s3://shop/1.jpg")
    assert photos == [("s3://shop/1.jpg", Reason.UNREACHABLE)]


def test_an_address_without_a_bucket_is_refused():
    with pytest.raises(UsageError, match="no bucket"):
        open_inputs(["s3:///photos"])


@pytest.mark.parametrize("url", ["s3://shop/1.jpg", "gs://shop/photos", "az://shop/1.jpg"])
def test_without_the_extra_its_name_is_said(monkeypatch, url):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match=r"hangtag\[cloud\]"):
        open_inputs([url])


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("gs://shop/1.jpg", {"GOOGLE_SKIP_SIGNATURE": "true"}),
        ("az://shop/1.jpg", {"AZURE_STORAGE_ACCOUNT_NAME": "shop", "AZURE_SKIP_SIGNATURE": "true"}),
    ],
)
def test_other_stores_are_opened_from_the_environment(monkeypatch, url, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with open_inputs([url]) as inputs:
        assert inputs.count() == 1


def test_a_store_without_an_account_is_refused_before_anything_is_labelled(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(UsageError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        open_inputs(["az://shop/photos"])
