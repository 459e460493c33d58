import asyncio
import itertools
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.server.batch_uploads import BatchFilesForm, receive_form
from hangtag.server.problems import (
    ClientLeftError,
    InvalidRequestError,
    QueueFullError,
    TooLargeError,
    TooManyFilesError,
    UnsupportedMediaError,
    UploadStalledError,
)
from hangtag.server.settings import Settings
from hangtag.server.turns import LongWork
from hangtag.server.upload_memory import UploadMemory
from hangtag.server.uploads import (
    MAX_FIELD_BYTES,
    MAX_FIELDS,
    FormLimits,
    FormReader,
    ending_with_client,
    read_form,
)

KIND = "multipart/form-data; boundary=cut"
LIMITS = FormLimits(max_bytes=1_000_000, max_files=10, timeout_s=5)


@dataclass
class KeptFile:
    name: str
    data: bytes = b""
    is_closed: bool = False

    def write(self, data):
        self.data += data

    def close(self):
        self.is_closed = True


@dataclass
class FakeRequest:
    """What `read_form` needs of a request: its headers, and its body in pieces."""

    pieces: list
    headers: dict = field(default_factory=lambda: {"content-type": KIND})

    async def stream(self):
        for piece in self.pieces:
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            else:
                yield piece


def open_file(_field, name):
    return KeptFile(name)


def part(name, value, file=None):
    disposition = f'form-data; name="{name}"' + ("" if file is None else f'; filename="{file}"')
    return b"--cut\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"


def read(*parts, end=b"--cut--\r\n", limits=LIMITS):
    return asyncio.run(read_form(FakeRequest([*parts, end]), limits, open_file, LongWork().begin()))


@given(
    files=st.lists(st.binary(max_size=60), max_size=4),
    value=st.text(st.characters(blacklist_categories=("Cs",)), max_size=20),
    size=st.integers(1, 50),
)
def test_a_form_is_the_same_however_it_arrives(files, value, size):
    body = part("model", value.encode())
    body += b"".join(part("photos", data, f"{number}.jpg") for number, data in enumerate(files))
    body += b"--cut--\r\n"
    reader = FormReader(KIND, LIMITS, open_file)
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
    form = reader.finish()
    assert form.fields == [("model", value)]
    assert [(field, file.name, file.data) for field, file in form.files] == [
        ("photos", f"{number}.jpg", data) for number, data in enumerate(files)
    ]
    assert all(file.is_closed for _, file in form.files)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("ümläut %22q%22 <b>x.jpg", 'ümläut "q" <b>x.jpg'),
        ("two%0D%0Alines.jpg", "two\r\nlines.jpg"),
        ("50%25 off %2F%41.jpg", "50%25 off %2F%41.jpg"),
    ],
)
def test_what_browsers_escape_in_a_name_is_taken_back_and_nothing_else(sent, name):
    form = read(part("photos", b"data", sent))
    assert [file.name for _, file in form.files] == [name]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("filename*=utf-8''Bl%C3%BCse.png", "Blüse.png"),
        ("FileName*=ISO-8859-1'en'Bl%FCse.png", "Blüse.png"),
        ("filename*=unknown''Bl%C3%BCse.png", "Blüse.png"),
        ("filename=\"plain.png\"; filename*=utf-8''Bl%C3%BCse.png", "plain.png"),
    ],
)
def test_a_name_in_the_extended_form_is_read(disposition, name):
    header = f'Content-Disposition: form-data; name="photos"; {disposition}\r\n\r\n'
    form = read(b"--cut\r\n" + header.encode() + b"bytes\r\n")
    assert [(field, file.name, file.data) for field, file in form.files] == [("photos", name, b"bytes")]


@given(
    field=st.text(st.characters(codec="utf-8", exclude_characters='"\\\r\n%', exclude_categories=("Cc",))),
    name=st.text(st.characters(codec="utf-8", exclude_characters='"\\\r\n%', exclude_categories=("Cc",))),
)
def test_names_are_the_same_in_the_usual_form_and_in_others(field, name):
    usual = f'form-data; name="{field}"; filename="{name}"'
    for disposition in (usual, usual.replace("form-data", "Form-Data"), f"{usual}; size=5"):
        reader = FormReader(KIND, LIMITS, open_file)
        reader.feed(f"--cut\r\nContent-Disposition: {disposition}\r\n\r\nbytes\r\n--cut--\r\n".encode())
        assert [(sent, file.name) for sent, file in reader.finish().files] == [(field, name)]


def test_a_field_that_only_speaks_of_the_extended_form_is_no_file():
    assert read(part("a; filename*=utf-8''x.png", b"text")).fields == [("a; filename*=utf-8''x.png", "text")]


def test_a_form_that_is_cut_off_is_refused():
    with pytest.raises(InvalidRequestError, match="incomplete"):
        read(part("photos", b"data", "a.jpg")[:-4], end=b"")


