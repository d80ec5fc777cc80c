"""Adapter of rule pack_voice."""

from pathlib import Path

from lib.logs import start_log
from lib.packs.card import Terms, TrainingRecord
from lib.packs.pack import pack_voice

start_log(snakemake.log[0])
export = snakemake.params.export
pack_voice(
    exported=Path(snakemake.input.onnx),
    model=Path(snakemake.input.model),
    name=export["name"],
    language=snakemake.params.language,
    formats=export["formats"],
    record=TrainingRecord(
        base_model=Path(snakemake.input.base_model),
        manifest=Path(snakemake.input.manifest),
        summary=Path(snakemake.input.training),
        quality=[Path(path) for path in snakemake.input.quality],
        settings=snakemake.params.settings,
    ),
    terms=Terms(export["licence"], export["consent"]),
    output=Path(snakemake.output[0]),
)
