"""A process that converts clips for its parent; started by `lib.audio.pool`, not by hand.

It lives as long as the parent holds the other end of the connection: when the parent dies, in
whatever way, the end closes and so does the worker.
"""

import signal
import sys
from multiprocessing.connection import Connection

from lib.audio.convert import convert


def serve(connection: Connection) -> None:
    """Convert what the parent sends; answer with None, or the fault of the machine."""
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
    # Ctrl-C, and a batch system's warning, reach the whole process group: the parent, which may
    # want its running jobs finished, decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(Connection(int(sys.argv[1])))
