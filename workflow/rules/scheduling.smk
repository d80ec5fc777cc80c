"""Mends how Snakemake 9.27 goes about many short jobs: here each clip is one.

REQUIRES  common.smk, which includes this file
PRODUCES  nothing
"""

import _thread
import gc
from functools import cache
from itertools import islice

import snakemake.common
import snakemake.rules
from snakemake.executors.local import Executor as LocalExecutor
from snakemake.io import is_flagged
from snakemake.jobs import Job
from snakemake.scheduling.job_scheduler import JobScheduler

# The plan is many objects that all stay: looking through them for garbage again and again was a
# seventh of every start.
gc.set_threshold(200_000, 50, 50)

# It inspects the signature of every function for every job, which was a fifth of a plan.
PARAMETERS = {}
inspect_parameters = snakemake.common.get_function_params


def find_parameters(function):
    """Parameters of a function or a method, which are looked up once."""
    key = getattr(function, "__func__", function), hasattr(function, "__self__")
    if key not in PARAMETERS:
        PARAMETERS[key] = inspect_parameters(function)
    return PARAMETERS[key]


snakemake.common.get_function_params = find_parameters
snakemake.rules.get_function_params = find_parameters

# Of the jobs that are ready so many are looked at; `scheduler-subsample` takes some of them.
LOOKED_AT = 64


class Found:
    """Jobs that are looked for where somebody asks: the greedy scheduler never asks what remains."""

    def __init__(self, find):
        self._find = find

    def __iter__(self):
        return iter(self._find())

    def __len__(self):
        return len(self._find())


def find_open_jobs(scheduler):
    """Jobs that are ready; all of them in a dry run, which takes them at once."""
    ready = scheduler.workflow.dag.ready_jobs
    return list(ready if scheduler.dryrun else islice(ready, LOOKED_AT))


# Snakemake goes through all jobs whenever one ends: with 50,000 clips that took longer than their
# conversion.
find_remaining_jobs = JobScheduler.remaining_jobs.fget
JobScheduler.remaining_jobs = property(lambda self: Found(lambda: find_remaining_jobs(self)))
JobScheduler.open_jobs = property(find_open_jobs)


@cache
def has_pipes():
    """Whether any rule hands its output on through a pipe or a service; none of this workflow does."""
    kinds = ("pipe", "service")
    return any(
        is_flagged(file, kind) for r in workflow.rules for file in r.output for kind in kinds
    )


# For each input of a job it looks at all the jobs that it comes from: with 50,000 clips that was
# minutes for each job that reads all.
find_pipe = Job.is_pipe_or_service_input
Job.is_pipe_or_service_input = lambda self, path: (has_pipes() and find_pipe(self, path))

# After each look it starts a thread that makes it look again a second later, though a bound on the
# rate of starts is all that could have changed: while long jobs ran it asked every second for the
# sizes of all clips.
look_again = JobScheduler._schedule_reevalutation


def look_again_if_useful(scheduler, seconds):
    limiter = scheduler.job_rate_limiter
    if limiter is None or not limiter.get_free_jobs() or scheduler.workflow.dag.queue_input_jobs:
        look_again(scheduler, seconds)


JobScheduler._schedule_reevalutation = look_again_if_useful

# On SIGTERM it takes a lock that the thread which the signal interrupts may have, and would then
# wait for ever: the lock is for another thread to wait for.
exit_gracefully = JobScheduler.exit_gracefully
JobScheduler.exit_gracefully = lambda self, *signal: _thread.start_new_thread(
    exit_gracefully, (self, *signal)
)

if workflow.remote_exec:
    # The process of a cluster's job converts its clips as that of one machine does: in threads, as
    # many at a time as the job has cores. Snakemake passes force-use-threads to no group, and would
    # start itself once more for every clip; SLURM's executor starts one of them at a time.
    LocalExecutor.use_threads = property(lambda self: True, lambda self, value: None)
    workflow.global_resources["_nodes"] = None
