"""Measures recordings, base model and every kept checkpoint, and chooses the best.

The losses of a training go on falling while the speech gets worse, so the checkpoints speak, and
what they say is measured: is it understood, is it the speaker's voice, how does it sound. All say
the same held-out sentences with the same noise.
"""

import logging
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import VitsTokenizer

from lib.audio.wav import read_wav
from lib.base_model.clips import load_clips
from lib.base_model.export import export_checkpoint
from lib.base_model.record import BaseModel
from lib.base_model.weights import DamagedCheckpointError, read_record
from lib.evaluation.acoustics import QualityScore
from lib.evaluation.comparison import Judge, measure_knowledge
from lib.evaluation.composite import (
    COLUMNS,
    CheckpointFigures,
    choose_best,
    share_understood,
    summarise,
)
from lib.evaluation.intelligibility import IntelligibilityTest
from lib.evaluation.listener import LETTER_COLUMNS, AlignmentListener, LetterRating
from lib.evaluation.quality import (
    Sentence,
    choose_sentences,
    count_understood,
    group_by_speaker,
    measure_by_speaker,
    read_texts,
    synthesize_sentences,
)
from lib.evaluation.recognition import Recogniser
from lib.files import atomic_path, read_json, write_json
from lib.synthesis.synthesizer import Synthesizer
from lib.tables import read_vectors, write_table
from lib.vits.clips import TrainingClip
from lib.vits.score import score_clips

logger = logging.getLogger(__name__)

MAX_SENTENCES = 20
"""Sentences that every checkpoint says; with many speakers each says fewer, but one."""
_HEARD = 40
"""Clips of each split whose likelihood is measured."""
RECORDINGS, BASE = "recordings", "base model"


@dataclass(frozen=True)
class KeptCheckpoint:
    """A checkpoint that a voice can be made from."""

    epoch: int
    folder: Path

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"epoch {self.epoch}"


def list_checkpoints(training: Path) -> list[KeptCheckpoint]:
    """List the checkpoints of a training, one for each epoch, in order.

    Parameters
    ----------
    training
        Summary of the training. Checkpoints with other speakers or letters than its last one are
        of an earlier dataset, and left out; so are damaged ones. Summaries of earlier versions
        name folders in ``checkpoints/``, those of now in ``weights/``.
    """
    summary = read_json(training)
    home = training.absolute().parent
    last, best = (home / summary[name] for name in ("last", "best"))
    milestones = sorted(p for p in last.parent.glob("epoch*") if re.fullmatch(r"epoch\d+", p.name))
    found: dict[int, KeptCheckpoint] = {}
    wanted = None
    for folder in dict.fromkeys([last, *milestones, best]):
        try:
            record = read_record(folder)
        except DamagedCheckpointError as error:
            logger.warning("Left out: %s", error)
            continue
        fitted = [record["signature"].get(part) for part in ("speakers", "vocabulary")]
        wanted = wanted or fitted
        if fitted == wanted:
            epoch = record["state"]["epoch"]
            found.setdefault(epoch, KeptCheckpoint(epoch, folder))
    return [found[epoch] for epoch in sorted(found)]


