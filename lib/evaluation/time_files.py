"""Write the times of words and letters of a whole run: JSON, Praat's TextGrid and SRT."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from praatio import textgrid
from transformers import VitsModel, VitsTokenizer

from lib.audio.wav import read_wav
from lib.base_model.clips import load_clips
from lib.base_model.record import read_speakers
from lib.evaluation.times import Interval, Times, find_silence, locate_text
from lib.files import atomic_directory, atomic_path, read_json, write_json
from lib.mms import HOP_LENGTH, SAMPLE_RATE
from lib.synthesis.tokens import CharacterTokenizer
from lib.text.frontend import TextFrontend
from lib.vits.clips import TrainingClip
from lib.vits.score import score_clips
from lib.vits.spectrogram import Spectrogram

logger = logging.getLogger(__name__)

_SPLITS = ("train", "validation")


def write_times(
    model: Path, dataset: Path, samples: Path | None, output: Path, threads: int = 1
) -> None:
    """Write ``clips/{clip}`` and ``samples/{speaker}/{number}``, each as JSON, TextGrid and SRT.

    Parameters
    ----------
    model
        Folder of the voice.
    dataset
        Folder of the dataset.
    samples
        Folder of the samples that the voice has spoken; None writes the clips alone.
    output
        Folder to write.
    threads
        CPU threads.

    Raises
    ------
    ValueError
        If the voice has not the dataset's speakers.
    """
    torch.set_num_threads(threads)
    voice = VitsModel.from_pretrained(model, dtype=torch.float32).eval()
    tokenizer = VitsTokenizer.from_pretrained(model)
    characters = CharacterTokenizer.read(model)
    rows = {speaker: entry["index"] for speaker, entry in read_speakers(model).items()}
    written = 0
    with atomic_directory(output) as directory:
        for split in _SPLITS:
            clips = load_clips(dataset / split, tokenizer, rows)
            for name, times in locate_clips(voice, characters, clips):
                write_formats(times, directory / "clips" / name)
                written += 1
        if samples:
            spoken = _read_samples(samples, TextFrontend.read(model), tokenizer, rows)
            for name, times in locate_clips(voice, characters, spoken):
                write_formats(times, directory / "samples" / name)
                written += 1
    logger.info("Times of %d recordings and sentences", written)


def locate_clips(
    model: VitsModel, characters: CharacterTokenizer, clips: Sequence[TrainingClip]
) -> Iterator[tuple[str, Times]]:
    """Yield the ids of clips, and the times of their words and letters; one too short has none."""
    scores = score_clips(model, clips, Spectrogram())
    for clip, score in zip(clips, scores, strict=True):
        if not len(score.durations):
            logger.warning("%s has more letters than frames; it has no times", clip.id)
            continue
        yield (
            clip.id,
            locate_text(
                characters.divide(clip.text),
                score.durations,
                find_silence(clip.audio, HOP_LENGTH),
                HOP_LENGTH / SAMPLE_RATE,
            ),
        )


def write_formats(times: Times, path: Path) -> None:
    """Write times as JSON, SRT and TextGrid; each suffix is added to the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path.with_name(f"{path.name}.json"), asdict(times))
    with atomic_path(path.with_name(f"{path.name}.srt")) as temporary:
        temporary.write_text(format_srt(times.words), "utf-8")
    with atomic_path(path.with_name(f"{path.name}.TextGrid")) as temporary:
        write_textgrid(times, temporary)


def _read_samples(
    samples: Path,
    frontend: TextFrontend,
    tokenizer: VitsTokenizer,
    rows: Mapping[str, int],
) -> list[TrainingClip]:
    """Read spoken sentences; their id is ``{speaker}/{number}``."""
    texts = read_json(samples / "texts.json")
    vocabulary = tokenizer.get_vocab()
    clips = []
    for folder in sorted(path for path in samples.iterdir() if path.is_dir()):
        for number, text in texts.items():
            written, _ = frontend.write(text, vocabulary, tokenizer.normalize)
            ids = np.asarray(tokenizer(written).input_ids, dtype=np.int64)
            audio = read_wav(folder / f"{number}.wav")
            name = f"{folder.name}/{number}"
            clips.append(TrainingClip(name, written, audio, ids, rows[folder.name]))
    return clips


def format_srt(words: Iterable[Interval]) -> str:
    """Return words as SubRip subtitles, one cue each."""
    cues = (
        f"{number}\n{_srt_time(word.start)} --> {_srt_time(word.end)}\n{word.text}\n"
        for number, word in enumerate(words, 1)
    )
    return "\n".join(cues)


def _srt_time(seconds: float) -> str:
    """Return a time as ``hours:minutes:seconds,milliseconds``."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    clock = str(timedelta(seconds=whole)).rjust(8, "0")
    return f"{clock},{milliseconds:03d}"


def write_textgrid(times: Times, path: Path) -> None:
    """Write tiers of words and letters for Praat, with empty intervals between them."""
    grid = textgrid.Textgrid(0, times.duration)
    for name, intervals in (("words", times.words), ("letters", times.letters)):
        entries = [(i.start, i.end, i.text) for i in intervals if i.end > i.start]
        grid.addTier(textgrid.IntervalTier(name, entries, 0, times.duration))
    grid.save(str(path), format="long_textgrid", includeBlankSpaces=True)
