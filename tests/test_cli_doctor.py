"""`mtinet doctor`: facts about the machine, hosts that answer or not, and what follows."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import yaml
from command_line import CommandLine, copy_reports

from mtinet import config
from mtinet.cli import advice, hosts


class Host(BaseHTTPRequestHandler):
    """/archive is there, anything else is not; /slow answers too late."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(5)
        self.send_response(200 if self.path == "/archive" else 404)
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def mtinet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setattr(hosts, "HUBS", {})
    return CommandLine(copy_reports(tmp_path / "project"), monkeypatch, capfd)


def change(mtinet: CommandLine, edit: Any) -> config.Params:
    """Edit params.yaml; returns what it then holds."""
    path = mtinet.folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    edit(content)
    path.write_text(yaml.safe_dump(content))
    return config.load(path)


def sources(mtinet: CommandLine, nyud: dict[str, Any], pascal: dict[str, Any], source: str = "scenes") -> config.Params:
    """params.yaml with these archives."""
    empty = {"path": None, "url": None, "google_drive": None, "mirrors": []}

    def edit(content: Any) -> None:
        for name, archive in (("nyud", nyud), ("pascal", pascal)):
            content["datasets"][name]["archive"] |= empty | archive
        content["study"]["source"]["nyud"] = source

    return change(mtinet, edit)


def test_facts_are_this_machines(mtinet: CommandLine) -> None:
    facts = json.loads(mtinet("doctor", "--offline", "--json").out)
    assert facts["project"] == "found"
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["versions"]["numpy"] == numpy.__version__
    assert facts["tools"]["git"]
    assert facts["devices"]["cores"] >= 1
    assert len(facts["devices"]["gpus"]) == torch.cuda.device_count()
    assert facts["sources"] == []
    text = mtinet("doctor", "--offline").out
    assert f"torch        {torch.__version__}" in text
    assert " GB free at " in text


def test_packages_unlike_the_locked_ones_are_named(mtinet: CommandLine) -> None:
    plain = torch.__version__.partition("+")[0]
    lock = f"torch=={plain}\nnumpy==0.0.1\nno-such-package==1.0\n"
    (mtinet.folder / "requirements.lock").write_text(lock)
    facts = json.loads(mtinet("doctor", "--offline", "--json").out)
    assert facts["locked"] == [f"numpy {numpy.__version__} (locked: 0.0.1)", "no-such-package missing (locked: 1.0)"]


