"""Videos as what the networks take: their frames, upright RGB, 8 bits, as far as OpenCV reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mtinet.errors import UserError

# Read when the first one is opened: what is said of a broken file beside the error that is raised here is not shown.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


def is_video(path: Path) -> bool:
    """Whether a file's name says that it is a video."""
    return path.suffix.lower() in SUFFIXES


def is_frame(name: str, stem: str) -> bool:
    """Whether `name` is what a frame of the video `stem` is called."""
    return re.fullmatch(rf"{re.escape(stem)}-\d{{6,}}", name) is not None


def frame_count(path: Path, every: int = 1) -> int | None:
    """How many frames `frames` is to give, by what the file says of itself: None where it says nothing."""
    opened = cv2.VideoCapture(str(path))
    try:
        said = int(opened.get(cv2.CAP_PROP_FRAME_COUNT)) if opened.isOpened() else 0
        return -(-said // every) if said > 0 or not opened.isOpened() else None
    finally:
        opened.release()


def frames(path: Path, every: int = 1) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name and pixels, uint8 [H, W, 3], of every `every`-th frame: clip-000000, clip-000010, ..

    UserError for a file of which OpenCV reads no frame.
    """
    opened = cv2.VideoCapture(str(path))
    try:
        number = 0
        while opened.grab():
            if number % every == 0:
                whole, frame = opened.retrieve()
                if not whole:
                    break
                yield f"{path.stem}-{number:06d}", np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
            number += 1
    finally:
        opened.release()
    if number == 0:
        raise UserError(
            f"{path}: OpenCV reads no frame of it, expected a video; another program may convert it to .mp4"
        )
