"""Synthesises sentences with every speaker of the trained model, and reads out a table of texts.

REQUIRES  <results>/model, <results>/dataset; <results>/onnx, the table of `speech.texts`
PRODUCES  <results>/samples/{speaker}/*.wav, <results>/samples/texts.json;
          <results>/speech/metadata.csv, rejected.tsv
          and, undeclared because Snakemake deletes the outputs of a failed job,
          <results>/speech/{id}.{format} and speech.tsv, which says what each was made of
"""


rule synthesize_samples:
    input:
        model="<results>/model",
        dataset="<results>/dataset",
    output:
        directory("<results>/samples"),
    log:
        "<logs>/synthesize_samples.log",
    benchmark:
        "<benchmarks>/synthesize_samples.tsv"
    conda:
        "../../envs/synthesis.yaml"
    resources:
        mem_mb=estimate(2000),
        runtime=estimate(30),
    params:
        texts=config["samples"]["texts"],
        num_texts=config["samples"]["count"],
        code=code_digest("lib.synthesis.samples"),
    script:
        "../scripts/synthesize_samples.py"


rule speak_table:
    input:
        voice="<results>/onnx",
        texts=config["speech"]["texts"] or [],
    output:
        metadata="<results>/speech/metadata.csv",
        rejected="<results>/speech/rejected.tsv",
    log:
        "<logs>/speak_table.log",
    benchmark:
        "<benchmarks>/speak_table.tsv"
    conda:
        "../../envs/synthesis.yaml"
    threads: workflow.resource_settings.cores or 4
    resources:
        mem_mb=estimate(2000),
        runtime=estimate(30, per_mb=600),
    params:
        settings=config["speech"],
        loudness=config["audio"]["loudness"],
        peak_ceiling=config["audio"]["peak_ceiling"],
        folder=subpath(output[0], parent=True),
        code=code_digest("lib.synthesis.table"),
    script:
        "../scripts/speak_table.py"
