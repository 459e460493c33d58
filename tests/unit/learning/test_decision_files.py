import json

import pytest

from hangtag.domain.errors import TableError
from hangtag.learning.decisions import DecisionFiles
from hangtag.store.decisions import Decision


@pytest.fixture
def files(shop):
    return DecisionFiles(shop.store, shop.decisions)


def decide(shop, batch, who, **colours):
    by_photo = {product["photos"][0]["name"]: int(product["id"]) for product in shop.list(batch)}
    for photo, gender in colours.items():
        number = by_photo[f"{photo}.png"]
        shop.decisions.decide(batch, Decision(products=(number,), set={"gender": gender}), who)


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_decisions_go_out_and_come_back_into_another_store(shop, files, tmp_path, ending):
    batch = shop.draw(4)
    names = sorted(product["photos"][0]["name"] for product in shop.list(batch))
    said = dict(zip(names, ("Men", "Women", "Men"), strict=False))
    for name, gender in said.items():
        decide(shop, batch, "ann", **{name.removesuffix(".png"): gender})
    shop.decisions.undo(batch, "ann")
    path = tmp_path / f"decisions.{ending}"
    files.export(path)
    assert {(found.photo, found.label, found.reviewer) for found in files.read(batch)} == {
        (name, gender, "ann") for name, gender in list(said.items())[:2]
    }
    shop.decisions.undo(batch, "ann")
    shop.decisions.undo(batch, "ann")
    assert files.read() == []
    taken = files.take(path, "ben")
    assert (taken["rows"], taken["applied"], taken["unchanged"], taken["skipped"]) == (2, 2, 0, [])
    assert {found.reviewer for found in files.read()} == {"ben"}
    assert files.take(path, "ben")["unchanged"] == 2


def test_what_cannot_be_applied_is_told_line_by_line(shop, files, tmp_path):
    shop.draw(2)
    path = tmp_path / "given.csv"
    path.write_text(
        "photo,attribute,label\n9-0.png,gender,Men\nnowhere.png,gender,Men\n9-1.png,gender,Cats\n"
    )
    taken = files.take(path, "ben")
    assert taken["applied"] == 1
    assert [entry["line"] for entry in taken["skipped"]] == [2, 0]
    assert "no product has a photo 'nowhere.png'" in taken["skipped"][0]["reason"]
    assert "'Cats' is not a class of gender" in taken["skipped"][1]["reason"]
    path.write_text("x,y\n1,2\n")
    with pytest.raises(TableError):
        files.take(path, "ben")


def test_agreement_is_cohens_kappa_where_two_saw_the_same(shop, files, tmp_path):
    batch = shop.draw(4)
    names = sorted(product["photos"][0]["name"].removesuffix(".png") for product in shop.list(batch))
    for who, genders in (("ann", ("Men", "Men", "Women", "Women")), ("ben", ("Men", "Men", "Women", "Men"))):
        decide(shop, batch, who, **dict(zip(names, genders, strict=True)))
    (found,) = [entry for entry in files.agreement() if entry["attribute"] == "gender"]
    assert (found["people"], found["both"], found["agreed"], found["kappa"]) == (["ann", "ben"], 4, 0.75, 0.5)
    files.export(tmp_path / "tasks.json", batch)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert {len(task["annotations"]) for task in tasks} == {2}
