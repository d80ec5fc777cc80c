"""Read out a table of texts: one file of speech for every row, made anew only where it is stale."""

import csv
import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from tqdm import tqdm

from lib.config.outcome import SpeechSettings
from lib.corpus.clip import InvalidRow
from lib.files import atomic_path, read_json, remove_temporaries
from lib.synthesis.audio_file import write_speech
from lib.synthesis.sound import Sound
from lib.synthesis.synthesizer import (
    EXPORT_FILE,
    WEIGHTS_FILE,
    PlannedSpeech,
    Synthesizer,
    digest_file,
)
from lib.synthesis.text_table import TextRow, read_text_table
from lib.tables import one_line, read_table, write_table

logger = logging.getLogger(__name__)

METADATA_FILE = "metadata.csv"
REJECTED_FILE = "rejected.tsv"
RECORD_FILE = "speech.tsv"
"""What every file was made of; it is written while the work goes on."""
REJECTED_COLUMNS = ("id", "origin", "reason", "detail")
METADATA_COLUMNS = ("file_name", "text", "speaker", "duration")
_SAVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Made:
    """A file of speech that is there."""

    id: str
    file_name: str
    digest: str
    """Of all that its sound depends on."""
    duration: str


@dataclass(frozen=True, slots=True)
class _Job:
    row: TextRow
    planned: PlannedSpeech
    speaker: str
    place: int
    """Row of the speaker table."""
    sound: Sound
    digest: str


def speak_table(
    model: Path,
    table: Path,
    output: Path,
    settings: SpeechSettings,
    loudness: float | None,
    peak_ceiling: float = -1.0,
    threads: int = 0,
) -> None:
    """Write a file of speech for every row of a table, and ``metadata.csv`` beside them.

    A file stays as it is if its text, speaker, settings and voice are those that it was made of.
    Files of rows that are gone stay too. Rows that cannot be spoken are listed in ``rejected.tsv``.

    Parameters
    ----------
    model
        Folder of the voice; the fastest is one with an ONNX file.
    table
        See `lib.synthesis.text_table.read_text_table`.
    loudness
        LUFS of every file; None levels nothing.
    peak_ceiling
        Highest true peak in dBTP.
    threads
        Rows that are spoken at a time; 0 takes one for every core.

    Raises
    ------
    ValueError
        If the table or the voice cannot be read, or if no row can be spoken.
    """
    texts = read_text_table(table)
    # Rows side by side on a thread each take less time than one after the other on all.
    synthesizer = Synthesizer(model, threads=1)
    workers = (threads or os.cpu_count() or 1) if synthesizer.model.is_thread_safe else 1
    level = (loudness, peak_ceiling)
    voice = (_digest_weights(model), level, settings.format)
    jobs, rejected = _plan(synthesizer, texts.rows, settings, voice)
    rejected = [*texts.invalid_rows, *rejected]
    if rejected and not jobs:
        raise ValueError(
            f"{table}: none of {len(rejected)} rows can be spoken; the first: "
            f"{rejected[0].origin}: {rejected[0].detail}"
        )
    remove_temporaries(output)
    record = _Record(output)
    stale = [job for job in jobs if not record.has(job, settings.format)]
    if texts.recorded:
        logger.info("%d rows have a recording and are left out", texts.recorded)
    logger.info("%d files are as they should be, %d to speak", len(jobs) - len(stale), len(stale))
    try:
        for made in _speak(synthesizer, stale, output, settings.format, level, workers):
            record.add(made)
    finally:
        record.save()
    _write_tables(jobs, rejected, record.made, output)
    for row in rejected[:5]:
        logger.warning("%s is not spoken: %s", row.origin, row.detail)
    logger.info("%d texts are in %s, %d are rejected", len(jobs), output, len(rejected))


