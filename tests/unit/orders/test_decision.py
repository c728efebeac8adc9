"""Every combination of record, clear, job state and policy, and the step that follows.

docs/reliability.md has the same table.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import ErrorDetail
from airflow_provider_veo.api.errors import (
    ApiError,
    ContentCutError,
    ContentGoneError,
    NotSentError,
    Reason,
    StatusUnknownError,
    StorageFullError,
    TransportError,
    VeoError,
    VideoFailedError,
)
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.orders.collecting import NotCollected, judge_collecting
from airflow_provider_veo.orders.decision import (
    MOST_EARLIER,
    MOST_POSTS,
    NOTHING_KNOWN,
    RECENT,
    Adopt,
    Ask,
    Follow,
    Forbidden,
    HandOver,
    JobState,
    Known,
    Look,
    Refuse,
    ReturnUrls,
    Submit,
    adopt_record,
    decide,
    decide_chat,
    find_abandoned,
    find_limit,
    find_urls,
    make_next_record,
    read_job_state,
    resume_record,
    was_cleared,
    was_sent_recently,
)
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.orders.record import OrderRecord, State
from tests.unit.orders.samples import AFTER_A_CLEAR, INTENT, KEPT, OLD_EPOCH, ORDER, OTHER_REQUEST, RECORD, record

NEW = "a new order, with fresh time"
AGAIN = "the order again, with its deadline"
STORED_VIDEO = object()
FOUND = Known(has_looked=True, stored=STORED_VIDEO)
NOT_FOUND = Known(has_looked=True)

# record state, cleared since, job state -> step, with orders and time left, and on_unknown_submission="fail"
TABLE = {
    (State.INTENT, False, None): Forbidden.UNKNOWN_ORDER,
    (State.INTENT, True, None): NEW,
    (State.REFUSED, False, None): AGAIN,
    (State.REFUSED, True, None): NEW,
    (State.SUBMITTED, False, None): Ask,
    (State.SUBMITTED, False, JobState.RUNNING): Follow,
    (State.SUBMITTED, False, JobState.MAY_BE_COMPLETED): Follow,
    (State.SUBMITTED, False, JobState.ENDED): AGAIN,
    (State.SUBMITTED, False, JobState.GONE): AGAIN,
    (State.SUBMITTED, True, None): Ask,
    (State.SUBMITTED, True, JobState.RUNNING): Follow,
    (State.SUBMITTED, True, JobState.MAY_BE_COMPLETED): Follow,
    (State.SUBMITTED, True, JobState.ENDED): NEW,
    (State.SUBMITTED, True, JobState.GONE): NEW,
    (State.DELIVERED, False, None): Ask,
    (State.DELIVERED, False, JobState.RUNNING): Follow,
    (State.DELIVERED, False, JobState.MAY_BE_COMPLETED): Follow,
    (State.DELIVERED, False, JobState.ENDED): AGAIN,
    (State.DELIVERED, False, JobState.GONE): AGAIN,
    (State.DELIVERED, True, None): NEW,
    (State.LOST, False, None): AGAIN,
    (State.LOST, True, None): NEW,
}

# the same for a stored video: its file is there -> step; if the file is not there, the table above applies
STORED_TABLE = {
    (State.STORED, False, NOTHING_KNOWN): Look,
    (State.STORED, False, FOUND): HandOver,
    (State.STORED, True, NOTHING_KNOWN): Look,
    (State.STORED, True, FOUND): HandOver,
    (State.DELIVERED, False, NOTHING_KNOWN): Look,
    (State.DELIVERED, False, FOUND): HandOver,
    (State.DELIVERED, True, NOTHING_KNOWN): NEW,
}


def kind_of(step, before=RECORD):
    """Return the kind of a step: the reason of a refusal, `NEW` or `AGAIN` for an order, else the class."""
    match step:
        case Refuse():
            assert step.record is before
            return step.why
        case Submit():
            assert step.record.waiting_since in (ORDER.now, before.waiting_since)
            return NEW if step.record.waiting_since == ORDER.now else AGAIN
    return type(step)


def decided(before, order=ORDER, job_state=None, **known):
    return kind_of(decide(before, order, "me", Known(job_state=job_state, **known)), before)


@pytest.mark.parametrize(("case", "step"), TABLE.items())
def test_the_step_is_the_one_in_the_table(case, step):
    state, cleared, job_state = case
    assert decided(record(state, cleared=cleared), ORDER, job_state) is step


@pytest.mark.parametrize(("case", "step"), STORED_TABLE.items())
def test_the_step_for_a_stored_video_is_the_one_in_the_table(case, step):
    state, cleared, known = case
    before = record(state, cleared=cleared, kept=KEPT)
    assert kind_of(decide(before, ORDER, "me", known), before) is step


@pytest.mark.parametrize("job_state", [None, *JobState])
@pytest.mark.parametrize(("state", "cleared"), [(State.STORED, False), (State.STORED, True), (State.DELIVERED, False)])
def test_a_stored_video_whose_file_is_gone_is_treated_like_any_job(state, cleared, job_state):
    before = record(state, cleared=cleared, kept=KEPT)
    assert decided(before, ORDER, job_state, has_looked=True) is TABLE[State.SUBMITTED, cleared, job_state]


def test_the_table_is_complete():
    asked = {State.SUBMITTED, State.DELIVERED}
    for state, cleared in product(set(State) - {State.STORED}, (False, True)):
        answers = [None, *JobState] if state in asked and (state, cleared) != (State.DELIVERED, True) else [None]
        assert {job_state for s, c, job_state in TABLE if (s, c) == (state, cleared)} == set(answers)
    for state, cleared in product((State.STORED, State.DELIVERED), (False, True)):
        looks = [NOTHING_KNOWN] if (state, cleared) == (State.DELIVERED, True) else [NOTHING_KNOWN, FOUND]
        assert {known for s, c, known in STORED_TABLE if (s, c) == (state, cleared)} == set(looks)


def test_without_a_record_the_task_orders():
    assert decide(None, ORDER, "me") == Submit(make_next_record(None, ORDER, "me"))


class TestTheDataOfAStep:
    def test_a_file_is_looked_for_by_the_record(self):
        assert decide(record(State.STORED), ORDER, "me") == Look("v", KEPT)

    def test_a_stored_video_is_handed_over_with_the_record_of_this_try(self):
        before = record(State.STORED, cleared=True)
        assert decide(before, ORDER, "me", FOUND) == HandOver(resume_record(before, ORDER), KEPT, STORED_VIDEO)

    def test_a_job_is_asked_for_by_its_id(self):
        assert decide(RECORD, ORDER, "me") == Ask(RECORD, "v")

    @pytest.mark.parametrize("job_state", [JobState.RUNNING, JobState.MAY_BE_COMPLETED])
    def test_a_job_is_followed_with_the_record_of_this_try_and_its_description(self, job_state):
        before = replace(RECORD, epoch=OLD_EPOCH, withheld_since=10.0)
        job = Video("v", VideoStatus.RUNNING)
        step = decide(before, ORDER, "me", Known(job_state=job_state, job=job))
        is_running = job_state is JobState.RUNNING
        assert step == Follow(resume_record(before, ORDER, is_running=is_running), "v", job)
        assert (step.record.withheld_since is None) is is_running

    def test_an_order_comes_with_the_record_to_write_before(self):
        step = decide(record(State.REFUSED), ORDER, "me")
        assert step.record == make_next_record(record(State.REFUSED), ORDER, "me", keeps_deadline=True)

    def test_an_order_of_another_request_has_a_new_deadline(self):
        step = decide(record(State.REFUSED), OTHER_REQUEST, "me")
        assert step.record == make_next_record(record(State.REFUSED), OTHER_REQUEST, "me")
        assert step.record.waiting_since == ORDER.now


@pytest.mark.parametrize("state", State)
def test_another_request_is_a_new_order(state):
    assert decided(record(state), OTHER_REQUEST) is NEW


@pytest.mark.parametrize("state", State)
def test_an_order_with_another_request_is_counted(state):
    assert decided(record(state, submissions=2), OTHER_REQUEST) is Forbidden.NO_ORDERS_LEFT
    assert decided(record(state, submissions=2, cleared=True), OTHER_REQUEST) is NEW
    assert decide(record(state), OTHER_REQUEST, "me").record.submissions == 2


def test_with_max_submissions_1_a_retry_does_not_order():
    order = replace(ORDER, max_submissions=1)
    assert decided(record(State.SUBMITTED), order, JobState.GONE) is Forbidden.NO_ORDERS_LEFT


def test_an_unknown_order_is_repeated_if_the_user_allows_it():
    order = replace(ORDER, on_unknown_submission="resubmit")
    assert decided(record(State.INTENT), order) is AGAIN


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("order", [ORDER, AFTER_A_CLEAR, replace(ORDER, on_unknown_submission="resubmit")])
def test_a_named_job_is_adopted_only_for_an_unknown_order(state, order):
    before = replace(RECORD, state=state)
    with_name, without = decide(before, order, "me", Known(named="w")), decide(before, order, "me")
    assert with_name == (Adopt(before, "w") if state is State.INTENT else without)


def test_without_a_record_a_named_job_is_not_adopted():
    assert isinstance(decide(None, ORDER, "me", Known(named="w")), Submit)


REPEATS = [case for case, step in TABLE.items() if step is AGAIN]


@pytest.mark.parametrize(("state", "cleared", "job_state"), REPEATS)
def test_orders_are_counted(state, cleared, job_state):
    assert decided(record(state, cleared=cleared, submissions=2), ORDER, job_state) is Forbidden.NO_ORDERS_LEFT


@pytest.mark.parametrize(("state", "cleared", "job_state"), REPEATS)
def test_a_task_does_not_order_after_the_deadline(state, cleared, job_state):
    assert decided(record(state, cleared=cleared, waiting_since=400.0), ORDER, job_state) is Forbidden.TOO_LATE


@pytest.mark.parametrize(("state", "cleared", "job_state"), REPEATS)
def test_requests_are_counted_even_if_they_made_no_job(state, cleared, job_state):
    def step(posts):
        return decided(record(state, cleared=cleared, posts=posts), ORDER, job_state)

    assert step(MOST_POSTS - 1) is AGAIN
    assert step(MOST_POSTS) is Forbidden.NO_REQUESTS_LEFT


@pytest.mark.parametrize(
    ("posts", "now", "execution_timeout", "reason"),
    [
        (0, 1000.0, None, None),
        (MOST_POSTS - 1, 1499.0, None, None),
        (MOST_POSTS, 1000.0, None, Forbidden.NO_REQUESTS_LEFT),
        (0, 1500.0, None, Forbidden.TOO_LATE),
        (0, 1009.0, 10.0, None),
        (0, 1010.0, 10.0, Forbidden.TOO_LATE),
        (0, 1500.0, 3600.0, Forbidden.TOO_LATE),
    ],
)
def test_a_request_is_checked_against_the_limits(posts, now, execution_timeout, reason):
    order = replace(ORDER, execution_timeout=execution_timeout)
    assert find_limit(replace(INTENT, posts=posts), order, now) is reason


def test_requests_of_one_order_are_counted_and_a_refused_order_is_not():
    first = make_next_record(None, ORDER, "me")
    sent = first.as_sent(1001.0).as_sent(1002.0)
    assert (sent.state, sent.posts, sent.submissions, sent.sent_at) == (State.INTENT, 2, 1, 1002.0)
    again = make_next_record(sent.as_refused(), ORDER, "me", keeps_deadline=True).as_sent(1003.0)
    assert (again.posts, again.submissions, again.waiting_since) == (3, 1, 1000.0)
    other = make_next_record(sent, OTHER_REQUEST, "me")
    assert (other.posts, other.submissions) == (2, 2)
    assert make_next_record(sent, AFTER_A_CLEAR, "me").posts == 0
    assert resume_record(sent.as_accepted("v"), AFTER_A_CLEAR).posts == 0


@pytest.mark.parametrize(
    ("state", "is_abandoned"),
    [
        (State.INTENT, True),
        (State.REFUSED, False),
        (State.SUBMITTED, True),
        (State.DELIVERED, False),
        (State.LOST, False),
    ],
)
@pytest.mark.parametrize("cleared", [True, False])
def test_another_request_abandons_an_order_that_may_be_paid_for(state, is_abandoned, cleared):
    one = record(state, cleared=cleared)
    assert find_abandoned(one, OTHER_REQUEST) is (one if is_abandoned else None)
    assert find_abandoned(one, ORDER) is None
    assert find_abandoned(None, ORDER) is None


def test_a_job_is_followed_after_the_deadline_too():
    late = record(State.SUBMITTED, waiting_since=0.0)
    assert decided(late, ORDER, JobState.MAY_BE_COMPLETED) is Follow


@pytest.mark.parametrize(
    ("after", "retry", "clear"),
    [
        (INTENT, Forbidden.UNKNOWN_ORDER, Submit),
        (INTENT.as_refused(), Submit, Submit),
        (INTENT.as_accepted("v"), Ask, Ask),
        (INTENT.as_accepted("v").as_stored(KEPT), Look, Look),
        (INTENT.as_accepted("v").as_delivered(), Ask, Submit),
        (INTENT.as_accepted("v").as_stored(KEPT).as_delivered(), Look, Submit),
        (INTENT.as_accepted("v").as_stored(KEPT).as_lost(), Submit, Submit),
        (INTENT.as_accepted("v").as_lost(), Submit, Submit),
        (INTENT.as_accepted(None).with_url("https://x.example/1.mp4"), Ask, Ask),
    ],
)
def test_each_event_of_an_order_leads_to_a_step(after, retry, clear):
    for order, expected in ((ORDER, retry), (AFTER_A_CLEAR, clear)):
        step = decide(after, order, "me")
        assert expected in (type(step), getattr(step, "why", None))


URLS = ("https://x.example/1.mp4", "https://x.example/2.mp4")
CHAT = INTENT.as_accepted(None).with_url(URLS[0]).with_url(URLS[1])


class TestAChatCall:
    def test_has_videos_until_they_are_delivered_or_expire(self):
        one_day = 24 * 3600.0
        assert find_urls(CHAT, ORDER) == find_urls(CHAT, AFTER_A_CLEAR) == URLS
        assert find_urls(CHAT.as_delivered(), ORDER) == URLS
        assert find_urls(CHAT.as_delivered(), AFTER_A_CLEAR) == ()
        assert find_urls(CHAT, OTHER_REQUEST) == ()
        assert find_urls(CHAT, replace(ORDER, now=CHAT.sent_at + one_day - 1)) == URLS
        assert find_urls(CHAT, replace(ORDER, now=CHAT.sent_at + one_day)) == ()
        assert find_urls(None, ORDER) == ()

    @pytest.mark.parametrize("order", [ORDER, AFTER_A_CLEAR])
    @pytest.mark.parametrize("videos", [1, 2])
    def test_is_not_repeated_once_all_its_videos_have_arrived(self, order, videos):
        assert decide_chat(CHAT, order, "me", videos) == ReturnUrls(resume_record(CHAT, order))

    def test_orders_the_missing_videos_and_keeps_the_others(self):
        step = decide_chat(CHAT, ORDER, "me", 3)
        assert step == Submit(replace(make_next_record(CHAT, ORDER, "me", keeps_deadline=True), urls=URLS))

    def test_is_a_first_order_without_a_record(self):
        assert decide_chat(None, ORDER, "me", 2) == Submit(make_next_record(None, ORDER, "me"))

    def test_is_refused_like_any_order(self):
        exhausted = replace(CHAT, submissions=2)
        assert decide_chat(exhausted, ORDER, "me", 3) == Refuse(exhausted, Forbidden.NO_ORDERS_LEFT)
        assert decide_chat(INTENT, ORDER, "me", 1) == Refuse(INTENT, Forbidden.UNKNOWN_ORDER)

    def test_returns_nothing_while_it_is_unknown_even_if_earlier_calls_made_all_videos(self):
        unknown = replace(CHAT, state=State.INTENT)
        assert decide_chat(unknown, ORDER, "me", 2) == Refuse(unknown, Forbidden.UNKNOWN_ORDER)

    def test_orders_again_after_its_videos_were_delivered_and_the_task_was_cleared(self):
        step = decide_chat(CHAT.as_delivered(), AFTER_A_CLEAR, "me", 2)
        assert step == Submit(make_next_record(CHAT.as_delivered(), AFTER_A_CLEAR, "me"))


records = st.builds(
    OrderRecord,
    state=st.sampled_from(State),
    fingerprint=st.sampled_from("fg"),
    epoch=st.integers(0, 3),
    idempotency_key=st.just("k"),
    submissions=st.integers(0, 3),
    waiting_since=st.floats(0, 2000),
    sent_at=st.floats(0, 2000),
    video_id=st.just("v"),
    kept=st.sampled_from([None, KEPT]),
    adopted=st.booleans(),
    by_clear=st.booleans(),
    withheld_since=st.none() | st.floats(1, 2000),
)
orders = st.builds(
    Order,
    fingerprint=st.just("f"),
    epoch=st.integers(0, 3),
    now=st.floats(0, 2000),
    timeout=st.floats(1, 1000),
    max_submissions=st.integers(1, 3),
    on_unknown_submission=st.sampled_from(["fail", "resubmit"]),
)


@given(records, orders, st.sampled_from(JobState), st.booleans())
def test_an_undelivered_video_that_is_stored_or_may_come_is_not_paid_again(one, order, job_state, is_stored):
    known = Known(has_looked=True, stored=STORED_VIDEO if is_stored else None, job_state=job_state)
    step = decide(one, order, "me", known)
    is_paid = one.state in (State.SUBMITTED, State.STORED) and one.fingerprint == order.fingerprint
    if is_paid and one.kept and is_stored:
        assert isinstance(step, HandOver)
    elif is_paid and job_state.may_have_video:
        assert isinstance(step, Follow)
    if isinstance(step, Submit) and step.record.submissions > 1:
        assert one.submissions < order.max_submissions
        if one.fingerprint == order.fingerprint:
            assert order.now < one.waiting_since + order.timeout


@pytest.mark.parametrize("most", [1, 2])
def test_an_ended_job_of_an_earlier_epoch_is_replaced_and_does_not_count(most):
    before = record(State.SUBMITTED, cleared=True, submissions=3, posts=9, waiting_since=0.0)
    resumed = resume_record(before, ORDER)
    order = replace(ORDER, max_submissions=most, now=5000.0)
    for one in (resumed, resumed.as_lost()):
        new = decide(one, order, "me", Known(job_state=JobState.ENDED)).record
        assert (new.submissions, new.posts, new.waiting_since, new.adopted) == (1, 0, 5000.0, False)
        last = replace(new, submissions=most, state=State.SUBMITTED)
        step = decide(last, order, "me", Known(job_state=JobState.ENDED))
        assert step == Refuse(last, Forbidden.NO_ORDERS_LEFT)


class TestAWithheldVideo:
    @pytest.mark.parametrize("cleared", [True, False])
    @pytest.mark.parametrize(("now", "is_late_enough"), [(1599.9, False), (1600.0, True)])
    def test_is_given_up_only_by_the_first_try_after_a_clear(self, cleared, now, is_late_enough):
        order = replace(ORDER, now=now)
        withheld = replace(RECORD, epoch=OLD_EPOCH if cleared else ORDER.epoch, withheld_since=1000.0)
        again = resume_record(withheld, order).as_not_collected(NotCollected.REFUSED, now + 300.0)
        assert again.is_given_up is (cleared and is_late_enough)
        assert not resume_record(again, order).is_given_up

    def test_is_no_longer_withheld_when_the_server_reports_a_running_job(self):
        withheld = replace(RECORD, withheld_since=1000.0)
        assert resume_record(withheld, ORDER).withheld_since == 1000.0
        assert resume_record(withheld, ORDER, is_running=True).withheld_since is None

    def test_is_not_given_up_before_it_is_refused(self):
        late = replace(ORDER, now=9e9)
        assert not resume_record(record(State.SUBMITTED, cleared=True), late).is_given_up


MINUTE = 60.0
ANSWERS = {reason: ApiError("Asking", reason=reason, status=500) for reason in Reason}
ENDS = [
    VideoFailedError("v", "failed", Reason.UNKNOWN, ""),
    VideoFailedError("v", "is completed without a video", Reason.MODERATION, ""),
    ContentGoneError("gone"),
]
OTHER_ERRORS = [ANSWERS[Reason.SERVER], ContentCutError("x"), TransportError("x"), NotSentError("x"), VeoError("x")]


def collect(before, order, status, content):
    """Do the decisions of a create task; return the record, and the end of the try.

    Args:
        before: The record.
        order: The order that the task wants.
        status: The answer to a status call.
        content: The reason why the video cannot be fetched, or None.
    """
    step = decide(before, order, "me")
    known = NOT_FOUND
    if isinstance(step, Look):
        step = decide(before, order, "me", known)
    if isinstance(step, Ask):
        try:
            known = replace(known, job_state=read_job_state(status, is_recent=False))
        except VeoError:
            return before, "error"
        step = decide(before, order, "me", known)
    if not isinstance(step, Follow):
        return before, "ordered" if isinstance(step, Submit) else "error"
    error = content if isinstance(status, Video) else StatusUnknownError("x", status.reason)
    if error is None:
        return step.record, "collected"
    after = step.record.as_not_collected(judge_collecting(error), order.now)
    if after.is_given_up:
        return collect(after.as_lost(), order, status, content)
    return after, "error"


statuses = st.sampled_from(
    [
        *(Video("v", status) for status in VideoStatus if status.finished),
        *ANSWERS.values(),
        TransportError("x"),
    ]
)
contents = st.sampled_from([None, *ENDS, *OTHER_ERRORS, StorageFullError("x"), OSError("x")])
_IS_DECIDED = (NotCollected.NEVER, NotCollected.REFUSED)
_IS_REFUSED = {reason for reason in Reason if judge_collecting(StatusUnknownError("x", reason)) is NotCollected.REFUSED}


@given(records, st.integers(1, 3), st.lists(st.booleans(), max_size=4), statuses, contents)
def test_no_task_is_stuck_with_a_job_that_cannot_be_collected(one, most, clears, status, content):
    """From any record: a clear, and another one ten minutes later, collect the video or order another one.

    Except if the server is not reached, or refuses the account and so any order, or if this side fails.
    """
    now, epoch = 10_000.0, one.epoch
    order = replace(ORDER, fingerprint=one.fingerprint, max_submissions=most)
    end = ""
    for clear in [*clears, True, True]:
        now, epoch = now + 11 * MINUTE, epoch + clear
        one, end = collect(one, replace(order, now=now, epoch=epoch), status, content)
        if end in ("collected", "ordered"):
            break
    is_open = isinstance(status, Video) and (content is None or judge_collecting(content) in _IS_DECIDED)
    if is_open or (isinstance(status, ApiError) and status.reason in _IS_REFUSED):
        assert end in ("collected", "ordered")


@given(records, st.integers(1, 3), st.lists(st.floats(1, 1e5), max_size=6), contents)
def test_no_retry_orders_while_a_completed_video_is_only_refused(one, most, pauses, content):
    now, one = 10_000.0, replace(one, state=State.SUBMITTED, fingerprint="f", withheld_since=1.0)
    order = replace(ORDER, epoch=one.epoch, max_submissions=most)
    for pause in pauses:
        now += pause
        one, end = collect(one, replace(order, now=now), Video("v", VideoStatus.COMPLETED), content)
        if end == "ordered":
            assert content in ENDS
            break


class TestTheNextRecord:
    def test_of_a_first_order_has_the_numbers_of_this_try(self):
        intent = make_next_record(None, ORDER, "me")
        assert (intent.state, intent.submissions, intent.video_id) == (State.INTENT, 1, None)
        assert (intent.waiting_since, intent.sent_at, intent.epoch) == (1000.0, 1000.0, 2)
        assert len(intent.idempotency_key) == 32

    def test_of_a_second_order_keeps_the_deadline_and_has_another_key(self):
        first = make_next_record(None, ORDER, "me").as_accepted("v")
        later = replace(ORDER, now=1100.0)
        second = make_next_record(first, later, "me", keeps_deadline=True)
        assert (second.submissions, second.waiting_since, second.sent_at) == (2, 1000.0, 1100.0)
        assert second.idempotency_key != first.idempotency_key

    def test_does_not_count_a_refused_order(self):
        refused = make_next_record(None, ORDER, "me").as_refused()
        assert make_next_record(refused, ORDER, "me", keeps_deadline=True).submissions == 1

    @pytest.mark.parametrize("keeps_deadline", [True, False])
    def test_repeats_an_unknown_order_with_its_key(self, keeps_deadline):
        unknown = make_next_record(None, ORDER, "me")
        again = make_next_record(unknown, replace(ORDER, epoch=5), "me", keeps_deadline=keeps_deadline)
        assert again.idempotency_key == unknown.idempotency_key

    def test_repeats_a_refused_order_with_its_key(self):
        first = make_next_record(None, replace(ORDER, try_number=1), "me")
        later = replace(ORDER, try_number=2)
        again = make_next_record(first.as_refused(), later, "me", keeps_deadline=True)
        assert again.idempotency_key == first.idempotency_key

    def test_has_a_key_for_each_try_after_a_job(self):
        keys = {make_next_record(RECORD, replace(ORDER, try_number=number), "me").idempotency_key for number in (2, 3)}
        assert len(keys) == 2

    def test_of_a_repeated_epoch_has_another_key(self):
        first = make_next_record(None, replace(ORDER, try_number=1), "me").as_accepted("v").as_delivered()
        later = replace(ORDER, try_number=2, clear_number=1, retries=1)
        known = replace(first, try_number=1, clear_number=0)
        assert make_next_record(known, later, "me").idempotency_key != first.idempotency_key

    def test_after_a_clear_begins_a_new_count(self):
        old = record(State.DELIVERED, cleared=True, submissions=2)
        new = make_next_record(old, ORDER, "me")
        assert (new.submissions, new.waiting_since) == (1, 1000.0)
        assert new.idempotency_key != old.idempotency_key

    @pytest.mark.parametrize(
        "change", [{"task_key": "you"}, {"order": replace(ORDER, epoch=3)}, {"order": OTHER_REQUEST}]
    )
    def test_has_a_key_for_each_task_epoch_and_request(self, change):
        arguments = {"record": None, "order": ORDER, "task_key": "me"}
        assert make_next_record(**arguments | change).idempotency_key != make_next_record(**arguments).idempotency_key

    def test_has_the_same_key_in_all_retries_even_without_a_record(self):
        first = make_next_record(None, ORDER, "me")
        retry = make_next_record(None, replace(ORDER, now=5000.0), "me")
        assert retry.idempotency_key == first.idempotency_key

    def test_has_the_same_key_after_an_update_of_this_package(self):
        assert make_next_record(None, ORDER, "me").idempotency_key == "b032e5a9bedc7ce14a32bd42d985916d"

    def test_has_the_hashes_of_the_frames(self):
        order = replace(ORDER, frames={"first_frame": "a hash"})
        assert make_next_record(None, order, "me").frames == {"first_frame": "a hash"}

    @pytest.mark.parametrize("state", [state for state in State if state is not State.INTENT])
    def test_names_the_jobs_of_earlier_orders(self, state):
        before = replace(RECORD, state=state, earlier=("u",))
        assert make_next_record(before, AFTER_A_CLEAR, "me").earlier == ("u", "v")

    def test_does_not_name_the_job_of_an_unknown_order_which_may_still_be_adopted(self):
        assert make_next_record(replace(INTENT, video_id="v"), AFTER_A_CLEAR, "me").earlier == ()

    def test_names_a_bounded_number_of_earlier_jobs(self):
        one = RECORD
        for number in range(50):
            one = make_next_record(replace(one, state=State.DELIVERED, video_id=f"v{number}"), AFTER_A_CLEAR, "me")
        assert one.earlier == tuple(f"v{number}" for number in range(50 - MOST_EARLIER, 50))
        assert MOST_EARLIER == 20


def test_a_clear_gives_an_earlier_job_a_new_deadline():
    resumed = resume_record(record(State.SUBMITTED, cleared=True, submissions=2), ORDER)
    assert (resumed.epoch, resumed.waiting_since, resumed.submissions) == (2, 1000.0, 1)
    assert resumed.adopted
    assert resumed.by_clear
    stored = resume_record(record(State.STORED, cleared=True), ORDER)
    assert (stored.state, stored.kept, stored.epoch) == (State.STORED, KEPT, 2)


def test_a_retry_keeps_the_deadline_of_an_earlier_job():
    assert resume_record(RECORD, ORDER) == RECORD
    assert resume_record(replace(RECORD, by_clear=True), replace(ORDER, try_number=5)) == replace(RECORD, try_number=5)


def test_the_record_of_a_try_has_its_numbers():
    order = replace(ORDER, try_number=5, clear_number=7)
    for one in (resume_record(RECORD, order), adopt_record(INTENT, order, "v"), make_next_record(RECORD, order, "me")):
        assert (one.try_number, one.clear_number) == (5, 7)


@pytest.mark.parametrize("unknown", ["record try", "record clears", "order clears", "order retries", None])
def test_a_try_with_an_unknown_number_counts_as_a_retry(unknown):
    before = replace(
        RECORD,
        try_number=None if unknown == "record try" else 1,
        clear_number=None if unknown == "record clears" else 0,
    )
    order = replace(
        ORDER,
        clear_number=None if unknown == "order clears" else 1,
        retries=None if unknown == "order retries" else 0,
    )
    assert was_cleared(before, order) is (unknown is None)


@pytest.mark.parametrize("order", [ORDER, AFTER_A_CLEAR])
def test_an_adopted_job_is_recorded_like_an_accepted_one_with_a_new_deadline(order):
    adopted = adopt_record(replace(INTENT, posts=3, submissions=2), order, "v")
    assert (adopted.state, adopted.video_id, adopted.waiting_since) == (State.SUBMITTED, "v", order.now)
    assert (adopted.epoch, adopted.adopted) == (order.epoch, False)
    assert (adopted.posts, adopted.submissions) == ((3, 2) if order is ORDER else (0, 1))
    # After a crash the key may still be there. It is not read again.
    assert decide(adopted, order, "me", Known(named="v")) == Ask(adopted, "v")


def error(reason, status=500):
    return ApiError("Creating the video failed", reason=reason, status=status, detail=ErrorDetail())


@pytest.mark.parametrize(
    ("answer", "is_recent", "state"),
    [
        (VideoStatus.QUEUED, False, JobState.RUNNING),
        (VideoStatus.RUNNING, False, JobState.RUNNING),
        (VideoStatus.UNKNOWN, False, JobState.RUNNING),
        (VideoStatus.COMPLETED, False, JobState.MAY_BE_COMPLETED),
        (VideoStatus.FAILED, False, JobState.ENDED),
        (VideoStatus.CANCELLED, False, JobState.ENDED),
        (VideoStatus.EXPIRED, False, JobState.ENDED),
        (error(Reason.NOT_FOUND, 404), False, JobState.GONE),
        (error(Reason.NOT_FOUND, 404), True, JobState.MAY_BE_COMPLETED),
        (error(Reason.SERVER, 500), False, JobState.MAY_BE_COMPLETED),
        (error(Reason.FORBIDDEN, 403), False, JobState.MAY_BE_COMPLETED),
        (error(Reason.MODERATION, 500), False, JobState.MAY_BE_COMPLETED),
        (error(Reason.BAD_REQUEST, 400), False, JobState.MAY_BE_COMPLETED),
        (TransportError("x"), False, JobState.MAY_BE_COMPLETED),
    ],
)
def test_each_answer_to_a_status_call_means_a_job_state(answer, is_recent, state):
    answer = Video("v", answer) if isinstance(answer, VideoStatus) else answer
    assert read_job_state(answer, is_recent=is_recent) is state


@pytest.mark.parametrize("reason", [Reason.AUTHENTICATION, Reason.QUOTA])
def test_a_refused_account_is_an_error(reason):
    with pytest.raises(ApiError):
        read_job_state(error(reason, 401), is_recent=False)


@pytest.mark.parametrize(("age", "is_recent"), [(0.0, True), (RECENT - 1, True), (RECENT, False)])
def test_an_order_is_recent_for_a_minute(age, is_recent):
    assert was_sent_recently(RECORD, replace(ORDER, now=RECORD.sent_at + age)) is is_recent
    assert RECENT == 60.0
