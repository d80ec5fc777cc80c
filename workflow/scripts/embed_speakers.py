"""Adapter of rule embed_speakers."""

from pathlib import Path

from lib.logs import start_log
from lib.speakers.embedding import embed_clips

start_log(snakemake.log[0])
shard = Path(snakemake.output.shard)
embed_clips(
    {Path(wav).stem: Path(wav) for wav in snakemake.input.wavs},
    shard,
    previous=shard,
    encoder=snakemake.params.encoder,
    sample_rate=snakemake.params.sample_rate,
    threads=snakemake.threads,
    code=snakemake.params.code,
)
