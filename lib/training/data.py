"""Reads the dataset for training: PCM, token ids and speaker rows, held in memory.

Arrow files are read with pyarrow alone, so that a GPU machine needs neither `datasets` nor an
audio decoder. pyarrow and soundfile are imported where they read: benchmarks/gpu.py trains without.
"""

import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import VitsTokenizer

from lib.text.frontend import TextFrontend
from lib.vits.model import Batch

logger = logging.getLogger(__name__)

SAMPLE_RATE = 16_000
"""Of every MMS-TTS voice, in Hz."""


@dataclass(frozen=True)
class TrainingClip:
    """One clip, ready for a batch."""

    id: str
    text: str
    audio: np.ndarray
    """``(samples,)`` int16."""
    input_ids: np.ndarray
    """``(tokens,)`` int64."""
    speaker: int

    def num_frames(self, hop_length: int = 256) -> int:
        """Spectrogram frames."""
        return len(self.audio) // hop_length


def load_clips(
    split: Path,
    tokenizer: VitsTokenizer,
    speakers: Mapping[str, int],
    texts: Mapping[str, str],
) -> list[TrainingClip]:
    """Load a split of a dataset saved with `save_to_disk`, sorted by clip id.

    Parameters
    ----------
    texts
        What is trained on, per clip, in characters that the tokenizer knows; clips without are
        left out.

    Raises
    ------
    ValueError
        If a clip's speaker is not in the model's table, its audio has another sample rate, or it
        has more tokens than frames.
    """
    import soundfile

    clips = []
    for row in _rows(split, ["id", "audio", "speaker_id"]):
        text = texts.get(row["id"])
        if text is None:
            continue
        if row["speaker_id"] not in speakers:
            raise ValueError(
                f"clip {row['id']}: speaker {row['speaker_id']} is not in the base model's table "
                f"({', '.join(speakers)}); prepare the base model again"
            )
        audio, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")
        if rate != SAMPLE_RATE:
            raise ValueError(
                f"clip {row['id']}: its audio has {rate} Hz, the voice works at {SAMPLE_RATE}; set "
                f"audio.sample_rate to {SAMPLE_RATE}"
            )
        ids = np.asarray(tokenizer(text).input_ids, dtype=np.int64)
        clip = TrainingClip(row["id"], text, audio, ids, speakers[row["speaker_id"]])
        if len(ids) > clip.num_frames():
            raise ValueError(
                f"clip {clip.id}: {len(ids)} tokens cannot be aligned to {clip.num_frames()} "
                "frames; prepare the base model again, it leaves such clips out"
            )
        clips.append(clip)
    return sorted(clips, key=lambda clip: clip.id)


def encode_sample(
    texts: Sequence[str],
    clips: Sequence[TrainingClip],
    tokenizer: VitsTokenizer,
    base_model: Path,
) -> list[int]:
    """Return the token ids of the sentence that is spoken while training.

    Parameters
    ----------
    texts
        The first one is taken, written as the trained voice will write it; none, or one of which
        the base knows no letter, takes the text of the first of the clips.
    """
    if texts:
        frontend = TextFrontend.read(base_model)
        written, lost = frontend.write(texts[0], tokenizer.get_vocab(), tokenizer.normalize)
        if lost:
            unknown = ", ".join(sorted(set(lost)))
            logger.warning("samples.texts: %s is spoken without %s", texts[0], unknown)
        if written:
            return tokenizer(written).input_ids
        logger.warning("samples.texts: nothing of %s can be spoken", texts[0])
    return clips[0].input_ids.tolist()


def read_rows(split: Path, columns: Sequence[str]) -> list[dict]:
    """Read some columns of a split, without its audio."""
    return list(_rows(split, columns))


def collate(clips: Sequence[TrainingClip]) -> Batch:
    """Pad clips to a batch."""
    tokens = torch.zeros(len(clips), max(len(c.input_ids) for c in clips), dtype=torch.long)
    audio = torch.zeros(len(clips), max(len(c.audio) for c in clips))
    for i, clip in enumerate(clips):
        tokens[i, : len(clip.input_ids)] = torch.from_numpy(clip.input_ids)
        audio[i, : len(clip.audio)] = torch.from_numpy(clip.audio.astype(np.float32) / 32768)
    return Batch(
        input_ids=tokens,
        num_tokens=torch.tensor([len(c.input_ids) for c in clips]),
        audio=audio,
        num_samples=torch.tensor([len(c.audio) for c in clips]),
        speakers=torch.tensor([c.speaker for c in clips]),
    )


def _rows(split: Path, columns: Sequence[str]) -> Iterator[dict]:
    """Yield the rows of a split's Arrow files, in the order of its state file."""
    import pyarrow as pa

    state = json.loads((split / "state.json").read_text("utf-8"))
    for entry in state["_data_files"]:
        with pa.memory_map(str(split / entry["filename"])) as source:
            for batch in pa.ipc.open_stream(source):
                yield from batch.select(list(columns)).to_pylist()
