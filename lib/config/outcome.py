"""Sections `export`, `evaluation`, `samples` and `speech`: what is made of a training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from lib.config.keys import EXPERT, STRICT, InSchema, SingleCharacter, Text, bounds

FileName = Annotated[str, InSchema({"pattern": r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$"})]

Seconds = Annotated[float, bounds(ge=0, le=60)]
Noise = Annotated[float, bounds(ge=0, le=2)] | None
SPEEDS = (0.25, 4.0)
"""Slowest and fastest speech that is asked for, as multiples of the voice's own."""


@dataclass(frozen=True)
class ExportSettings:
    """What becomes the voice."""

    __pydantic_config__ = STRICT

    checkpoint: Literal["best", "votes", "lowest_loss", "last"] = "best"
    """Which weights become results/model: best, votes, lowest_loss or last.

    best is the kept checkpoint whose held-out sentences are understood, like the speaker and clean:
    the highest composite of results/quality/checkpoints.tsv. lowest_loss has the lowest loss on
    held-out clips, nine tenths of it the mel loss: how near the sound is, not how clear the speech.
    It stands for best where nothing is measured (evaluation.clips: 0). votes is what listeners
    prefer of the blind pairs on results/preference/test.html; without votes it is best.
    """
    votes: Text | None = "config/votes.csv"
    """File with the votes on those pairs, read where there is one; null reads none."""
    name: FileName = "voice"
    """Name of the packs for other programs, results/export/NAME and NAME.tar.bz2."""
    formats: tuple[Literal["piper", "original"], ...] = ()
    """Packs beside that for sherpa-onnx: piper, original (G_*.pth of original VITS and MMS).

    Piper takes letters with accents apart: a voice that knows them as single letters is refused.
    """
    half_precision: bool = False
    """Whether weights of the packs are stored with 16 bits, which halves the files.

    The pack's README.md states the difference.
    """
    licence: Text | None = None
    """Licence of the recordings, for the model card.

    A voice that was fine-tuned from MMS-TTS is CC BY-NC 4.0, whatever is said here.
    """
    consent: Text | None = None
    """What the speakers have agreed to, for the model card."""


@dataclass(frozen=True)
class EvaluationSettings:
    """What is measured of the voice."""

    __pydantic_config__ = STRICT

    clips: Annotated[int, bounds(ge=0)] = 5
    """Sentences of the validation split that every speaker says, to compare with the recordings.

    Similarity of the speakers, distortion and length are measured. 0 compares nothing.
    """
    naturalness: bool = False
    """Whether a learned score of speech quality (Distill-MOS, 1 to 5) is measured.

    It sees noise and artefacts, and says nothing of synthetic recordings. make setup-quality
    installs what it needs.
    """
    transcripts: bool = True
    """Whether every transcript is compared with its recording, in any language.

    By the base model where it knows the language, and after the training by its early weights.
    """
    recogniser: Literal["english"] | None = None
    """Language of a recogniser that listens and chooses among 20 sentences; null listens to none.

    English is the only language that the one used here knows. Kept checkpoints are heard in any
    language, by the alignment of other weights; the recogniser's figures stand beside theirs.
    """


@dataclass(frozen=True)
class SampleSettings:
    """What the voice says for you to hear."""

    __pydantic_config__ = STRICT

    texts: tuple[Text, ...] = ()
    """Sentences that every speaker says; none takes some of the validation split."""
    count: Annotated[int, bounds(ge=1)] = 3
    """How many sentences, where they come from the validation split."""


@dataclass(frozen=True)
class SpeechSettings:
    """Texts that are read out, and how."""

    __pydantic_config__ = STRICT

    texts: Text | None = None
    """Table of texts that are read out into results/speech; null reads nothing.

    Columns id and text, if you like also speaker and speed. It may be the table of your recordings:
    what is read out are its rows without a recording.
    """
    format: Literal["webm", "mp3", "flac", "wav"] = "webm"
    """Format of the files of speech."""
    speaker: Text | None = None
    """Speaker, by id or name, where the table names none; null takes the first."""
    speed: Annotated[float, bounds(ge=SPEEDS[0], le=SPEEDS[1])] = 1.0
    """Speed of the speech as a multiple of the voice's own, where the table has none."""
    noise: Noise = None
    """Variation of the sound; null takes the voice's own, 0.667 for MMS-TTS.

    Less is plainer, 0 has none.
    """
    duration_noise: Noise = None
    """Variation of the rhythm; null takes the voice's own, 0.8 for MMS-TTS.

    It has no effect on a voice with deterministic durations.
    """
    seed: Annotated[int, bounds(ge=0)] = 0
    """Seed of both variations; the same seed gives the same speech."""
    sentence_pause: Seconds = 0.4
    """Seconds of silence after a sentence."""
    clause_pause: Seconds = 0.2
    """Seconds of silence after a part of a sentence that is too long to be spoken at once."""
    line_pause: Seconds = 0.8
    """Seconds of silence after the end of a line."""
    pauses: Mapping[SingleCharacter, Seconds] = field(default_factory=dict)
    """Seconds of silence after a mark where the text is divided at it, like {"?": 0.6}."""
    max_tokens: Annotated[int, EXPERT, bounds(ge=20, le=4000)] = 400
    """Tokens, two for each character, above which a sentence is divided.

    Speech gets worse when it is much longer than the clips of the training.
    """
