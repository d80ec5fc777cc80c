"""Prepares the base model: finds it, converts it, fits it to the dataset's speakers and text.

The result is a plain Hugging Face directory with, beside it, ``base.json`` (what was found and
done, see `BaseModel`), ``texts.json`` (what is trained on, per clip: every character is in the
vocabulary), ``vocabulary.tsv`` (every character of the transcripts and what became of it), and
``discriminator.safetensors`` where one was found.
"""

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model.discriminator import (
    DISCRIMINATOR_FILE,
    UNREADABLE,
    choose_discriminator,
    save_discriminator,
)
from lib.base_model.hub import (
    TINY,
    BaseModelError,
    BaseSource,
    find_base_model,
    generator_file,
    spoken_language,
)
from lib.base_model.record import BaseModel, read_speakers
from lib.base_model.speaker_init import nearest_rows
from lib.base_model.speaker_rows import place_speakers
from lib.base_model.tiny import write_tiny_model
from lib.corpus.saved_dataset import read_split
from lib.files import atomic_directory, write_json
from lib.mms import HOP_LENGTH, SAMPLE_RATE, SPECTROGRAM_BINS
from lib.text.audit import write_audit
from lib.text.characters import name_character
from lib.text.frontend import TextFrontend
from lib.text.vocabulary import VocabularyPlan, plan_vocabulary
from lib.vits.adapt import add_speakers, add_tokens, copy_speakers
from lib.vits.convert import generator_from_original

logger = logging.getLogger(__name__)


def prepare_base_model(
    source: str,
    discriminator: str,
    dataset: Path,
    centroids: Path,
    text_policy: Mapping[str, Any],
    output: Path,
    same_speakers: Mapping[str, str] = MappingProxyType({}),
    language: str = "",
) -> None:
    """Find a base model, fit it to a dataset and write it.

    Parameters
    ----------
    source
        ``tiny``, a directory, or a Hub id.
    discriminator
        ``auto`` takes the best that exists, ``fresh`` starts a new one.
    centroids
        Voice vectors of the speakers, as rule cluster_speakers writes them.
    text_policy
        Configuration section `text`: what to do with characters that the base does not know.
    same_speakers
        Speakers of the dataset who are one of the base's, with that one's id or name there. They go
        on learning in that row; all others get a row of their own.
    language
        ISO 639 code of the language spoken.

    Raises
    ------
    BaseModelError
        If the base does not exist or is of another kind.
    """
    base = find_base_model(source)
    rows = [
        row
        for split in ("train", "validation")
        for row in read_split(dataset / split, ["id", "text", "speaker_id", "duration"])
    ]
    with tempfile.TemporaryDirectory() as scratch, atomic_directory(output) as directory:
        found = _plain_directory(base, Path(scratch))
        # Where the weights are stored in half precision, training them still wants the whole.
        model = VitsModel.from_pretrained(found, dtype=torch.float32)
        _check_analysis(model, source)
        origin = _digest(model.state_dict())
        tokenizer = VitsTokenizer.from_pretrained(found)
        texts = {row["id"]: row["text"] for row in rows}
        language = spoken_language(language, source)
        frontend = TextFrontend.from_config(text_policy, language, tokenizer.is_uroman)
        frontend.save(directory)
        texts, mapping = frontend.prepare(texts)
        plan = plan_vocabulary(
            texts,
            tokenizer.encoder,
            policy=text_policy["unknown_characters"],
            mapping=mapping,
            lowercase=tokenizer.normalize,
            new_letters=text_policy["new_letters"],
            language=language,
        )
        table = directory / "vocabulary.tsv"
        write_audit(plan, texts, tokenizer.encoder, tokenizer.normalize, table, language)
        model = add_tokens(model, list(plan.added.values()))
        _save_tokenizer(tokenizer, plan, directory)
        tokenizer = VitsTokenizer.from_pretrained(directory)
        unalignable = _find_unalignable(
            plan.texts, {row["id"]: row["duration"] for row in rows}, tokenizer
        )
        kept = {clip: text for clip, text in plan.texts.items() if clip not in unalignable}
        write_json(directory / "texts.json", kept)
        theirs = read_speakers(found) or {
            f"base{row:03d}": {"index": row, "name": f"base{row:03d}"}
            for row in range(model.config.num_speakers)
        }
        ours = sorted({row["speaker_id"] for row in rows})
        # A model with one speaker has no row to keep.
        kept_rows = model.config.num_speakers if model.config.num_speakers > 1 else 0
        speakers = place_speakers(kept_rows, ours, theirs, same_speakers)
        if model.config.num_speakers > 1:
            new = [speaker for speaker, row in speakers.items() if row >= model.config.num_speakers]
            nearest = nearest_rows(model, tokenizer, dataset, kept, new)
            model = copy_speakers(model, [nearest[speaker] for speaker in new])
            starts = {speaker: f"voice {row} of the base" for speaker, row in nearest.items()}
        else:
            vectors = _read_centroids(centroids)
            embeddings = torch.stack([torch.tensor(vectors[s]) for s in speakers])
            model = add_speakers(model, embeddings)
            starts = {
                speaker: f"{BaseModel.FROM_EMBEDDING} {_digest({'': embedding})}"
                for speaker, embedding in zip(speakers, embeddings, strict=True)
            }
        model.save_pretrained(directory)
        discriminator_origin, weights, periods = choose_discriminator(base, discriminator)
        if weights is not None:
            save_discriminator(weights, periods, directory / DISCRIMINATOR_FILE)
        unwritable = {clip: _unwritable(offending) for clip, offending in plan.rejected.items()}
        names = {f"base{entry['index']:03d}": entry["name"] for entry in theirs.values()}
        prepared = BaseModel(
            directory=directory,
            source=source,
            origin=origin,
            speakers=speakers,
            names={speaker: names[speaker] for speaker in speakers if speaker in names},
            excluded={**unwritable, **unalignable},
            discriminator_origin=discriminator_origin,
            fresh_discriminator=weights is None,
            num_kept=len(set(speakers) - set(ours)),
            discriminator_digest=_digest(weights) if weights else None,
            letters=_name_related(plan),
            speaker_starts=starts,
        )
        prepared.save()
    _report(prepared)


