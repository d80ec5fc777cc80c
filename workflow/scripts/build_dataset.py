"""Adapter of rule build_dataset."""

from pathlib import Path

from lib.config.dataset import DatasetSettings
from lib.corpus import load_corpus
from lib.dataset.build import build_dataset
from lib.logs import start_log

start_log(snakemake.log[0])
corpus = load_corpus(Path(snakemake.params.index))
build_dataset(
    corpus.clips,
    corpus.invalid_rows,
    {clip: Path(snakemake.params.clips, f"{clip}.wav") for clip in corpus.clips},
    Path(snakemake.input.measurements),
    Path(snakemake.input.text),
    Path(snakemake.input.assignments),
    Path(snakemake.input.excluded),
    DatasetSettings(**snakemake.params.settings),
    Path(snakemake.params.state),
    Path(snakemake.params.transcript_scores),
    dataset=Path(snakemake.output.dataset),
    manifest=Path(snakemake.output.manifest),
    rejected=Path(snakemake.output.rejected),
)
