"""The list of sentences to record next, to print and as a table."""

import csv
import logging
from collections.abc import Iterable
from pathlib import Path

from lib.dataset.prompts import RARE, Unit, choose_prompts, find_rare
from lib.files import atomic_directory, read_json
from lib.report.template import write_page
from lib.synthesis.text_table import read_text_table
from lib.tables import read_table
from lib.text.frontend import TextFrontend

logger = logging.getLogger(__name__)

_TEMPLATE = Path(__file__).with_name("templates") / "prompts.html"
_SHOWN = 6
"""Rare units that are named beside a sentence."""
_BAD = 3.0
"""Standard deviations of its mean from which a letter is badly spoken: chance does so to one in
seven hundred."""


def write_prompts(
    results: Path, sentences: Path, count: int, output: Path, title: str = ""
) -> None:
    """Write ``prompts.html``, to print and to read from, and ``prompts.csv``.

    Letters that the voice speaks badly are wanted as if they had never been recorded.

    Parameters
    ----------
    results
        Output folder of a run, with manifest.tsv and text/; quality/letters.tsv after a training.
    sentences
        A text file with a sentence in each line; or a table, like that of the recordings, whose
        rows without a recording can be recorded.
    count
        Most sentences to choose.
    output
        Folder to write.
    title
        Name of the recordings on the page.

    Raises
    ------
    ValueError
        If a file is missing, or nothing of the sentences can be recorded.
    """
    manifest = results / "manifest.tsv"
    if not manifest.is_file():
        raise ValueError(f"{manifest} is missing: expected the output folder of a run")
    recorded = [row["text"] for row in read_table(manifest) if row["status"] == "accepted"]
    given = read_sentences(sentences)
    frontend = TextFrontend.read(results / "text")
    vocabulary = read_json(results / "text/vocab.json")
    lowercase = read_json(results / "text/tokenizer_config.json").get("normalize", True)
    written, unknown = {}, {}
    for key, sentence in given.items():
        written[key], lost = frontend.write(sentence, vocabulary, lowercase)
        if lost:
            # A letter that no recording has is learnt only if it is recorded.
            unknown[key] = "".join(sorted(set(lost)))
    badly_spoken = find_badly_spoken(results / "quality/letters.tsv")
    prompts = choose_prompts(recorded, written, count, unknown, badly_spoken)
    if not prompts:
        raise ValueError(
            f"{sentences}: nothing is left to record of its {len(given)} sentences; expected "
            "some that are not among the transcripts"
        )
    rows = [
        {
            "number": number,
            "id": prompt.key,
            "text": given[prompt.key],
            "brings": _name(prompt.brings),
            "unknown": unknown.get(prompt.key, ""),
        }
        for number, prompt in enumerate(prompts, 1)
    ]
    rare = [(_show(unit), times) for unit, times in find_rare(recorded, ("letter", "pair"))]
    values = {
        "title": title or str(results),
        "rows": rows,
        "rare": rare,
        "limit": RARE,
        "badly_spoken": badly_spoken,
        "recorded": len(recorded),
        "given": len(given),
    }
    with atomic_directory(output) as directory:
        write_page(_TEMPLATE, values, directory / "prompts.html")
        with (directory / "prompts.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, ("number", "id", "text", "brings", "unknown"))
            table.writeheader()
            table.writerows(rows)
    logger.info("%d of %d sentences: %s", len(rows), len(given), output / "prompts.html")


def find_badly_spoken(ratings: Path) -> list[str]:
    """Return the letters that a voice speaks worse than the others, beyond what chance does.

    Parameters
    ----------
    ratings
        Table of rule measure_checkpoints; without it none are known.
    """
    rows = read_table(ratings) if ratings.is_file() else []
    return [row["letter"] for row in rows if float(row["deviations"]) >= _BAD]


def read_sentences(path: Path) -> dict[str, str]:
    """Read sentences by id: the lines of a text file, or the rows of a table without a recording.

    Raises
    ------
    ValueError
        If there is no such file, or it is not in UTF-8.
    """
    if path.suffix.lower() != ".txt":
        table = read_text_table(path)
        for row in table.invalid_rows:
            logger.warning("%s: %s", row.origin, row.detail)
        return {row.id: row.text for row in table.rows}
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error}): save it as UTF-8") from error
    return {str(number): line.strip() for number, line in enumerate(lines, 1) if line.strip()}


def _name(units: Iterable[Unit]) -> str:
    shown = [_show(unit) for unit in units]
    more = len(shown) - _SHOWN
    return ", ".join(shown[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _show(unit: Unit) -> str:
    """Return a unit as it is read: the edge of a word as a hyphen."""
    kind, characters = unit
    return characters.replace(" ", "-") if kind == "pair" else characters
