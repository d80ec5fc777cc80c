"""Adapter of rule write_preference_test."""

from pathlib import Path

from lib.logs import start_log
from lib.review.preference_test import write_preference_test

start_log(snakemake.log[0])
write_preference_test(
    speech=Path(snakemake.input.speech),
    standings=Path(snakemake.input.standings),
    votes=next(map(Path, snakemake.input.votes), None),
    clips=Path(snakemake.params.clips),
    votes_file=snakemake.params.votes_file,
    title=snakemake.params.source["path"],
    language=snakemake.params.source["language"],
    output=Path(snakemake.output[0]),
)
