"""What a run shows in the terminal: its stages, one line of progress, and what went wrong.

Snakemake tells of every job in a dozen lines: five megabytes for some thousand clips. They stay in
its log file; the filter here takes them from the terminal. It knows Snakemake's events by name.
"""

import logging
import sys
import textwrap
import threading
import time
from collections import Counter
from typing import TextIO

MANY = 20  # jobs from which a stage has a line of progress
SHOWN = 2  # jobs of a stage that a dry run describes
LISTED = 20  # jobs of a stage that it names, in a line each
TERMINAL_INTERVAL = 0.2  # s between two states of the line in a terminal
FILE_INTERVAL = 10.0  # s between two lines in a file, which has at most one for every 5%
FILE_STEPS = 20
FIRST_LINES, LAST_LINES = 15, 30  # of an error with the log of its job
LINE = 1000  # characters; the inputs of a job may be thousands of files
REMARKS = ("Select jobs to execute", "Execute ", "Finished jobid", "Group jobs", "Assuming ")


class ProgressFilter(logging.Filter):
    """Take what concerns single jobs from a handler, and show stages and progress instead.

    Parameters
    ----------
    stream
        Where the handler writes. In a terminal the line of progress stays in its place.
    dry_run
        Nothing is done: the first jobs of every stage are described, more are named by what they
        make, the others counted.
    """

    def __init__(self, stream: TextIO = sys.stderr, dry_run: bool = False) -> None:
        super().__init__()
        self._stream = stream
        self._dry_run = dry_run
        self._in_terminal = stream.isatty()
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._begun: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        self._rules: dict[int, str] = {}
        self._line_is_open = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the handler shows a record as it is."""
        event = getattr(record, "event", None)
        with self._lock:
            if record.levelno < logging.WARNING:
                if event == "run_info":
                    self._totals = Counter(getattr(record, "stats", {}))
                elif event == "job_info":
                    return self._begin(record) and self._clear_line()
                elif event == "job_finished":
                    self._finish(record)
                    return False
                elif event in ("progress", "job_started", "group_info"):
                    return False
                elif str(record.msg).startswith(REMARKS):
                    return False
            return self._clear_line()

    def _begin(self, record: logging.LogRecord) -> bool:
        """Note that a job begins; return whether it is described."""
        rule = record.rule_name
        if self._dry_run:
            return self._announce(rule, [str(path) for path in record.output or ()])
        self._rules[record.jobid] = rule
        if rule not in self._begun and record.log:
            self._begun[rule] = time.monotonic()
            log = record.log[0] if self._totals[rule] <= 1 else f"{record.log[0]}, ..."
            count = f" ({self._totals[rule]})" if self._totals[rule] > 1 else ""
            self._write_line(f"[{time.strftime('%H:%M:%S')}] {rule}{count}: {log}")
        return False

    def _announce(self, rule: str, outputs: list[str]) -> bool:
        """Say that a job is pending; return whether it is described."""
        self._done[rule] += 1
        number = self._done[rule]
        if SHOWN < number <= LISTED:
            self._write_line(f"  {rule}: {', '.join(outputs)}")
        elif number == LISTED + 1:
            self._write_line(f"  {rule}: and {self._totals[rule] - LISTED:,} more")
        return number <= SHOWN

    def _finish(self, record: logging.LogRecord) -> None:
        """Note that a job has finished; show how far its stage is, if that is long ago."""
        rule = self._rules.pop(record.job_id, "")
        self._done[rule] += 1
        done, total, now = self._done[rule], self._totals[rule], time.monotonic()
        if total < MANY or rule not in self._begun:
            return
        interval = TERMINAL_INTERVAL if self._in_terminal else FILE_INTERVAL
        due = now - self._shown.get(rule, self._begun[rule]) >= interval
        if not self._in_terminal:
            due &= done * FILE_STEPS // total > (done - 1) * FILE_STEPS // total
        if due or done == total:
            self._shown[rule] = now
            self._show(describe_progress(rule, done, total, now - self._begun[rule]), done < total)

    def _show(self, line: str, stays_open: bool) -> None:
        if self._in_terminal and stays_open:
            self._stream.write(f"\r\033[K{line}")
            self._stream.flush()
            self._line_is_open = True
        else:
            self._write_line(line)

    def _write_line(self, line: str) -> None:
        self._clear_line()
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def _clear_line(self) -> bool:
        """Remove the line of progress before something else is written."""
        if self._line_is_open:
            self._stream.write("\r\033[K")
            self._line_is_open = False
        return True


class ShorteningFormatter(logging.Formatter):
    """Format as another formatter does, but leave out the middle of long errors.

    The log of a job that failed is shown with the error, and may name thousands of clips.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the message with its first and last lines."""
        text = str(self._inner.format(record))
        if getattr(record, "event", None) not in ("job_error", "group_error"):
            return text
        lines = [textwrap.shorten(x, LINE) if len(x) > LINE else x for x in text.split("\n")]
        omitted = len(lines) - FIRST_LINES - LAST_LINES
        if omitted > 1:
            lines[FIRST_LINES:-LAST_LINES] = [f"... {omitted} lines are left out here ..."]
        return "\n".join(lines)


def describe_progress(rule: str, done: int, total: int, seconds: float) -> str:
    """Say how far a stage is, its rate and the time that is left."""
    rate = done / max(seconds, 1e-3)
    figures = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
    if done < total:
        end = f"{describe_time((total - done) / rate)} left"
    else:
        end = f"took {describe_time(seconds)}"
    return f"  {rule}: {done} of {total} ({100 * done // total}%), {figures}, {end}"


def describe_time(seconds: float) -> str:
    """Write a time as people say it: the two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
