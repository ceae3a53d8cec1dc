"""Errors cross process boundaries and tell scripts what happened."""

from __future__ import annotations

import pickle

import pytest

from ttsctl import errors
from ttsctl.errors import EngineError, ExitCode, TtsctlError, error_classes, error_from

classes = pytest.mark.parametrize("error_class", error_classes(), ids=lambda each: each.__name__)


@classes
def test_survives_pickling(error_class: type[TtsctlError]) -> None:
    copy = pickle.loads(pickle.dumps(error_class("a message")))
    assert (type(copy), copy.message) == (error_class, "a message")


@classes
def test_survives_the_journey_as_code_and_message(error_class: type[TtsctlError]) -> None:
    """Where classes share a code, as the kinds of time-out do, the general one arrives."""
    copy = error_from(error_class.code, "a message")
    assert issubclass(error_class, type(copy))
    assert (copy.code, copy.message) == (error_class.code, "a message")


@classes
def test_is_drawn_in_the_tree_of_the_module(error_class: type[TtsctlError]) -> None:
    assert error_class.__name__ in str(errors.__doc__)
    if error_class is not TtsctlError:
        assert error_class.code in str(errors.__doc__)


def test_an_unknown_code_is_an_engine_error() -> None:
    assert type(error_from("TTS_FROM_THE_FUTURE", "a message")) is EngineError


def test_every_expected_error_has_an_exit_code_of_its_own_kind() -> None:
    expected = [each for each in error_classes() if each is not TtsctlError]
    assert all(each.exit_code not in (ExitCode.OK, ExitCode.BUG) for each in expected)
