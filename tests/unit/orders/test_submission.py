"""Every combination of record, Clear, remote answer and policy, and what follows from it.

The same table stands in docs/reliability.md.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer, ErrorDetail
from airflow_provider_veo.api.error_answers import error_from
from airflow_provider_veo.api.errors import (
    AddressNotAllowedError,
    AddressRefusedError,
    ApiError,
    ContentChangedError,
    ContentCutError,
    ContentError,
    ContentGoneError,
    ContentNotReadyError,
    ContentTooLargeError,
    InvalidInputError,
    NotOrderedError,
    NotSentError,
    Reason,
    StatusUnknownError,
    StorageFullError,
    TooSlowError,
    TransportError,
    VeoError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.orders.submission import (
    KEY,
    MOST_POSTS,
    Action,
    Collecting,
    Kept,
    Ledger,
    Order,
    Remote,
    State,
    Submission,
    collecting_of,
    create_pause,
    decide,
    fingerprint_of,
    forbidden,
    is_unknown,
    left_behind,
    next_submission,
    remote_of,
    urls_kept,
)

ORDER = Order("f", epoch=2, now=1000.0, timeout=600.0, max_submissions=2, on_unknown_submission="fail")
RECORD = Submission(
    State.SUBMITTED, "f", epoch=2, idempotency_key="k", submissions=1, waiting_since=900.0, sent_at=950.0, video_id="v"
)
OLD_EPOCH = 1
INTENT = replace(RECORD, state=State.INTENT, video_id=None)
CLEARED = replace(ORDER, epoch=3)

KEPT = Kept("/v/a.mp4", 5, "ab", {"version": 1, "kind": "completed", "video_id": "v", "status": "completed"}, 1)

# record state, cleared since, remote answer -> action, with submissions left, time left and on_unknown="fail"
TABLE = {
    (State.INTENT, False, None): Action.STOP_UNKNOWN,
    (State.INTENT, True, None): Action.SUBMIT_NEW,
    (State.REFUSED, False, None): Action.SUBMIT_AGAIN,
    (State.REFUSED, True, None): Action.SUBMIT_NEW,
    (State.SUBMITTED, False, None): Action.ASK,
    (State.SUBMITTED, False, Remote.ALIVE): Action.FOLLOW,
    (State.SUBMITTED, False, Remote.ENDED): Action.SUBMIT_AGAIN,
    (State.SUBMITTED, False, Remote.GONE): Action.SUBMIT_AGAIN,
    (State.SUBMITTED, True, None): Action.ASK,
    (State.SUBMITTED, True, Remote.ALIVE): Action.FOLLOW,
    (State.SUBMITTED, True, Remote.ENDED): Action.SUBMIT_NEW,
    (State.SUBMITTED, True, Remote.GONE): Action.SUBMIT_NEW,
    (State.DELIVERED, False, None): Action.ASK,
    (State.DELIVERED, False, Remote.ALIVE): Action.FOLLOW,
    (State.DELIVERED, False, Remote.ENDED): Action.SUBMIT_AGAIN,
    (State.DELIVERED, False, Remote.GONE): Action.SUBMIT_AGAIN,
    (State.DELIVERED, True, None): Action.SUBMIT_NEW,
    (State.LOST, False, None): Action.SUBMIT_AGAIN,
    (State.LOST, True, None): Action.SUBMIT_NEW,
}

# the same for a video that was stored: its file is there -> action; if it is not, what follows as for any job
STORED = {
    (State.STORED, False, None): Action.LOOK,
    (State.STORED, False, True): Action.HAND_OVER,
    (State.STORED, True, None): Action.LOOK,
    (State.STORED, True, True): Action.HAND_OVER,
    (State.DELIVERED, False, None): Action.LOOK,
    (State.DELIVERED, False, True): Action.HAND_OVER,
    (State.DELIVERED, True, None): Action.SUBMIT_NEW,
}


def record(state, *, cleared=False, **changes):
    if state is State.STORED:
        changes.setdefault("kept", KEPT)
    return replace(RECORD, state=state, epoch=OLD_EPOCH if cleared else ORDER.epoch, **changes)


@pytest.mark.parametrize(("case", "action"), TABLE.items())
def test_the_table(case, action):
    state, cleared, remote = case
    assert decide(record(state, cleared=cleared), ORDER, remote) is action


@pytest.mark.parametrize(("case", "action"), STORED.items())
def test_the_table_of_stored_videos(case, action):
    state, cleared, is_there = case
    assert decide(record(state, cleared=cleared, kept=KEPT), ORDER, is_there=is_there) is action


@pytest.mark.parametrize("remote", [None, *Remote])
@pytest.mark.parametrize(("state", "cleared"), [(State.STORED, False), (State.STORED, True), (State.DELIVERED, False)])
def test_a_stored_video_that_is_not_there_any_more_is_a_job_like_any_other(state, cleared, remote):
    action = decide(record(state, cleared=cleared, kept=KEPT), ORDER, remote, is_there=False)
    assert action is TABLE[State.SUBMITTED, cleared, remote]


def test_the_table_is_complete():
    asked = {State.SUBMITTED, State.DELIVERED}
    for state, cleared in product(set(State) - {State.STORED}, (False, True)):
        answers = [None, *Remote] if state in asked and (state, cleared) != (State.DELIVERED, True) else [None]
        assert {remote for s, c, remote in TABLE if (s, c) == (state, cleared)} == set(answers)
    for state, cleared in product((State.STORED, State.DELIVERED), (False, True)):
        looks = [None] if (state, cleared) == (State.DELIVERED, True) else [None, True]
        assert {is_there for s, c, is_there in STORED if (s, c) == (state, cleared)} == set(looks)


def test_nothing_on_record_is_a_new_order():
    assert decide(None, ORDER) is Action.SUBMIT_NEW


@pytest.mark.parametrize("state", State)
def test_another_request_is_a_new_order(state):
    assert decide(record(state), replace(ORDER, fingerprint="g")) is Action.SUBMIT_NEW


@pytest.mark.parametrize("state", State)
def test_another_request_counts(state):
    changed = replace(ORDER, fingerprint="g")
    assert decide(record(state, submissions=2), changed) is Action.STOP_EXHAUSTED
    assert decide(record(state, submissions=2, cleared=True), changed) is Action.SUBMIT_NEW
    assert next_submission(record(state), changed, Action.SUBMIT_NEW, "me").submissions == 2


def test_one_submission_is_the_least():
    assert decide(record(State.SUBMITTED), replace(ORDER, max_submissions=1), Remote.GONE) is Action.STOP_EXHAUSTED


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_time_that_is_over_is_not_ordered_for(seconds):
    with pytest.raises(InvalidInputError, match=r"execution_timeout is .* s, .*Nothing was ordered"):
        replace(ORDER, execution_timeout=seconds)


def test_an_unknown_order_is_repeated_where_the_user_says_so():
    order = replace(ORDER, on_unknown_submission="resubmit")
    assert decide(record(State.INTENT), order) is Action.SUBMIT_AGAIN


REPEATS = [case for case, action in TABLE.items() if action is Action.SUBMIT_AGAIN]


@pytest.mark.parametrize(("state", "cleared", "remote"), REPEATS)
def test_orders_are_counted(state, cleared, remote):
    assert decide(record(state, cleared=cleared, submissions=2), ORDER, remote) is Action.STOP_EXHAUSTED


@pytest.mark.parametrize(("state", "cleared", "remote"), REPEATS)
def test_no_order_after_the_deadline(state, cleared, remote):
    assert decide(record(state, cleared=cleared, waiting_since=400.0), ORDER, remote) is Action.STOP_LATE


@pytest.mark.parametrize(("state", "cleared", "remote"), REPEATS)
def test_requests_are_counted_whatever_came_of_them(state, cleared, remote):
    def action(posts):
        return decide(record(state, cleared=cleared, posts=posts), ORDER, remote)

    assert action(MOST_POSTS - 1) is Action.SUBMIT_AGAIN
    assert action(MOST_POSTS) is Action.STOP_POSTS


@pytest.mark.parametrize(
    ("posts", "now", "execution_timeout", "reason"),
    [
        (0, 1000.0, None, None),
        (MOST_POSTS - 1, 1499.0, None, None),
        (MOST_POSTS, 1000.0, None, Action.STOP_POSTS),
        (0, 1500.0, None, Action.STOP_LATE),
        (0, 1009.0, 10.0, None),
        (0, 1010.0, 10.0, Action.STOP_LATE),
        (0, 1500.0, 3600.0, Action.STOP_LATE),
    ],
)
def test_no_request_is_one_too_many_or_too_late(posts, now, execution_timeout, reason):
    order = replace(ORDER, execution_timeout=execution_timeout)
    assert forbidden(replace(INTENT, posts=posts), order, now) is reason


def test_requests_of_one_order_are_counted_and_a_refused_order_is_not():
    first = next_submission(None, ORDER, Action.SUBMIT_NEW, "me")
    sent = first.posted(1001.0).posted(1002.0)
    assert (sent.state, sent.posts, sent.submissions, sent.sent_at) == (State.INTENT, 2, 1, 1002.0)
    again = next_submission(sent.refused(), ORDER, Action.SUBMIT_AGAIN, "me").posted(1003.0)
    assert (again.posts, again.submissions, again.waiting_since) == (3, 1, 1000.0)
    other = next_submission(sent, replace(ORDER, fingerprint="g"), Action.SUBMIT_NEW, "me")
    assert (other.posts, other.submissions) == (2, 2)
    assert next_submission(sent, CLEARED, Action.SUBMIT_NEW, "me").posts == 0
    assert sent.accepted("v").followed(CLEARED).posts == 0


@pytest.mark.parametrize(
    ("state", "left"),
    [
        (State.INTENT, True),
        (State.REFUSED, False),
        (State.SUBMITTED, True),
        (State.DELIVERED, False),
        (State.LOST, False),
    ],
)
@pytest.mark.parametrize("cleared", [True, False])
def test_another_request_leaves_what_may_be_paid_for(state, left, cleared):
    one = record(state, cleared=cleared)
    assert left_behind(one, replace(ORDER, fingerprint="g")) is (one if left else None)
    assert left_behind(one, ORDER) is None
    assert left_behind(None, ORDER) is None


def test_a_job_is_followed_after_the_deadline_too():
    late = record(State.SUBMITTED, waiting_since=0.0)
    assert decide(late, ORDER, Remote.ALIVE) is Action.FOLLOW


@pytest.mark.parametrize(
    ("steps", "retry", "clear"),
    [
        (lambda intent: intent, Action.STOP_UNKNOWN, Action.SUBMIT_NEW),
        (lambda intent: intent.refused(), Action.SUBMIT_AGAIN, Action.SUBMIT_NEW),
        (lambda intent: intent.accepted("v"), Action.ASK, Action.ASK),
        (lambda intent: intent.accepted("v").stored(KEPT), Action.LOOK, Action.LOOK),
        (lambda intent: intent.accepted("v").delivered(), Action.ASK, Action.SUBMIT_NEW),
        (lambda intent: intent.accepted("v").stored(KEPT).delivered(), Action.LOOK, Action.SUBMIT_NEW),
        (lambda intent: intent.accepted("v").stored(KEPT).lost(), Action.SUBMIT_AGAIN, Action.SUBMIT_NEW),
        (lambda intent: intent.accepted("v").lost(), Action.SUBMIT_AGAIN, Action.SUBMIT_NEW),
        (lambda intent: intent.accepted(None).received("https://x.example/1.mp4"), Action.ASK, Action.ASK),
    ],
)
def test_what_follows_from_each_step_of_an_order(store, steps, retry, clear):
    after = steps(INTENT)
    Ledger(store).write(after)
    record = Ledger(store).read()
    assert record == after
    assert decide(record, ORDER) is retry
    assert decide(record, CLEARED) is clear


BROKEN_KEPT = asdict(RECORD) | {"state": "stored", "kept": {"path": "/v/a.mp4"}}


def test_a_job_is_known_by_its_id():
    assert INTENT.accepted("v") == RECORD


def test_videos_of_a_chat_call_are_kept_until_they_are_handed_over_or_gone():
    urls = ("https://x.example/1.mp4", "https://x.example/2.mp4")
    chat = INTENT.accepted(None).received(urls[0]).received(urls[1])
    one_day = 24 * 3600.0
    assert urls_kept(chat, ORDER) == urls_kept(chat, CLEARED) == urls
    assert urls_kept(chat.delivered(), ORDER) == urls
    assert urls_kept(chat.delivered(), CLEARED) == ()
    assert urls_kept(chat, replace(ORDER, fingerprint="g")) == ()
    assert urls_kept(chat, replace(ORDER, now=chat.sent_at + one_day - 1)) == urls
    assert urls_kept(chat, replace(ORDER, now=chat.sent_at + one_day)) == ()
    assert urls_kept(None, ORDER) == ()


records = st.builds(
    Submission,
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


@given(records, orders, st.sampled_from(Remote), st.booleans())
def test_nobody_pays_again_for_what_is_alive_or_stored_and_not_delivered(one, order, remote, is_there):
    action = decide(one, order, remote, is_there=is_there)
    paid = one.state in (State.SUBMITTED, State.STORED) and one.fingerprint == order.fingerprint
    if paid and one.kept and is_there:
        assert action is Action.HAND_OVER
    elif paid and remote is Remote.ALIVE:
        assert action is Action.FOLLOW
    if action is Action.SUBMIT_AGAIN:
        assert one.submissions < order.max_submissions
        assert order.now < one.waiting_since + order.timeout


MINUTE = 60.0
APIS = {reason: ApiError("Asking", reason=reason, status=500) for reason in Reason}
ENDS = [
    VideoFailedError("v", "failed", Reason.UNKNOWN, ""),
    VideoFailedError("v", "is completed without a video", Reason.MODERATION, ""),
    ContentGoneError("gone"),
]
REFUSALS = [
    *(APIS[reason] for reason in (Reason.SERVER, Reason.FORBIDDEN, Reason.AUTHENTICATION, Reason.UNREADABLE)),
    *(ContentNotReadyError("x"), ContentError("HTML"), ContentChangedError("x"), ContentCutError("x")),
    *(AddressRefusedError("x", "https://cdn.example.net/a.mp4"), AddressNotAllowedError("x")),
    *(StatusUnknownError("x", reason) for reason in (Reason.SERVER, Reason.MODERATION, Reason.FORBIDDEN)),
]
UNHEARD = [
    *(TransportError("x"), TooSlowError("x"), NotSentError("x"), VideoTimeoutError("x")),
    *(APIS[Reason.RATE_LIMITED], APIS[Reason.QUOTA], StatusUnknownError("x", Reason.NETWORK)),
    *(StatusUnknownError("x", Reason.AUTHENTICATION), StatusUnknownError("x", Reason.NOT_FOUND)),
]
OURS = [StorageFullError("x"), ContentTooLargeError("x"), InvalidInputError("x"), OSError("x"), VeoError("x")]


@pytest.mark.parametrize(
    ("error", "what"),
    [
        *((error, Collecting.NEVER) for error in ENDS),
        *((error, Collecting.REFUSED) for error in REFUSALS),
        *((error, Collecting.UNHEARD) for error in UNHEARD),
        *((error, Collecting.HANDED_OVER) for error in OURS),
    ],
)
def test_what_an_error_says_of_the_video(error, what):
    assert collecting_of(error) is what


def test_a_timeout_counts_as_refused_where_the_server_refused_to_tell():
    error = VideoTimeoutError("x")
    error.reason = Reason.SERVER
    assert collecting_of(error) is Collecting.REFUSED


class TestAVideoThatIsWithheld:
    def test_is_so_from_the_first_refusal_on(self):
        first = RECORD.after(Collecting.REFUSED, 1000.0)
        assert first.after(Collecting.REFUSED, 1300.0).withheld_since == 1000.0
        assert first.after(Collecting.UNHEARD, 1300.0) == first
        assert first.after(Collecting.HANDED_OVER, 1300.0).withheld_since is None
        assert first.stored(KEPT).withheld_since is None
        assert first.after(Collecting.REFUSED, 1300.0, is_told=True).withheld_since == 1300.0
        assert first.after(Collecting.UNHEARD, 1300.0, is_told=True).withheld_since is None
        assert first.replaced_from == 1600.0
        assert RECORD.replaced_from is None

    def test_is_lost_once_that_is_sure(self):
        assert RECORD.after(Collecting.NEVER, 1000.0).state is State.LOST

    @pytest.mark.parametrize("cleared", [True, False])
    @pytest.mark.parametrize(("now", "long_enough"), [(1599.9, False), (1600.0, True)])
    def test_is_given_up_by_the_first_try_after_a_clear_alone(self, cleared, now, long_enough):
        order = replace(ORDER, now=now)
        withheld = replace(RECORD, epoch=OLD_EPOCH if cleared else ORDER.epoch, withheld_since=1000.0)
        again = withheld.followed(order).after(Collecting.REFUSED, now + 300.0)
        assert again.is_given_up() is (cleared and long_enough)
        assert not again.followed(order).is_given_up()

    def test_is_not_withheld_any_more_when_the_server_tells_of_a_job_that_runs(self):
        withheld = replace(RECORD, withheld_since=1000.0)
        assert withheld.followed(ORDER).withheld_since == 1000.0
        assert withheld.followed(ORDER, is_running=True).withheld_since is None

    def test_is_not_given_up_before_it_is_refused(self):
        assert not record(State.SUBMITTED, cleared=True).followed(replace(ORDER, now=9e9)).is_given_up()


@pytest.mark.parametrize("most", [1, 2])
def test_an_adopted_job_that_has_ended_is_replaced_and_does_not_count(most):
    adopted = record(State.SUBMITTED, cleared=True, submissions=3, posts=9, waiting_since=0.0).followed(ORDER)
    order = replace(ORDER, max_submissions=most, now=5000.0)
    for one in (adopted, adopted.lost()):
        assert decide(one, order, Remote.ENDED) is Action.SUBMIT_NEW
        new = next_submission(one, order, Action.SUBMIT_NEW, "me")
        assert (new.submissions, new.posts, new.waiting_since, new.adopted) == (1, 0, 5000.0, False)
        last = replace(new, submissions=most, state=State.SUBMITTED)
        assert decide(last, order, Remote.ENDED) is Action.STOP_EXHAUSTED


def collect(record, order, status, content):
    """Do as a create task, as far as its decisions go; return the record, and what has come of it.

    Args:
        record: before.
        order: what the task wants.
        status: what the API says of the job.
        content: why the video cannot be had, or None.
    """
    action = decide(record, order)
    if action is Action.LOOK:
        action = decide(record, order, is_there=False)
    if action is Action.ASK:
        try:
            remote = remote_of(status, young=False)
        except VeoError:
            return record, "error"
        action = decide(record, order, remote, is_there=False)
    if action is not Action.FOLLOW:
        return record, "ordered" if action in (Action.SUBMIT_NEW, Action.SUBMIT_AGAIN) else "error"
    followed = record.followed(order)
    error = content if isinstance(status, Video) else StatusUnknownError("x", status.reason)
    if error is None:
        return followed, "collected"
    after = followed.after(collecting_of(error), order.now)
    if after.is_given_up():
        return collect(after.lost(), order, status, content)
    return after, "error"


said = st.sampled_from(
    [
        *(Video("v", status) for status in VideoStatus if status.finished),
        *(APIS[reason] for reason in Reason),
        TransportError("x"),
    ]
)
fetched = st.sampled_from([None, *ENDS, *REFUSALS, *UNHEARD, *OURS])


@given(records, st.integers(1, 3), st.lists(st.booleans(), max_size=4), said, fetched)
def test_no_task_is_stuck_with_a_job_that_cannot_be_collected(one, most, clears, status, content):
    """Whatever happened before: a Clear, and another one ten minutes later, collect the video or order one.

    Unless the server is not reached, or refuses the account, and so any order; or the trouble is on this side.
    """
    now, epoch = 10_000.0, one.epoch
    order = replace(ORDER, fingerprint=one.fingerprint, max_submissions=most)
    event = ""
    for clear in [*clears, True, True]:
        now, epoch = now + 11 * MINUTE, epoch + clear
        one, event = collect(one, replace(order, now=now, epoch=epoch), status, content)
        if event in ("collected", "ordered"):
            break
    is_open = isinstance(status, Video) and (content is None or collecting_of(content).value in _DECIDED)
    if is_open or (isinstance(status, ApiError) and status.reason in _TELLING):
        assert event in ("collected", "ordered")


_DECIDED = (Collecting.NEVER.value, Collecting.REFUSED.value)
_TELLING = {reason for reason in Reason if collecting_of(StatusUnknownError("x", reason)) is Collecting.REFUSED}


@given(records, st.integers(1, 3), st.lists(st.floats(1, 1e5), max_size=6), fetched)
def test_no_retry_orders_while_a_completed_video_is_merely_refused(one, most, pauses, content):
    now, one = 10_000.0, replace(one, state=State.SUBMITTED, fingerprint="f", withheld_since=1.0)
    order = replace(ORDER, epoch=one.epoch, max_submissions=most)
    for pause in pauses:
        now += pause
        one, event = collect(one, replace(order, now=now), Video("v", VideoStatus.COMPLETED), content)
        if event == "ordered":
            assert content in ENDS
            break


class TestTheNextRecord:
    def test_the_first(self):
        intent = next_submission(None, ORDER, Action.SUBMIT_NEW, "me")
        assert (intent.state, intent.submissions, intent.video_id) == (State.INTENT, 1, None)
        assert (intent.waiting_since, intent.sent_at, intent.epoch) == (1000.0, 1000.0, 2)
        assert len(intent.idempotency_key) == 32

    def test_a_replacement_keeps_the_deadline_and_gets_another_key(self):
        first = next_submission(None, ORDER, Action.SUBMIT_NEW, "me").accepted("v")
        later = replace(ORDER, now=1100.0)
        second = next_submission(first, later, Action.SUBMIT_AGAIN, "me")
        assert (second.submissions, second.waiting_since, second.sent_at) == (2, 1000.0, 1100.0)
        assert second.idempotency_key != first.idempotency_key

    def test_a_refused_order_does_not_count(self):
        refused = next_submission(None, ORDER, Action.SUBMIT_NEW, "me").refused()
        assert next_submission(refused, ORDER, Action.SUBMIT_AGAIN, "me").submissions == 1

    @pytest.mark.parametrize("action", [Action.SUBMIT_AGAIN, Action.SUBMIT_NEW])
    def test_an_unknown_order_is_repeated_with_its_key(self, action):
        unknown = next_submission(None, ORDER, Action.SUBMIT_NEW, "me")
        assert (
            next_submission(unknown, replace(ORDER, epoch=5), action, "me").idempotency_key == unknown.idempotency_key
        )

    def test_a_refused_order_is_repeated_with_its_key(self):
        first = next_submission(None, replace(ORDER, try_number=1), Action.SUBMIT_NEW, "me")
        later = replace(ORDER, try_number=2)
        again = next_submission(first.refused(), later, Action.SUBMIT_AGAIN, "me")
        assert again.idempotency_key == first.idempotency_key

    def test_an_epoch_that_comes_again_has_another_key(self):
        first = next_submission(None, replace(ORDER, try_number=1), Action.SUBMIT_NEW, "me").accepted("v").delivered()
        later = replace(ORDER, try_number=2, clear_number=1, retries=1)
        known = replace(first, try_number=1, clear_number=0)
        assert next_submission(known, later, Action.SUBMIT_NEW, "me").idempotency_key != first.idempotency_key

    def test_a_clear_starts_anew(self):
        old = record(State.DELIVERED, cleared=True, submissions=2)
        new = next_submission(old, ORDER, Action.SUBMIT_NEW, "me")
        assert (new.submissions, new.waiting_since) == (1, 1000.0)
        assert new.idempotency_key != old.idempotency_key

    @pytest.mark.parametrize(
        "change", [{"identity": "you"}, {"order": replace(ORDER, epoch=3)}, {"order": replace(ORDER, fingerprint="g")}]
    )
    def test_keys_differ(self, change):
        arguments = {"record": None, "order": ORDER, "action": Action.SUBMIT_NEW, "identity": "me"}
        assert next_submission(**arguments | change).idempotency_key != next_submission(**arguments).idempotency_key

    def test_keys_are_the_same_over_retries_even_without_a_record(self):
        first = next_submission(None, ORDER, Action.SUBMIT_NEW, "me")
        retry = next_submission(None, replace(ORDER, now=5000.0), Action.SUBMIT_NEW, "me")
        assert retry.idempotency_key == first.idempotency_key

    def test_keys_are_the_same_after_an_update_of_this_package(self):
        key = next_submission(None, ORDER, Action.SUBMIT_NEW, "me").idempotency_key
        assert key == "b032e5a9bedc7ce14a32bd42d985916d"

    def test_the_frames_are_on_record(self):
        order = replace(ORDER, frames={"first_frame": "a hash"})
        assert next_submission(None, order, Action.SUBMIT_NEW, "me").frames == {"first_frame": "a hash"}

    def test_going_on_after_a_clear_gives_fresh_time(self):
        followed = record(State.SUBMITTED, cleared=True, submissions=2).followed(ORDER)
        assert (followed.epoch, followed.waiting_since, followed.submissions) == (2, 1000.0, 1)
        assert followed.adopted
        stored = record(State.STORED, cleared=True).followed(ORDER)
        assert (stored.state, stored.kept, stored.epoch) == (State.STORED, KEPT, 2)
        assert record(State.SUBMITTED).followed(ORDER) is not None
        assert not record(State.SUBMITTED).followed(ORDER).adopted


def error(reason, status=500, **more):
    return ApiError("Creating the video failed", reason=reason, status=status, detail=ErrorDetail(), **more)


@pytest.mark.parametrize(
    ("seen", "young", "remote"),
    [
        (VideoStatus.QUEUED, False, Remote.ALIVE),
        (VideoStatus.RUNNING, False, Remote.ALIVE),
        (VideoStatus.UNKNOWN, False, Remote.ALIVE),
        (VideoStatus.COMPLETED, False, Remote.ALIVE),
        (VideoStatus.FAILED, False, Remote.ENDED),
        (VideoStatus.CANCELLED, False, Remote.ENDED),
        (VideoStatus.EXPIRED, False, Remote.ENDED),
        (error(Reason.NOT_FOUND, 404), False, Remote.GONE),
        (error(Reason.NOT_FOUND, 404), True, Remote.ALIVE),
        (error(Reason.SERVER, 500), False, Remote.ALIVE),
        (error(Reason.FORBIDDEN, 403), False, Remote.ALIVE),
        (error(Reason.MODERATION, 500), False, Remote.ALIVE),
        (error(Reason.BAD_REQUEST, 400), False, Remote.ALIVE),
        (TransportError("x"), False, Remote.ALIVE),
    ],
)
def test_what_the_api_says_about_the_job(seen, young, remote):
    seen = Video("v", seen) if isinstance(seen, VideoStatus) else seen
    assert remote_of(seen, young=young) is remote


@pytest.mark.parametrize("reason", [Reason.AUTHENTICATION, Reason.QUOTA])
def test_an_account_that_is_refused_says_nothing_about_the_job(reason):
    with pytest.raises(ApiError):
        remote_of(error(reason, 401), young=False)


def answered(status, body="", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_from(Answer(status, body, names), "Creating the video")


BUSY = '{"error": {"message": "overloaded"}}'


@pytest.mark.parametrize(
    ("failure", "unknown", "pauses"),
    [
        (NotSentError("no route"), False, [1.0, 2.0, 4.0, None]),
        (TransportError("read timeout"), True, [None]),
        (answered(429, BUSY), False, [1.0, 2.0, 4.0, None]),
        (answered(429, retry_after="7"), False, [7.0, 7.0, 7.0, None]),
        (answered(429, retry_after="30"), False, [30.0]),
        (answered(429, retry_after="31"), False, [None]),
        (answered(429), False, [None]),
        (answered(503, BUSY), False, [1.0, 2.0, 4.0, None]),
        (answered(503, '{"error": {"message": "no available channel"}}'), False, [None]),
        (answered(503, retry_after="7"), True, [None]),
        (answered(429, '{"error": {"code": "insufficient_quota"}}'), False, [None]),
        (answered(500, BUSY), True, [None]),
        (answered(408, BUSY), True, [None]),
        (answered(307), True, [None]),
        (answered(200), True, [None]),
        (answered(200, '{"code": 504, "message": "no"}'), True, [None]),
        (answered(200, '{"code": 400, "message": "no"}'), False, [None]),
        (answered(400), False, [None]),
        (answered(401), False, [None]),
        (InvalidInputError("x"), False, [None]),
        (NotOrderedError("x"), False, [None]),
        (VideoTimeoutError("x"), True, [None]),
        (VeoError("x"), True, [None]),
        (KeyError("x"), True, [None]),
    ],
)
def test_what_a_failed_order_means(failure, unknown, pauses):
    assert is_unknown(failure) is unknown
    assert [create_pause(failure, attempt) for attempt in range(1, len(pauses) + 1)] == pauses


def test_fingerprints():
    png, other = (Frame(content, "image/png", 9, 16) for content in (b"1", b"2"))
    spec = VideoSpec("p", "veo-3.1-fl", first_frame=png)
    same = VideoSpec("p", "veo-3.1-fl", first_frame=Frame(b"1", "image/png", 9, 16))
    assert fingerprint_of(spec, "c") == fingerprint_of(same, "c")
    different = [
        (VideoSpec("q", "veo-3.1-fl", first_frame=png), "c"),
        (VideoSpec("p", "veo-3.1-fast-fl", first_frame=png), "c"),
        (VideoSpec("p", "veo-3.1-fl", first_frame=other), "c"),
        (VideoSpec("p", "veo-3.1-fl", first_frame=png, last_frame=png), "c"),
        (VideoSpec("p", "veo-3.1-fl", first_frame=png, seconds=4), "c"),
        (VideoSpec("p", "veo-3.1-fl", first_frame=png, extra_body={"seed": 1}), "c"),
        (spec, "d"),
    ]
    assert len({fingerprint_of(*one) for one in different} | {fingerprint_of(spec, "c")}) == 8
    assert fingerprint_of(VideoSpec("p", "m", extra_body={"a": 1, "b": 2}), "c") == fingerprint_of(
        VideoSpec("p", "m", extra_body={"b": 2, "a": 1}), "c"
    )


def test_the_record_of_an_earlier_version_of_this_package_is_found_by_its_fingerprint():
    assert fingerprint_of(VideoSpec("画小猫", "veo-3.1"), "c") == "975202621462ce76"


class TestTheLedger:
    def test_a_record_survives(self, store):
        Ledger(store).write(RECORD)
        assert Ledger(store).read() == RECORD
        assert store.values[KEY]["version"] == 1

    def test_later_versions_find_it_in_this_form(self, store):
        Ledger(store).write(RECORD)
        assert store.values == {
            "veo_submission": {
                "version": 1,
                "state": "submitted",
                "fingerprint": "f",
                "epoch": 2,
                "idempotency_key": "k",
                "submissions": 1,
                "waiting_since": 900.0,
                "sent_at": 950.0,
                "video_id": "v",
                "adopted": False,
                "urls": [],
                "frames": {},
                "posts": 0,
                "try_number": None,
                "clear_number": None,
                "kept": None,
                "earlier": [],
                "by_clear": False,
                "withheld_since": None,
            }
        }
        assert [state.value for state in State] == ["intent", "refused", "submitted", "stored", "delivered", "lost"]

    def test_later_versions_find_a_stored_video_in_this_form(self, store):
        Ledger(store).write(RECORD.stored(KEPT))
        assert store.values[KEY]["kept"] == {
            "path": "/v/a.mp4",
            "bytes": 5,
            "sha256": "ab",
            "outcome": {"version": 1, "kind": "completed", "video_id": "v", "status": "completed"},
            "submissions": 1,
        }

    def test_fields_of_a_later_version_do_no_harm(self, store):
        Ledger(store).write(RECORD)
        store.values[KEY]["colour"] = "green"
        assert Ledger(store).read() == RECORD

    def test_fields_of_a_later_version_about_the_stored_video_do_no_harm(self, store):
        Ledger(store).write(RECORD.stored(KEPT))
        store.values[KEY]["kept"]["colour"] = "green"
        assert Ledger(store).read() == RECORD.stored(KEPT)

    def test_a_record_of_a_version_before_the_latest_fields_is_read(self, store):
        Ledger(store).write(RECORD)
        for name in (
            "adopted",
            "urls",
            "frames",
            "posts",
            "try_number",
            "clear_number",
            "kept",
            "by_clear",
            "withheld_since",
        ):
            del store.values[KEY][name]
        assert Ledger(store).read() == RECORD

    def test_a_record_stays_as_long_as_its_dag_run(self, store):
        context = pytest.importorskip("airflow.sdk.execution_time.context", reason="before Airflow 3.3")
        if not hasattr(context, "NEVER_EXPIRE"):
            pytest.skip("before Airflow 3.3")
        Ledger(store).write(RECORD)
        assert store.retentions[KEY] is context.NEVER_EXPIRE

    def test_nothing_on_record(self, store):
        assert Ledger(store).read() is None

    @pytest.mark.parametrize("value", ["text", 5, {}, {"state": "dreaming"}, {"state": "intent"}, BROKEN_KEPT])
    def test_a_record_that_cannot_be_read_is_an_error(self, store, value):
        store.values[KEY] = value
        with pytest.raises(VeoError, match="nothing was ordered"):
            Ledger(store).read()

    def test_a_store_that_cannot_be_read_is_an_error(self, store):
        store.broken = {"get", "set"}
        with pytest.raises(VeoError, match=r"cannot be read from the task state store.* RuntimeError: the API server"):
            Ledger(store).read()

    def test_a_store_that_cannot_be_written_stops_an_order(self, store):
        store.broken = {"get", "set"}
        with pytest.raises(VeoError, match=r"cannot be written .* RuntimeError: the API server is away"):
            Ledger(store).write(RECORD)

    def test_what_is_noted_is_read(self, store):
        Ledger(store).note(RECORD)
        assert Ledger(store).read() == RECORD

    def test_a_store_that_cannot_be_written_does_not_lose_a_video(self, store, caplog):
        store.broken = {"get", "set"}
        Ledger(store).note(RECORD)
        assert "Video v: its record could not be written" in caplog.text

    def test_before_airflow_3_3_nothing_is_remembered(self):
        ledger = Ledger(None)
        ledger.write(RECORD)
        assert ledger.read() is None
        assert not ledger.remembers
