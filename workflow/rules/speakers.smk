"""Finds out who speaks: speaker embeddings, clustering, stable ids; the user's overrides win.

REQUIRES  <results>/clips/{clip}.wav; the file speakers.overrides, read by common.smk, if there is one
PRODUCES  <results>/embeddings/{shard}.parquet, <results>/speakers/
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
        sample_rate=config["audio"]["sample_rate"],
        code=code_digest("lib.speakers.embedding"),
    script:
        "../scripts/embed_speakers.py"


rule cluster_speakers:
    input:
        shards=list_shards,
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
        settings={k: v for k, v in config["speakers"].items() if k not in ("shards", "overrides")},
        # All but the names: a new name is no reason to build the dataset again.
        overrides={k: v for k, v in asdict(OVERRIDES).items() if k != "names"},
        known=CORPUS.digest("speaker"),
        index=str(RESULTS / "source"),
        state=str(RESULTS / "state/speakers.json"),
        code=code_digest("lib.speakers.assignment"),
    script:
        "../scripts/cluster_speakers.py"


rule name_speakers:
    input:
        "<results>/speakers/speakers.json",
    output:
        "<results>/speakers/registry.json",
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
        names=OVERRIDES.names,
        code=code_digest("lib.speakers.tables"),
    script:
        "../scripts/name_speakers.py"
