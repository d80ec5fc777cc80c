"""Fit a fetched base model to the dataset's speakers and letters.

The result is a plain Hugging Face directory. Beside the model are ``base.json`` (see `BaseModel`),
``text.json`` (the settings of the `TextFrontend`) and, if the base has one,
``discriminator.safetensors``.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model.discriminator import DISCRIMINATOR_FILE
from lib.base_model.fetch import FetchedBase, digest_weights
from lib.base_model.record import BaseModel, read_speakers
from lib.base_model.speaker_init import nearest_rows
from lib.base_model.speaker_rows import place_speakers
from lib.corpus.saved_dataset import read_split
from lib.files import atomic_directory
from lib.tables import read_vectors
from lib.text.frontend import TextFrontend
from lib.text.planned import read_new_letters
from lib.vits.adapt import add_speakers, add_tokens, copy_speakers

logger = logging.getLogger(__name__)


def fit_base_model(
    base: Path,
    text: Path,
    dataset: Path,
    centroids: Path,
    output: Path,
    same_speakers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Give a base model the letters of a text plan and the speakers of a dataset.

    Parameters
    ----------
    base
        Folder of the base, see `fetch_base_model`.
    text
        Folder of the text plan, see `lib.text.plan.plan_text`.
    centroids
        Mean embeddings of the speakers, from rule cluster_speakers.
    output
        Folder to write.
    same_speakers
        Speakers of the dataset who are speakers of the base, with their id or name there. They keep
        the row of the base's speaker. All others get a new row.

    Raises
    ------
    BaseModelError
        If `same_speakers` names a speaker who does not exist.
    """
    fetched = FetchedBase.read(base)
    model = VitsModel.from_pretrained(base)
    tokenizer = VitsTokenizer.from_pretrained(text)
    letters = read_new_letters(text)
    vocabulary = tokenizer.get_vocab()
    model = add_tokens(model, [[vocabulary[k] for k in known] for known in letters.values()])
    rows = (read_split(dataset / split, ["speaker_id"]) for split in ("train", "validation"))
    ours = sorted({row["speaker_id"] for part in rows for row in part})
    theirs = read_speakers(base)
    # A model with one speaker has no speaker table.
    kept = model.config.num_speakers if model.config.num_speakers > 1 else 0
    speakers = place_speakers(kept, ours, theirs, same_speakers)
    if kept:
        new = [speaker for speaker, row in speakers.items() if row >= kept]
        nearest = nearest_rows(model, tokenizer, dataset, new)
        model = copy_speakers(model, [nearest[speaker] for speaker in new])
        starts = {speaker: f"speaker {row} of the base" for speaker, row in nearest.items()}
    else:
        vectors = read_vectors(centroids)
        embeddings = torch.stack([torch.tensor(vectors[s]) for s in speakers])
        model = add_speakers(model, embeddings)
        starts = {
            speaker: f"{BaseModel.FROM_EMBEDDING} {digest_weights({'': embedding})}"
            for speaker, embedding in zip(speakers, embeddings, strict=True)
        }
    names = {f"base{entry['index']:03d}": entry["name"] for entry in theirs.values()}
    with atomic_directory(output) as directory:
        tokenizer.save_pretrained(directory)
        model.save_pretrained(directory)
        TextFrontend.read(text).save(directory)
        if fetched.discriminator_digest:
            shutil.copyfile(base / DISCRIMINATOR_FILE, directory / DISCRIMINATOR_FILE)
        BaseModel(
            directory=directory,
            source=fetched.source,
            origin=fetched.origin,
            speakers=speakers,
            names={speaker: names[speaker] for speaker in speakers if speaker in names},
            discriminator_origin=fetched.discriminator_origin,
            fresh_discriminator=fetched.discriminator_digest is None,
            num_kept=len(set(speakers) - set(ours)),
            discriminator_digest=fetched.discriminator_digest,
            letters=letters,
            speaker_starts=starts,
        ).save()
    logger.info(
        "%s fitted to %d speakers and %d new letters; discriminator: %s",
        fetched.source,
        len(ours),
        len(letters),
        fetched.discriminator_origin,
    )
