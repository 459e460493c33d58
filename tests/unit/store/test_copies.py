"""What the store keeps of a photo: a copy without metadata, found by the hash of the file that came."""

import hashlib
import io

import pytest
from PIL import Image

from fakes import encode, paint
from hangtag.imaging.decode import decode_photo
from hangtag.store.backup import read_backup, write_backup
from hangtag.store.folder import PhotoFolder
from store_shop import open_shop


def telltale(turn=6):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = turn, "taken at home"
    return encode(paint("Red", (90, 70)), "JPEG", exif=exif)


@pytest.fixture
def shop(tmp_path):
    shop = open_shop(tmp_path)
    yield shop
    shop.store.engine.dispose()


def kept(shop, data):
    return shop.store.folder.path(hashlib.sha256(data).hexdigest()).read_bytes()


@pytest.mark.parametrize("turn", [1, 6])
def test_a_copy_says_how_it_lies_and_nothing_of_where_it_was_taken(shop, turn):
    data = telltale(turn)
    batch = shop.make({"a.jpg": data})
    with Image.open(io.BytesIO(kept(shop, data))) as copy:
        assert dict(copy.getexif()) == ({} if turn == 1 else {0x0112: turn})
    assert b"taken at home" not in kept(shop, data)
    photo = shop.list(batch)[0]["photos"][0]
    assert (photo["width"], photo["height"]) == decode_photo(data).size


def test_the_same_file_is_known_again_by_what_came(shop):
    batch = shop.make({"a.jpg": telltale()})
    answer = shop.add(batch, {"b.jpg": telltale()}, skip_duplicates=True)
    assert "skipped" in answer[0]["problem"]


def test_originals_are_kept_where_a_setting_asks_for_it(shop):
    shop.store.folder = PhotoFolder(shop.store.folder.root, keep_originals=True)
    shop.make({"a.jpg": telltale()})
    assert kept(shop, telltale()) == telltale()


def test_of_what_cannot_be_shown_nothing_is_kept_but_the_reason(shop):
    batch = shop.make({"a.jpg": b"no photo at all", "b.png": "Red"})
    assert len(list(shop.store.folder.iter_hashes())) == 1
    photos = [photo for product in shop.list(batch) for photo in product["photos"]]
    reasons = {photo["name"]: photo["error"] and photo["error"]["reason"] for photo in photos}
    assert reasons == {"a.jpg": "not_a_photo", "b.png": None}


def test_a_backup_knows_copies_by_their_own_digest(shop, tmp_path):
    batch = shop.make({"a.jpg": telltale()})
    path = tmp_path / "backup.tar"
    write_backup(shop.store.engine, shop.store.folder, path)
    (tmp_path / "other").mkdir()
    other = open_shop(tmp_path / "other")
    read_backup(path, other.store.engine, other.store.folder)
    assert kept(other, telltale()) == kept(shop, telltale())
    assert other.list(batch) == shop.list(batch)
    other.store.engine.dispose()
