"""Adapter of rule write_report."""

from pathlib import Path

from lib.logs import start_log
from lib.report.report import ReportPaths, write_report

start_log(snakemake.log[0])
write_report(
    ReportPaths(
        manifest=Path(snakemake.input.manifest),
        rejected=Path(snakemake.input.rejected),
        registry=Path(snakemake.input.registry),
        text=Path(snakemake.input.text),
        base_model=Path(snakemake.input.base_model),
        training=Path(snakemake.input.training),
        samples=Path(snakemake.input.samples),
        clips=Path(snakemake.params.clips),
        quality=[Path(path) for path in snakemake.input.quality],
        checkpoints=next(map(Path, snakemake.input.checkpoints), None),
        transcripts=next(map(Path, snakemake.input.transcripts), None),
        figures={Path(folder).name: Path(folder) for folder in snakemake.input.figures},
    ),
    title=snakemake.params.source,
    language=snakemake.params.language,
    overrides_file=snakemake.params.overrides,
    output=Path(snakemake.output[0]),
)
