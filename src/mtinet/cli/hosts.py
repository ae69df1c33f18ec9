"""Whether the hosts that data and ImageNet weights come from answer, all asked at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtinet.config import Params

ANSWERS = "answers"
# Where timm and torchvision fetch ImageNet weights from.
HUBS = {"weights of timm": "https://huggingface.co", "weights of torchvision": "https://download.pytorch.org"}


def asked(params: Params | None, seconds: float) -> list[dict[str, Any]]:
    """name, url, answer and needed of every source; after `seconds` those that are still silent have no answer."""
    found = [*archives(params), *hubs(params)]
    threads = [threading.Thread(target=ask, args=(source, seconds), daemon=True) for source in found]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    # Copies: a thread that has not ended yet may still write its answer.
    return [{**source, "answer": source.get("answer", f"no answer in {seconds:g} s")} for source in found]


def archives(params: Params | None) -> list[dict[str, Any]]:
    """Where the datasets' archives come from; needed where the study uses them."""
    from mtinet.data import downloads

    found = []
    for name, dataset in params.datasets.items() if params else ():
        needed = params is not None and params.study.source.get(name) == "archive"
        local = dataset.archive.path
        given = dataset.archive.url or dataset.archive.google_drive
        urls = [local] if local else downloads.sources(dataset.archive) if given else []
        found += [{"name": f"archive of {name}", "url": url, "needed": needed} for url in urls]
    return found


def hubs(params: Params | None) -> list[dict[str, Any]]:
    """Hubs of ImageNet weights; needed where the study's scale takes them from there."""
    chosen = [params.scale(name).pretrained for name in params.experiments] if params else []
    needed = any("hub" in (one if isinstance(one, str) else one.values()) for one in chosen)
    return [{"name": name, "url": url, "needed": needed} for name, url in HUBS.items()]


def ask(source: dict[str, Any], seconds: float) -> None:
    """Write a source's answer into it: ANSWERS, or why it cannot be had."""
    import requests

    url = source["url"]
    if not url.startswith(("http://", "https://")):
        there = Path(url.removeprefix("file://")).expanduser().exists()
        source["answer"] = ANSWERS if there else "not there"
        return
    try:
        with requests.get(url, stream=True, timeout=seconds) as response:
            source["answer"] = ANSWERS if response.status_code < 400 else f"status {response.status_code}"
    except requests.RequestException as error:
        source["answer"] = f"unreachable ({type(error).__name__})"
