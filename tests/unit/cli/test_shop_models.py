"""The shop models of a data folder, from the command line."""

import json

from hangtag.learning import worker
from learning_shop import open_tiny_shop


def test_versions_are_listed_promoted_and_rolled_back(call, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "QUIET_S", 0.0)
    monkeypatch.delenv("HANGTAG_DATABASE_URL", raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    given = ("--data-folder", str(folder))
    assert "Nothing has been learned yet" in call("models", "versions", *given)[1]
    shop = open_tiny_shop(tmp_path, f"sqlite:///{folder / 'hangtag.db'}")
    batch = shop.draw(30)
    shop.check(batch, 20)
    shop.worker.step()
    (listed,) = json.loads(call("models", "versions", "--json", *given)[1])
    assert (listed["version"], listed["stage"], listed["by"]) == ("tiny-shop-1", "in use", "hangtag")
    assert call("models", "rollback", *given)[1] == "The base model is in use.\n"
    shop.worker.step()
    assert shop.batches.get(batch)["model"]["id"] == "tiny"
    assert call("models", "promote", "tiny-shop-1", *given)[1] == "tiny-shop-1 is in use.\n"
    status, _, error = call("models", "promote", "tiny-shop-9", *given)
    assert (status, "there is no shop model 'tiny-shop-9'" in error) == (2, True)
    shop.store.engine.dispose()
