"""Adapter of rule build_dataset."""

from pathlib import Path

from lib.corpus import load_corpus
from lib.dataset.build import build_dataset
from lib.dataset.settings import DatasetSettings
from lib.logs import start_log
from lib.text.numbers import NumberWriter

start_log(snakemake.log[0])
corpus = load_corpus(Path(snakemake.params.index))
build_dataset(
    corpus.clips,
    corpus.problems,
    {clip: Path(snakemake.params.clips, f"{clip}.wav") for clip in corpus.clips},
    Path(snakemake.input.measurements),
    Path(snakemake.input.assignments),
    Path(snakemake.input.excluded),
    DatasetSettings(**snakemake.params.settings),
    Path(snakemake.params.state),
    replaced=snakemake.params.replaced,
    numbers=NumberWriter(**snakemake.params.numbers),
    dataset=Path(snakemake.output.dataset),
    manifest=Path(snakemake.output.manifest),
    rejected=Path(snakemake.output.rejected),
)