def _plan(
    synthesizer: Synthesizer,
    rows: Sequence[TextRow],
    settings: SpeechSettings,
    voice: tuple[object, ...],
) -> tuple[list[_Job], list[InvalidRow]]:
    """Return what is to be spoken, and the rows that cannot be."""
    jobs, rejected = [], []
    default = Sound.from_settings(settings)
    for row in rows:
        try:
            place = synthesizer.row(row.speaker or settings.speaker)
            planned = synthesizer.plan(row.text, settings)
        except ValueError as error:
            rejected.append(InvalidRow(row.id, row.origin, "cannot_be_spoken", str(error)))
            continue
        sound = replace(default, speed=row.speed or default.speed)
        spoken = [[part.ids, part.pause] for part in planned.utterances]
        made_of = json.dumps([spoken, place, astuple(sound), voice])
        digest = hashlib.blake2b(made_of.encode(), digest_size=16).hexdigest()
        speaker = row.speaker or settings.speaker or next(iter(synthesizer.speakers))
        jobs.append(_Job(row, planned, speaker, place, sound, digest))
    return jobs, rejected


def _digest_weights(model: Path) -> str:
    exported = model / EXPORT_FILE
    if exported.is_file():
        return read_json(exported)["weights"]
    weights = model / WEIGHTS_FILE
    return digest_file(weights) if weights.is_file() else str(model)


def _speak(
    synthesizer: Synthesizer,
    jobs: Sequence[_Job],
    output: Path,
    format_: str,
    level: tuple[float | None, float],
    workers: int,
) -> Iterator[Made]:
    """Speak all jobs and yield what is made, while a line of progress is shown."""

    def speak(job: _Job) -> Made:
        path = output / f"{job.row.id}.{format_}"
        speech = synthesizer.stream(job.planned, job.place, job.sound)
        spoken = write_speech(path, speech, synthesizer.sample_rate, *level)
        return Made(job.row.id, path.name, job.digest, f"{spoken.duration:.3f}")

    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(
            total=len(jobs),
            unit="text",
            desc="speech",
            file=sys.stderr,
            dynamic_ncols=True,
            # A terminal shows a moving bar; a log file gets a line every half a minute.
            mininterval=0.5 if sys.stderr.isatty() else 30.0,
            disable=not jobs,
        ) as bar,
    ):
        try:
            futures = [pool.submit(speak, job) for job in jobs]
            for future in as_completed(futures):
                bar.update()
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


# ---------------------------------------------------------------- tables


class _Record:
    """The files that are there and what they were made of, as a table in the output folder."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._columns = [field.name for field in fields(Made)]
        self._saved = time.monotonic()
        path = output / RECORD_FILE
        rows = read_table(path, self._columns) if path.is_file() else []
        self.made = {row["id"]: Made(**row) for row in rows}

    def has(self, job: _Job, format_: str) -> bool:
        """Return whether the file of a job is there and made of the same."""
        made = self.made.get(job.row.id)
        return (
            made is not None
            and (made.digest, made.file_name) == (job.digest, f"{job.row.id}.{format_}")
            and (self._output / made.file_name).is_file()
        )

    def add(self, made: Made) -> None:
        """Enter a file; a run that is killed loses the entries of a few seconds."""
        self.made[made.id] = made
        if time.monotonic() - self._saved >= _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the table."""
        write_table(self._output / RECORD_FILE, self._columns, map(astuple, self.made.values()))
        self._saved = time.monotonic()


def _write_tables(
    jobs: Sequence[_Job], rejected: Sequence[InvalidRow], record: Mapping[str, Made], output: Path
) -> None:
    with atomic_path(output / METADATA_FILE) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(METADATA_COLUMNS)
            for job in jobs:
                made = record[job.row.id]
                writer.writerow((made.file_name, job.row.text, job.speaker, made.duration))
    rows = ((row.clip, row.origin, row.reason, one_line(row.detail)) for row in rejected)
    write_table(output / REJECTED_FILE, REJECTED_COLUMNS, rows)
