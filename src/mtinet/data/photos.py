"""Photos of any kind as what the networks take: upright RGB, 8 bits."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from mtinet.errors import UserError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
BEHIND = (255, 255, 255)  # what is seen through transparent pixels, as viewers show it
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations of photos that are stored lying
SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L")
OF_SIXTEEN_BITS = ("PNG", "PPM")  # formats whose pictures of mode I have 16 bits
LARGEST = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # pixels; Pillow opens nothing beyond them


def photos_in(places: Iterable[Path], but: Path | None = None) -> dict[str, Path]:
    """Name -> photo, of the files given and of all photos below the folders given, in this order, folders sorted.

    but: a folder whose photos are left out, being what was made of others. The name is the file's without suffix; of
    several photos of one name the later ones have "-2", "-3" behind it. UserError for a place that is not there, and
    for a folder without any photo.
    """
    found: dict[str, Path] = {}
    for path in (path for place in places for path in photos_at(place, but)):
        name, number = path.stem, 1
        while name in found:
            number += 1
            name = f"{path.stem}-{number}"
        found[name] = path
    return found


def photos_at(place: Path, but: Path | None = None) -> list[Path]:
    """A file as it is; all photos below a folder, sorted, hidden ones and those in the folder `but` left out."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UserError(f"{place}: no such file or folder, expected a photo or a folder of photos")
    below = sorted(path for path in place.rglob("*") if path.is_file() and path.suffix.lower() in SUFFIXES)
    photos = [path for path in below if not any(part.startswith(".") for part in path.relative_to(place).parts)]
    if but is not None:
        photos = [path for path in photos if not path.resolve().is_relative_to(but.resolve())]
    if not photos:
        raise UserError(f"{place}: no photo in this folder, expected files ending in {', '.join(SUFFIXES)}")
    return photos


def read_photo(path: Path) -> NDArray[np.uint8]:
    """A photo as it is looked at, uint8 [H, W, 3]: turned as its EXIF orientation says, grey as RGB, on white where it
    is transparent. UserError for a file that is no whole picture, one of 32-bit values, or a dangerously large one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of many pixels, of EXIF in disorder: what keeps it from being read raises
            with Image.open(path) as opened:
                check_values(path, opened)
                upright = ImageOps.exif_transpose(opened)
                return np.array(rgb(upright))
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(
            f"{path}: found more than {LARGEST / 1e6:.0f} megapixels, expected fewer; make the picture smaller"
        ) from None
    except Exception as error:  # Pillow raises whatever a broken file makes its parsers stumble over
        raise unreadable(path, error) from None


def photo_size(path: Path) -> tuple[int, int]:
    """Height and width of a photo as it is looked at, from its header; raises as read_photo does."""
    try:
        with Image.open(path) as opened:
            turned = opened.getexif().get(ExifTags.Base.Orientation, 1) in SIDEWAYS
            return (opened.width, opened.height) if turned else (opened.height, opened.width)
    except Exception as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> UserError:
    """The error of a file that Pillow does not read."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{path}: cannot be read as a picture ({reason}); expected a whole image file")


def check_values(path: Path, picture: Image.Image) -> None:
    """Raise UserError for 32-bit values: nothing tells which of them are black and white."""
    if picture.mode == "F" or (picture.mode == "I" and picture.format not in OF_SIXTEEN_BITS):
        kind = "floating-point numbers" if picture.mode == "F" else "integers"
        raise UserError(f"{path}: found 32-bit {kind}, expected 8 or 16 bits per channel; save it with those")


def rgb(picture: Image.Image) -> Image.Image:
    """A picture of any mode as RGB."""
    if picture.mode in SIXTEEN_BITS:  # Pillow's conversion would clip all but the darkest 256 values
        picture = Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        behind = Image.new("RGBA", picture.size, (*BEHIND, 255))
        return Image.alpha_composite(behind, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")