def test_an_empty_body_is_an_empty_form():
    form = read(end=b"")
    assert (form.fields, form.files) == ([], [])


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "multipart/mixed; boundary=cut"])
def test_another_kind_of_body_is_refused(kind):
    with pytest.raises(UnsupportedMediaError):
        FormReader(kind, LIMITS, open_file)


@pytest.mark.parametrize(
    "body",
    [
        [part("f", b"x" * (MAX_FIELD_BYTES + 1))],
        [part(str(number), b"x") for number in range(MAX_FIELDS + 1)],
        [b"--cut\r\nContent-Disposition: form-data\r\n\r\nx\r\n"],
        [b"--cut\r\nX: y\r\n\r\nx\r\n"],
        [b"--other\r\n"],
    ],
)
def test_a_strange_form_is_refused(body):
    with pytest.raises(InvalidRequestError):
        read(*body)


def test_the_limits_hold():
    with pytest.raises(TooManyFilesError, match="more than 2 files"):
        read(*[part("f", b"", "a")] * 3, limits=FormLimits(1000, 2, 5))
    with pytest.raises(TooLargeError, match="larger than 1,000 bytes"):
        read(part("f", bytes(2000), "a"), limits=FormLimits(1000, 2, 5))
    declared = FakeRequest([AssertionError], {"content-type": KIND, "content-length": "1001"})
    with pytest.raises(TooLargeError):
        asyncio.run(read_form(declared, FormLimits(1000, 2, 5), open_file, LongWork().begin()))


def test_an_upload_that_stands_still_is_ended():
    request = FakeRequest([b"--cut\r\n", 20.0])
    with pytest.raises(UploadStalledError, match=r"0\.05 seconds"):
        asyncio.run(read_form(request, FormLimits(1000, 2, 0.05), open_file, LongWork().begin()))


def test_an_upload_that_drips_is_ended(monkeypatch):
    monkeypatch.setattr("hangtag.server.uploads.PACE_SPAN_S", 0.1)
    drips = itertools.chain.from_iterable((0.02, b"x") for _ in range(100))
    with pytest.raises(UploadStalledError, match="bytes a second"):
        asyncio.run(
            read_form(FakeRequest([part("a", b"", "b")[:-2], *drips]), LIMITS, open_file, LongWork().begin())
        )


def test_an_upload_to_a_batch_that_drips_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr("hangtag.server.uploads.PACE_SPAN_S", 0.1)
    drips = itertools.chain.from_iterable((0.02, b"x") for _ in range(100))
    request = FakeRequest([part("files", b"", "b.jpg")[:-2], *drips])
    with pytest.raises(UploadStalledError, match="bytes a second"):
        asyncio.run(receive_form(request, tmp_path, Settings(), BatchFilesForm))


def test_an_upload_that_flows_is_not(monkeypatch):
    monkeypatch.setattr("hangtag.server.uploads.PACE_SPAN_S", 0.05)
    flow = itertools.chain.from_iterable((0.02, bytes(2000)) for _ in range(10))
    form = asyncio.run(
        read_form(
            FakeRequest([part("a", b"", "b")[:-2], *flow, b"\r\n--cut--\r\n"]),
            LIMITS,
            open_file,
            LongWork().begin(),
        )
    )
    assert len(form.files[0][1].data) == 20_000


class Leaving:
    """A request whose client leaves after some seconds."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def receive(self):
        await asyncio.sleep(self.seconds)
        return {"type": "http.disconnect"}


def test_work_ends_when_its_client_leaves():
    async def work():
        async with ending_with_client(Leaving(0.01)):
            await asyncio.sleep(20)

    with pytest.raises(ClientLeftError):
        asyncio.run(work())


def test_work_whose_client_stays_is_finished():
    async def work():
        async with ending_with_client(Leaving(20)):
            await asyncio.sleep(0.01)
        return "done"

    assert asyncio.run(work()) == "done"


def test_one_client_has_at_most_half_of_the_memory_for_uploads():
    memory = UploadMemory(100)
    memory.reserve(50, "a")
    with pytest.raises(QueueFullError, match="your uploads"):
        memory.reserve(1, "a")
    memory.reserve(50, "b")
    memory.release(50, "a")
    memory.release(50, "b")
    assert (memory.used_bytes, memory.used_by) == (0, {})


def test_no_operation_reads_a_body_that_is_too_large(client):
    document = client.get("/api/v1/openapi.json").json()
    checked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for media_type in operation.get("requestBody", {}).get("content", {}):
                headers = {"content-length": str(10**12), "content-type": f"{media_type}; boundary=x"}
                address = re.sub(r"{.*?}", "1", path)
                response = client.request(method, address, content=b"", headers=headers)
                assert response.status_code in {404, 413}, (method, path)
                checked += response.status_code == 413
    assert checked > 30
