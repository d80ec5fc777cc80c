"""Fits a fetched base model to the dataset's speakers and letters.

The result is a plain Hugging Face directory with, beside it, ``base.json`` (what was found and
done, see `BaseModel`), ``text.json`` (how a text is written) and ``discriminator.safetensors``
where the base has one.
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
        Speaker embeddings of the speakers, as rule cluster_speakers writes them.
    same_speakers
        Speakers of the dataset who are one of the base's, with that one's id or name there. They go
        on learning in that row; all others get a row of their own.

    Raises
    ------
    BaseModelError
        If `same_speakers` names somebody who is not there.
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
    # A model with one speaker has no row to keep.
    kept = model.config.num_speakers if model.config.num_speakers > 1 else 0
    speakers = place_speakers(kept, ours, theirs, same_speakers)
    if kept:
        new = [speaker for speaker, row in speakers.items() if row >= kept]
        nearest = nearest_rows(model, tokenizer, dataset, new)
        model = copy_speakers(model, [nearest[speaker] for speaker in new])
        starts = {speaker: f"speaker {row} of the base" for speaker, row in nearest.items()}
    else:
        vectors = _read_centroids(centroids)
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


def _read_centroids(path: Path) -> dict[str, list[float]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["speaker_id", "vector"]).to_pydict()
    return dict(zip(table["speaker_id"], table["vector"], strict=True))
