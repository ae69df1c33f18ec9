"""`mtinet demo`: its server over HTTP, and its page in a headless browser that drops a photo on it."""

from __future__ import annotations

import base64
import http.client
import io
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from command_line import CommandLine
from PIL import Image
from published_run import write_run

from mtinet.cli import demo
from mtinet.cli.demo_server import LARGEST, PAGE, POLICY, Server
from mtinet.cli.main import build_parser
from mtinet.errors import UserError

NAME = "nyud/r18fpn-mtl"


def photo(height: int = 40, width: int = 60) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_run(folder, "nyud", "r18fpn-mtl")
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    """The demo of a run, served for as long as the module's tests take."""
    given = build_parser().parse_args(["-C", str(project), "demo", NAME, "--port", "0", "--device", "cpu"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        with demo.serving(given) as serving, serving.answering():
            yield serving


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, str | None, bytes]:
    """Status, content type and content of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], content


def test_a_posted_photo_becomes_the_panel_of_predict(
    server: Server, project: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "my photo.png").write_bytes(photo())
    out = tmp_path / "out"
    mtinet = CommandLine(project, monkeypatch, capfd)
    assert mtinet("predict", NAME, str(tmp_path / "my photo.png"), "--out", str(out), "--device", "cpu").status == 0
    status, kind, content = ask(server, "POST", "/predict", photo(), X_Name="my%20photo.png")
    assert (status, kind) == (200, "image/png")
    assert content == (out / "panels/my photo.png").read_bytes()


def test_the_page_and_what_it_says_of_the_network(server: Server) -> None:
    assert ask(server, "GET", "/")[:2] == (200, "text/html; charset=utf-8")
    said = ask(server, "GET", "/network")[2].decode()
    assert said.startswith("r18fpn-mtl, seed 0 (scenes-smoke): seg, depth; photos are fitted into 32×32 pixels")
    page = PAGE.read_text()
    assert not re.search(r"(src|href|action)=|https?:|@import|url\(", page)  # nothing comes from elsewhere
    assert "connect-src 'self'" in POLICY


def test_what_is_no_photo_is_said_and_the_server_goes_on(server: Server) -> None:
    status, kind, content = ask(server, "POST", "/predict", b"no photo", X_Name="notes.txt")
    assert (status, kind) == (422, "text/plain; charset=utf-8")
    assert content.decode().startswith("notes.txt: cannot be read as a picture")
    assert ask(server, "POST", "/predict", b"")[0] == 422
    assert ask(server, "POST", "/elsewhere", b"x")[0] == 400
    assert ask(server, "GET", "/etc/passwd")[0] == 404
    assert ask(server, "POST", "/predict", photo())[0] == 200


def test_too_large_a_file_is_not_even_read(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        host = f"127.0.0.1:{server.server_port}"
        connection.sendall(f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: {LARGEST + 1}\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert b" 413 " in answer.splitlines()[0]
    assert answer.endswith(b"the file has 101 MB, expected at most 100; make it smaller")


def test_too_large_a_file_is_refused_on_the_page(server: Server, tmp_path: Path) -> None:
    """In words, where a browser that finds its request broken off says as good as nothing."""
    script = (
        f'const data = new DataTransfer(); data.items.add(new File([new Uint8Array({LARGEST + 1})], "scan.png"));'
        'document.getElementById("drop").dispatchEvent('
        'new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));'
    )
    text = browsed(server, script, tmp_path)
    said = re.search(r'<p id="said"([^>]*)>([^<]*)<', text)
    assert 'class="bad"' in said[1]
    assert said[2] == "scan.png has 101 MB, expected at most 100; make it smaller"
    assert "hidden" in re.search(r'<img id="panel"[^>]*>', text)[0]


def test_other_sites_get_no_answer(server: Server) -> None:
    """A page of another site, or a name of another site that leads here."""
    assert ask(server, "POST", "/predict", photo(), Origin="https://example.org")[0] == 403
    assert ask(server, "GET", "/", Host=f"example.org:{server.server_port}")[0] == 403
    assert ask(server, "GET", "/network", Host=f"localhost:{server.server_port}")[0] == 200
    assert server.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_said(server: Server, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "panels", lambda given: (server.panel, server.named))
    given = build_parser().parse_args(["demo", NAME, "--port", str(server.server_port)])
    with pytest.raises(UserError, match=rf"^--port: {server.server_port} cannot be had \(Address already in use\)"):
        demo.serving(given)


def test_closing_ends_what_is_open_and_waits_for_answers() -> None:
    """A browser opens connections in advance and says nothing on them; Python must not end beside running threads."""
    begun = threading.Event()

    def panel(name: str, content: bytes) -> bytes:
        begun.set()
        time.sleep(0.5)
        return b"a panel"

    with ThreadPoolExecutor(1) as executor:
        with Server(0, "a network", panel) as closing, closing.answering():
            silent = socket.create_connection(("127.0.0.1", closing.server_port), timeout=30)
            answer = executor.submit(ask, closing, "POST", "/predict", photo())
            assert begun.wait(30)
        assert not [thread.name for thread in threading.enumerate() if "process_request" in thread.name]
        assert answer.result() == (200, "image/png", b"a panel")
        with silent:
            assert silent.recv(1) == b""


# In a browser ------------------------------------------------------------------------------------------------


def browsed(server: Server, script: str, folder: Path, shot: Path | None = None) -> str:
    """The page's document after `script` ran at its end and all answers came, in a headless browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    page = PAGE.read_text().replace("</body>", f"<script>{script}</script></body>")
    with Server(0, server.named, server.panel, page) as other, other.answering():
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=30000",
            f"--user-data-dir={folder / 'profile'}", "--window-size=1100,900",
            *([f"--screenshot={shot}"] if shot else ["--dump-dom"]), other.address,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if shot is None and "<h1" not in done.stdout:
        pytest.skip(f"the browser does not start here: {done.stderr.strip()[-200:]}")
    return done.stdout


def dropping(content: bytes, name: str) -> str:
    """JavaScript that drops a file on the page as a user does."""
    coded = base64.b64encode(content).decode()
    return (
        f'const bytes = Uint8Array.from(atob("{coded}"), c => c.charCodeAt(0)); const data = new DataTransfer();'
        f'data.items.add(new File([bytes], "{name}", {{type: "image/png"}}));'
        'document.getElementById("drop").dispatchEvent('
        'new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));'
        'panel.addEventListener("load", () => document.title = panel.naturalWidth + "x" + panel.naturalHeight);'
    )


def test_a_dropped_photo_shows_its_panel(server: Server, tmp_path: Path) -> None:
    text = browsed(server, dropping(photo(), "my room.png"), tmp_path)
    picture = Image.open(io.BytesIO(ask(server, "POST", "/predict", photo(), X_Name="my%20room.png")[2]))
    assert re.search(r"<title>(.*)</title>", text)[1] == f"{picture.width}x{picture.height}"
    shown = re.search(r'<img id="panel"[^>]*>', text)[0]
    assert "hidden" not in shown
    assert 'src="blob:http://127.0.0.1' in shown
    assert re.search(r'<p id="said"[^>]*>my room.png: \d+\.\d s', text)
    assert 'download="my room-panel.png"' in text
    assert server.named in text


def test_a_dropped_text_is_refused_on_the_page(server: Server, tmp_path: Path) -> None:
    text = browsed(server, dropping(b"no photo", "notes.txt"), tmp_path)
    said = re.search(r'<p id="said"([^>]*)>([^<]*)<', text)
    assert 'class="bad"' in said[1]
    assert said[2].startswith("notes.txt: cannot be read as a picture")
    assert "hidden" in re.search(r'<img id="panel"[^>]*>', text)[0]
