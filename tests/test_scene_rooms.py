"""Furnished rooms: every object is sound, nothing collides, built-in things match, lamps shed light."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mtinet.data.scenes import CLASSES
from mtinet.data.scenes.catalogue import CATALOGUE, build, piece
from mtinet.data.scenes.geometry import Assembly, Sketch, placed
from mtinet.data.scenes.layout import Room
from mtinet.data.scenes.rooms import ROOMS, furnished
from mtinet.data.scenes.tracing import Tracer


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_piece_is_sound(name: str) -> None:
    """Parts above the ground, back edge near the wall, sizes of real things, labels known."""
    for seed in range(4):
        sketch = build(name, np.random.default_rng(seed))
        low, high = sketch.bounds()
        assert np.all(high - low < [3.4, 2.4, 2.6])
        assert np.all(high - low > 0.003)
        assert {part.instance for part in sketch.parts} <= set(range(len(sketch.labels)))
        assert set(sketch.labels) <= set(CLASSES)
        for support in sketch.supports:
            assert support.z <= high[2] + 0.01
        assembly = Assembly()
        assembly.add(sketch, placed(0.0, 0.0, 0.0, 0.0))
        corners = assembly.mesh().corners.reshape(-1, 3)
        assert np.all(corners >= low - 1e-9)
        assert np.all(corners <= high + 1e-9)


def test_pieces_are_registered_once() -> None:
    with pytest.raises(ValueError, match="two builders are called 'bed'"):
        piece(CATALOGUE["bed"])
    with pytest.raises(KeyError):
        Sketch("bed").instance("spaceship")


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_furniture_does_not_collide(name: str) -> None:
    """Everything stands within the room, and no two things but chairs in the same place."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        _, width, depth, furnish = ROOMS[name]
        room = Room(width[1], depth[1], 2.6, rng)
        furnish(room)
        assert len(room.things) >= 4
        standing = [thing for thing in room.things if thing.low < 0.05 and thing.footprint in room.floor]
        solid = [thing for thing in standing if thing.sketch.label != "chair"]  # chairs go under tables
        for number, first in enumerate(solid):
            x0, y0, x1, y1 = first.footprint
            assert x0 > -0.05
            assert y0 > -0.05
            assert x1 < room.width + 0.05
            assert y1 < room.depth + 0.05
            for second in solid[number + 1 :]:
                u0, v0, u1, v1 = second.footprint
                inside = min(x1, u1) - max(x0, u0), min(y1, v1) - max(y0, v0)
                assert min(inside) < 0.02, (first.name, second.name)


def test_rooms_are_closed() -> None:
    """From inside a room every ray hits something."""
    room = furnished(np.random.default_rng(5))
    tracer = Tracer(room.assemble().mesh())
    rays = np.random.default_rng(0).standard_normal((4000, 3))
    hits = tracer.cast(np.array([room.width / 2, room.depth / 2, room.height - 0.45]), rays)
    assert (hits.face >= 0).all()
    assert hits.points[:, 2].min() > -1e-6
    assert hits.points[:, 2].max() < room.height + 1e-6


def test_rows_match_and_stand_side_by_side() -> None:
    """Counters of a row share wood, handles and top; nothing overlaps, and chairs of a table are alike."""
    for seed in range(4):
        room = Room(6.0, 5.0, 2.6, np.random.default_rng(seed))
        row = room.row(["counter", "stove", "sink_counter"], 0)
        assert len(row) >= 2
        for left, right in itertools.pairwise(row):
            assert left.footprint[2] <= right.footprint[0] + 1e-9
        counters = [thing.sketch for thing in row if "counter" in thing.name]
        kinds = [list(dict.fromkeys(id(part.material) for part in sketch.parts))[:3] for sketch in counters]
        assert all(kind == kinds[0] for kind in kinds)
        table = room.stand("dining_table", 3.0, 3.0, 0.0)
        assert table is not None
        room.around(table, "chair", 1.0)
        chairs = [thing for thing in room.things if thing.name == "chair"]
        assert len(chairs) >= 2
        assert all(chair.sketch is chairs[0].sketch for chair in chairs)
        for chair in chairs:  # people sit towards +y, so the table lies ahead
            assert (table.centre - chair.centre)[:2] @ chair.place[:2, 1] > 0


def test_lit_lamps_shed_light() -> None:
    room = Room(4.0, 4.0, 2.6, np.random.default_rng(3))
    for _ in range(6):
        room.anywhere("floor_lamp")
    lit = [thing for thing in room.things if any(part.material.glow for part in thing.sketch.parts)]
    assert 0 < len(lit) < len(room.things)
    room.lamp_lights()
    assert len(room.lights) == len(lit)
    for light, thing in zip(room.lights, lit, strict=True):
        assert light.position[2] > thing.high
        assert np.allclose(light.position[:2], thing.centre[:2])
