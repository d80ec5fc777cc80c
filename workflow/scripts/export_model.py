"""Adapter of rule export_model."""

from pathlib import Path

from lib.base_model.export import export_trained
from lib.logs import start_log

start_log(snakemake.log[0])
export_trained(
    summary=Path(snakemake.input.training),
    choice=snakemake.params.choice,
    base_model=Path(snakemake.input.base_model),
    directory=Path(snakemake.output[0]),
    language=snakemake.params.language,
    registry=Path(snakemake.input.registry),
    chosen=list(map(Path, snakemake.input.chosen)),
)
