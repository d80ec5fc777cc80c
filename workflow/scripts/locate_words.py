"""Adapter of rule locate_words."""

from pathlib import Path

from lib.evaluation.time_files import write_times
from lib.logs import start_log

start_log(snakemake.log[0])
write_times(
    model=Path(snakemake.input.model),
    dataset=Path(snakemake.input.dataset),
    samples=Path(snakemake.input.samples),
    output=Path(snakemake.output[0]),
    threads=snakemake.threads,
)
