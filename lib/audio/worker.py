"""A process that converts clips for its parent; `lib.audio.pool` starts it.

It runs until its connection to the parent is closed, which also happens when the parent is killed.
"""

import signal
import sys
from multiprocessing.connection import Connection

from lib.audio.convert import convert


def serve(connection: Connection) -> None:
    """Convert the clips that the parent sends; answer with None, or with the machine's fault."""
    connection.send("ready")
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        answer: Exception | None = None
        try:
            convert(*task)
        except Exception as error:  # the parent raises it where a user can see it
            answer = error
        try:
            connection.send(answer)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    # Ctrl-C and the signal of a batch system reach the whole process group. The workers ignore
    # them, because the parent decides when its workers end and may let running jobs finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(Connection(int(sys.argv[1])))
