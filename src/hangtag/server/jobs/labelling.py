"""The photos of one job, labelled batch by batch, as rows for the database."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import tee
from typing import Any, Final

from hangtag.domain.flags import Flag
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DecodeLimits
from hangtag.inference.predicting import DecodeSettings, Predictor, predict_photos
from hangtag.server.answers import AnswerStyle, describe_photos
from hangtag.server.jobs.folder import JobFolders
from hangtag.server.jobs.store import NewResults, WaitingPhoto, failed_result
from hangtag.server.jobs.tables import encode_flags
from hangtag.store.vocabulary import Vocabulary

BATCH_PHOTOS: Final = 16
"""One batch of the engine: a request that comes meanwhile waits no longer than that."""

STORED_CANDIDATES: Final = 5
_CONFIDENCE_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class JobPhotoSource:
    """A waiting photo, as the decoder reads it."""

    folders: JobFolders
    job_id: str
    photo: WaitingPhoto

    @property
    def name(self) -> str:
        """What the client calls it."""
        return self.photo.name

    def read(self, limits: DecodeLimits) -> bytes:
        """Return its bytes; raises `PhotoError` with the reason why they cannot be had."""
        return self.folders.read(self.job_id, self.photo.stored, limits)


@dataclass(frozen=True, slots=True)
class JobLabeller:
    """Labels the photos of a job. `thresholds` are the confidences, by column, under which a label is doubtful."""

    number: int
    model: Predictor
    limits: DecodeLimits
    thresholds: dict[str, float]

    def iter_results(self, photos: Iterator[JobPhotoSource]) -> Generator[NewResults]:
        """Yield the results of the photos batch by batch, in order, each with the seconds since the one before."""
        card = self.model.card
        settings = DecodeSettings(threads=1, batch_size=BATCH_PHOTOS, limits=self.limits)
        style = AnswerStyle(self.thresholds, STORED_CANDIDATES)
        leaf = Vocabulary.from_card(card).leaf
        taken, given = tee(photos)
        since = time.perf_counter()
        with closing(predict_photos(given, [self.model], settings)) as batches:
            for (predictions,) in batches:
                rows = ResultRows(self.number, leaf)
                for answer in describe_photos(predictions, style):
                    rows.add(next(taken).photo.position, answer)
                now = time.perf_counter()
                yield rows.after(now - since)
                since = now


class ResultRows:
    """The rows of some answers; `leaf` is the column whose confidence stands for a photo's."""

    def __init__(self, number: int, leaf: str) -> None:
        self._number = number
        self._leaf = leaf
        self.results: list[dict[str, Any]] = []
        self.labels: list[dict[str, Any]] = []

    def add(self, position: int, answer: dict[str, Any]) -> None:
        """Add the rows of one photo, of which the API says `answer`."""
        if answer["status"] == "failed":
            self.results.append(failed_result(self._number, position, answer["reason"], answer["detail"]))
            return
        key = {"job": self._number, "position": position}
        candidates = {
            column: [
                [candidate["value"], round(candidate["confidence"], _CONFIDENCE_DIGITS)]
                for candidate in label["candidates"]
            ]
            for column, label in answer["labels"].items()
        }
        chosen = {column: ranked[0] for column, ranked in candidates.items()}
        self.results.append(
            {
                **key,
                "reason": None,
                "detail": None,
                "confidence": chosen[self._leaf][1],
                "doubtful": len(answer["doubtful"]),
                "sure": len(answer["answer"]),
                "flags": encode_flags([Flag(code) for code in answer["flags"]]),
                "answer": {"candidates": candidates, "doubtful": answer["doubtful"]},
                "corrections": None,
            }
        )
        self.labels += [
            {**key, "column": column, "label": label, "confidence": confidence}
            for column, (label, confidence) in chosen.items()
        ]

    def after(self, seconds: float) -> NewResults:
        """Return the rows, and that it took so long to find them."""
        return NewResults(self.results, self.labels, seconds)


def iter_waiting(
    fetch: Callable[[int], list[WaitingPhoto]], folders: JobFolders, job_id: str
) -> Iterator[JobPhotoSource]:
    """Yield the photos that have no result, fetched a few at a time: `fetch(position)` gives those beyond it."""
    after = -1
    while photos := fetch(after):
        for photo in photos:
            yield JobPhotoSource(folders, job_id, photo)
        after = photos[-1].position


def lost_uploads(new: NewResults) -> bool:
    """Tell whether a photo could not be read from the disk, which is not the photo's fault."""
    lost = {Reason.NOT_FOUND.value, Reason.UNREADABLE.value}
    return any(result["reason"] in lost for result in new.results)
