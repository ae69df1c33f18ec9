"""`mtinet predict` on videos: frames in order, upright and in the right colours, beside photos."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import CommandLine
from PIL import Image
from published_run import write_run

from mtinet.data.videos import frame_count, frames, is_video
from mtinet.errors import UserError

NAME = "nyud/r18fpn-mtl"


def write_video(path: Path, count: int) -> list[np.ndarray]:
    """A clip without loss of a red that fades from frame to frame, blue to the right; its frames in RGB."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 10, (64, 48))
    assert writer.isOpened()
    made = []
    for number in range(count):
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[..., 0] = 250 - 20 * number
        frame[:, 32:, 2] = 200
        writer.write(frame[..., ::-1])
        made.append(frame)
    writer.release()
    return made


def test_frames_are_the_clips_in_order(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    made = write_video(path, 7)
    found = list(frames(path, 3))
    assert [name for name, _ in found] == ["clip-000000", "clip-000003", "clip-000006"]
    for (_, pixels), number in zip(found, (0, 3, 6), strict=True):
        assert (pixels.shape, pixels.dtype) == ((48, 64, 3), np.uint8)
        assert np.abs(pixels.astype(int) - made[number]).max() <= 2  # FFV1 keeps YUV, not RGB
    assert [frame_count(path, every) for every in (1, 3, 10)] == [7, 3, 1]
    assert is_video(Path("A.MP4"))
    assert not is_video(Path("a.png"))


def test_what_is_no_video_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"broken\.mp4: OpenCV reads no frame of it"):
        list(frames(tmp_path / "broken.mp4"))


def test_videos_are_predicted_beside_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "project", "nyud", "r18fpn-mtl")
    mtinet, out = CommandLine(tmp_path / "project", monkeypatch, capfd), tmp_path / "out"
    made = write_video(tmp_path / "clip.avi", 3)
    Image.fromarray(made[2]).save(tmp_path / "same.png")
    (tmp_path / "broken.mov").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(3000))
    places = [str(tmp_path / name) for name in ("broken.mov", "clip.avi", "same.png")]
    answer = mtinet("predict", NAME, *places, "--every", "2", "--out", str(out), "--json")
    assert answer.status == 1
    (line,) = answer.err.splitlines()
    assert line.startswith(f"ERROR: {tmp_path / 'broken.mov'}: OpenCV reads no frame")
    found = json.loads(answer.out)
    assert [*found] == ["same", "clip-000000", "clip-000002"]
    assert found["clip-000002"]["photo"] == str(tmp_path / "clip.avi")
    labels = [np.asarray(Image.open(found[name]["seg"])) for name in ("same", "clip-000002")]
    assert labels[0].shape == (48, 64)
    assert (labels[0] == labels[1]).mean() > 0.95
    # Two clips of one name would write over each other.
    (tmp_path / "clip.mp4").write_bytes((tmp_path / "clip.avi").read_bytes())
    answer = mtinet("predict", NAME, places[1], str(tmp_path / "clip.mp4"), "--out", str(out))
    assert answer.status == 1
    assert "found videos of one name" in answer.err
