"""The server behind `mtinet demo`: a page, the network's name, and a panel for every photo that is posted.

It answers this machine only, by name as by address, so that no page of another site can use it in passing.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mtinet.errors import UserError

PAGE = Path(__file__).with_name("demo.html")
HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
LARGEST = 100_000_000  # bytes of a photo: a phone's, several times over
IN_PAGE = "LARGEST_PHOTO"  # where the page has this number
# Nothing on the page comes from elsewhere.
POLICY = "default-src 'none'; connect-src 'self'; img-src blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
Panel = Callable[[str, bytes], bytes]


class Server(ThreadingHTTPServer):
    """Listens on `port` of this machine, 0 for any that is free.

    named: what the page says of the network. panel: a photo's name and file to the panel's PNG; UserError for a file
    that is no photo. It is called for one photo at a time.

    Closing it ends every connection and waits for the answer in the making: a thread that still ran while Python ends
    would be cut off, which can abort the process.
    """

    daemon_threads = False

    def __init__(self, port: int, named: str, panel: Panel, page: str | None = None) -> None:
        self.connections = set[socket.socket]()
        super().__init__((HOST, port), Handler)
        self.named, self.panel = named, panel
        self.page = (PAGE.read_text(encoding="utf-8") if page is None else page).replace(IN_PAGE, str(LARGEST))
        self.one_at_a_time = threading.Lock()

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Answer while the body runs, in a thread of its own: Ctrl-C strikes the main one, wherever that is."""
        thread = threading.Thread(target=self.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                connection.shutdown(socket.SHUT_RD)
        super().server_close()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """GET / and /network, POST /predict."""

    server: Server

    def do_GET(self) -> None:
        texts = {"/": ("text/html", self.server.page), "/network": ("text/plain", self.server.named)}
        if self.foreign():
            return
        if self.path not in texts:
            self.answer(HTTPStatus.NOT_FOUND, "text/plain", b"no such page, expected /")
            return
        kind, text = texts[self.path]
        self.answer(HTTPStatus.OK, kind, text.encode())

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.foreign():
            return
        if self.path != "/predict" or not length.isdigit():
            self.answer(HTTPStatus.BAD_REQUEST, "text/plain", b"expected a photo posted to /predict")
        elif int(length) > LARGEST:
            self.close_connection = True  # what is not read must not be taken for the next request
            text = f"the file has {-(-int(length) // 10**6)} MB, expected at most {LARGEST // 10**6}; make it smaller"
            self.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "text/plain", text.encode())
        else:
            self.predict(unquote(self.headers.get("X-Name", "photo")), self.rfile.read(int(length)))

    def predict(self, name: str, content: bytes) -> None:
        """Answer with the panel of a photo."""
        try:
            with self.server.one_at_a_time:
                picture = self.server.panel(name, content)
        except UserError as error:
            self.answer(HTTPStatus.UNPROCESSABLE_ENTITY, "text/plain", str(error).encode())
        except Exception as error:  # the page says it; the server goes on
            text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            self.answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", text.encode())
        else:
            self.answer(HTTPStatus.OK, "image/png", picture)

    def foreign(self) -> bool:
        """Refuse what comes by another name than this machine's, or from another site's page."""
        port = self.server.server_port
        origins = {None, *(f"http://{name}:{port}" for name in NAMES)}
        if self.headers.get("Host") in {f"{name}:{port}" for name in NAMES} and self.headers.get("Origin") in origins:
            return False
        self.close_connection = True
        self.answer(HTTPStatus.FORBIDDEN, "text/plain", b"the demo answers its own page only")
        return True

    def answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text") else kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *words: object) -> None:
        """Nothing: the terminal is the user's."""
