"""One process of a training on several GPUs, started by `lib.training.processes.launch`."""

import json
import logging
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from lib.logs import start_log
from lib.training.interruption import TrainingInterrupted
from lib.training.loop import Trainer
from lib.training.processes import INTERRUPTED
from lib.training.run import prepare_process
from lib.training.settings import TrainingPaths, TrainingSettings

logger = logging.getLogger(__name__)


def main() -> int:
    """Train this process's part; return its exit status."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_stop_without_parent, daemon=True).start()
    for log in job["logs"]:
        start_log(log, append=True)
    prepare_process(job["threads"])
    paths = TrainingPaths(**{name: Path(path) for name, path in job["paths"].items()})
    settings = TrainingSettings.from_config(job["settings"])
    try:
        Trainer(settings, paths, job["use_gpu"], job["texts"], job["code"]).run()
    except TrainingInterrupted as interrupted:
        logger.info("%s", interrupted)
        return INTERRUPTED
    except Exception as error:
        logger.info("%s", traceback.format_exc())
        logger.error("Process %s: %s: %s", os.environ["RANK"], type(error).__name__, error)
        return 1
    return 0


def _stop_without_parent() -> None:
    """Wait for the end of the standard input, which comes when the parent has ended; then stop."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
