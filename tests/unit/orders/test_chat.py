"""The lines about a chat call in the log of its task."""

from __future__ import annotations

from airflow_provider_veo.api.chat.events import Failure, LeftOut, Note, Progress
from airflow_provider_veo.api.chat.limits import MOST_COUNTED
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.orders.chat import MOST_LINES, ChatLog


def test_a_server_that_sends_without_end_does_not_fill_the_log():
    lines = []
    chat_log = ChatLog(lines.append)
    written = sum(chat_log.write(Progress(number % 100)) for number in range(3 * MOST_LINES))
    assert written == len(lines) == MOST_LINES
    assert lines[-1] == "The server sends further lines, which are not logged"


def test_left_out_parts_are_logged():
    lines = []
    chat_log = ChatLog(lines.append)
    chat_log.write(LeftOut("addresses beyond the 1 video that was ordered", 3))
    chat_log.write(LeftOut("addresses beyond the 1 video that was ordered", MOST_COUNTED))
    assert lines == [
        "Left out: 3 addresses beyond the 1 video that was ordered",
        "Left out: 1000 or more addresses beyond the 1 video that was ordered",
    ]


def test_the_first_failure_with_a_known_reason_is_kept():
    chat_log = ChatLog(lambda _line: None)
    chat_log.write(Note("the latest line"))
    assert chat_log.failure == Failure("the latest line", Reason.UNKNOWN)
    for failure in (first := Failure("a", Reason.UNKNOWN), second := Failure("b", Reason.UNKNOWN)):
        chat_log.write(failure)
        assert chat_log.failure == failure
    known = Failure("c", Reason.QUOTA)
    for failure in (known, first, second, Failure("d", Reason.MODERATION)):
        chat_log.write(failure)
    assert chat_log.failure == known
