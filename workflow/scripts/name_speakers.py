"""Adapter of rule name_speakers."""

from pathlib import Path

from lib.logs import start_log
from lib.speakers.overrides import Overrides
from lib.speakers.tables import name_speakers

start_log(snakemake.log[0])
name_speakers(
    speakers=Path(snakemake.input[0]),
    overrides=Overrides(**snakemake.params.overrides),
    registry=Path(snakemake.output.registry),
    doubts=Path(snakemake.output.doubts),
)
