"""Turns every recording into a 16 kHz mono WAV file at one loudness, and measures it.

REQUIRES  the user's source, read by common.smk
PRODUCES  <results>/clips/{clip}.wav, <results>/clips/{clip}.json, <results>/measurements.tsv
"""


# One job a clip, run in a thread of the main process where the profile says so
# (force-use-threads): starting Python for every clip would cost ten times the conversion. That is
# also why there is no benchmark: it would measure the main process.
rule convert_audio:
    output:
        wav="<results>/clips/{clip}.wav",
        sidecar="<results>/clips/{clip}.json",
    log:
        "<logs>/convert_audio/{clip}.log",
    # A process that was killed from outside says nothing about the clip.
    retries: 2
    group:
        None if workflow.remote_exec or NOTHING_SHARED else "convert_audio"
    # The process that a group is handed to runs it by itself: SLURM's executor would start another.
    localrule: workflow.remote_exec
    resources:
        mem_mb=estimate(500),
        runtime=estimate(1),
    params:
        content_hash=lambda wildcards: find_clip(wildcards).content_hash,
        settings=config["audio"],
        code=code_digest("lib.audio.convert"),
    run:
        convert(wildcards.clip, output, log[0])


rule collect_measurements:
    input:
        list_sidecars,
    output:
        "<results>/measurements.tsv",
    log:
        "<logs>/collect_measurements.log",
    benchmark:
        "<benchmarks>/collect_measurements.tsv"
    localrule: True
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=estimate(1000, per_mb=10),
        runtime=estimate(5, per_mb=0.1),
    params:
        code=code_digest("lib.audio.table"),
    script:
        "../scripts/collect_measurements.py"
