"""A VITS as a judge of what is said in a recording: which of some texts explains it best.

The likelihood of a text (`lib.vits.score`) depends on voice, microphone and noise more than on the
text. Several texts of about the same length, scored for the same recording, share all that. So a
text is judged by its margin over those of other clips. The scale is how much the others differ
among themselves, which needs no labels: a text of another clip scores 0 on the average, with a
standard deviation of 1. No recogniser is needed, hence no language that one knows.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model.export import load_trained
from lib.vits.clips import TrainingClip
from lib.vits.model import prepare_for_training
from lib.vits.score import Latents, TextScore, encode_latents, pad_texts, score_texts
from lib.vits.spectrogram import Spectrogram

logger = logging.getLogger(__name__)

OTHERS = 8
"""Texts of other clips that a text is compared with."""
NEIGHBOURS = (-2, -1, 1, 2)
"""Rows of the user's table whose texts are tried as well, counted from a clip's own."""
ENOUGH_CLIPS = 20
"""Clips below which nothing is judged: texts of about the same length would be too few."""
KNOWING = 0.6
"""Share of clips whose own text must be the likeliest of nine, for the judge to know the
language. By chance it is one in nine; wrong transcripts are never the likeliest."""
_FEWEST = 3
"""Texts of others that must fit into a recording, for their mean to say anything."""
_PROBES = 60
"""Clips by which it is decided whether a judge knows the language."""


class Judge:
    """Weights that score texts for recordings.

    Parameters
    ----------
    model
        Moved to `device` and set to evaluation mode.
    name
        What messages and tables call it.
    """

    def __init__(
        self,
        model: VitsModel,
        tokenizer: VitsTokenizer,
        name: str,
        device: torch.device | str = "cpu",
    ) -> None:
        self.model = model.to(device).eval()
        self.tokenizer, self.name = tokenizer, name
        self.device = torch.device(device)
        self.spectrogram = Spectrogram().to(device)

    @classmethod
    def read(
        cls, base_model: Path, checkpoint: Path | None = None, device: torch.device | str = "cpu"
    ) -> "Judge":
        """Read a checkpoint's averaged weights; without one, the fitted base model."""
        tokenizer = VitsTokenizer.from_pretrained(base_model)
        if checkpoint is None:
            model = VitsModel.from_pretrained(base_model, dtype=torch.float32)
            return cls(prepare_for_training(model), tokenizer, "base model", device)
        model, epoch = load_trained(checkpoint, base_model)
        return cls(model, tokenizer, f"epoch {epoch}", device)

    @staticmethod
    def is_knowing(knowledge: float | None) -> bool:
        """Return whether weights with this share know the language, see `measure_knowledge`."""
        return knowledge is not None and knowledge >= KNOWING

    def encode(self, audio: np.ndarray, speaker: int) -> Latents:
        """Encode a recording, ``(samples,)`` int16, by a row of the speaker table."""
        samples = torch.from_numpy(audio.astype(np.float32) / 32768).unsqueeze(0)
        return encode_latents(
            self.model,
            samples.to(self.device),
            torch.tensor([len(audio)], device=self.device),
            torch.tensor([speaker], device=self.device),
            self.spectrogram,
        )

    def score(self, latents: Latents, texts: Sequence[Sequence[int]]) -> list[TextScore]:
        """Score several texts, as token ids, for one recording."""
        return score_texts(self.model, latents, *pad_texts(texts, self.device))


@dataclass(frozen=True)
class Comparison:
    """A clip's own text and those of others, scored for its recording."""

    own: TextScore
    others: tuple[TextScore, ...]
    """Of texts of about the same length; minus infinity of those too long for the recording."""
    extra: tuple[TextScore, ...] = ()
    """Of texts that were asked for."""

    @property
    def fitting(self) -> list[TextScore]:
        """Of the others' texts those that are short enough for the recording."""
        return [score for score in self.others if np.isfinite(score.likelihood)]

    @property
    def usual(self) -> float:
        """Mean likelihood of the others' texts."""
        return float(np.mean([score.likelihood for score in self.fitting]))

    @property
    def margin(self) -> float:
        """Likelihood of the own text above that."""
        return self.own.likelihood - self.usual

    def chance_margins(self) -> list[float]:
        """Return what the margin of each text of others over the remaining ones is."""
        values = np.array([score.likelihood for score in self.fitting])
        return list(values - (values.sum() - values) / (len(values) - 1))


