"""Writes the voice for other programs: an ONNX file, and packs with a model card.

REQUIRES  <results>/model, <results>/base_model, <results>/manifest.tsv, <results>/training.json,
          <results>/quality/
PRODUCES  <results>/onnx/, <results>/export/<name>/ and <name>.tar.bz2
"""


rule export_onnx:
    input:
        "<results>/model",
    output:
        directory("<results>/onnx"),
    log:
        "<logs>/export_onnx.log",
    benchmark:
        "<benchmarks>/export_onnx.tsv"
    conda:
        "../../envs/synthesis.yaml"
    resources:
        mem_mb=estimate(4000),
        runtime=estimate(20),
    params:
        language=config["source"]["language"],
        half_precision=config["export"]["half_precision"],
        code=code_digest("lib.packs.onnx_file"),
    script:
        "../scripts/export_onnx.py"


rule pack_voice:
    input:
        onnx="<results>/onnx",
        model="<results>/model",
        base_model="<results>/base_model",
        manifest="<results>/manifest.tsv",
        training="<results>/training.json",
        quality=list_quality,
    output:
        directory("<results>/export"),
    log:
        "<logs>/pack_voice.log",
    benchmark:
        "<benchmarks>/pack_voice.tsv"
    conda:
        "../../envs/synthesis.yaml"
    resources:
        mem_mb=estimate(3000),
        runtime=estimate(20),
    params:
        export=config["export"],
        language=config["source"]["language"],
        settings=config["training"],
        code=code_digest("lib.packs.pack"),
    script:
        "../scripts/pack_voice.py"