def measure_checkpoints(
    training: Path,
    base_model: Path,
    dataset: Path,
    recordings: Path,
    centroids: Path,
    count: int,
    naturalness: bool,
    recogniser: str | None,
    table: Path,
    choice: Path,
    letters: Path,
    speed: Path,
    threads: int = 1,
) -> None:
    """Measure recordings, base model and every kept checkpoint, and choose the best.

    Parameters
    ----------
    training
        Summary of the training.
    recordings
        Folder with the converted clips, ``{clip}.wav``.
    centroids
        Parquet file with the mean speaker embedding of every speaker's recordings.
    count
        Sentences a speaker, fewer where there would be more than `MAX_SENTENCES`.
    naturalness
        Whether the learned quality score is measured.
    recogniser
        Language of a recogniser that hears the same sentences, so that it can be compared with
        the listener: ``english``; None asks none. It has no part in the choice.
    table
        Table to write, one row for each.
    choice
        JSON file to write: ``checkpoint``, a path relative to the summary, ``epoch``, ``reason``.
    letters
        Table to write: how well the chosen checkpoint speaks each letter, the worst first.
    speed
        Table to write: seconds of computing for a second of speech, which differ between runs.
    """
    torch.set_num_threads(threads)
    kept = list_checkpoints(training)
    sentences = limit_sentences(choose_sentences(dataset, count))
    tokenizer = VitsTokenizer.from_pretrained(base_model)
    rows = BaseModel.open(base_model).speakers
    heard = {split: _spread(load_clips(dataset / split, tokenizer, rows)) for split in _SPLITS}
    judges = find_judges(base_model, kept, [*heard["validation"], *heard["train"]])
    context = _Context(
        sentences=sentences,
        recorded={s.clip: recordings / f"{s.clip}.wav" for s in sentences},
        references={s: np.asarray(v) for s, v in read_vectors(centroids).items()},
        listeners={
            judge.name: AlignmentListener.fit(judge, base_model, rows, heard["train"])
            for judge in judges
        },
        texts=read_texts(dataset),
        recogniser=Recogniser() if recogniser else None,
        quality=QualityScore() if naturalness else None,
    )
    figures, factors = [context.measure(RECORDINGS, None, context.recorded)], []
    ratings: dict[int, list[LetterRating]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for what, checkpoint in ((BASE, None), *((found.name, found) for found in kept)):
            folder = Path(scratch) / what.replace(" ", "_")
            model = base_model
            if checkpoint:
                model = folder / "model"
                export_checkpoint(checkpoint.folder, base_model, model, "und")
            measured, factor = _speak_and_measure(context, what, checkpoint, model, folder, heard)
            if checkpoint:
                ratings[checkpoint.epoch] = context.rate_letters(what, folder)
            figures.append(measured)
            factors.append((what, factor))
            logger.info("%s: %s", what, _say(figures[-1]))
    write_table(table, COLUMNS, (map(_cell, asdict(row).values()) for row in figures))
    # Apart from the figures, which are the same in every run.
    speed.parent.mkdir(parents=True, exist_ok=True)
    write_table(speed, ("what", "real_time_factor"), factors)
    chosen, reason = choose_best(figures)
    rows = map(astuple, ratings.get(chosen, []))
    write_table(letters, LETTER_COLUMNS, rows)
    by_epoch = {found.epoch: found.folder for found in kept}
    with atomic_path(choice) as temporary:
        home = training.absolute().parent
        folder = by_epoch[chosen].relative_to(home).as_posix() if chosen else None
        write_json(temporary, {"checkpoint": folder, "epoch": chosen, "reason": reason})


_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class _Context:
    """What all rows are measured with."""

    sentences: Sequence[Sentence]
    recorded: Mapping[str, Path]
    references: Mapping[str, np.ndarray]
    listeners: Mapping[str, AlignmentListener]
    texts: Sequence[str]
    recogniser: Recogniser | None
    quality: QualityScore | None

    def measure(
        self, what: str, epoch: int | None, speech: Mapping[str, Path], **more: float | None
    ) -> CheckpointFigures:
        """Measure speech by all speakers; whoever speaks is never the judge of it."""
        judge = self._find_judge(what)
        test = IntelligibilityTest(self.listeners[judge], self.texts) if judge else None
        found = measure_by_speaker(
            self.sentences, speech, self.recorded, self.references, test, self.quality
        )
        if self.recogniser:
            other = IntelligibilityTest(self.recogniser, self.texts)
            own = group_by_speaker(self.sentences).values()
            heard = share_understood([count_understood(part, speech, other) for part in own])
            more |= {f"recogniser_{name}": share for name, share in heard.items()}
        return summarise(what, epoch, list(found.values()), judge, **more)

    def _find_judge(self, what: str) -> str:
        """Return the name of who listens; empty if there is nobody else than the speaker."""
        return next((name for name in self.listeners if name != what), "")

    def rate_letters(self, what: str, folder: Path) -> list[LetterRating]:
        """Rate the letters that were spoken, against the recordings; none without a listener."""
        judge = self._find_judge(what)
        spoken = (
            (s.text, s.speaker, read_wav(folder / f"{s.clip}.wav"), read_wav(self.recorded[s.clip]))
            for s in self.sentences
        )
        return self.listeners[judge].rate_letters(spoken) if judge else []


def _speak_and_measure(
    context: _Context,
    what: str,
    checkpoint: KeptCheckpoint | None,
    model: Path,
    folder: Path,
    heard: Mapping[str, Sequence[TrainingClip]],
) -> tuple[CheckpointFigures, str]:
    """Return the figures, and the seconds of computing for a second of speech."""
    folder.mkdir(exist_ok=True)
    synthesizer = Synthesizer(model)
    start = time.perf_counter()
    speech = synthesize_sentences(synthesizer, context.sentences, folder)
    spent = time.perf_counter() - start
    likelihoods = {
        f"likelihood_{split}": _mean_likelihood(model, clips) for split, clips in heard.items()
    }
    seconds = sum(path.stat().st_size for path in speech.values()) / 2 / synthesizer.sample_rate
    epoch = checkpoint.epoch if checkpoint else None
    factor = f"{spent / seconds:.3f}" if seconds else ""
    return context.measure(what, epoch, speech, **likelihoods), factor


def _mean_likelihood(model: Path, clips: Sequence[TrainingClip]) -> float | None:
    from transformers import VitsModel

    from lib.vits.spectrogram import Spectrogram

    if not clips:
        return None
    loaded = VitsModel.from_pretrained(model, dtype=torch.float32).eval()
    scores = [s.likelihood for s in score_clips(loaded, clips, Spectrogram(), batch_size=8)]
    finite = [score for score in scores if np.isfinite(score)]
    return float(np.mean(finite)) if finite else None


def find_judges(
    base_model: Path, kept: Sequence[KeptCheckpoint], clips: Sequence[TrainingClip]
) -> list[Judge]:
    """Return weights that know the language: the base, or else the earliest checkpoints.

    Two at most: the second one judges the first.
    """
    judges = []
    for checkpoint in (None, *(found.folder for found in kept)):
        judge = Judge.read(base_model, checkpoint)
        if Judge.is_knowing(measure_knowledge(judge, clips)):
            judges.append(judge)
        if len(judges) == 2:
            break
    return judges


def limit_sentences(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Return at most `MAX_SENTENCES`, as many of every speaker; one of each is always kept."""
    by_speaker = group_by_speaker(sentences)
    share = max(1, MAX_SENTENCES // max(1, len(by_speaker)))
    return [sentence for own in by_speaker.values() for sentence in own[:share]]


def _spread(clips: Sequence[TrainingClip]) -> list[TrainingClip]:
    """Return at most `_HEARD` clips, evenly spread."""
    if len(clips) <= _HEARD:
        return list(clips)
    return [clips[i * len(clips) // _HEARD] for i in range(_HEARD)]


def _cell(value: object) -> object:
    return f"{value:.4f}" if isinstance(value, float) else value


def _say(row: CheckpointFigures) -> str:
    values = {k: v for k, v in asdict(row).items() if v not in (None, "") and k != "what"}
    return ", ".join(f"{name} {_cell(value)}" for name, value in values.items())