def test_sources_answer_or_not(mtinet: CommandLine, host: str, tmp_path: Path) -> None:
    (tmp_path / "archive").touch()
    params = sources(mtinet, {"url": f"{host}/archive", "mirrors": [f"{host}/gone"]}, {"path": f"{tmp_path}/archive"})
    found = {source["url"]: source["answer"] for source in hosts.asked(params, 5)}
    assert found == {f"{host}/archive": "answers", f"{host}/gone": "status 404", f"{tmp_path}/archive": "answers"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/archive"
    params = sources(mtinet, {"url": closed}, {"path": f"{tmp_path}/nowhere"})
    found = {source["url"]: source["answer"] for source in hosts.asked(params, 5)}
    assert found == {closed: "unreachable (ConnectionError)", f"{tmp_path}/nowhere": "not there"}


def test_silent_hosts_are_not_waited_for(mtinet: CommandLine, host: str) -> None:
    params = sources(mtinet, {"url": f"{host}/slow"}, {"url": f"{host}/archive"})
    began = time.monotonic()
    found = {source["url"]: source["answer"] for source in hosts.asked(params, 0.5)}
    assert time.monotonic() - began < 3
    assert found[f"{host}/archive"] == "answers"
    assert found[f"{host}/slow"] in ("no answer in 0.5 s", "unreachable (ReadTimeout)")


def test_only_a_source_that_is_needed_is_a_problem(mtinet: CommandLine, host: str) -> None:
    sources(mtinet, {"url": f"{host}/gone"}, {"url": f"{host}/archive"})
    assert mtinet("doctor").status == 0
    sources(mtinet, {"url": f"{host}/gone"}, {"url": f"{host}/archive"}, source="archive")
    answer = mtinet("doctor")
    assert answer.status == 1
    assert f"problems: archive of nyud: {host}/gone status 404; get it by other means" in answer.out
    mirrored = {"url": f"{host}/gone", "mirrors": [f"{host}/archive"]}
    sources(mtinet, mirrored, {"url": f"{host}/archive"}, source="archive")
    assert mtinet("doctor").status == 0


def test_hubs_are_needed_where_the_scale_takes_weights_from_them(mtinet: CommandLine) -> None:
    before = config.load(mtinet.folder / "params.yaml")
    mtinet.monkeypatch.setattr(hosts, "HUBS", {"weights of timm": "https://example.org"})
    assert [one["needed"] for one in hosts.hubs(before)] == [False]
    after = change(mtinet, lambda content: content["study"].update(scale="paper"))
    assert [one["needed"] for one in hosts.hubs(after)] == [True]
    assert [one["needed"] for one in hosts.hubs(None)] == [False]


def good() -> dict[str, Any]:
    """A machine without fault."""
    return {
        "versions": {"torch": "2"}, "tools": {"git": "/usr/bin/git"}, "sources": [],
        "devices": {"cores": 8, "load": 0.1, "gpus": ["one"], "broken": None},
        "disk": {"folder": "/here", "free_gb": 500.0, "cache_beside": True},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        ("devices", {"gpus": []}, "no GPU: a run at the scale 'paper' takes a day"),
        ("devices", {"load": 7.9}, "other programs keep 7.9 of 8 cores busy"),
        ("devices", {"cores": 0, "load": 0.0}, "compute.threads is 1, there are 0 cores"),
        ("disk", {"cache_beside": False}, "DVC's cache is on another disk"),
    ],
)
def test_what_will_be_slow(mtinet: CommandLine, section: str, changes: dict[str, Any], words: str) -> None:
    params = config.load(mtinet.folder / "params.yaml")
    facts = good()
    mtinet.monkeypatch.setattr(advice, "installed", lambda name: "1.0")
    assert advice.slow(facts, params) == []
    facts[section] |= changes
    (line,) = advice.slow(facts, params)
    assert line.startswith(words)


def test_a_library_that_dvc_is_slow_without(mtinet: CommandLine) -> None:
    mtinet.monkeypatch.setattr(advice, "installed", lambda name: None)
    assert advice.slow(good(), None) == ["ruamel.yaml.clib is not installed: DVC reads its files several times slower"]


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        ("versions", {"timm": None}, "timm is not installed"),
        ("devices", {"broken": "libgomp.so"}, "torch cannot be imported (libgomp.so)"),
        ("tools", {"dvc": None}, "dvc is not on the path"),
        ("disk", {"free_gb": 0.5}, "0.5 GB free at /here, expected 5 GB or more"),
    ],
)
def test_what_is_missing(mtinet: CommandLine, section: str, changes: dict[str, Any], words: str) -> None:
    params = config.load(mtinet.folder / "params.yaml")
    facts = good()
    assert advice.problems(facts, params) == []
    facts[section] |= changes
    (line,) = advice.problems(facts, params)
    assert line.startswith(words)
    assert advice.problems(facts, None) == []


def test_a_gpu_that_is_asked_for_and_not_there_is_a_problem(mtinet: CommandLine) -> None:
    params = change(mtinet, lambda content: content["compute"].update(device="cuda"))
    facts = good()
    assert advice.problems(facts, params) == []
    facts["devices"]["gpus"] = []
    (line,) = advice.problems(facts, params)
    assert line.startswith("compute.device is cuda, but torch finds no GPU")


def test_outside_a_project_it_says_so_and_goes_on(mtinet: CommandLine, tmp_path: Path) -> None:
    mtinet.folder = tmp_path
    answer = mtinet("doctor", "--offline", "--json")
    assert answer.status == 0
    assert json.loads(answer.out)["project"].startswith("no project in ")
