"""A pack in the form that sherpa-onnx imports, and the Android engines that are built on it."""

import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from lib.files import read_json, write_json
from lib.packs.aliases import find_aliases
from lib.synthesis.onnx_model import MODEL_FILE
from lib.synthesis.synthesizer import SPEAKERS_FILE
from lib.synthesis.tokens import CharacterTokenizer
from lib.text.frontend import TextFrontend

TOKENS_FILE = "tokens.txt"


def write_sherpa_pack(exported: Path, directory: Path) -> None:
    """Write the files that the programs read into a folder.

    Parameters
    ----------
    exported
        Folder that `lib.packs.onnx_file.export_onnx` wrote.
    """
    tokenizer = CharacterTokenizer.read(exported)
    frontend = TextFrontend.read(exported)
    shutil.copyfile(exported / MODEL_FILE, directory / MODEL_FILE)
    tokens = write_tokens(list_tokens(tokenizer, frontend))
    (directory / TOKENS_FILE).write_text(tokens, "utf-8")
    write_json(directory / SPEAKERS_FILE, read_json(exported / SPEAKERS_FILE))


def list_tokens(tokenizer: CharacterTokenizer, frontend: TextFrontend) -> dict[str, int]:
    """Return the id of every character that is spoken: the vocabulary and its aliases."""
    vocabulary = {c: id_ for c, id_ in tokenizer.vocabulary.items() if len(c) == 1}
    aliases = find_aliases(frontend, tokenizer)
    return vocabulary | {character: vocabulary[known] for character, known in aliases.items()}


def write_tokens(tokens: Mapping[str, int]) -> str:
    """Return ``tokens.txt``: a character and its id a line; sherpa-onnx ends at a repeated one."""
    return "".join(f"{character} {id_}\n" for character, id_ in tokens.items())


def describe_text(tokenizer: CharacterTokenizer, frontend: TextFrontend) -> Iterator[str]:
    """Yield what has to be done with a text for sherpa-onnx and Piper, a sentence each."""
    if frontend.han_to_pinyin:
        yield "Han characters have to be written as pinyin with tone marks, each a word: nǐ hǎo."
    if frontend.romanised:
        yield "Text has to be romanised with `uroman` first, and is then all in Latin letters."
    if frontend.write_numbers or frontend.number_words:
        yield "Numbers have to be written as words. Digits are left out."
    words = [f"{number} as {word}" for number, word in list(frontend.number_words.items())[:20]]
    if words:
        yield f"The voice's own list of words says: {', '.join(words)}."
    several = {c: text for c, text in frontend.mapping.items() if len(text) != 1}
    if several:
        written = ", ".join(f"{c} as {text!r}" for c, text in several.items())
        yield f"These characters have to be written out: {written}."
    yield from _describe_spellings(tokenizer, frontend)
    first = [c for c in tokenizer.specials if c.isalpha()]
    if first:
        yield (
            f"The letter {first[0]} is also the blank of this voice. At the beginning or end of a "
            "text, and doubled, it has one blank more than in the training."
        )
    if "ı" in tokenizer.vocabulary:
        yield "Write a small ı for I: sherpa-onnx makes an i of it."


def _describe_spellings(tokenizer: CharacterTokenizer, frontend: TextFrontend) -> Iterator[str]:
    """Yield which letters of other keyboards and files become several letters."""
    lowercase, vocabulary = tokenizer.lowercase, tokenizer.vocabulary
    letters = "ßæœﬁﬂ" if not frontend.transliterates else ""
    forms = {c: frontend.write(c, vocabulary, lowercase)[0] for c in letters if c not in vocabulary}
    spelled = [f"{c} as {form}" for c, form in forms.items() if len(form) > 1]
    if spelled:
        yield f"Letters that stand for several have to be written out: {', '.join(spelled)}."
    composed = [c for c in vocabulary if unicodedata.normalize("NFD", c) != c]
    if composed:
        yield (
            f"Letters with marks have to be single characters (Unicode NFC), as {composed[0]} is: "
            "most texts are written so."
        )
