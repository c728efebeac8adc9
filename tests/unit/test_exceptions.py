"""A permanent error becomes an exception of Airflow, other errors pass."""

from __future__ import annotations

import traceback

import pytest

from airflow_provider_veo.api.errors import InvalidInputError, TransportError
from airflow_provider_veo.exceptions import VeoFailException, fail_fast


def check_prompt():
    raise InvalidInputError("The prompt is empty.")


def test_a_failure_has_one_traceback_that_leads_to_its_origin():
    with pytest.raises(VeoFailException) as caught, fail_fast():
        check_prompt()
    text = "".join(traceback.format_exception(caught.value))
    assert text.count("Traceback") == 1
    assert "in check_prompt" in text
    assert text.endswith("VeoFailException: The prompt is empty.\n")
    assert isinstance(caught.value.cause, InvalidInputError)


def test_an_error_that_may_pass_is_raised_unchanged():
    error = TransportError("broken pipe")
    with pytest.raises(TransportError) as caught, fail_fast():
        raise error
    assert caught.value is error
