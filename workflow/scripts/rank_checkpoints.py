"""Adapter of rule rank_checkpoints."""

from pathlib import Path

from lib.logs import start_log
from lib.preference.count import count_votes

start_log(snakemake.log[0])
count_votes(
    votes=next(map(Path, snakemake.input.votes), None),
    training=Path(snakemake.input.training),
    output=Path(snakemake.output[0]),
)
