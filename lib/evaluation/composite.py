"""The figures of a checkpoint as means over speakers, and the composite that chooses the best."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from lib.evaluation.quality import Quality


@dataclass(frozen=True)
class CheckpointFigures:
    """Means over the speakers, so that each counts the same; None where not measured."""

    what: str
    epoch: int | None
    sentences: float | None
    """Share of sentences that the listener told from 19 others."""
    words: float | None
    """The same with 19 that differ in one word."""
    recogniser_sentences: float | None
    """As `sentences`, by the recogniser of one language (`evaluation.recogniser`)."""
    recogniser_words: float | None
    own_similarity: float
    other_similarity: float | None
    distortion: float
    pitch_ratio: float | None
    pitch_spread_ratio: float | None
    length_ratio: float
    naturalness: float | None
    likelihood_train: float | None
    """Of clips of the training split, in nats, by the checkpoint itself."""
    likelihood_validation: float | None
    composite: float | None
    judge: str
    """Weights that the listener uses; empty without one."""


COLUMNS = tuple(CheckpointFigures.__dataclass_fields__)


def summarise(
    what: str, epoch: int | None, found: Sequence[Quality], judge: str, **more: float | None
) -> CheckpointFigures:
    """Return the means over speakers."""

    def mean(name: str) -> float | None:
        values = [value for q in found if (value := getattr(q, name)) is not None]
        return round(float(np.mean(values)), 4) if values else None

    heard = share_understood([asdict(quality) for quality in found])
    values = {name: mean(name) for name in _AVERAGED}
    extra = {name: None for name in _MEASURED_ALONE} | {
        name: None if value is None else round(value, 4) for name, value in more.items()
    }
    composite = compose(**heard, **{name: values[name] for name in _SOUND})
    return CheckpointFigures(
        what=what, epoch=epoch, **heard, **values, **extra, composite=composite, judge=judge
    )


def share_understood(counts: Sequence[Mapping[str, int | None]]) -> dict[str, float | None]:
    """Return the shares of sentences and words that were understood, as means over the speakers.

    Parameters
    ----------
    counts
        Of every speaker, as from `lib.evaluation.quality.count_understood`.
    """
    tested = [found for found in counts if found["sentences_tested"]]
    return {
        name: round(
            float(np.mean([f[f"{name}_understood"] / f["sentences_tested"] for f in tested])), 4
        )
        if tested
        else None
        for name in ("sentences", "words")
    }


_AVERAGED = (
    "own_similarity",
    "other_similarity",
    "distortion",
    "pitch_ratio",
    "pitch_spread_ratio",
    "length_ratio",
    "naturalness",
)
_MEASURED_ALONE = (
    "recogniser_sentences",
    "recogniser_words",
    "likelihood_train",
    "likelihood_validation",
)
_SOUND = ("own_similarity", "distortion", "naturalness")


def compose(
    sentences: float | None,
    words: float | None,
    own_similarity: float,
    distortion: float,
    naturalness: float | None,
) -> float:
    """Return the composite by which checkpoints are compared, from 0 to 1.

    The mean of four parts, each from 0 to 1: what is understood (sentences and words), the
    similarity to the speaker, the mel-cepstral distortion (0 dB is 1, 10 dB is 0), and the learned
    quality score (1 is 0, 5 is 1). Parts that were not measured are left out.
    """
    understood = [share for share in (sentences, words) if share is not None]
    parts = [
        np.mean(understood) if understood else None,
        np.clip(own_similarity, 0, 1),
        np.clip(1 - distortion / 10, 0, 1),
        None if naturalness is None else np.clip((naturalness - 1) / 4, 0, 1),
    ]
    return round(float(np.mean([part for part in parts if part is not None])), 4)


def choose_best(figures: Sequence[CheckpointFigures]) -> tuple[int | None, str]:
    """Return the epoch with the highest composite, and the reason in a sentence.

    Of equal ones the earliest is taken, which has learnt less by heart. Without a checkpoint or a
    composite there is none.
    """
    ranked = [row for row in figures if row.epoch is not None and row.composite is not None]
    if not ranked:
        return None, "no checkpoint was measured"
    best = max(ranked, key=lambda row: (row.composite, -row.epoch))
    others = len(ranked) - 1
    return best.epoch, f"composite {best.composite:.3f}, the highest of {others + 1} checkpoints"
