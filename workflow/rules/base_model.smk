"""Fetches the base model first; fits it to letters and speakers when the dataset is there.

REQUIRES  the Hub, a directory or nothing (the tiny model); <results>/text, <results>/dataset,
          <results>/speakers/centroids.parquet
PRODUCES  <results>/fetched_base/, <results>/base_model/
"""


# Needs nothing: what cannot be had is known before any work. Only this machine may have a network.
rule fetch_base_model:
    output:
        directory("<results>/fetched_base"),
    log:
        "<logs>/fetch_base_model.log",
    benchmark:
        "<benchmarks>/fetch_base_model.tsv"
    localrule: True
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=estimate(4000),
        runtime=estimate(60),
    params:
        source=config["base_model"]["source"],
        discriminator=config["base_model"]["discriminator"],
        code=code_digest("lib.base_model.fetch"),
    script:
        "../scripts/fetch_base_model.py"


rule fit_base_model:
    input:
        base="<results>/fetched_base",
        text="<results>/text",
        dataset="<results>/dataset",
        centroids="<results>/speakers/centroids.parquet",
    output:
        directory("<results>/base_model"),
    log:
        "<logs>/fit_base_model.log",
    benchmark:
        "<benchmarks>/fit_base_model.tsv"
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=estimate(4000, per_mb=1.5),
        runtime=estimate(20, per_mb=0.01),
    params:
        same_speakers=config["base_model"]["speakers"],
        code=code_digest("lib.base_model.fit"),
    script:
        "../scripts/fit_base_model.py"
