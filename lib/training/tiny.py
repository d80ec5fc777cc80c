"""Writes a random model, by default the embedded tiny one, as a Hugging Face directory."""

import json
from collections.abc import Callable
from pathlib import Path

from transformers import VitsConfig, VitsTokenizer

from lib.vits.tiny import make_random_model, tiny_config

SEED = 7
_LETTERS = " abcdefghijklmnopqrstuvwxyz'-"


def write_tiny_model(
    directory: Path, seed: int = SEED, shape: Callable[[int], VitsConfig] = tiny_config
) -> None:
    """Write model and tokenizer; the same seed gives the same bytes.

    Parameters
    ----------
    shape
        Returns the configuration for a size of the vocabulary.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # As in MMS vocabularies, id 0 is blank, padding and a character at once.
    vocabulary = {letter: i for i, letter in enumerate("_" + _LETTERS)}
    vocab_file = directory / "vocab.json"
    vocab_file.write_text(json.dumps(vocabulary), "utf-8")
    tokenizer = VitsTokenizer(
        str(vocab_file), pad_token="_", unk_token="_", language="eng", phonemize=False
    )
    tokenizer.save_pretrained(directory)
    make_random_model(shape(len(vocabulary)), seed).save_pretrained(directory)
