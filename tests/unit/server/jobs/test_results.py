from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, update

from hangtag.domain.errors import InvalidFieldsError
from hangtag.domain.flags import Flag
from hangtag.server.jobs.results import ResultFilter, check_filter, correct_result, query_results
from hangtag.server.jobs.stored import describe_result, iter_results
from hangtag.server.jobs.summary import summarise
from hangtag.server.jobs.tables import ResultRow, decode_flags, encode_flags
from hangtag.server.problems import InvalidRequestError, NotFoundError
from hangtag.store.database import writing
from stored_jobs import TINY, Drawn, open_store, store_job
from tiny_bundle import TINY_HEADS

confidences = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.59, 0.6, 0.7, 0.999, 1.0])
labelled = st.builds(
    Drawn,
    labels=st.fixed_dictionaries(
        {column: st.tuples(st.sampled_from(classes), confidences) for column, classes in TINY_HEADS.items()}
    ),
    doubtful=st.lists(st.sampled_from(sorted(TINY_HEADS)), unique=True).map(tuple),
    sure=st.integers(0, 2),
    flags=st.lists(st.sampled_from(Flag), unique=True).map(tuple),
)
outcomes = st.one_of(
    labelled, labelled, st.builds(Drawn, reason=st.sampled_from(["empty", "corrupt"])), st.none()
)
corrections = st.dictionaries(st.integers(0, 11), st.sampled_from(TINY_HEADS["gender"]), max_size=4)
optional = st.one_of(st.none(), confidences)
filters = st.one_of(st.none(), st.sampled_from(sorted(TINY_HEADS))).flatmap(
    lambda column: st.builds(
        ResultFilter,
        column=st.just(column),
        label=st.none() if column is None else st.one_of(st.none(), st.sampled_from(TINY_HEADS[column])),
        min_confidence=optional,
        max_confidence=optional,
        status=st.sampled_from([None, "labelled", "failed", "doubtful", "category", "attributes", "flagged"]),
        sort=st.sampled_from(["position", "confidence"]),
    )
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A database that fills with the jobs of all tests here, which must not mix."""
    store = open_store(tmp_path_factory.mktemp("results"))
    yield store
    store.engine.dispose()


@given(
    st.lists(outcomes, min_size=1, max_size=12),
    corrections,
    filters,
    st.tuples(st.integers(0, 5), st.integers(1, 8)),
)
@settings(max_examples=40)
def test_a_page_is_what_plain_python_would_choose(store, drawn, said, wanted, page):
    job = store_job(store, drawn)
    corrected = {
        at: gender for at, gender in said.items() if at < len(drawn) and drawn[at] and drawn[at].labels
    }
    for position, gender in corrected.items():
        correct_result(store.engine, job, position, {"gender": gender})
    found, total = query_results(store.engine, job, wanted, page)
    expected = choose(drawn, corrected, wanted)
    assert total == len(expected)
    assert [result.position for result in found] == expected[page[0] : page[0] + page[1]]


def choose(drawn, corrected, wanted):
    """Return the positions that a filter lets through, without any database."""

    def confidence(position):
        labels = drawn[position].labels
        return labels[wanted.column or "articleType"][1] if labels else None

    def fits(position):
        one = drawn[position]
        if one is None:
            return False
        doubtful = set(one.doubtful) - ({"gender"} if position in corrected else set())
        label = {column: value for column, (value, _) in one.labels.items()}
        if position in corrected:
            label["gender"] = corrected[position]
        statuses = {
            "labelled": bool(one.labels),
            "failed": bool(one.reason),
            "doubtful": bool(doubtful),
            "category": bool(doubtful - {"gender"}),
            "attributes": doubtful == {"gender"},
            "flagged": bool(one.flags),
        }
        return all(
            [
                wanted.column is None or wanted.column in one.labels,
                wanted.label is None or label.get(wanted.column) == wanted.label,
                wanted.min_confidence is None
                or (confidence(position) is not None and confidence(position) >= wanted.min_confidence),
                wanted.max_confidence is None
                or (confidence(position) is not None and confidence(position) <= wanted.max_confidence),
                wanted.status is None or statuses[wanted.status],
            ]
        )

    positions = [position for position in range(len(drawn)) if fits(position)]
    if wanted.sort == "position":
        return positions
    return sorted(positions, key=lambda at: (confidence(at) is None, confidence(at) or 0.0, at))


@given(st.lists(outcomes, min_size=1, max_size=12))
@settings(max_examples=15)
def test_a_summary_counts_what_there_is(store, drawn):
    summary = summarise(store.engine, store_job(store, drawn))
    answered = [one for one in drawn if one and one.labels]
    for column in TINY_HEADS:
        labels = [one.labels[column][0] for one in answered]
        assert dict(summary.by_class[column]) == {label: labels.count(label) for label in labels}
        assert summary.by_class[column] == sorted(summary.by_class[column], key=lambda one: (-one[1], one[0]))
    reasons = [one.reason for one in drawn if one and one.reason]
    assert dict(summary.by_reason) == {reason: reasons.count(reason) for reason in reasons}
    flags = [flag for one in answered for flag in one.flags]
    assert dict(summary.by_flag) == {flag: flags.count(flag) for flag in flags}
    depths = [one.sure for one in answered]
    levels = (("articleType", 2), ("masterCategory", 1), (None, 0))
    assert summary.by_answer == [(level, depths.count(sure)) for level, sure in levels if depths.count(sure)]
    leaves = [one.labels["articleType"][1] for one in answered]
    bins = [min(9, int(round(leaf * 1000) // 100)) for leaf in leaves]
    assert summary.by_confidence == [(step / 10, bins.count(step)) for step in range(10)]


SHIRT = Drawn(
    {"masterCategory": ("Apparel", 0.9), "articleType": ("Tshirts", 0.5), "gender": ("Men", 0.55)},
    doubtful=("articleType", "gender"),
)


def test_a_correction_stands_beside_the_answer(store):
    job = store_job(store, [SHIRT, SHIRT])
    correct_result(store.engine, job, 1, {"articleType": "Watches"})
    found = describe_result(correct_result(store.engine, job, 1, {"gender": "Men"}), [])
    assert found.labels["articleType"].value == "Tshirts"
    assert found.corrections == {"articleType": "Watches", "masterCategory": "Accessories", "gender": "Men"}
    assert found.doubtful == []
    assert (found.path, found.answer) == (["Accessories", "Watches"], ["Accessories", "Watches"])
    assert summarise(store.engine, job).by_class["articleType"] == [("Tshirts", 1), ("Watches", 1)]
    (other,), _ = query_results(store.engine, job, ResultFilter(status="doubtful"), (0, 9))
    assert other.position == 0


def test_a_category_that_a_person_said_is_in_doubt_no_more(store):
    job = store_job(store, [SHIRT, replace(SHIRT, doubtful=("gender",)), SHIRT, replace(SHIRT, doubtful=())])
    correct_result(store.engine, job, 2, {"articleType": "Tshirts"})

    def positions(status):
        return [
            one.position for one in query_results(store.engine, job, ResultFilter(status=status), (0, 9))[0]
        ]

    assert positions("category") == [0]
    assert positions("attributes") == [1, 2]
    assert positions("doubtful") == [0, 1, 2]


def test_what_the_model_is_sure_of_and_the_flags_are_kept(store):
    job = store_job(store, [replace(SHIRT, sure=1, flags=(Flag.NOT_A_PRODUCT, Flag.BLANK))])
    (result,), _ = query_results(store.engine, job, ResultFilter(status="flagged"), (0, 9))
    found = describe_result(result, [])
    assert (found.path, found.answer, found.answer_level) == (
        ["Apparel", "Tshirts"],
        ["Apparel"],
        "masterCategory",
    )
    assert found.flags == [Flag.NOT_A_PRODUCT, Flag.BLANK]
    confirmed = describe_result(correct_result(store.engine, job, 0, {"articleType": "Tshirts"}), [])
    assert (confirmed.answer, confirmed.answer_level) == (["Apparel", "Tshirts"], "articleType")


def test_a_result_from_before_there_were_thresholds_is_sure_of_all(store):
    job = store_job(store, [SHIRT])
    with writing(store.engine) as connection:
        connection.execute(update(ResultRow).where(ResultRow.job == job.number).values(sure=None))
    (result,), _ = query_results(store.engine, job, ResultFilter(), (0, 9))
    assert describe_result(result, []).answer == ["Apparel", "Tshirts"]
    assert summarise(store.engine, job).by_answer == [("articleType", 1)]


@pytest.mark.parametrize("flags", [(), tuple(Flag), (Flag.BLURRED,), (Flag.NOT_A_PRODUCT, Flag.TOO_SMALL)])
def test_flags_come_back_from_their_number(flags):
    assert decode_flags(encode_flags(flags)) == flags


def test_only_a_label_can_be_corrected(store):
    job = store_job(store, [Drawn(reason="empty"), None])
    for position in (0, 1):
        with pytest.raises(InvalidRequestError, match="no labels to correct"):
            correct_result(store.engine, job, position, {"gender": "Men"})
    with pytest.raises(NotFoundError, match="no photo 2"):
        correct_result(store.engine, job, 2, {"gender": "Men"})


def test_a_refused_correction_changes_nothing(store):
    job = store_job(store, [SHIRT])
    with pytest.raises(InvalidFieldsError, match="'Hats' is not a class"):
        correct_result(store.engine, job, 0, {"gender": "Men", "articleType": "Hats"})
    (result,), _ = query_results(store.engine, job, ResultFilter(), (0, 9))
    assert result.corrections == {}


def test_jobs_do_not_mix(store):
    store_job(store, [SHIRT, SHIRT])
    other = store_job(store, [Drawn(reason="empty"), SHIRT, None])
    assert query_results(store.engine, other, ResultFilter(), (0, 9))[1] == 2
    assert summarise(store.engine, other).by_class["gender"] == [("Men", 1)]
    assert [len(part) for part in iter_results(store.engine, other)] == [3]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (
            ResultFilter(column="season"),
            "the model has no such column; it has masterCategory, articleType, gender",
        ),
        (ResultFilter(label="Men"), "give the column of the label"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(wanted, problem):
    with pytest.raises(InvalidRequestError, match=problem):
        check_filter(TINY.vocabulary, wanted)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (ResultFilter(status="doubtful"), "job_results_by_doubt"),
        (ResultFilter(status="category"), "job_results_by_doubt"),
        (ResultFilter(status="attributes"), "job_results_by_doubt"),
        (ResultFilter(status="flagged"), "job_results_by_flags"),
        (ResultFilter(max_confidence=0.2), "job_results_by_confidence"),
        (ResultFilter(sort="confidence"), "job_results_by_confidence"),
    ],
)
def test_a_page_of_many_is_found_by_an_index(store, wanted, index):
    job = store_job(store, [SHIRT])
    seen = []

    def watch(_connection, _cursor, statement, values, *_rest):
        seen.append((statement, values))

    event.listen(store.engine, "before_cursor_execute", watch)
    query_results(store.engine, job, wanted, (0, 9))
    event.remove(store.engine, "before_cursor_execute", watch)
    statement, values = next(one for one in seen if "LIMIT" in one[0])
    with store.engine.connect() as connection:
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any(index in step for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan if wanted.sort == "confidence")
