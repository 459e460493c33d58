"""Start the service that browser tests speak to: two models, a drawn catalogue, an empty data folder.

    python e2e/service.py PORT

The second model is the shipped one with less confidence, so that it doubts everything, and with made-up figures.
"""  # noqa: INP001 - a script

import dataclasses
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from hangtag.bundle.card import HeadCard
from hangtag.bundle.file import find_bundle, read_card, replace_card
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.server.run import build_settings, run_server

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from figures import make_up_metrics  # noqa: E402

from tiny_catalogue import build_tiny_catalogue  # noqa: E402 - found only now

DOUBT = 6.0
"""The factor on the temperatures of the doubting model."""

THRESHOLD = 0.8
"""The confidence from which its category labels are answers."""


def write_doubting_model(folder: Path) -> None:
    """Write the shipped model as `doubter`, with less confidence."""
    folder.mkdir()
    path = folder / "doubter.onnx"
    shutil.copy(find_bundle("default"), path)
    card = read_card(path)
    changes = {
        "name": "doubter",
        "description": "The shipped model, less sure of everything.",
        "heads": [_doubting(head) for head in card.heads],
        "target_accuracy": 0.98,
    }
    doubter = dataclasses.replace(card, **changes)
    replace_card(path, dataclasses.replace(doubter, metrics=make_up_metrics(doubter)))


def _doubting(head: HeadCard) -> HeadCard:
    weight = head.path_weight
    return dataclasses.replace(
        head,
        temperature=head.temperature * DOUBT,
        path_weight=None if weight is None else weight / DOUBT,
        threshold=THRESHOLD if head.column in CATEGORY_COLUMNS else None,
    )


def main() -> None:
    """Serve until a stop signal; then remove what was written."""
    logging.disable(logging.INFO)  # a line per request would hide the tests' output
    with tempfile.TemporaryDirectory(prefix="hangtag-e2e-") as name:
        folder = Path(name)
        write_doubting_model(folder / "models")
        settings = {
            "port": int(sys.argv[1]),
            "data_folder": folder / "data",
            "models": str(folder / "models"),
            "catalogue": build_tiny_catalogue(folder / "catalogue"),
        }
        run_server(build_settings(settings))


if __name__ == "__main__":
    main()
