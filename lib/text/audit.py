"""The table that tells what became of every character of the transcripts."""

from collections.abc import Mapping
from pathlib import Path

from lib.tables import write_table
from lib.text.vocabulary import CharacterUse, VocabularyPlan, audit_characters

HEADER = ("character", "name", "count", "clips", "status")


def write_audit(
    plan: VocabularyPlan,
    texts: Mapping[str, str],
    vocab: Mapping[str, int],
    lowercase: bool,
    table: Path,
    language: str = "",
) -> None:
    """Write one row per character, those that the base did not know first.

    Parameters
    ----------
    plan
        What was decided for `texts` and `vocab`.
    lowercase
        Whether the tokenizer lowers.
    language
        ISO 639 code, for lower case.
    """
    rows = [
        (use.character, use.name, use.count, use.clips, _describe(use, plan))
        for use in audit_characters(texts, vocab, lowercase, language)
    ]
    write_table(table, HEADER, rows)


def _describe(use: CharacterUse, plan: VocabularyPlan) -> str:
    # The user's mapping goes before everything, known characters included.
    written = (plan.replaced | plan.mapped).get(use.character)
    if written is not None:
        return f"written as '{written}'" if written else "left out"
    if use.known:
        return "known"
    return "added" if use.character in plan.added else "clips rejected"
