"""Stop signals are a request that work hears of between two steps."""

import os
import signal
import time

import pytest

from lib import signals
from lib.signals import StopSignals


@pytest.fixture
def received():
    """What the handlers below get, that were there before."""
    found = []
    earlier = {
        number: signal.signal(number, lambda number, _: found.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    yield found
    for number, handler in earlier.items():
        signal.signal(number, handler)


def test_a_request_that_comes_several_times_at_once_is_one(received):
    with StopSignals() as stop:
        assert not stop.requested
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        assert stop.requested
    assert received == []


def test_a_later_one_has_its_usual_effect(received, monkeypatch):
    monkeypatch.setattr(signals, "REPEAT_SECONDS", 0.05)
    with StopSignals():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
    assert received == [signal.SIGINT]


def test_handlers_are_as_they_were_afterwards(received):
    with StopSignals():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert received == [signal.SIGTERM]
