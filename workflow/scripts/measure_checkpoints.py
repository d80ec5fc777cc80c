"""Adapter of rule measure_checkpoints."""

from pathlib import Path

from lib.evaluation.checkpoints import measure_checkpoints
from lib.logs import start_log

start_log(snakemake.log[0])
measure_checkpoints(
    training=Path(snakemake.input.training),
    base_model=Path(snakemake.input.base_model),
    dataset=Path(snakemake.input.dataset),
    recordings=Path(snakemake.params.clips),
    centroids=Path(snakemake.input.centroids),
    count=snakemake.params.evaluation["clips"],
    naturalness=snakemake.params.evaluation["naturalness"],
    recogniser=snakemake.params.evaluation["recogniser"],
    table=Path(snakemake.output.table),
    choice=Path(snakemake.output.choice),
    letters=Path(snakemake.output.letters),
    speed=Path(snakemake.params.speed),
    threads=snakemake.threads,
)
