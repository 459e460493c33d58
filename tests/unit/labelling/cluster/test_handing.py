import io
import pickle
import tarfile
import zipfile

import pytest

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.labelling.cluster import worker
from hangtag.labelling.cluster.worker import iter_chunks, receive
from hangtag.labelling.inputs import InputSettings, open_inputs
from hangtag.labelling.inputs.prefetch import RemotePhoto
from hangtag.labelling.inputs.reference import References

PHOTOS = {"a.jpg": b"first", "b.jpg": b"second"}


def write_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in PHOTOS.items():
            archive.writestr(name, data)


def write_tar(path):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in PHOTOS.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def write_folder(path):
    path.mkdir()
    for name, data in PHOTOS.items():
        (path / name).write_bytes(data)


def write_table(path):
    write_folder(path.parent / "files")
    path.write_text("path,price\nfiles/a.jpg,1\nfiles/b.jpg,2\n", "utf-8")


def travel(inputs, size=100):
    """Return what arrives of an input's photos on another machine, chunk by chunk."""
    with open_inputs(inputs) as walk:
        for chunk in iter_chunks(walk, size):
            yield pickle.loads(pickle.dumps(chunk.photos))  # noqa: S301 - as Ray does


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("photos", write_folder),
        ("photos.zip", write_zip),
        ("photos.tar", write_tar),
        ("photos.tar.gz", write_tar),
        ("products.csv", write_table),
    ],
)
def test_a_photo_is_the_same_wherever_it_is_read(tmp_path, monkeypatch, name, write):
    write(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with open_inputs([name]) as walk:
        expected = [(photo.name, photo.read()) for photo in walk]
    (sent,) = travel([name])
    monkeypatch.chdir("/")
    arrived = list(receive(sent, References(InputSettings())))
    assert [(photo.name, photo.read()) for photo in arrived] == expected
    assert [photo.read() for photo in arrived] == list(PHOTOS.values())


def test_only_a_packed_tar_sends_bytes(tmp_path):
    for name, write in {"photos.tar": write_tar, "photos.zip": write_zip, "photos": write_folder}.items():
        write(tmp_path / name)
        (sent,) = travel([tmp_path / name])
        assert not [photo for photo in sent if isinstance(photo.source, bytes)]


def test_a_chunk_is_full_with_so_many_photos_or_bytes(tmp_path, monkeypatch):
    write_tar(tmp_path / "photos.tar.gz")
    assert [len(sent) for sent in travel([tmp_path / "photos.tar.gz"] * 2, 3)] == [3, 1]
    monkeypatch.setattr(worker, "CHUNK_BYTES", 11)
    assert [len(sent) for sent in travel([tmp_path / "photos.tar.gz"] * 2, 3)] == [2, 2]


def test_a_fault_arrives_as_it_was(tmp_path):
    (tmp_path / "products.csv").write_text("path\nnone.jpg\nftp://shop.example/1.jpg\n\n,\n", "utf-8")
    (sent,) = travel([tmp_path / "products.csv"])
    reasons = []
    for photo in receive(sent, References(InputSettings())):
        with pytest.raises(PhotoError) as caught:
            photo.read()
        reasons.append(caught.value.reason)
    assert reasons[:2] == [Reason.NOT_FOUND, Reason.UNREADABLE]


def test_an_address_is_fetched_where_it_arrives_and_shows_no_password():
    (sent,) = travel(["https://me:secret@shop.example/1.jpg"])
    (arrived,) = receive(sent, References(InputSettings()))
    assert isinstance(arrived, RemotePhoto)
    assert arrived.photo.url == "https://me:secret@shop.example/1.jpg"
    assert arrived.name == sent[0].name == "https://shop.example/1.jpg"


def test_a_photo_is_hidden_there_when_it_can_be_read_here(tmp_path):
    write_folder(tmp_path / "photos")
    (sent,) = travel([tmp_path / "photos", tmp_path / "none.jpg"])
    assert [photo.is_hidden_there(Reason.NOT_FOUND) for photo in sent] == [True, True, False]
    assert not sent[0].is_hidden_there(Reason.CORRUPT)
    assert not sent[0].is_hidden_there(None)
