"""The register of everything that can stand, hang or lie in a room: one function per kind of object."""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from mtinet.data.scenes.geometry import Sketch

Builder = Callable[[Generator], Sketch]
CATALOGUE: dict[str, Builder] = {}


def piece(function: Builder) -> Builder:
    """Register a builder under its own name; it draws size, shape and materials from the generator."""
    name = function.__name__
    if name in CATALOGUE:
        raise ValueError(f"two builders are called '{name}'")
    CATALOGUE[name] = function
    return function


def build(name: str, rng: Generator) -> Sketch:
    """One object of the kind `name`; KeyError when there is none."""
    return CATALOGUE[name](rng)
