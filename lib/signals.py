"""Stop signals: SIGTERM and Ctrl-C set a flag that long work reads between two steps."""

import logging
import os
import signal
import time
from types import FrameType

logger = logging.getLogger(__name__)


REPEAT_SECONDS = 3.0
"""Seconds within which further signals are the same request: a batch system and a terminal send one
to all processes, and the process that waits for the others passes its own on."""


class StopSignals:
    """Context that catches stop signals; another one, seconds later, has its usual effect."""

    def __init__(self) -> None:
        self.requested = False
        self._requested_at = 0.0
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _request(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if not self.requested:
            logger.warning("Signal %d: saving after this step", number)
            self.requested, self._requested_at = True, now
        elif now - self._requested_at > REPEAT_SECONDS:
            signal.signal(number, self._previous[number])
            os.kill(os.getpid(), number)
