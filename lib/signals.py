"""Stop signals: SIGTERM and Ctrl-C set a flag that long work reads between two steps."""

import logging
import signal
from types import FrameType

logger = logging.getLogger(__name__)


class StopSignals:
    """Context that catches stop signals; a second one has its usual effect."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _request(self, number: int, _: FrameType | None) -> None:
        logger.warning("Signal %d: saving after this step", number)
        self.requested = True
        signal.signal(number, self._previous[number])
