"""Draws the figures of a run and writes the report page.

REQUIRES  <results>/measurements.tsv, manifest.tsv, rejected.tsv, training.json; <results>/clips/,
          speakers/, base_model/, curves/, samples/, quality/
PRODUCES  <results>/report/{corpus, speakers, training, voices}/*.svg, <results>/report/report.html
"""


# The text at the top of Snakemake's own report.
report: "../report/workflow.rst"


rule plot_corpus:
    input:
        measurements="<results>/measurements.tsv",
        manifest="<results>/manifest.tsv",
        rejected="<results>/rejected.tsv",
        registry="<results>/speakers/registry.json",
    output:
        directory("<results>/report/corpus"),
    log:
        "<logs>/plot_corpus.log",
    benchmark:
        "<benchmarks>/plot_corpus.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(1000, per_mb=5),
        runtime=estimate(10, per_mb=0.1),
    params:
        loudness=config["audio"]["loudness"],
        code=code_digest("lib.report.corpus_plots"),
    script:
        "../scripts/plot_corpus.py"


rule plot_speakers:
    input:
        speaker_map="<results>/speakers/map.tsv",
        assignments="<results>/speakers/assignments.tsv",
        registry="<results>/speakers/registry.json",
    output:
        directory("<results>/report/speakers"),
    log:
        "<logs>/plot_speakers.log",
    benchmark:
        "<benchmarks>/plot_speakers.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(1000, per_mb=5),
        runtime=estimate(10, per_mb=0.1),
    params:
        min_confidence=config["dataset"]["min_confidence"],
        code=code_digest("lib.report.corpus_plots"),
    script:
        "../scripts/plot_speakers.py"


rule plot_training:
    input:
        training="<results>/training.json",
        curves="<results>/curves",
        checkpoints=list_checkpoint_figures,
    output:
        directory("<results>/report/training"),
    log:
        "<logs>/plot_training.log",
    benchmark:
        "<benchmarks>/plot_training.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(2000),
        runtime=estimate(10),
    params:
        code=code_digest("lib.report.training_plots"),
    script:
        "../scripts/plot_training.py"


rule plot_samples:
    input:
        samples="<results>/samples",
        manifest="<results>/manifest.tsv",
        registry="<results>/speakers/registry.json",
    output:
        directory("<results>/report/voices"),
    log:
        "<logs>/plot_samples.log",
    benchmark:
        "<benchmarks>/plot_samples.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(1500, per_mb=2),
        runtime=estimate(10, per_mb=0.05),
    params:
        clips=str(RESULTS / "clips"),
        code=code_digest("lib.report.sample_plots"),
    script:
        "../scripts/plot_samples.py"


rule write_report:
    input:
        manifest="<results>/manifest.tsv",
        rejected="<results>/rejected.tsv",
        registry="<results>/speakers/registry.json",
        text="<results>/text",
        base_model="<results>/base_model",
        training="<results>/training.json",
        samples="<results>/samples",
        quality=list_quality,
        checkpoints=list_checkpoint_figures,
        transcripts=list_transcript_check,
        figures=expand("<results>/report/{part}", part=["voices", "training", "corpus", "speakers"]),
    output:
        report(
            "<results>/report/report.html",
            caption="../report/report.rst",
            category="Run",
            labels={"page": "players, figures and tables"},
        ),
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(1500, per_mb=3),
        runtime=estimate(10, per_mb=0.05),
    params:
        source=config["source"]["path"],
        language=config["source"]["language"],
        overrides=config["speakers"]["overrides"],
        clips=str(RESULTS / "clips"),
        code=code_digest("lib.report.report"),
    script:
        "../scripts/write_report.py"
