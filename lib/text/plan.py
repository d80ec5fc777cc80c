"""Settles what is trained of every transcript, before anything is asked of the recordings.

The result is a folder with a tokenizer that knows every character of the texts, and beside it
``texts.tsv`` (what is trained of each transcript, or why nothing is), ``vocabulary.tsv`` (every
character of the transcripts and what becomes of it), ``letters.json`` (each new letter with the
known ones that it starts from) and ``text.json`` (how the voice writes a text, see `TextFrontend`).
"""

import logging
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from lib.files import atomic_directory, write_json
from lib.tables import one_line, write_table
from lib.text.audit import write_audit
from lib.text.characters import name_character
from lib.text.frontend import TextFrontend
from lib.text.normalise import find_non_verbalised, normalise_text
from lib.text.planned import COLUMNS, LETTERS_FILE, TEXTS_FILE, VOCABULARY_FILE, PlannedText
from lib.text.vocabulary import VocabularyPlan, plan_vocabulary

logger = logging.getLogger(__name__)


def plan_text(
    transcripts: Mapping[str, str],
    base: Path,
    policy: Mapping[str, Any],
    language: str,
    output: Path,
) -> None:
    """Plan the texts of all clips and the vocabulary that writes them.

    Parameters
    ----------
    transcripts
        As they were given, by clip.
    base
        Folder of the base model, whose tokenizer is extended.
    policy
        Configuration section `text`.
    language
        ISO 639 code of the language spoken; "" where it is not known.
    output
        Folder to write.
    """
    # Its import takes seconds, which those who only read a plan should not wait for.
    from transformers import VitsTokenizer

    tokenizer = VitsTokenizer.from_pretrained(base)
    texts = {clip: normalise_text(text) for clip, text in transcripts.items()}
    spoken = {clip: text for clip, text in texts.items() if any(map(str.isalnum, text))}
    frontend = TextFrontend.from_config(policy, language, tokenizer.is_uroman)
    written, mapping = frontend.prepare(spoken)
    plan = plan_vocabulary(
        written,
        tokenizer.encoder,
        policy=policy["unknown_characters"],
        mapping=mapping,
        lowercase=tokenizer.normalize,
        new_letters=policy["new_letters"],
        language=language,
    )
    with atomic_directory(output) as directory:
        table = directory / VOCABULARY_FILE
        write_audit(plan, written, tokenizer.encoder, tokenizer.normalize, table, language)
        write_json(directory / LETTERS_FILE, _name_related(plan))
        frontend.save(directory)
        tokenizer.encoder.update({letter: plan.vocab[letter] for letter in plan.added})
        tokenizer.decoder.update({plan.vocab[letter]: letter for letter in plan.added})
        tokenizer.save_pretrained(directory)
        tokenizer = VitsTokenizer.from_pretrained(directory)
        rows = []
        for clip, text in sorted(texts.items()):
            unread = find_non_verbalised(frontend.numbers.write(text), policy["mapping"])
            if clip in plan.texts:
                trained = plan.texts[clip]
                tokens = len(tokenizer(trained).input_ids)
                rows.append(PlannedText(clip, trained, tokens, unread))
            else:
                reason, detail = _explain(transcripts[clip], plan.rejected.get(clip))
                rows.append(PlannedText(clip, "", 0, unread, reason, detail))
        write_table(directory / TEXTS_FILE, COLUMNS, (map(one_line, astuple(row)) for row in rows))
    logger.info(
        "%d of %d transcripts can be trained, with %d new letters",
        len(plan.texts),
        len(texts),
        len(plan.added),
    )


def _explain(transcript: str, offending: str | None) -> tuple[str, str]:
    """Say why nothing of a transcript can be trained."""
    if offending is None:
        return "missing_text", f"the transcript {transcript!r} has no letter or digit"
    if offending:
        names = " ".join(map(name_character, offending))
        return "unknown_characters", f"characters that the base does not know: {names}"
    return "unknown_characters", "no character of the text is in the vocabulary"


def _name_related(plan: VocabularyPlan) -> dict[str, list[str]]:
    """Return each new letter with the known ones that it starts from."""
    letters = {token: letter for letter, token in plan.vocab.items()}
    added = sorted(plan.added, key=plan.vocab.__getitem__)
    return {letter: [letters[token] for token in plan.added[letter]] for letter in added}
