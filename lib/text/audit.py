"""The table of all characters of the transcripts, with the treatment of each."""

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
    """Write a table with one row per character, beginning with those unknown to the base.

    Parameters
    ----------
    plan
        The plan that was made for `texts` and `vocab`.
    lowercase
        Whether the tokenizer converts to lower case.
    language
        ISO 639 code, for lower case.
    """
    rows = [
        (use.character, use.name, use.count, use.clips, _describe(use, plan))
        for use in audit_characters(texts, vocab, lowercase, language)
    ]
    write_table(table, HEADER, rows)


def _describe(use: CharacterUse, plan: VocabularyPlan) -> str:
    # The user's mapping has precedence, also over known characters.
    written = (plan.replaced | plan.mapped).get(use.character)
    if written is not None:
        return f"written as '{written}'" if written else "left out"
    if use.known:
        return "known"
    return "added" if use.character in plan.added else "clips rejected"
