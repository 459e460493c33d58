import fcntl
import json
import os
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hangtag.domain.errors import UsageError
from hangtag.labelling.job import open_job
from hangtag.labelling.outputs import Layout, Output
from hangtag.labelling.plan import Fingerprint, Plan, Start

LAYOUT = Layout(("articleType",))
FINGERPRINT = Fingerprint({"default": "a" * 64}, {"default": "fp32"}, 1, {"path": "text"})


@dataclass
class Photo:
    name: str


class Stopped(Exception):  # noqa: N818 - it is what happens to a run
    """The end of a run in its middle."""


@pytest.fixture(params=["labels.csv", "labels.parquet", "labels/"])
def plan(request, tmp_path):
    output = Output.parse(f"{tmp_path}/{request.param}")
    return Plan(output, LAYOUT, FINGERPRINT, ("photos",), rows_a_part=3)


@pytest.fixture
def folder_plan(tmp_path):
    return Plan(Output.parse(f"{tmp_path}/labels/"), LAYOUT, FINGERPRINT, ("photos",), rows_a_part=3)


@pytest.fixture
def file_plan(tmp_path):
    return Plan(Output.parse(f"{tmp_path}/labels.csv"), LAYOUT, FINGERPRINT, ("photos",), rows_a_part=3)


def rows_of(path, failed):
    names = ("status", "reason", "articleType", "articleType_confidence")
    values = ("failed", "empty", None, None) if failed else ("labelled", None, "Tshirts", 0.25)
    row = dict.fromkeys(LAYOUT.kinds) | {"path": path} | dict(zip(names, values, strict=True))
    return {name: [value] for name, value in row.items()}


def label(plan, start, photos, *, stop_at=None, failing=""):
    """Label photos, named by letters, and return which ones were labelled in this run."""
    labelled = []
    with open_job(replace(plan, start=start)) as job:
        for photo in job.iter_unfinished(map(Photo, photos)):
            if photo.name == stop_at:
                raise Stopped
            job.write(rows_of(photo.name, photo.name in failing))
            labelled.append(photo.name)
    return "".join(labelled)


def read_output(plan, read_csv):
    """Return the rows of the output as (path, status)."""
    path = plan.output.path
    rows = read_csv(path) if path.suffix == ".csv" else pq.read_table(path).to_pylist()
    return [(row["path"], row["status"]) for row in rows]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_job_leaves_its_output_and_nothing_else(plan, tmp_path, read_csv):
    assert label(plan, Start.NEW, "abcdefg") == "abcdefg"
    assert names_in(tmp_path) == [plan.output.path.name]
    assert read_output(plan, read_csv) == [(name, "labelled") for name in "abcdefg"]


def test_a_stopped_job_goes_on_and_the_input_may_have_changed(plan, read_csv):
    with pytest.raises(Stopped):
        label(plan, Start.NEW, "abcdefg", stop_at="f")
    with pytest.raises(Stopped):
        label(plan, Start.RESUME, "abcdefgh", stop_at="g")
    assert label(plan, Start.RESUME, "ihgfedcba") == "ihg"
    assert [path for path, _ in read_output(plan, read_csv)] == [*"abcdefihg"]


def test_what_was_there_stays_until_the_job_is_finished(file_plan):
    file_plan.output.path.write_text("yesterday")
    with pytest.raises(Stopped):
        label(file_plan, Start.NEW, "abc", stop_at="c")
    assert file_plan.output.path.read_text() == "yesterday"
    assert label(file_plan, Start.RESUME, "abc") == "c"
    assert file_plan.output.path.read_text().startswith("path,")


def test_a_job_that_did_not_begin_leaves_nothing(plan, tmp_path):
    with pytest.raises(Stopped):
        label(plan, Start.NEW, "abc", stop_at="a")
    assert names_in(tmp_path) == []
    with pytest.raises(UsageError), open_job(plan):
        raise UsageError("there are no photos in the inputs")
    assert names_in(tmp_path) == []


def test_failed_photos_are_tried_again_alone(plan, read_csv):
    label(plan, Start.NEW, "abcdefg", failing="bg")
    assert label(plan, Start.RESUME, "abcdefg") == ""
    assert label(plan, Start.RETRY, "abcdefg", failing="g") == "bg"
    assert sorted(read_output(plan, read_csv)) == [(name, "labelled") for name in "abcdef"] + [
        ("g", "failed")
    ]


def test_a_stopped_retry_loses_no_photo(plan, read_csv):
    label(plan, Start.NEW, "abcdefg", failing="bg")
    with pytest.raises(Stopped):
        label(plan, Start.RETRY, "abcdefg", stop_at="g")
    assert label(plan, Start.RESUME, "abcdefg") == "g"
    assert sorted(read_output(plan, read_csv)) == [(name, "labelled") for name in "abcdefg"]


def test_what_is_begun_is_not_lost_unasked(plan, read_csv):
    with pytest.raises(Stopped):
        label(plan, Start.NEW, "abcdefg", stop_at="f")
    with pytest.raises(
        UsageError, match=r"is not finished\. Continue with `resume`, start again with `restart`"
    ):
        label(plan, Start.NEW, "abcdefg")
    assert label(plan, Start.RESTART, "xyz") == "xyz"
    assert [path for path, _ in read_output(plan, read_csv)] == [*"xyz"]


