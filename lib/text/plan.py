"""The text plan: the text that is trained for every transcript, and the vocabulary.

It does not depend on the recordings. The result is a folder with a tokenizer that knows every
character of the texts. Beside it are ``texts.tsv`` (the text that is trained for each transcript,
or the reason why there is none), ``vocabulary.tsv`` (every character of the transcripts and its
treatment), ``letters.json`` (each new letter with the known ones that it starts from) and
``text.json`` (the settings of the voice's `TextFrontend`).
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
    """Plan the texts of all clips and the vocabulary for them.

    Parameters
    ----------
    transcripts
        Transcripts of the source, by clip.
    base
        Folder of the base model, whose tokenizer is extended.
    policy
        Configuration section `text`.
    language
        ISO 639 code of the language spoken; "" if it is not known.
    output
        Folder to write.
    """
    # Its import takes seconds, and reading a plan does not need it.
    from transformers import VitsTokenizer

    tokenizer = VitsTokenizer.from_pretrained(base)
    texts = {clip: normalise_text(text) for clip, text in transcripts.items()}
    with_words = {clip: text for clip, text in texts.items() if any(map(str.isalnum, text))}
    frontend = TextFrontend.from_config(policy, language, tokenizer.is_uroman)
    written, mapping = frontend.prepare(with_words)
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
            non_verbalised = find_non_verbalised(frontend.numbers.write(text), policy["mapping"])
            if clip in plan.texts:
                trained = plan.texts[clip]
                tokens = len(tokenizer(trained).input_ids)
                rows.append(PlannedText(clip, trained, tokens, non_verbalised))
            else:
                reason, detail = _explain(transcripts[clip], plan.rejected.get(clip))
                rows.append(PlannedText(clip, "", 0, non_verbalised, reason, detail))
        write_table(directory / TEXTS_FILE, COLUMNS, (map(one_line, astuple(row)) for row in rows))
    logger.info(
        "%d of %d transcripts can be trained, with %d new letters",
        len(plan.texts),
        len(texts),
        len(plan.added),
    )


def _explain(transcript: str, offending: str | None) -> tuple[str, str]:
    """Return reason and detail for a transcript of which nothing can be trained."""
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
