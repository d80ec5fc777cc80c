"""What a job begins with: where its messages go, and a cache of compiled functions of its own."""

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

from lib.errors import ExpectedStop
from lib.numba_cache import use_private_cache

# Of a job in the terminal: one for every clip of thousands would hide what matters.
MAX_MESSAGES = 20
JOB = "job"


def start_log(path: str | Path, append: bool = False) -> None:
    """Send all messages of this process to a file; warnings and errors to stderr as well.

    An exception that ends the process is logged with its traceback; the terminal shows what it
    says, which is written for the user. The functions that numba compiles for this process are
    kept apart from those of others (see `lib.numba_cache`).

    Parameters
    ----------
    append
        Whether the file is that of a process that goes on writing to it.
    """
    use_private_cache()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="a" if append else "w", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.addFilter(_FirstMessages(path))
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers = [file, terminal]
    logging.captureWarnings(True)
    sys.excepthook = _log_exception
    hide_loading_bars()


class _FirstMessages(logging.Filter):
    """Let the first messages through, then say once where the others are.

    What ends the job is always shown.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._path = path
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == JOB:
            return True
        self._count += 1
        if self._count == MAX_MESSAGES + 1:
            sys.stderr.write(f"... more messages of this kind: {self._path}\n")
        return self._count <= MAX_MESSAGES


def hide_loading_bars() -> None:
    """Turn off the bars that transformers and datasets show for every file they load or write.

    Only where they are imported already, which takes seconds. Downloads keep their bars.
    """
    if "datasets" in sys.modules:
        from datasets import disable_progress_bars

        disable_progress_bars()
    if "transformers" not in sys.modules:
        return
    from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils.logging import disable_progress_bar

    downloads_are_shown = not are_progress_bars_disabled()
    disable_progress_bar()
    if downloads_are_shown:
        enable_progress_bars()


def _log_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logger = logging.getLogger(JOB)
    if not isinstance(error, ExpectedStop):
        logger.info("%s", "".join(traceback.format_exception(kind, error, trace)))
    logger.error("%s: %s", kind.__name__, error)
