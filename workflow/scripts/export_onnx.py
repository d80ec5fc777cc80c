"""Adapter of rule export_onnx."""

from pathlib import Path

from lib.logs import start_log
from lib.packs.onnx_file import export_onnx

start_log(snakemake.log[0])
export_onnx(
    model=Path(snakemake.input[0]),
    output=Path(snakemake.output[0]),
    language=snakemake.params.language,
    half_precision=snakemake.params.half_precision,
)
