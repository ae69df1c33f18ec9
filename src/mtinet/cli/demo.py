"""A page in your browser on which you drop a photo and see what a trained run predicts for it.

It is served to this machine only; nothing leaves it and nothing is kept. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from mtinet.cli import applying
from mtinet.cli.progress import progress
from mtinet.errors import UserError

if TYPE_CHECKING:
    from mtinet.cli.demo_server import Panel, Server

HELP = "predict for photos dropped on a local page"
EXAMPLE = "mtinet demo nyud/hrnet18-mti-ne"
PORT = 8765


def arguments(parser: argparse.ArgumentParser) -> None:
    applying.arguments(parser)
    parser.add_argument("--port", type=port, default=PORT, help=f"default: {PORT}; 0: any that is free")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")


def port(text: str) -> int:
    """A port's number as argparse takes it."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port, expected 0 to 65535")
    return int(text)


def main(given: argparse.Namespace) -> int:
    with serving(given) as server, contextlib.suppress(KeyboardInterrupt), server.answering():
        print(f"{server.address} (Ctrl-C ends it)", flush=True)
        if not given.no_browser:
            webbrowser.open(server.address)
        while True:
            time.sleep(0.2)  # in one piece it would not end where another thread has taken the signal
    return 0


def serving(given: argparse.Namespace) -> Server:
    """The server of the run that is asked for, listening."""
    from mtinet.cli.demo_server import Server

    with progress(f"loading {given.run}"):
        made, named = panels(given)
    try:
        return Server(given.port, named, made)
    except OSError as error:
        raise UserError(
            f"--port: {given.port} cannot be had ({error.strerror}): another demo? Choose another, or 0 for any"
        ) from None


def panels(given: argparse.Namespace) -> tuple[Panel, str]:
    """What makes a photo's panel, and what the page says of the network."""
    from mtinet.data.photos import read_photo
    from mtinet.evaluation.prediction import predictions
    from mtinet.reporting.classes import classes_of
    from mtinet.reporting.side_by_side import side_by_side

    params, network, weights = applying.chosen(given)
    device = applying.prepare(params, network.dataset, given.device)
    model = network.load(weights).to(device)
    classes, box = classes_of(network.dataset), (network.height, network.width)

    def panel(name: str, content: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            photo, drawn = Path(folder) / "photo", Path(folder) / "panel.png"
            photo.write_bytes(content)
            try:
                pixels = read_photo(photo)
            except UserError as error:
                raise UserError(str(error).replace(str(photo), name)) from None
            ((_, _, found),) = predictions(model, [(name, pixels)], box, network.tasks, network.auxiliary, device)
            side_by_side(f"{name}: {network.title}", pixels, found, drawn, classes, tuple(network.auxiliary))
            return drawn.read_bytes()

    tasks = ", ".join([*network.tasks, *(f"{task} (auxiliary)" for task in network.auxiliary)])
    return panel, f"{network.title}: {tasks}; photos are fitted into {network.height}×{network.width} pixels."
