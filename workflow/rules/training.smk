"""Fine-tunes the voice and writes it as a plain transformers model.

REQUIRES  <results>/dataset, <results>/base_model; <results>/quality/choice.json for the export
PRODUCES  <results>/training.json, <results>/weights/, <results>/curves/, <results>/model/
          and, undeclared because Snakemake deletes the outputs of a failed job,
          <results>/checkpoints/ and <results>/tensorboard/, which the training alone reads: the
          two folders above have what others need of them, without using the disk twice

Training and export are two rules: Snakemake removes a directory before the job that makes it, and
the earlier voice should be there to use while a new one is trained for hours.
"""


rule train_model:
    input:
        dataset="<results>/dataset",
        base_model="<results>/base_model",
    output:
        summary="<results>/training.json",
        weights=directory("<results>/weights"),
        curves=directory("<results>/curves"),
    log:
        "<logs>/train_model.log",
    benchmark:
        "<benchmarks>/train_model.tsv"
    conda:
        "../../envs/training.yaml"
    threads: training_threads()
    resources:
        gpu=1,
        mem_mb=estimate(8000, per_mb=3),
        runtime=estimate(60, per_mb=0.0125 * config["training"]["epochs"]),
    params:
        settings=config["training"],
        results=subpath(output.summary, parent=True),
        code=code_digest("lib.training.run"),
    script:
        "../scripts/train_model.py"


# See no_shared_disk.smk.
if not HAS_BENCHMARK:
    workflow.get_rule("train_model")._benchmark = None


rule export_model:
    input:
        training="<results>/training.json",
        weights="<results>/weights",
        base_model="<results>/base_model",
        registry="<results>/speakers/registry.json",
        chosen=list_choice,
    output:
        directory("<results>/model"),
    log:
        "<logs>/export_model.log",
    benchmark:
        "<benchmarks>/export_model.tsv"
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=estimate(2000),
        runtime=estimate(10),
    params:
        choice=config["export"]["checkpoint"],
        language=config["source"]["language"],
        code=code_digest("lib.base_model.export"),
    script:
        "../scripts/export_model.py"
