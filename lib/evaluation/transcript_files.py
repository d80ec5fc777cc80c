"""Check the transcripts of a run, and keep what was found for the next dataset."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from lib.base_model.clips import load_clips
from lib.base_model.record import BaseModel
from lib.corpus.saved_dataset import read_split
from lib.dataset.transcript_scores import SCORE_COLUMNS, format_duration
from lib.evaluation.checkpoints import list_checkpoints
from lib.evaluation.comparison import Judge
from lib.evaluation.transcripts import TranscriptCheck, check_transcripts
from lib.files import atomic_path, write_json
from lib.tables import read_table, write_table
from lib.text.normalise import hash_text
from lib.vits.clips import TrainingClip

logger = logging.getLogger(__name__)

_SPLITS = ("train", "validation")


def check_dataset(
    base_model: Path,
    training: Path | None,
    dataset: Path,
    manifest: Path,
    scores: Path,
    summary: Path,
    record: Path,
    threads: int = 1,
    use_gpu: bool = False,
) -> None:
    """Check the transcripts of a dataset, and write what was found.

    Parameters
    ----------
    base_model
        Folder of the fitted base.
    training
        Summary of the training, whose earliest kept checkpoint that knows the language is the
        judge: it has heard the clips, but has not learnt them by heart. None asks the base.
    dataset
        Folder of the dataset.
    manifest
        Table of all clips, by whose column `origin` the rows of the user's table are ordered.
    scores
        Table to write, the worst clip first; empty if the judge does not know the language.
    summary
        JSON file to write: the judge, whether it knows the language, and slipped rows.
    record
        Durable table of scores that the next dataset is built with, updated.
    """
    torch.set_num_threads(threads)
    device = "cuda" if use_gpu and torch.cuda.is_available() else "cpu"
    checkpoints = [found.folder for found in list_checkpoints(training)] if training else [None]
    clips, fingerprints = load_in_order(base_model, dataset, manifest)
    for checkpoint in checkpoints:
        judge = Judge.read(base_model, checkpoint, device)
        check = check_transcripts(judge, clips)
        if check.knows:
            break
    _report(check)
    _write_scores(check, fingerprints, scores)
    with atomic_path(summary) as temporary:
        write_json(
            temporary,
            {
                "judge": check.judge,
                "knowledge": check.knowledge,
                "knows": check.knows,
                "clips": len(check.scores),
                "shifts": [vars(shift) for shift in check.shifts],
            },
        )
    if check.knows:
        update_record(scores, record)


def load_in_order(
    base_model: Path, dataset: Path, manifest: Path
) -> tuple[list[TrainingClip], dict[str, tuple[str, str]]]:
    """Load all clips in the order of the user's table.

    Returns
    -------
    tuple
        The clips, and of each the hash of its transcript and its duration: a score holds for these.
    """
    from transformers import VitsTokenizer

    tokenizer = VitsTokenizer.from_pretrained(base_model)
    speakers = BaseModel.open(base_model).speakers
    origins = {row["clip"]: row["origin"] for row in read_table(manifest)}
    clips, fingerprints = [], {}
    for split in _SPLITS:
        clips += load_clips(dataset / split, tokenizer, speakers)
        for row in read_split(dataset / split, ["id", "transcript", "duration"]):
            fingerprints[row["id"]] = hash_text(row["transcript"]), format_duration(row["duration"])
    return sorted(clips, key=lambda clip: _natural_order(origins[clip.id])), fingerprints


def _natural_order(origin: str) -> list[tuple[str, int]]:
    """Return a key by which line 10 comes after line 9."""
    return [(text, int(n or 0)) for text, n in re.findall(r"(\D*)(\d*)", origin)]


def _report(check: TranscriptCheck) -> None:
    if check.knowledge is None:
        logger.info("Too few clips to compare transcripts with each other")
    elif not check.knows:
        logger.info(
            "The %s does not know the language: the own text is the likeliest of nine for %.0f%% "
            "of the clips. Transcripts are not judged by it",
            check.judge,
            100 * check.knowledge,
        )
    for shift in check.shifts:
        logger.warning(
            "The %d rows from %s to %s seem to have the text %d row%s %s: did the table slip?",
            shift.rows,
            shift.first,
            shift.last,
            abs(shift.offset),
            "" if abs(shift.offset) == 1 else "s",
            "below" if shift.offset < 0 else "above",
        )


def _write_scores(
    check: TranscriptCheck, fingerprints: Mapping[str, tuple[str, str]], path: Path
) -> None:
    ranked = sorted(check.scores, key=lambda row: (row.score, row.clip))
    write_table(
        path,
        SCORE_COLUMNS,
        (
            (row.clip, f"{row.score:.3f}", *row.gap, row.likelier, *fingerprints[row.clip])
            for row in ranked
        ),
    )


def update_record(scores: Path, record: Path) -> None:
    """Add a table of scores to the record, which keeps those of clips that were left out since."""
    known = read_table(record, SCORE_COLUMNS) if record.is_file() else []
    rows = {row["clip"]: row for row in (*known, *read_table(scores, SCORE_COLUMNS))}
    record.parent.mkdir(parents=True, exist_ok=True)
    write_table(record, SCORE_COLUMNS, (rows[clip].values() for clip in sorted(rows)))
