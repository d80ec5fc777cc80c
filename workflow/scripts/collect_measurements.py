"""Adapter of rule collect_measurements."""

from pathlib import Path

from lib.audio.table import collect_measurements
from lib.logs import start_log

start_log(snakemake.log[0])
collect_measurements(map(Path, snakemake.input), Path(snakemake.output[0]))