def test_a_finished_file_is_replaced_and_a_finished_folder_is_not(file_plan, folder_plan, read_csv):
    for plan in (file_plan, folder_plan):
        label(plan, Start.NEW, "abc", failing="b")
    assert label(file_plan, Start.NEW, "xy") == "xy"
    assert [path for path, _ in read_output(file_plan, read_csv)] == ["x", "y"]
    with pytest.raises(UsageError, match="an earlier job for this output holds labels"):
        label(folder_plan, Start.NEW, "xy")
    assert label(folder_plan, Start.RESTART, "xy") == "xy"
    assert [path for path, _ in read_output(folder_plan, read_csv)] == ["x", "y"]


def test_a_killed_assembly_is_done_again(file_plan, tmp_path, monkeypatch, read_csv):
    monkeypatch.setattr("hangtag.labelling.job.Job._copy_rows", lambda *_: (_ for _ in ()).throw(Stopped()))
    with pytest.raises(Stopped):
        label(file_plan, Start.NEW, "abcd")
    monkeypatch.undo()
    assert not file_plan.output.path.exists()
    assert label(file_plan, Start.RESUME, "abcd") == ""
    assert [path for path, _ in read_output(file_plan, read_csv)] == [*"abcd"]
    assert names_in(tmp_path) == [".labels.csv.job", "labels.csv"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"fingerprint": replace(FINGERPRINT, top_k=3)}, "`top_k` was 1 and is now 3"),
        ({"inputs": ("other", "more")}, "its photos were photos and are now other and 1 more"),
    ],
)
def test_another_job_is_refused_and_nothing_is_lost(plan, changes, problem):
    with pytest.raises(Stopped):
        label(plan, Start.NEW, "abcdefg", stop_at="f")
    with pytest.raises(UsageError, match=problem) as refused:
        label(replace(plan, **changes), Start.RESUME, "abcdefg")
    assert "Use the options that it was started with" in str(refused.value)
    assert label(plan, Start.RESUME, "abcdefg") == "fg"


def test_further_inputs_may_be_named(folder_plan):
    label(folder_plan, Start.NEW, "ab")
    label(replace(folder_plan, inputs=("photos", "more")), Start.RESUME, "abc")
    manifest = json.loads((folder_plan.folder / "_job.json").read_text())
    assert manifest["inputs"] == ["photos", "more"]
    assert manifest["state"] == "finished"


def test_two_processes_do_not_work_on_one_job(plan):
    plan.folder.mkdir()
    other = os.open(plan.folder, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(UsageError, match="another process is working on this job"):
        label(plan, Start.NEW, "abc")
    os.close(other)
    assert label(plan, Start.NEW, "abc") == "abc"


def test_a_folder_of_other_things_is_left_alone(folder_plan, tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "part-00000.parquet").touch()
    for start in Start:
        with pytest.raises(UsageError, match="this folder holds files that are not labels"):
            label(folder_plan, start, "abc")
    assert names_in(tmp_path / "labels") == ["part-00000.parquet"]


def test_a_damaged_part_is_named_and_nothing_is_lost(folder_plan):
    label(folder_plan, Start.NEW, "abcdefg", failing="g")
    part = folder_plan.folder / "part-00000.parquet"
    whole = part.read_bytes()
    for content in (
        b"xx\n",
        b"",
        whole[:-20],
        whole[:4] + bytes(len(whole) // 3) + whole[4 + len(whole) // 3 :],
    ):
        part.write_bytes(content)
        for start in (Start.RESUME, Start.RETRY):
            with pytest.raises(UsageError, match=r"part-00000.parquet: .* damaged .*`restart`") as refused:
                label(folder_plan, start, "abcdefgh")
            assert "\n" not in str(refused.value)
    part.write_bytes(whole)
    assert label(folder_plan, Start.RETRY, "abcdefgh") == "gh"


def test_a_part_of_something_else_is_no_part_of_the_job(folder_plan):
    label(folder_plan, Start.NEW, "abcd")
    pq.write_table(pa.table({"path": ["a"]}), folder_plan.folder / "part-00001.parquet")
    with pytest.raises(UsageError, match=r"part-00001.parquet: .* \(its columns differ\)"):
        label(folder_plan, Start.RESUME, "abcd")
    assert label(folder_plan, Start.RESTART, "abcd") == "abcd"


WHOLE = {"format": 1, "state": "begun", "inputs": ["photos"], "depends_on": FINGERPRINT.to_json()}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"format": 2}',
        '{"format": 1, "depends_on": {}}',
        json.dumps(WHOLE | {"inputs": "photos"}),
        json.dumps(WHOLE | {"inputs": [1]}),
        json.dumps(WHOLE | {"depends_on": None}),
        *(
            json.dumps(WHOLE | {"depends_on": WHOLE["depends_on"] | {name: value}})
            for name in ("models", "precisions", "columns", "top_k")
            for value in (None, ["a"], {"a": 1}, {"other": "fp32"})
            if (name, value) != ("columns", {"other": "fp32"})
        ),
    ],
)
def test_a_manifest_that_says_nothing_is_no_excuse_to_lose_rows(folder_plan, content):
    label(folder_plan, Start.NEW, "abc")
    (folder_plan.folder / "_job.json").write_text(content)
    for start in (Start.NEW, Start.RESUME):
        with pytest.raises(UsageError, match="does not describe a job"):
            label(folder_plan, start, "abcd")
    assert label(folder_plan, Start.RESTART, "abcd") == "abcd"
