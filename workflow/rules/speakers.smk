"""Finds out who speaks: speaker embeddings, clustering, stable ids; the user's overrides win.

REQUIRES  <results>/clips/{clip}.wav; the file speakers.overrides, read by common.smk, if there is one
PRODUCES  <results>/embeddings/{shard}.parquet, <results>/embeddings/second_opinion.parquet unless
          speakers.second_opinion is null, <results>/speakers/
"""


rule embed_speakers:
    input:
        wavs=list_wavs,
    output:
        # Kept for the job: embeddings of clips that did not change are taken over.
        shard=update("<results>/embeddings/{shard}.parquet"),
    log:
        "<logs>/embed_speakers/{shard}.log",
    benchmark:
        "<benchmarks>/embed_speakers/{shard}.tsv"
    conda:
        "../../envs/speakers.yaml"
    resources:
        mem_mb=estimate(2000, per_mb=4),
        runtime=estimate(10, per_mb=0.05),
    params:
        encoder=config["speakers"]["encoder"],
        sample_rate=config["audio"]["sample_rate"],
        code=code_digest("lib.speakers.embedding"),
    script:
        "../scripts/embed_speakers.py"


rule hear_clips:
    input:
        shards=list_shards,
    output:
        # Kept for the job: embeddings of clips that did not change are taken over.
        opinion=update("<results>/embeddings/second_opinion.parquet"),
    log:
        "<logs>/hear_clips.log",
    benchmark:
        "<benchmarks>/hear_clips.tsv"
    conda:
        "../../envs/speakers.yaml"
    threads: 4
    resources:
        mem_mb=estimate(4000, per_mb=20),
        runtime=estimate(20, per_mb=0.5),
    params:
        settings=CLUSTERING,
        sample_rate=config["audio"]["sample_rate"],
        clips=str(RESULTS / "clips"),
        code=code_digest("lib.speakers.second_opinion"),
    script:
        "../scripts/hear_clips.py"


rule cluster_speakers:
    input:
        shards=list_shards,
        opinion=list_opinion,
    output:
        assignments="<results>/speakers/assignments.tsv",
        centroids="<results>/speakers/centroids.parquet",
        speakers="<results>/speakers/speakers.json",
        speaker_map="<results>/speakers/map.tsv",
        excluded="<results>/speakers/excluded.tsv",
    log:
        "<logs>/cluster_speakers.log",
    benchmark:
        "<benchmarks>/cluster_speakers.tsv"
    conda:
        "../../envs/speakers.yaml"
    resources:
        mem_mb=estimate(4000, per_mb=30),
        runtime=estimate(20, per_mb=0.5),
    params:
        settings=CLUSTERING,
        # A new name, or a doubt that is settled, is no reason to build the dataset again.
        overrides={k: v for k, v in asdict(OVERRIDES).items() if k not in SETTLING},
        known=CORPUS.digest("speaker", "session"),
        index=str(RESULTS / "source"),
        state=str(RESULTS / "state/speakers.json"),
        code=code_digest("lib.speakers.assignment"),
    script:
        "../scripts/cluster_speakers.py"


rule name_speakers:
    input:
        "<results>/speakers/speakers.json",
    output:
        registry="<results>/speakers/registry.json",
        doubts="<results>/speakers/doubts.tsv",
    log:
        "<logs>/name_speakers.log",
    benchmark:
        "<benchmarks>/name_speakers.tsv"
    localrule: True
    conda:
        "../../envs/speakers.yaml"
    resources:
        mem_mb=estimate(500),
        runtime=estimate(5),
    params:
        overrides={k: v for k, v in asdict(OVERRIDES).items() if k in SETTLING},
        code=code_digest("lib.speakers.tables"),
    script:
        "../scripts/name_speakers.py"