def compare_clip(
    judge: Judge,
    clip: TrainingClip,
    others: Sequence[TrainingClip],
    extra: Sequence[TrainingClip] = (),
) -> Comparison | None:
    """Score the own text of a clip, and those of other clips.

    Returns
    -------
    Comparison or None
        None if fewer than three of the others' texts are short enough for the recording.
    """
    texts = [c.input_ids.tolist() for c in (clip, *others, *extra)]
    own, *scores = judge.score(judge.encode(clip.audio, clip.speaker), texts)
    comparison = Comparison(own, tuple(scores[: len(others)]), tuple(scores[len(others) :]))
    return comparison if len(comparison.fitting) >= _FEWEST else None


def choose_others(clips: Sequence[TrainingClip], number: int = OTHERS) -> list[list[int]]:
    """Choose for every clip the clips whose texts are nearest to its own in length.

    Returns
    -------
    list of list of int
        Places in `clips`; none of a clip with the same text.
    """
    order = sorted(range(len(clips)), key=lambda i: (len(clips[i].input_ids), clips[i].id))
    chosen: list[list[int]] = [[] for _ in clips]
    for rank, place in enumerate(order):
        length = len(clips[place].input_ids)
        before, after = rank - 1, rank + 1
        texts = {clips[place].text}
        while len(chosen[place]) < number and (before >= 0 or after < len(order)):
            # Of two that are as near, the shorter one is taken.
            if after == len(order) or (
                before >= 0
                and length - len(clips[order[before]].input_ids)
                <= len(clips[order[after]].input_ids) - length
            ):
                other, before = order[before], before - 1
            else:
                other, after = order[after], after + 1
            if clips[other].text not in texts:
                texts.add(clips[other].text)
                chosen[place].append(other)
    return chosen


def list_neighbours(clips: Sequence[TrainingClip], place: int) -> list[int]:
    """List the places near a clip's, see `NEIGHBOURS`, with another text than its own."""
    near = (place + offset for offset in NEIGHBOURS)
    return [n for n in near if 0 <= n < len(clips) and clips[n].text != clips[place].text]


def measure_knowledge(judge: Judge, clips: Sequence[TrainingClip]) -> float | None:
    """Return the share of clips whose own text is the likeliest of nine.

    At most `_PROBES` clips are heard, evenly spread. Fewer than `ENOUGH_CLIPS` say nothing: None.
    Where a table has slipped, the text of a clip is in a neighbour's row from there on. So it is
    the share of the best division into a first and a second part, of the own text or that of
    the neighbour at the same distance in each.

    Parameters
    ----------
    clips
        In the order of the user's table.
    """
    if len(clips) < ENOUGH_CLIPS:
        return None
    others = choose_others(clips)
    offsets = (0, *NEIGHBOURS)
    is_best = []
    for place in range(0, len(clips), max(1, len(clips) // _PROBES)):
        near = list_neighbours(clips, place)
        texts = [clips[n] for n in others[place]]
        comparison = compare_clip(judge, clips[place], texts, [clips[n] for n in near])
        if comparison:
            most = max(score.likelihood for score in comparison.others)
            tried = dict(zip((place, *near), (comparison.own, *comparison.extra), strict=True))
            spoken = {n - place for n, score in tried.items() if score.likelihood > most}
            is_best.append([offset in spoken for offset in offsets])
    share = _best_division(np.array(is_best)) if is_best else None
    logger.info("%s: the text of a clip is the likeliest of nine for %s", judge.name, share)
    return share


def _best_division(is_best: np.ndarray) -> float:
    """Return the largest mean of a column's upper part and a column's lower part."""
    counts = np.concatenate([np.zeros((1, is_best.shape[1])), np.cumsum(is_best, axis=0)])
    upper, lower = counts.max(axis=1), (counts[-1] - counts).max(axis=1)
    return float((upper + lower).max() / len(is_best))
