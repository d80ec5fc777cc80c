"""A Hugging Face Hub on this machine: repositories from a folder, in the Hub's own format."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves every folder ``root/owner/name`` as a repository and keeps a list of requests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[str] = []
        self.cut: dict[str, int] = {}
        """Bytes after which the connection is lost, by the name of a file."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        self.requests.append(f"{request.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._describe(request, parts[2:])
        elif parts[2:3] == ["resolve"]:
            self._send_file(request, "/".join(parts[:2]), "/".join(parts[4:]))
        else:
            send(request, 404, b"")

    def _describe(self, request: BaseHTTPRequestHandler, parts: list[str]) -> None:
        name = "/".join(parts[:2])
        folder = self.root / name
        if not folder.is_dir():
            # Without a token the real one does not tell what is private from what is not there.
            headers = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            send(request, 401, b'{"error":"Repository not found"}', headers)
            return
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if "tree" in parts[2:3]:
            content: object = [
                {
                    "type": "file",
                    "oid": digest(path),
                    "size": path.stat().st_size,
                    "path": str(path.relative_to(folder)),
                }
                for path in files
            ]
        else:
            config = folder / "config.json"
            content = {
                "_id": "0",
                "id": name,
                "modelId": name,
                "sha": COMMIT,
                "private": False,
                "gated": False,
                "disabled": False,
                "tags": ["vits"],
                "downloads": 1,
                "likes": 1,
                "lastModified": "2023-09-01T13:21:40.000Z",
                "createdAt": "2023-09-01T08:04:46.000Z",
                "config": json.loads(config.read_text()) if config.is_file() else None,
                "siblings": [{"rfilename": str(path.relative_to(folder))} for path in files],
            }
        send(request, 200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send_file(self, request: BaseHTTPRequestHandler, name: str, file: str) -> None:
        path = self.root / name / file
        if not (self.root / name).is_dir():
            send(request, 401, b"", {"X-Error-Code": "RepoNotFound"})
        elif not path.is_file():
            headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
            send(request, 404, b"Entry not found", headers)
        else:
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest(path)}"'}
            send(request, 200, path.read_bytes(), headers, self.cut.get(file))


def digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


def send(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    cut: int | None = None,
) -> None:
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body[:cut])
        request.close_connection = cut is not None


@contextmanager
def serve(root: Path) -> Iterator[FakeHub]:
    hub = FakeHub(root)
    thread = threading.Thread(target=hub.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()
        thread.join()
