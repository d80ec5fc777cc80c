"""Adapter of rule write_transcript_review."""

from pathlib import Path

from lib.logs import start_log
from lib.review.transcript_review import write_transcript_review

start_log(snakemake.log[0])
write_transcript_review(
    scores=Path(snakemake.input.scores),
    summary=Path(snakemake.input.summary),
    manifest=Path(snakemake.input.manifest),
    clips=Path(snakemake.params.clips),
    least=snakemake.params.least,
    title=snakemake.params.source["path"],
    language=snakemake.params.source["language"],
    output=Path(snakemake.output[0]),
)
