"""Where a job's messages go: its log file, and the terminal from warnings up."""

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType


def start_log(path: str | Path) -> None:
    """Send all messages of this process to a file; warnings and errors to stderr as well.

    An exception that ends the process is logged with its traceback; the terminal shows what it
    says, which is written for the user.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="w", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers = [file, terminal]
    logging.captureWarnings(True)
    sys.excepthook = _log_exception


def _log_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logger = logging.getLogger("job")
    logger.info("%s", "".join(traceback.format_exception(kind, error, trace)))
    logger.error("%s: %s", kind.__name__, error)