def _plain_directory(base: BaseSource, scratch: Path) -> Path:
    """Return a transformers directory of the base, made in `scratch` where there is none."""
    if base.name == TINY:
        write_tiny_model(scratch)
        return scratch
    if not base.original:
        return base.directory
    convert_original_directory(base, scratch)
    return scratch


def convert_original_directory(base: BaseSource, output: Path) -> None:
    """Convert an original MMS checkpoint (``G_*.pth, config.json, vocab.txt``) to transformers."""
    path = generator_file(base)
    hyperparameters = json.loads((base.directory / "config.json").read_text("utf-8"))
    symbols = (base.directory / "vocab.txt").read_text("utf-8").split("\n")
    symbols = symbols[:-1] if symbols[-1] == "" else symbols
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model = generator_from_original(state["model"], hyperparameters, len(symbols))
    except (*UNREADABLE, ValueError) as error:
        raise BaseModelError(f"base_model.source: {path}: {error}") from None
    vocab_file = output / "vocab.json"
    vocab_file.write_text(json.dumps({s: i for i, s in enumerate(symbols)}), "utf-8")
    data = hyperparameters["data"]
    tokenizer = VitsTokenizer(
        str(vocab_file),
        pad_token=symbols[0],
        unk_token=symbols[0],
        add_blank=data.get("add_blank", True),
        normalize=True,
        phonemize=False,
        is_uroman=str(data.get("training_files", "")).endswith(".uroman"),
    )
    tokenizer.save_pretrained(output)
    model.save_pretrained(output)


def _check_analysis(model: VitsModel, source: str) -> None:
    config = model.config
    hop = int(torch.tensor(config.upsample_rates).prod())
    if (
        config.sampling_rate != SAMPLE_RATE
        or hop != HOP_LENGTH
        or config.spectrogram_bins != SPECTROGRAM_BINS
    ):
        raise BaseModelError(
            f"base_model.source: {source} works at {config.sampling_rate} Hz with hop {hop} and "
            f"{config.spectrogram_bins} bins; expected 16000 Hz, hop 256 and 513 bins as in every "
            "MMS-TTS voice"
        )


def _read_centroids(path: Path) -> dict[str, list[float]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["speaker_id", "vector"]).to_pydict()
    return dict(zip(table["speaker_id"], table["vector"], strict=True))


def _save_tokenizer(tokenizer: VitsTokenizer, plan: VocabularyPlan, directory: Path) -> None:
    """Save the tokenizer with the added characters as ordinary entries of its vocabulary."""
    tokenizer.encoder.update({c: plan.vocab[c] for c in plan.added})
    tokenizer.decoder.update({plan.vocab[c]: c for c in plan.added})
    tokenizer.save_pretrained(directory)


def _find_unalignable(
    texts: Mapping[str, str], durations: Mapping[str, float], tokenizer: VitsTokenizer
) -> dict[str, str]:
    """Find clips with more tokens than frames: no monotonic alignment exists."""
    excluded = {}
    for clip, text in texts.items():
        tokens = len(tokenizer(text).input_ids)
        frames = round(durations[clip] * SAMPLE_RATE) // HOP_LENGTH
        if tokens > frames:
            excluded[clip] = f"{tokens} tokens cannot be aligned to {frames} frames"
    return excluded


def _unwritable(offending: str) -> str:
    if offending:
        return f"characters that the base does not know: {' '.join(map(name_character, offending))}"
    return "no character of the text is in the vocabulary"


def _name_related(plan: VocabularyPlan) -> dict[str, list[str]]:
    """Return, for each new letter, the known ones that it starts from."""
    letters = {row: letter for letter, row in plan.vocab.items()}
    return {letter: [letters[row] for row in related] for letter, related in plan.added.items()}


def _digest(weights: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _report(base: BaseModel) -> None:
    logger.info(
        "%s fitted to %d speakers; discriminator: %s; %d clips left out",
        base.source,
        len(base.learnt_speakers()),
        base.discriminator_origin,
        len(base.excluded),
    )
    for clip, reason in sorted(base.excluded.items()):
        logger.warning("clip %s is left out of training: %s", clip, reason)
