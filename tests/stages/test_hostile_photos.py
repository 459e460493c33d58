"""Every file of the hostile corpus has a bounded cost, and every whole photo is decoded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hangtag.domain.reasons import Reason

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).parents[1] / "hostile_corpus.py"
MOST_MB = 400
MOST_SECONDS = 3.5
"""Two for decoding; the rest is what starting a process and getting there take."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    command = [sys.executable, str(CORPUS), str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_photo_takes_more_memory_or_time_than_it_may(outcomes):
    dear = [each for each in outcomes if each["peak_mb"] > MOST_MB or each["seconds"] > MOST_SECONDS]
    assert not dear


def test_every_photo_has_an_answer_or_a_reason(outcomes):
    assert len(outcomes) > 250
    assert {each["result"] for each in outcomes} <= {"ok", *map(str, Reason)}


def test_what_is_odd_but_whole_is_decoded(outcomes):
    assert [each for each in outcomes if each["kind"] == "odd" and each["result"] != "ok"] == []
