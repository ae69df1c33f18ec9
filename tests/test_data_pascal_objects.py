"""Odd values in PASCAL-Part's .mat files: read where they mean something, else one line that names the file."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from mtinet.data import pascal
from mtinet.errors import UserError

SHAPE = (6, 8)
MASK = np.eye(*SHAPE, dtype=np.uint8)
ODD = st.one_of(
    st.floats(),
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.complex_numbers(),
    st.text(st.characters(codec="latin-1", exclude_categories=("C",)), max_size=4),
    st.lists(st.floats(), max_size=3).map(np.array),
    st.just({"a": 1.0}),
)


def read(class_ind: Any, mask: Any = MASK) -> np.ndarray | str:
    """The parts of one object with a head, or the UserError's message without the file's path."""
    part = {"part_name": "head", "mask": mask}
    thing = {"class": "person", "class_ind": class_ind, "mask": MASK, "parts": part}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "2008_000001.mat"
        savemat(path, {"anno": {"imname": path.stem, "objects": thing}})
        try:
            return pascal.read_parts(path, SHAPE)
        except UserError as error:
            message = str(error)
    assert message.startswith(f"{path}: found ")
    return message.removeprefix(str(path))


def is_whole(value: Any) -> bool:
    """Whether a value is the number of a class, beyond VOC's too."""
    return isinstance(value, bool | int | float) and math.isfinite(value) and float(value).is_integer()


@settings(max_examples=60, deadline=None)
@given(ODD)
@example(math.inf)
@example(-math.inf)
@example(math.nan)
@example(15.5)
@example("15")
@example(1e300)
def test_odd_classes_are_read_or_refused_in_one_line(value: Any) -> None:
    found = read(value)
    if is_whole(value):
        expected = np.where(MASK == 1, pascal.PART_LABELS["head"], 0) if value == 15 else np.full(SHAPE, 255)
        np.testing.assert_array_equal(found, expected)
    elif not (isinstance(value, np.ndarray) and value.size == 1 and is_whole(value.item())):
        assert isinstance(found, str), value
        assert "\n" not in found


@pytest.mark.parametrize("value", [math.inf, math.nan, 15.5, "15"])
def test_what_was_found_is_said(value: Any) -> None:
    found = read(value)
    assert isinstance(found, str)
    assert "PASCAL-Part's fields (" in found
    assert found.endswith("put the right file there")


@settings(max_examples=30, deadline=None)
@given(ODD)
@example(np.array([[MASK]], dtype=object))
def test_odd_masks_are_refused_in_one_line(value: Any) -> None:
    found = read(15, mask=value)
    assert isinstance(found, str), value
    assert "\n" not in found
