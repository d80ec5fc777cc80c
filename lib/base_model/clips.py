"""Load clips of the dataset for a fitted base model: PCM, token ids, rows of speakers.

soundfile is imported only when clips are loaded, because benchmarks/gpu.py trains without it.
"""

import io
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from transformers import VitsTokenizer

from lib.corpus.saved_dataset import read_split
from lib.mms import SAMPLE_RATE
from lib.text.frontend import TextFrontend
from lib.vits.clips import TrainingClip

logger = logging.getLogger(__name__)


def load_clips(
    split: Path,
    tokenizer: VitsTokenizer,
    speakers: Mapping[str, int],
    only: Collection[str] | None = None,
) -> list[TrainingClip]:
    """Load a split of a dataset saved with `save_to_disk`, sorted by clip id.

    Parameters
    ----------
    speakers
        Row in the speaker table by speaker id.
    only
        Ids of the clips to load; None loads all.

    Raises
    ------
    ValueError
        If a clip's speaker is not in the model's table, or its audio has another sample rate.
    """
    import soundfile

    clips = []
    for row in read_split(split, ["id", "audio", "text", "speaker_id"]):
        if only is not None and row["id"] not in only:
            continue
        if row["speaker_id"] not in speakers:
            raise ValueError(
                f"clip {row['id']}: speaker {row['speaker_id']} is not in the base model's table "
                f"({', '.join(speakers)}); fit the base model again"
            )
        audio, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")
        if rate != SAMPLE_RATE:
            raise ValueError(
                f"clip {row['id']}: its audio has {rate} Hz, the voice works at {SAMPLE_RATE}; set "
                f"audio.sample_rate to {SAMPLE_RATE}"
            )
        ids = np.asarray(tokenizer(row["text"]).input_ids, dtype=np.int64)
        speaker = speakers[row["speaker_id"]]
        clips.append(TrainingClip(row["id"], row["text"], audio, ids, speaker))
    return sorted(clips, key=lambda clip: clip.id)


def encode_sample(
    texts: Sequence[str],
    clips: Sequence[TrainingClip],
    tokenizer: VitsTokenizer,
    base_model: Path,
) -> list[int]:
    """Return the token ids of the sentence that is synthesized during the training.

    Parameters
    ----------
    texts
        The first one is taken, after the text processing of the trained voice. Without any, or if
        the base knows none of its characters, the text of the first clip is taken.
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
