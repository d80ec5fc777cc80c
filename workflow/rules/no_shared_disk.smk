"""Where machines share no disk (Kubernetes, Vast.ai), the training alone leaves this one.

It is what needs a GPU. The recordings, the clips and the durable state stay here, and so does every
other rule. What the training reads and writes is carried by the executor, or by a storage such as a
bucket, if the profile names one. What is in a storage has its place in <results> here too, so that
no rule, and no run with another profile, knows of it.

REQUIRES  common.smk, which includes this file and says whether a disk is shared
PRODUCES  nothing
"""

from snakemake.io import is_callable

# What the training reads and writes.
CARRIED = [
    os.path.normpath(f"{config['output']}/{part}")
    for part in (
        "dataset",
        "base_model",
        "training.json",
        "weights",
        "curves",
        "logs/train_model.log",
        "benchmarks/train_model.tsv",
    )
]
STORAGE = workflow.storage_registry.default_storage_provider
# An executor that carries files by itself brings outputs and logs, and would wait for the benchmark.
HAS_BENCHMARK = STORAGE is not None or not (
    NOTHING_SHARED and workflow.is_main_process and workflow.modifier.is_main_snakefile()
)


def check_output():
    """Refuse results in a place that another machine does not have."""
    if os.path.isabs(config["output"]) or CARRIED[0].startswith(".."):
        raise WorkflowError(
            f"output: {config['output']} is not below this folder, and the machine that trains "
            "shares no disk with this one: give a path like results"
        )


def carry_by_storage(provider, modifier):
    """Let the storage hold what is carried, and nothing else, each at its place in <results>."""
    plain, stored = provider.get_storage_object_cls(), modifier.apply_default_storage

    class Carried(plain):
        def local_suffix(self):
            """The path here of what has a longer name in the storage."""
            found = (path for path in CARRIED if self.query.endswith(os.sep + path))
            return next(found, None) or super().local_suffix()

        def exists(self):
            """Whether it is there; the storage for S3 would remember what it was not before a job."""
            self._is_dir = None
            return super().exists()

    def choose(path):
        named = None if is_callable(path) else workflow.pathvars.apply(str(path))
        return stored(path) if named and os.path.normpath(named) in CARRIED else path

    provider.local_prefix = Path()
    provider.get_storage_object_cls = lambda: Carried
    modifier.apply_default_storage = choose


if NOTHING_SHARED and workflow.modifier.is_main_snakefile():
    check_output()
    workflow.is_local = lambda rule: workflow.local_exec or rule.name != "train_model"
    if STORAGE is not None:
        carry_by_storage(STORAGE, workflow.modifier.path_modifier)
