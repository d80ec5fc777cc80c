"""Counts the votes for the checkpoints that a training has kept."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lib.base_model.weights import AVERAGE_FILE, read_record
from lib.evaluation.checkpoints import KeptCheckpoint, list_checkpoints
from lib.files import atomic_path, write_json
from lib.preference.standings import Standing, rank_checkpoints
from lib.preference.vote_file import FIRST, read_votes

logger = logging.getLogger(__name__)

SURE = 0.95
"""A choice that is less likely the best is told as unsure."""
_DIGITS = 8


def name_checkpoints(kept: Sequence[KeptCheckpoint]) -> dict[str, KeptCheckpoint]:
    """Return the checkpoints by the name that votes give them: epoch and digest of the weights."""
    return {_name(checkpoint): checkpoint for checkpoint in kept}


def _name(checkpoint: KeptCheckpoint) -> str:
    digest = read_record(checkpoint.folder)["checksums"][AVERAGE_FILE]
    return f"epoch{checkpoint.epoch:04d}-{digest[:_DIGITS]}"


def count_votes(votes: Path | None, training: Path, output: Path) -> None:
    """Write what the votes say of the kept checkpoints of a training, as JSON.

    Parameters
    ----------
    votes
        File of votes; None if there is none.
    training
        Summary of the training.
    output
        JSON file to write: ``checkpoint``, a path relative to the summary, ``epoch`` and
        ``reason`` as in lib.evaluation.checkpoints, None without votes; ``standings``;
        ``counted``, ``left_out`` and ``listeners``; ``first_share``, how often the first of a pair
        was preferred, of votes for one of the two.

    Raises
    ------
    VotesError
        If the file is none of votes.
    """
    named = name_checkpoints(list_checkpoints(training))
    cast = read_votes(votes)
    counted = [vote for vote in cast if vote.a in named and vote.b in named]
    standings = rank_checkpoints({name: kept.epoch for name, kept in named.items()}, counted)
    chosen = named[standings[0].checkpoint] if counted else None
    reason = _explain(standings, len(counted)) if counted else "there are no votes"
    if len(cast) > len(counted):
        logger.warning(
            "%d of %d votes are of weights that are not kept any more, and do not count",
            len(cast) - len(counted),
            len(cast),
        )
    if counted and standings[0].probability_best < SURE:
        logger.warning("The votes are not sure yet: %s", reason)
    logger.info("The votes' choice: %s", reason)
    decided = [vote for vote in counted if vote.winner]
    home = training.absolute().parent
    with atomic_path(output) as temporary:
        write_json(
            temporary,
            {
                "checkpoint": chosen.folder.relative_to(home).as_posix() if chosen else None,
                "epoch": chosen.epoch if chosen else None,
                "reason": reason,
                "counted": len(counted),
                "left_out": len(cast) - len(counted),
                "listeners": sorted({vote.listener for vote in counted}),
                "first_share": round(sum(vote.vote == FIRST for vote in decided) / len(decided), 3)
                if decided
                else None,
                "standings": [asdict(row) for row in standings],
            },
        )


def _explain(standings: Sequence[Standing], votes: int) -> str:
    first, *others = standings
    reason = (
        f"epoch {first.epoch} is the best with a probability of {first.probability_best:.0%}, by "
        f"{votes} votes"
    )
    if others:
        rival = max(others, key=lambda row: row.probability_best)
        reason += f"; next is epoch {rival.epoch} with {rival.probability_best:.0%}"
    return reason
