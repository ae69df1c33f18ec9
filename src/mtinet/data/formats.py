"""Reading and writing the kinds of files that archives hold; every error names the file and what is wrong."""

from __future__ import annotations

import contextlib
import io
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import io as matlab

from mtinet import files
from mtinet.errors import UserError

# numpy parses the header of a .npy file with Python's own parser, which in CPython 3.11 fails now and
# then when threads share it ("AST constructor recursion depth mismatch"). Content is read outside the lock.
HEADER = threading.Lock()
MOST_PIXELS = 1 << 26  # of a picture or array: a tampered header could ask for all memory
BITS = 8  # of every sample in the pictures that are read
PNG = b"\x89PNG\r\n\x1a\n"  # its header's chunk follows: length, name, width, height, bits
LARGEST = 1 << 28  # bytes of a .mat file: scipy unpacks all of it
LONGEST_ID = 250  # bytes: with a suffix no file system takes more


class Missing(UserError):
    """A file that is not there."""


def read_ids(path: Path) -> list[str]:
    """The ids of a split, one per line, in the file's order; UserError for a bad list."""
    ids = ids_in(path)
    odd = [name for name, times in Counter(ids).items() if times > 1 or not names_a_file(name)]
    expect(bool(ids), path, "nothing", "the ids of the split, one per line")
    expect(not odd, path, f"{[name[:40] for name in odd[:3]]} twice or not a file name", "the ids, each once")
    return ids


def ids_in(path: Path) -> list[str]:
    """What stands in the list of a split, line by line, whether ids or not; UserError where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # of photos, which may have spaces in their names
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read it ({error}); expected the ids of the split, one per line") from None
    return [line.strip() for line in lines if line.strip()]


def names_a_file(image_id: str) -> bool:
    """Whether an id can be the name of a file in a folder."""
    return Path(image_id).name == image_id and len(image_id.encode()) <= LONGEST_ID and "\0" not in image_id


def stored_size(path: Path) -> tuple[int, int] | None:
    """Height and width of what a picture or a .npy file holds; None for an array that is none."""
    return array_size(read_array(path)) if path.suffix == ".npy" else picture_size(path)


def array_size(array: NDArray[Any]) -> tuple[int, int] | None:
    """Height and width of an array [H, W] or [H, W, channels]; None for another."""
    return (array.shape[0], array.shape[1]) if array.ndim in (2, 3) else None


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture file, from its header."""
    try:
        with Image.open(path) as picture:
            size = picture.height, picture.width
    except FileNotFoundError:
        raise missing(path) from None
    except Exception as error:  # Pillow raises whatever a broken file makes its parsers stumble over
        raise UserError(f"{path}: not a readable picture ({said(error)}); put the right file there") from None
    expect(size[0] * size[1] <= MOST_PIXELS, path, f"{size[0]}x{size[1]} pixels", f"at most {MOST_PIXELS}")
    return size


def read_picture(path: Path, mode: str) -> NDArray[np.uint8]:
    """Pixels of a picture file: mode RGB -> [H, W, 3]; mode L -> [H, W], also of a palette's indices."""
    picture_size(path)
    try:
        # Pillow reads colours of 16 bits as if they had 8, and only says so of grey ones.
        depth = png_depth(path)
        with Image.open(path) as picture:
            found = f"{mode} with {depth} bits" if picture.mode == mode and depth > BITS else picture.mode
            pixels = np.array(picture)
    except Exception as error:
        raise UserError(f"{path}: broken picture ({said(error)}); put the right file there") from None
    fine = found == mode or (mode, found) == ("L", "P")
    expect(fine, path, f"mode {found}", f"an 8-bit picture of mode {mode}")
    return pixels


def read_grey_16(path: Path) -> NDArray[np.uint16]:
    """Pixels [H, W] of a grey PNG with 16 bits."""
    picture_size(path)
    try:
        depth = png_depth(path)
        with Image.open(path) as picture:
            pixels = np.array(picture)
            found = f"mode {picture.mode} with {depth} bits"
    except Exception as error:
        raise UserError(f"{path}: broken picture ({said(error)}); put the right file there") from None
    expect(depth == 2 * BITS and pixels.ndim == 2, path, found, "a grey PNG of 16 bits")
    return pixels.astype(np.uint16)


def png_depth(path: Path) -> int:
    """Bits per sample that a PNG's header declares; those of other pictures are 8."""
    with path.open("rb") as stream:
        header = stream.read(25)
    return header[24] if header.startswith(PNG) and len(header) == 25 else BITS


def read_array(path: Path) -> NDArray[Any]:
    """A .npy file's array, without a trailing dimension of one; pickled objects are refused."""
    try:
        with HEADER:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise missing(path) from None
    except Exception as error:  # numpy parses the header with Python's parser, which has exceptions of its own
        raise UserError(f"{path}: not a readable .npy file ({said(error)}); put the right file there") from None
    expect(isinstance(mapped, np.ndarray), path, "an archive of arrays", "one array")
    expect(mapped.size <= 3 * MOST_PIXELS, path, f"{mapped.size} values", f"at most {3 * MOST_PIXELS}")
    stored: NDArray[Any] = np.array(mapped)
    return stored[..., 0] if stored.ndim == 3 and stored.shape[2] == 1 else stored


def read_mat(path: Path, key: str) -> NDArray[Any]:
    """The variable `key` of a .mat file (format 5, as MATLAB writes it by default)."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            content = matlab.loadmat(stream) if size <= LARGEST else {}
    except FileNotFoundError:
        raise missing(path) from None
    except Exception as error:  # scipy raises whatever a broken file makes its parser stumble over
        raise UserError(f"{path}: not a readable .mat file ({said(error)}); put the right file there") from None
    expect(size <= LARGEST, path, f"{size} bytes", f"at most {LARGEST}")
    keys = [name for name in content if not name.startswith("__")]
    expect(key in keys, path, f"the keys {', '.join(keys) or 'none'}", f"the key {key}")
    variable: NDArray[Any] = content[key]
    return variable


def expect(fine: bool, path: Path, found: str, expected: str) -> None:
    """Raise the UserError of a file with wrong content."""
    if not fine:
        raise UserError(f"{path}: found {found}, expected {expected}; put the right file there")


def said(error: Exception) -> str:
    """What a library says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def missing(path: Path) -> Missing:
    """The error of a file that is not there."""
    return Missing(f"{path}: no such file, though a split lists '{path.stem}'; put it there")


# Writing ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content takes the place of `path` when it is complete."""
    with files.replacing(path) as temporary, temporary.open("wb") as stream:
        yield stream


def write_mat(path: Path, key: str, value: NDArray[Any]) -> None:
    """A compressed .mat file with the one variable `key`; the same bytes for the same value."""
    buffer = io.BytesIO()
    matlab.savemat(buffer, {key: value}, do_compression=True)
    # scipy puts the time into the descriptive text, the first 116 bytes of the header.
    content = b"MATLAB 5.0 MAT-file".ljust(116) + buffer.getvalue()[116:]
    with writing(path) as stream:
        stream.write(content)


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """A lossless PNG of 8 bits: [H, W] or [H, W, 3]."""
    with writing(path) as stream:
        Image.fromarray(pixels).save(stream, "PNG")


def write_jpeg(path: Path, image: NDArray[np.uint8]) -> None:
    """A JPEG of high quality, colours not subsampled."""
    with writing(path) as stream:
        Image.fromarray(image).save(stream, "JPEG", quality=95, subsampling=0)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """A .npy file."""
    with writing(path) as stream:
        np.save(stream, array)
