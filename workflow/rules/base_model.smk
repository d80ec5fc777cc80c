"""Finds the base model and fits it to the dataset's speakers and characters.

REQUIRES  <results>/dataset, <results>/speakers/; the Hub, a directory or nothing (the tiny model)
PRODUCES  <results>/base_model/ with base.json, vocabulary.tsv and, where one exists,
          discriminator.safetensors
"""


rule prepare_base_model:
    input:
        dataset="<results>/dataset",
        centroids="<results>/speakers/centroids.parquet",
    output:
        directory("<results>/base_model"),
    log:
        "<logs>/prepare_base_model.log",
    benchmark:
        "<benchmarks>/prepare_base_model.tsv"
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=estimate(4000, per_mb=1.5),
        runtime=estimate(20, per_mb=0.01),
    params:
        base=config["base_model"],
        text=config["text"],
        language=config["source"]["language"],
        code=code_digest("lib.base_model.fit"),
    script:
        "../scripts/prepare_base_model.py"
