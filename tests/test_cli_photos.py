"""Photos as people have them: any mode, orientation, folder."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtinet.data.photos import photos_in, read_photo
from mtinet.errors import UserError

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
# What a viewer does for each value of EXIF's orientation, by the standard: rows and columns of the upright picture.
TURNS = {
    1: PICTURE,
    2: PICTURE[:, ::-1],
    3: PICTURE[::-1, ::-1],
    4: PICTURE[::-1],
    5: PICTURE.transpose(1, 0, 2),
    6: PICTURE.transpose(1, 0, 2)[:, ::-1],
    7: PICTURE.transpose(1, 0, 2)[::-1, ::-1],
    8: PICTURE.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", TURNS)
def test_orientation(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "a.png"), TURNS[orientation])


def test_grey_is_the_same_in_all_channels(tmp_path: Path) -> None:
    grey = PICTURE[..., 0]
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(grey > 127).save(tmp_path / "1.png")
    for name in ("8.png", "16.png"):
        assert np.array_equal(read_photo(tmp_path / name), np.repeat(grey[..., None], 3, axis=2))
    assert np.array_equal(read_photo(tmp_path / "1.png")[..., 1], np.where(grey > 127, 255, 0))


def test_transparent_pixels_show_white(tmp_path: Path) -> None:
    alpha = np.random.default_rng(1).integers(0, 256, (6, 9, 1), dtype=np.uint8)
    Image.fromarray(np.concatenate([PICTURE, alpha], axis=2)).save(tmp_path / "a.png")
    share = alpha / 255
    assert read_photo(tmp_path / "a.png") == pytest.approx(PICTURE * share + 255 * (1 - share), abs=1.01)
    Image.fromarray(np.concatenate([PICTURE[..., :1], alpha], axis=2), "LA").save(tmp_path / "grey.png")
    expected = np.repeat(PICTURE[..., :1] * share + 255 * (1 - share), 3, axis=2)
    assert read_photo(tmp_path / "grey.png") == pytest.approx(expected, abs=1.01)


def test_palettes_and_print_colours(tmp_path: Path) -> None:
    few = Image.fromarray(PICTURE).quantize(8)
    few.save(tmp_path / "few.png")
    assert np.array_equal(read_photo(tmp_path / "few.png"), np.asarray(few.convert("RGB")))
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).convert("CMYK").save(tmp_path / "print.jpg")
    assert read_photo(tmp_path / "print.jpg") == pytest.approx(np.full((8, 8, 3), 200), abs=2)


def test_what_is_no_picture_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PICTURE).save(path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:40], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"a\.png: cannot be read as a picture"):
            read_photo(path)


@pytest.mark.parametrize(("kind", "words"), [("float32", "floating-point numbers"), ("int32", "integers")])
def test_values_without_a_known_white_are_refused(tmp_path: Path, kind: str, words: str) -> None:
    Image.fromarray(PICTURE[..., 0].astype(kind)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match=rf"a\.tif: found 32-bit {words}, expected 8 or 16 bits per channel"):
        read_photo(tmp_path / "a.tif")


def test_grey_of_sixteen_bits_in_every_format(tmp_path: Path) -> None:
    """Pillow has some of them in 32 bits."""
    grey = PICTURE[..., 0]
    Image.fromarray(grey.astype(np.int32) * 257).save(tmp_path / "a.pgm")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.tif")
    for name in ("a.pgm", "a.tif"):
        assert np.array_equal(read_photo(tmp_path / name)[..., 2], grey)


def test_many_pixels_are_read_and_too_many_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", PICTURE.shape[0] * PICTURE.shape[1] - 1)
        assert np.array_equal(read_photo(tmp_path / "a.png"), PICTURE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(UserError, match=r"a\.png: found more than 179 megapixels, expected fewer; make the picture sm"):
        read_photo(tmp_path / "a.png")


def test_disorder_in_the_exif_is_no_warning(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photo(tmp_path / "a.jpg").shape == PICTURE.shape


def test_folders_are_searched_and_names_told_apart(tmp_path: Path) -> None:
    for name in ("b/x.png", "a/x.JPG", "a/y.png", "a/.hidden/z.png", "a/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = photos_in([tmp_path / "b", tmp_path / "a", tmp_path / "a/x.txt"])
    shown = {name: path.relative_to(tmp_path).as_posix() for name, path in found.items()}
    assert shown == {"x": "b/x.png", "x-2": "a/x.JPG", "y": "a/y.png", "x-3": "a/x.txt"}
