"""Adapter of rule check_transcripts."""

from pathlib import Path

from lib.evaluation.transcript_files import check_dataset
from lib.logs import start_log

start_log(snakemake.log[0])
check_dataset(
    base_model=Path(snakemake.input.base_model),
    training=Path(snakemake.input.training) if snakemake.input.training else None,
    dataset=Path(snakemake.input.dataset),
    manifest=Path(snakemake.input.manifest),
    scores=Path(snakemake.output.scores),
    summary=Path(snakemake.output.summary),
    record=Path(snakemake.params.record),
    threads=snakemake.threads,
    use_gpu=snakemake.resources.gpu > 0,
)
