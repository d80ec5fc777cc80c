"""Shows who speaks, before the training; then lets the voice speak and shows what the run did.

REQUIRES  <results>/model, <results>/dataset and the tables of the earlier stages
PRODUCES  <results>/speakers/audition.html, <results>/samples/{speaker}/*.wav,
          <results>/quality/{what}.json, <results>/report/report.html and the figures in it
"""

# What is measured on the sentences of the validation split, and the model that says them.
MEASURED = {"recordings": [], "before": "<results>/base_model", "after": "<results>/model"}


# Needs nothing of the dataset and the training: speakers are put right before those.
rule write_audition:
    input:
        assignments="<results>/speakers/assignments.tsv",
        speaker_map="<results>/speakers/map.tsv",
        registry="<results>/speakers/registry.json",
        excluded="<results>/speakers/excluded.tsv",
        measurements="<results>/measurements.tsv",
    output:
        report(
            "<results>/speakers/audition.html",
            caption="../report/audition.rst",
            category="Speakers",
            labels={"figure": "clips to hear and to correct"},
        ),
    log:
        "<logs>/write_audition.log",
    benchmark:
        "<benchmarks>/write_audition.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(1500, per_mb=5),
        runtime=estimate(10, per_mb=0.1),
    params:
        transcripts=CORPUS.digest("text"),
        min_confidence=config["dataset"]["min_confidence"],
        min_intra_clip_similarity=config["dataset"]["min_intra_clip_similarity"],
        source=config["source"],
        file=config["speakers"]["overrides"],
        clips=str(RESULTS / "clips"),
        index=str(RESULTS / "source"),
        code=code_digest("lib.review.speaker_review"),
    script:
        "../scripts/write_audition.py"


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
        "../../envs/training.yaml"
    resources:
        mem_mb=estimate(2000),
        runtime=estimate(30),
    params:
        texts=config["samples"]["texts"],
        num_texts=config["samples"]["count"],
        code=code_digest("lib.synthesis.samples"),
    script:
        "../scripts/synthesize_samples.py"


rule measure_quality:
    input:
        model=lambda wildcards: MEASURED[wildcards.what],
        dataset="<results>/dataset",
        centroids="<results>/speakers/centroids.parquet",
    output:
        "<results>/quality/{what}.json",
    log:
        "<logs>/measure_quality/{what}.log",
    benchmark:
        "<benchmarks>/measure_quality/{what}.tsv"
    wildcard_constraints:
        what="|".join(MEASURED),
    conda:
        "../../envs/evaluation.yaml"
    resources:
        mem_mb=estimate(3000, per_mb=1),
        runtime=estimate(60, per_mb=0.02),
    params:
        evaluation=config["evaluation"],
        clips=str(RESULTS / "clips"),
        code=code_digest("lib.evaluation.quality"),
    script:
        "../scripts/measure_quality.py"


rule plot_corpus:
    input:
        measurements="<results>/measurements.tsv",
        manifest="<results>/manifest.tsv",
        rejected="<results>/rejected.tsv",
        registry="<results>/speakers/registry.json",
    output:
        report(
            directory("<results>/report/corpus"),
            patterns=["{figure}.svg"],
            caption="../report/corpus.rst",
            category="Clips",
            labels={"figure": "{figure}"},
        ),
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
        report(
            directory("<results>/report/speakers"),
            patterns=["{figure}.svg"],
            caption="../report/speakers.rst",
            category="Speakers",
            labels={"figure": "{figure}"},
        ),
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
        "<results>/training.json",
    output:
        report(
            directory("<results>/report/training"),
            patterns=["{figure}.svg"],
            caption="../report/training.rst",
            category="Training",
            labels={"figure": "{figure}"},
        ),
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
        tensorboard=str(RESULTS / "tensorboard"),
        code=code_digest("lib.report.training_plots"),
    script:
        "../scripts/plot_training.py"


rule plot_samples:
    input:
        samples="<results>/samples",
        manifest="<results>/manifest.tsv",
        registry="<results>/speakers/registry.json",
    output:
        report(
            directory("<results>/report/voices"),
            patterns=["{figure}.svg"],
            caption="../report/voices.rst",
            category="Voices",
            labels={"figure": "{figure}"},
        ),
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
        base_model="<results>/base_model",
        training="<results>/training.json",
        samples="<results>/samples",
        quality=expand(
            "<results>/quality/{what}.json", what=MEASURED if config["evaluation"]["clips"] else []
        ),
        figures=expand("<results>/report/{part}", part=["voices", "training", "corpus", "speakers"]),
    output:
        report(
            "<results>/report/report.html",
            caption="../report/report.rst",
            category="Voices",
            labels={"figure": "everything on one page, with players"},
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
        file=config["speakers"]["overrides"],
        clips=str(RESULTS / "clips"),
        code=code_digest("lib.report.report"),
    script:
        "../scripts/write_report.py"
