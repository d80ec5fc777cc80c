"""The model card of a voice: what a person must know before using it, in Hugging Face's format."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lib.base_model.record import BaseModel
from lib.files import read_json
from lib.tables import read_table

MMS_LICENCE = "cc-by-nc-4.0"
MMS_NAME = "mms-tts"
_MMS_NOTICE = """\
The weights of this voice derive from Meta's MMS-TTS, which is licensed CC BY-NC 4.0
(https://creativecommons.org/licenses/by-nc/4.0/legalcode). So is this voice: name its makers and
those of MMS-TTS, say what was changed (it was fine-tuned on recordings of the speakers listed in
README.md), and do not use it commercially.
"""
_OTHER_NOTICE = """\
The weights of this voice derive from the base model {source}. Its terms apply to this voice too.
"""


@dataclass(frozen=True)
class Terms:
    """What may be done with a voice, as its maker says."""

    licence: str | None = None
    """Licence of the recordings."""
    consent: str | None = None
    """What the speakers have agreed to."""


@dataclass(frozen=True)
class TrainingRecord:
    """The files of a run that tell of a voice; none of them is needed."""

    base_model: Path | None = None
    """Folder ``base_model/``."""
    manifest: Path | None = None
    """``manifest.tsv``."""
    summary: Path | None = None
    """``training.json``."""
    quality: Sequence[Path] = ()
    """``quality/*.json``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Section `training` of the configuration."""


def write_card(
    name: str,
    language: str,
    speakers: Mapping[str, Mapping[str, Any]],
    record: TrainingRecord,
    terms: Terms,
    usage: str,
) -> str:
    """Return the model card.

    Parameters
    ----------
    language
        ISO 639 code.
    speakers
        ``{speaker id: {"index", "name"}}``.
    usage
        How the voice is used in other programs, in Markdown.
    """
    base = BaseModel.open(record.base_model) if record.base_model else None
    parts = [
        _write_header(language, base, record.quality),
        f"# {name}: a voice for {language}",
        _describe_origin(base),
        "## Speakers",
        "\n".join(_list_speakers(speakers, record.manifest)),
        "## What may be done with it",
        "\n\n".join(_describe_terms(base, terms)),
        usage.strip(),
        "## Figures",
        "\n".join(_list_figures(record.quality)),
        "## Training",
        "\n".join(_list_training(base, record)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_licence(record: TrainingRecord, terms: Terms) -> str:
    """Return the text of ``LICENSE``."""
    base = BaseModel.open(record.base_model) if record.base_model else None
    notice = _MMS_NOTICE if _is_mms(base) else _OTHER_NOTICE.format(source=_name_base(base))
    return f"{notice}\n{_describe_recordings(terms)}\n"


def _is_mms(base: BaseModel | None) -> bool:
    return base is not None and MMS_NAME in base.source


def _name_base(base: BaseModel | None) -> str:
    return base.source if base else "that it was trained from"


def _write_header(language: str, base: BaseModel | None, quality: Sequence[Path]) -> str:
    """Return the metadata that model hubs read."""
    source = _name_base(base) if base else None
    entries: dict[str, Any] = {
        "language": language,
        "license": MMS_LICENCE if _is_mms(base) else "other",
        "pipeline_tag": "text-to-speech",
        "tags": ["vits", "text-to-speech", "sherpa-onnx", "onnx"],
    }
    if not _is_mms(base):
        entries |= {"license_name": "see-license", "license_link": "LICENSE"}
    if source and not Path(source).exists() and source.count("/") == 1:
        entries["base_model"] = source
    return f"---\n{yaml.safe_dump(entries, sort_keys=False)}---"


def _describe_origin(base: BaseModel | None) -> str:
    source = f"fine-tuned from {base.source}" if base else "exported from a VITS model"
    return _wrap(
        f"A text-to-speech voice (VITS), {source}. It reads letters and speaks "
        "at 16 kHz, in the voices of its speakers. Tell who hears it that it is synthetic."
    )


def _list_speakers(
    speakers: Mapping[str, Mapping[str, Any]], manifest: Path | None
) -> Iterator[str]:
    yield "| number | id | name | clips | minutes |"
    yield "|---|---|---|---|---|"
    clips: dict[str, list[float]] = {}
    for row in read_table(manifest) if manifest else ():
        if row["split"]:
            clips.setdefault(row["speaker_id"], []).append(float(row["duration"]))
    for speaker, entry in sorted(speakers.items(), key=lambda pair: pair[1]["index"]):
        own = clips.get(speaker, [])
        counted = (f"{len(own):,}", f"{sum(own) / 60:.1f}") if own else ("-", "-")
        yield f"| {entry['index']} | {speaker} | {entry['name']} | {' | '.join(counted)} |"
    hours = sum(map(sum, clips.values())) / 3600
    if clips:
        yield ""
        others = "" if clips.keys() >= speakers.keys() else " The others are speakers of the base."
        yield f"{hours:.2f} hours of speech in all.{others}"


def _describe_terms(base: BaseModel | None, terms: Terms) -> Iterator[str]:
    if _is_mms(base):
        yield _wrap(
            "The weights derive from Meta's MMS-TTS, licensed CC BY-NC 4.0: no commercial use, and "
            "its makers have to be named. See LICENSE."
        )
    else:
        yield _wrap(f"The terms of {_name_base(base)} apply to this model too. See LICENSE.")
    yield _wrap(_describe_recordings(terms))


def _describe_recordings(terms: Terms) -> str:
    licence = terms.licence or "not stated by who made this voice"
    consent = terms.consent or "Not stated by who made this voice: ask before passing it on"
    return f"Licence of the recordings: {licence}. Consent of the speakers: {consent.rstrip('.')}."


def _list_figures(quality: Sequence[Path]) -> Iterator[str]:
    measured = {path.stem: read_json(path) for path in quality}
    if not measured:
        yield "Nothing was measured."
        return
    yield _wrap(
        "Measured on sentences that were held out of the training. Similarity is the cosine of "
        "speaker embeddings with the speaker's recordings; distortion is mel-cepstral, in dB, "
        "after alignment in time; understood are sentences told from 19 others by a recogniser."
    )
    yield ""
    yield "| what | speaker | sentences | similarity | distortion | understood |"
    yield "|---|---|---|---|---|---|"
    names = {"recordings": "recordings", "before": "before training", "after": "this voice"}
    for what, title in names.items():
        for speaker, found in sorted(measured.get(what, {}).items()):
            tested = found["sentences_tested"]
            understood = f"{found['sentences_understood']} of {tested}" if tested else "-"
            figures = f"{found['own_similarity']:.2f} | {found['distortion']:.1f}"
            yield f"| {title} | {speaker} | {found['sentences']} | {figures} | {understood} |"


def _list_training(base: BaseModel | None, record: TrainingRecord) -> Iterator[str]:
    if base is None and record.summary is None:
        yield "Not known."
        return
    if base:
        yield f"- base model: {base.source}"
        yield f"- discriminator at the start: {base.discriminator_origin}"
        if base.letters:
            yield f"- letters new to the base: {' '.join(base.letters)}"
    if record.summary:
        summary = read_json(record.summary)
        yield f"- epochs: {summary['epoch']}, steps: {summary['step']}"
        if summary.get("best_epoch") is not None:
            best = f"{summary['best_score']:.2f} after epoch {summary['best_epoch']}"
            yield f"- lowest validation score: {best}"
    wanted = ("learning_rate", "effective_batch_size", "mixed_precision", "seed")
    for key in wanted:
        if key in record.settings:
            yield f"- {key.replace('_', ' ')}: {record.settings[key]}"


def _wrap(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 98, break_long_words=False, break_on_hyphens=False))
