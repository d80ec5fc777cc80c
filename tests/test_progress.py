"""The terminal shows stages and progress, whatever the number of clips."""

import io
import logging

import pytest

from lib import progress
from lib.progress import ProgressFilter, ShorteningFormatter, describe_progress, describe_time


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(event: str | None, message: str = "", level: int = logging.INFO, **values):
    made = logging.LogRecord("snakemake", level, "", 0, message, (), None)
    made.__dict__.update(values, event=event)
    return made


def run(stream, total: int, seconds_a_job: float, monkeypatch, **options) -> list:
    """Let a run of so many conversions and one training tell what happens; return what passes."""
    clock = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    handler = ProgressFilter(stream, **options)
    records = [record("run_info", "Job stats", stats={"convert": total, "train": 1})]
    for number in range(total):
        records += [
            record(None, "Select jobs to execute..."),
            record("job_started", "Execute 1 jobs...", jobs=[number]),
            record("job_info", jobid=number, rule_name="convert", log=[f"logs/{number}.log"]),
            record("job_finished", f"Finished jobid: {number}", job_id=number),
            record("progress", done=number + 1, total=total + 1),
        ]
    records.append(record("job_info", jobid=total, rule_name="train", log=["logs/train.log"]))
    records.append(record("job_finished", "Finished", job_id=total))
    passed = []
    for one in records:
        clock[0] += seconds_a_job if one.event == "job_info" else 0
        if handler.filter(one):
            passed.append(one)
    return passed


@pytest.mark.parametrize("seconds_a_job", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("total", [1, 19, 20, 600, 7820])
def test_a_file_gets_few_lines_at_any_size_and_speed(total, seconds_a_job, monkeypatch):
    stream = io.StringIO()
    passed = run(stream, total, seconds_a_job, monkeypatch)
    lines = stream.getvalue().splitlines()
    assert [one.event for one in passed] == ["run_info"]
    assert 2 <= len(lines) <= 25
    stages = [line for line in lines if line.startswith("[")]
    assert [line.split("] ")[1].split(":")[0].split(" ")[0] for line in stages] == [
        "convert",
        "train",
    ]
    assert stages[1].endswith("train: logs/train.log")
    if total >= progress.MANY:
        assert f"convert: {total} of {total} (100%)" in lines[-2]


def test_a_terminal_has_one_line_that_stays_in_its_place(monkeypatch):
    stream = Terminal()
    run(stream, 600, 1.0, monkeypatch)
    text = stream.getvalue()
    assert text.count("\n") == 3
    assert "\r\033[K  convert: 300 of 600 (50%), 1.0 a second, 4 min 59 s left" in text


def test_warnings_and_errors_pass_and_do_not_mix_with_the_line(monkeypatch):
    stream = Terminal()
    handler = ProgressFilter(stream)
    monkeypatch.setattr(progress, "TERMINAL_INTERVAL", 0.0)
    handler.filter(record("run_info", stats={"convert": 30}))
    handler.filter(record("job_info", jobid=1, rule_name="convert", log=["a"]))
    handler.filter(record("job_finished", job_id=1))
    assert not stream.getvalue().endswith("\n")
    for event, level in (("job_error", logging.ERROR), (None, logging.WARNING)):
        assert handler.filter(record(event, "Finished jobid, they say", level))
    assert stream.getvalue().endswith("\r\033[K")


def test_a_dry_run_describes_some_jobs_of_every_stage():
    stream = io.StringIO()
    handler = ProgressFilter(stream, dry_run=True)
    handler.filter(record("run_info", stats={"convert": 1050, "train": 1}))
    for n in range(1050):
        job = {"jobid": n, "rule_name": "convert", "output": [f"{n}.wav", f"{n}.json"]}
        assert handler.filter(record("job_info", log=["a"], **job)) == (n < progress.SHOWN)
    assert handler.filter(record("job_info", jobid=1, rule_name="train", output=["m"], log=["a"]))
    lines = stream.getvalue().splitlines()
    named = [f"  convert: {n}.wav, {n}.json" for n in range(progress.SHOWN, progress.LISTED)]
    assert lines == [*named, f"  convert: and {1050 - progress.LISTED:,} more"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599.9, "1 h 0 min"), (90_000, "25 h 0 min")],
)
def test_times_are_said_in_two_units(seconds, said):
    assert describe_time(seconds) == said


def test_slow_stages_have_their_rate_by_the_minute():
    assert describe_progress("embed", 1, 40, 30) == (
        "  embed: 1 of 40 (2%), 2.0 a minute, 19 min 30 s left"
    )


@pytest.mark.parametrize(("lines", "shown"), [(45, 45), (46, 46), (47, 46), (10_000, 46)])
def test_the_log_of_a_failed_job_is_shown_with_its_beginning_and_end(lines, shown):
    formatter = ShorteningFormatter(logging.Formatter())
    message = "\n".join(f"line {number}" for number in range(lines))
    text = formatter.format(record("job_error", message, logging.ERROR)).split("\n")
    assert len(text) == shown
    assert (text[0], text[-1]) == ("line 0", f"line {lines - 1}")
    assert f"... {lines - 45} lines are left out here ..." in text or lines == shown
    assert formatter.format(record("run_info", message)) == message


def test_a_line_that_names_thousands_of_files_is_cut():
    formatter = ShorteningFormatter(logging.Formatter())
    inputs = "    input: " + ", ".join(f"results/clips/c{number}.wav" for number in range(8000))
    shown = formatter.format(record("job_error", f"Error in rule a:\n{inputs}", logging.ERROR))
    assert len(shown) < 1100 and shown.startswith("Error in rule a:") and shown.endswith("[...]")
