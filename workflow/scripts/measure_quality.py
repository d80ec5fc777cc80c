"""Adapter of rule measure_quality."""

from pathlib import Path

from lib.evaluation.quality import measure_quality
from lib.logs import start_log

start_log(snakemake.log[0])
measure_quality(
    model=Path(snakemake.input.model) if snakemake.input.model else None,
    dataset=Path(snakemake.input.dataset),
    recordings=Path(snakemake.params.clips),
    centroids=Path(snakemake.input.centroids),
    count=snakemake.params.evaluation["clips"],
    recogniser=snakemake.params.evaluation["recogniser"],
    naturalness=snakemake.params.evaluation["naturalness"],
    output=Path(snakemake.output[0]),
    threads=snakemake.threads,
)
