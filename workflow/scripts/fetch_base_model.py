"""Adapter of rule fetch_base_model."""

from pathlib import Path

from lib.base_model.fetch import fetch_base_model
from lib.logs import start_log

start_log(snakemake.log[0])
fetch_base_model(
    source=snakemake.params.source,
    discriminator=snakemake.params.discriminator,
    output=Path(snakemake.output[0]),
)
