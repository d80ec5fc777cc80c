"""Read a dataset that `datasets.save_to_disk` has written, with pyarrow alone.

So a GPU machine needs neither `datasets` nor an audio decoder. pyarrow is imported only when a
dataset is read, because benchmarks/gpu.py trains without it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.corpus.shards import list_files


def read_split(split: Path, columns: Sequence[str]) -> Iterator[dict]:
    """Yield some columns of a split's rows, in the order of its files.

    Raises
    ------
    CorpusError
        If `state.json` cannot be read, or a file does not exist.
    """
    import pyarrow as pa

    files, _ = list_files(split)
    for file in files:
        with pa.memory_map(str(file)) as source:
            for batch in pa.ipc.open_stream(source):
                yield from batch.select(list(columns)).to_pylist()
