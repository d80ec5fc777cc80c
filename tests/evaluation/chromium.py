"""Opens pages in headless Chromium and acts on them, over the DevTools protocol."""

import fcntl
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required "
    "--remote-debugging-pipe"
).split()
SECONDS = 60


class Browser:
    """Headless Chromium with a profile of its own; messages go through a pair of pipes."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            pytest.skip("no Chromium on this machine")
        # It reads messages from file 3 and writes to file 4: ours must be others.
        to_read, self.write_end, self.read_end, to_write = (
            fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (*os.pipe(), *os.pipe())
        )
        nowhere = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        joined = [(os.POSIX_SPAWN_DUP2, to_read, 3), (os.POSIX_SPAWN_DUP2, to_write, 4), nowhere]
        command = [program, *FLAGS, f"--user-data-dir={profile}"]
        self.process = os.posix_spawn(
            program, command, os.environ, file_actions=joined, setpgroup=0
        )
        os.close(to_read)
        os.close(to_write)
        self.waiting, self.last, self.session = b"", 0, None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded."""
        page = address.partition("#")[0]
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        deadline = time.monotonic() + SECONDS
        there = f"document.readyState == 'complete' && location.href.startsWith({page!r})"
        while not self.run(there):
            assert time.monotonic() < deadline, f"{page} was not loaded within {SECONDS} s"
            time.sleep(0.05)

    def run(self, script: str) -> Any:
        """Return the value of an expression on the page; a promise is awaited."""
        done = self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; what the page complains of meanwhile is kept."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(method)
            if answer.get("id") == self.last:
                assert "error" not in answer, answer
                return answer["result"]
            kind = answer.get("method")
            if kind in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                self.complaints.append(json.dumps(answer["params"]))

    def _receive(self, method: str) -> dict[str, Any]:
        while b"\0" not in self.waiting:
            ready, _, _ = select.select([self.read_end], [], [], SECONDS)
            assert ready, f"Chromium did not answer {method} within {SECONDS} s"
            part = os.read(self.read_end, 1 << 20)
            assert part, f"Chromium ended at {method}"
            self.waiting += part
        message, _, self.waiting = self.waiting.partition(b"\0")
        return json.loads(message)

    def close(self) -> None:
        """End the browser and whatever it has started."""
        os.killpg(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.write_end)
        os.close(self.read_end)
