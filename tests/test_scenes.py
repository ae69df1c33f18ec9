"""Rendered scenes: determinism, ranges, geometry against formulas that share no code with the renderer."""

from __future__ import annotations

import colorsys
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from mtinet.data.scenes import Frame, render
from mtinet.data.scenes.camera import Camera, intrinsics, looking
from mtinet.data.scenes.classes import LABELS
from mtinet.data.scenes.contact_sheet import sheet
from mtinet.data.scenes.geometry import Assembly, Sketch, placed, solids
from mtinet.data.scenes.labels import edges
from mtinet.data.scenes.layout import Light
from mtinet.data.scenes.materials import PATTERNS, STUFF, Material, albedo, look, made_of
from mtinet.data.scenes.rendering import capture, generators
from mtinet.data.scenes.tracing import Tracer

SMALL = (60, 80)
COUNT = 60


@cache
def frames() -> tuple[Frame, ...]:
    """Small frames for statistics."""
    return tuple(render(3, index, *SMALL) for index in range(COUNT))


def same(first: Frame, second: Frame) -> bool:
    """Whether two frames are equal to the bit."""
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in Frame.__dataclass_fields__)


def test_deterministic() -> None:
    assert same(render(0, 4, 48, 64), render(0, 4, 48, 64))


def test_same_bytes_in_another_process_with_another_hash_seed() -> None:
    script = (
        "import hashlib; from mtinet.data.scenes import render; f = render(0, 4, 48, 64);"
        "print(hashlib.sha256(b''.join(a.tobytes() for a in vars(f).values())).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop().strip()) == 64


def test_images_are_independent_of_those_rendered_before() -> None:
    alone = frames()[5]
    render(3, 77, *SMALL)
    assert same(render(3, 5, *SMALL), alone)


def test_seeds_and_indices_give_different_images() -> None:
    images = [render(seed, index, 24, 32).image for seed in (0, 1) for index in (0, 1)]
    for i, first in enumerate(images):
        assert all(not np.array_equal(first, second) for second in images[i + 1 :])


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 640), (33, 57), (101, 64), (8, 8)])
def test_shapes_types_and_ranges(height: int, width: int) -> None:
    frame = render(1, 2, height, width)
    assert frame.image.shape == (height, width, 3)
    assert frame.image.dtype == np.uint8
    assert frame.segmentation.shape == (height, width)
    assert frame.segmentation.dtype == np.uint8
    assert frame.segmentation.max() <= 40
    assert frame.depth.shape == (height, width)
    assert frame.depth.dtype == np.float32
    assert np.isfinite(frame.depth).all()
    measured = frame.depth[frame.depth > 0]
    assert measured.min() >= 0.5
    assert measured.max() <= 9.9
    assert frame.normals.shape == (height, width, 3)
    assert frame.normals.dtype == np.float32
    length = np.linalg.norm(frame.normals.astype(np.float64), axis=2)
    assert np.all((np.abs(length - 1) < 1e-5) | (length == 0))
    assert frame.edge.shape == (height, width)
    assert frame.edge.dtype == np.uint8
    assert set(np.unique(frame.edge)) <= {0, 1}


@pytest.mark.parametrize("arguments", [(-1, 0, 48, 64), (0, -1, 48, 64), (0, 0, 4, 64)])
def test_nonsense_is_refused(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="seed, index >= 0 and sides >= 8"):
        render(*arguments)


def test_the_size_changes_the_sampling_and_not_the_scene() -> None:
    """The same room from the same place: coarse depth agrees with the fine one at the same ray."""
    coarse, fine = render(3, 3, 60, 80), render(3, 3, 180, 240)
    middle = fine.depth[1::3, 1::3]  # pixel (v, u) of the coarse image has its centre at (3v + 1, 3u + 1)
    both = (coarse.depth > 0) & (middle > 0)
    assert both.mean() > 0.7
    np.testing.assert_allclose(coarse.depth[both], middle[both], rtol=1e-6)


def camera_of(position: tuple[float, float, float], yaw: float, pitch: float, roll: float) -> Camera:
    return looking(np.array(position), yaw, pitch, roll)


def bare(solid: Sketch) -> Tracer:
    assembly = Assembly()
    assembly.add(solid, placed(0.0, 0.0, 0.0, 0.0))
    return Tracer(assembly.mesh())


def test_a_wall_in_front_has_constant_depth_and_faces_the_viewer() -> None:
    wall = Sketch("wall").box((2.5, 3.0), (-20.0, 20.0), (-20.0, 20.0), Material("plain", (1, 1, 1), (1, 1, 1)))
    frame = shot(bare(wall), camera_of((0.0, 0.0, 1.5), 0.0, 0.0, 0.0))
    measured = frame.depth > 0
    assert measured.mean() > 0.6
    np.testing.assert_allclose(frame.depth[measured], 2.5, rtol=1e-6)
    np.testing.assert_allclose(frame.normals.reshape(-1, 3), np.tile([0.0, 0.0, 1.0], (60 * 80, 1)), atol=1e-6)
    assert set(np.unique(frame.segmentation)) == {LABELS["wall"]}
    assert not frame.edge.any()


def shot(tracer: Tracer, camera: Camera) -> Frame:
    lights = [Light(camera.position + np.array([0.0, 0.0, 0.5]), np.ones(3))]
    return capture(tracer, camera, lights, SMALL, *generators(0, 0)[2:])


@pytest.mark.parametrize("pitch", [-0.2, -0.6])
@pytest.mark.parametrize("roll", [0.0, 0.1])
def test_the_floor_follows_the_formula(pitch: float, roll: float) -> None:
    """A camera `high` above a plane: depth and normal in closed form, written out by hand per pixel."""
    high = 1.4
    floor = Sketch("floor").box((-90.0, 90.0), (-90.0, 90.0), (-1.0, 0.0), Material("plain", (1, 1, 1), (1, 1, 1)))
    frame = shot(bare(floor), camera_of((0.3, -0.2, high), 0.7, pitch, roll))
    # The floor's normal seen by a camera pitched by p and rolled by r: (sin r cos p, cos r cos p, -sin p).
    normal = np.array([np.sin(roll) * np.cos(pitch), np.cos(roll) * np.cos(pitch), -np.sin(pitch)])
    focal_x, focal_y = 518.86 / 8, 519.47 / 8
    centre_x, centre_y = (325.58 + 0.5) / 8 - 0.5, (253.74 + 0.5) / 8 - 0.5
    checked = 0
    for v in range(SMALL[0]):
        for u in range(SMALL[1]):
            fall = -(normal @ [(u - centre_x) / focal_x, (centre_y - v) / focal_y, -1.0])
            if fall <= 0.02:
                continue
            np.testing.assert_allclose(frame.normals[v, u], normal, atol=1e-6)
            if frame.depth[v, u] > 0:
                assert frame.depth[v, u] == pytest.approx(high / fall, rel=1e-5)
                checked += 1
    assert checked > 1000


def test_a_ball_has_the_depth_of_a_sphere() -> None:
    ball = Sketch("lamp").solid("ball", (2.0, 2.0, 2.0), (5.0, 0.0, 0.0), Material("plain", (1, 1, 1), (1, 1, 1)))
    frame = shot(bare(ball), camera_of((0.0, 0.0, 1.0), 0.0, 0.0, 0.0))
    centre_x, centre_y = round((325.58 + 0.5) / 8 - 0.5), round((253.74 + 0.5) / 8 - 0.5)
    near = frame.depth[centre_y - 3 : centre_y + 4, centre_x - 3 : centre_x + 4]
    assert near[near > 0] == pytest.approx(4.0, abs=0.07)
    outside = ~frame.normals.any(axis=2)
    assert outside.mean() == pytest.approx(1 - np.pi * (64.9 / np.sqrt(24)) ** 2 / 4800, abs=0.02)
    assert not frame.depth[outside].any()
    assert not frame.segmentation[outside].any()


def test_round_things_are_shaded_by_their_true_normals() -> None:
    """Smooth normals of an ellipsoid and of a cylinder in closed form; a box keeps those of its faces."""
    paint = Material("plain", (1, 1, 1), (1, 1, 1))
    axes = np.array([2.0, 1.0, 1.5])
    for solid, size in (("ball", axes), ("cylinder", np.array([2.0, 1.0, 9.0])), ("box", axes)):
        tracer = bare(Sketch("lamp").solid(solid, tuple(size), (5.0, 0.0, -size[2] / 2), paint))
        rays = np.random.default_rng(0).uniform([1.0, -0.08, -0.12], [1.0, 0.08, 0.12], (500, 3))
        hits = tracer.cast(np.zeros(3), rays)
        assert (hits.face >= 0).mean() > 0.5
        found = tracer.smooth_normals(hits)[hits.face >= 0]
        gradient = (hits.points[hits.face >= 0] - [5.0, 0.0, 0.0]) / size**2
        gradient[:, 2] *= solid == "ball"
        true = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
        if solid == "box":
            true = hits.normals[hits.face >= 0]
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
        assert np.degrees(np.arccos(np.clip((found * true).sum(axis=1), -1, 1))).max() < 8 * (solid != "box") + 1e-3


def test_normals_agree_with_those_of_the_depth() -> None:
    """Cross products of back-projected neighbours, on pixels whose neighbourhood is smooth."""
    height, width = 240, 320
    fx, fy, cx, cy = 518.86 / 2, 519.47 / 2, (325.58 + 0.5) / 2 - 0.5, (253.74 + 0.5) / 2 - 0.5
    x, y = np.meshgrid((np.arange(width) - cx) / fx, (cy - np.arange(height)) / fy)
    for index in range(3):
        frame = render(9, index, height, width)
        z = frame.depth.astype(np.float64)
        points = np.stack([x * z, y * z, -z], axis=2)
        right, up = points[1:-1, 2:] - points[1:-1, :-2], points[:-2, 1:-1] - points[2:, 1:-1]
        found = np.cross(right, up)
        found /= np.maximum(np.linalg.norm(found, axis=2, keepdims=True), 1e-12)
        window = np.stack([z[1:-1, 2:], z[1:-1, :-2], z[:-2, 1:-1], z[2:, 1:-1], z[1:-1, 1:-1]])
        normals = frame.normals[1:-1, 1:-1].astype(np.float64)
        flat = np.stack([frame.normals[1:-1, 2:], frame.normals[1:-1, :-2], frame.normals[:-2, 1:-1]])
        smooth = (window.min(axis=0) > 0) & (np.ptp(window, axis=0) < 0.1) & ((flat * normals).sum(3) > 0.999).all(0)
        inverse = 1 / np.maximum(window, 0.1)  # linear on a plane: a step of a drawer's or book's thickness is a kink
        kinks = np.abs([inverse[0] + inverse[1] - 2 * inverse[4], inverse[2] + inverse[3] - 2 * inverse[4]])
        smooth &= (kinks * window[4] < 2e-3).all(axis=0)
        assert smooth.mean() > 0.4
        angles = np.degrees(np.arccos(np.clip((found * normals).sum(axis=2)[smooth], -1, 1)))
        assert np.median(angles) < 0.5
        assert np.quantile(angles, 0.95) < 2.0


def test_normals_point_to_the_camera() -> None:
    for frame in frames()[:20]:
        fx, fy, cx, cy = intrinsics(*SMALL)
        x, y = np.meshgrid((np.arange(SMALL[1]) - cx) / fx, (cy - np.arange(SMALL[0])) / fy)
        ray = np.stack([x, y, -np.ones_like(x)], axis=2)
        assert ((frame.normals * ray).sum(axis=2) <= 1e-6).all()


def test_edges_by_hand() -> None:
    instances = np.array([[4, 4, 7], [4, 4, 7], [2, 2, 2]])
    assert edges(instances).tolist() == [[0, 1, 0], [1, 1, 1], [0, 0, 0]]


def test_edges_against_a_loop() -> None:
    instances = np.random.default_rng(0).integers(-1, 3, (13, 17))
    expected = np.zeros((13, 17), int)
    for v in range(13):
        for u in range(17):
            right = u + 1 < 17 and instances[v, u] != instances[v, u + 1]
            below = v + 1 < 13 and instances[v, u] != instances[v + 1, u]
            expected[v, u] = right or below
    assert np.array_equal(edges(instances), expected)


def test_every_label_boundary_is_an_edge() -> None:
    boundaries = 0
    for frame in frames():
        labels, edge = frame.segmentation, frame.edge
        across = (labels[:, :-1] != labels[:, 1:]) & (labels[:, :-1] > 0) & (labels[:, 1:] > 0)
        down = (labels[:-1] != labels[1:]) & (labels[:-1] > 0) & (labels[1:] > 0)
        assert edge[:, :-1][across].all()
        assert edge[:-1][down].all()
        boundaries += across.sum() + down.sum()
        assert 0.005 < edge.mean() < 0.35
    assert boundaries > 500


def test_many_classes_and_large_structures() -> None:
    present = np.zeros(41)
    for frame in frames():
        present += np.bincount(frame.segmentation.ravel(), minlength=41) > 0
    assert (present[1:] > 0).sum() >= 32
    for name in ("wall", "floor"):
        assert present[LABELS[name]] > 0.8 * COUNT
    for name in ("chair", "table", "cabinet", "window", "door", "bookshelf", "bed", "sofa"):
        assert present[LABELS[name]] >= 3, name


def test_unlabelled_pixels_and_holes_are_some_and_not_most() -> None:
    unlabelled = np.mean([(frame.segmentation == 0).mean() for frame in frames()])
    holes = np.mean([(frame.depth == 0).mean() for frame in frames()])
    assert 0.05 < unlabelled < 0.3
    assert 0.05 < holes < 0.35


def test_depths_are_those_of_rooms() -> None:
    medians = [np.median(frame.depth[frame.depth > 0]) for frame in frames()]
    assert 2.0 < np.median(medians) < 3.5
    assert np.std(medians) > 0.4
    assert max(frame.depth.max() for frame in frames()) > 6


def test_images_are_exposed() -> None:
    for frame in frames():
        assert 45 < frame.image.mean() < 220
        assert frame.image.std() > 12


def test_position_does_not_give_the_depth_away() -> None:
    """The spread between images at a pixel is of the order of the spread within images."""
    depths = np.stack([np.where(frame.depth > 0, frame.depth, np.nan)[1:-1, 1:-1] for frame in frames()])
    centred = depths - np.nanmean(depths, axis=0)
    assert np.sqrt(np.nanmean(centred**2)) > 0.75


def test_shadow_band_lies_where_the_projector_does_not_reach() -> None:
    """A post hides a band of the wall behind it from the projector at the right: a band on its left."""
    paint = Material("plain", (1, 1, 1), (1, 1, 1))
    scene = Sketch("wall").box((8.0, 8.2), (-9.0, 9.0), (-9.0, 9.0), paint)
    scene.instance("box").box((0.8, 0.85), (-0.15, 0.15), (-9.0, 9.0), paint)
    frame = shot(bare(scene), camera_of((0.0, 0.0, 1.5), 0.0, 0.0, 0.0))
    fx, cx = 518.86 / 8, (325.58 + 0.5) / 8 - 0.5
    post = fx * 0.15 / 0.8  # half its width in pixels; its edge is at x = -0.15 m, 0.8 m away
    shadow = -(0.075 + (-0.15 - 0.075) * (8.0 / 0.8))  # x of the shadow's end on the wall, metres to the left
    end = fx * shadow / 8.0
    band = frame.depth[:, int(np.ceil(cx - end)) + 1 : int(cx - post) - 1]
    mirrored = frame.depth[:, int(cx + post) + 3 : int(cx + post) + 3 + band.shape[1]]
    assert band.shape[1] >= 2
    assert not band.any()
    assert (mirrored > 0).mean() > 0.6


def test_visibility_is_symmetric_and_right() -> None:
    screen = Sketch("wall").box((1.0, 1.1), (-1.0, 1.0), (0.0, 2.0), Material("plain", (1, 1, 1), (1, 1, 1)))
    tracer = bare(screen)
    here, there = np.array([[0.0, 0.0, 1.0], [0.0, 3.0, 1.0]]), np.array([[2.0, 0.0, 1.0], [2.0, 3.0, 1.0]])
    assert tracer.visible(here, there).tolist() == [False, True]
    assert tracer.visible(there, here).tolist() == [False, True]


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_patterns_stay_between_their_colours(name: str) -> None:
    rng = np.random.default_rng(0)
    material = Material(name, (0.9, 0.5, 0.2), (0.1, 0.1, 0.1), period=0.3)
    uv, far = rng.uniform(-5, 5, (2000, 2)).astype(np.float32), rng.uniform(0, 0.2, 2000).astype(np.float32)
    colours = albedo([material], np.zeros(2000, np.int64), uv, far)
    assert colours.dtype == np.float32
    assert np.all(colours <= np.array([0.9, 0.5, 0.2]) + 1e-5)
    assert np.all(colours >= 0.1 - 1e-5)
    assert colours.std() > 0.005


@pytest.mark.parametrize("stuff", sorted(STUFF))
def test_materials_keep_to_the_looks_of_their_stuff(stuff: str) -> None:
    """Every hue, saturation and value is one that some look allows."""
    rng = np.random.default_rng(0)
    patterns = {pattern for one in STUFF[stuff] for pattern in one.patterns}
    for _ in range(60):
        made = made_of(stuff, rng)
        hue, saturation, value = colorsys.rgb_to_hsv(*made.light)
        assert made.pattern in patterns
        assert any(
            one.value[0] - 1e-9 <= value <= one.value[1] + 1e-9
            and one.saturation[0] - 1e-9 <= saturation <= one.saturation[1] + 1e-9
            and (one.hue[0] - 1e-9 <= hue <= one.hue[1] + 1e-9 or saturation < 1e-9)
            for one in STUFF[stuff]
        )


def test_looks_are_drawn_by_their_weights() -> None:
    """Of furniture, wood is seen as often as its weight says, beyond patterns that other looks share."""
    looks = STUFF["ceramic"]
    rng = np.random.default_rng(0)
    white = np.mean([look("ceramic", rng)[0] is looks[0] for _ in range(2000)])
    assert white == pytest.approx(looks[0].weight / sum(one.weight for one in looks), abs=0.03)


def test_unit_solids_are_closed_where_they_should_be() -> None:
    """Volumes by the divergence theorem; a sheet of cloth has none."""
    volumes = {"box": 1.0, "cylinder": np.pi / 4, "ball": np.pi / 6, "wedge": 0.5}
    for name, expected in volumes.items():
        corners = solids()[name].vertices[solids()[name].faces]
        volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
        assert volume == pytest.approx(expected, rel=0.06), name


def test_contact_sheet() -> None:
    drawn = sheet(0, 2, 24, 32)
    assert drawn.shape == (48, 160, 3)
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn[:24, :32], render(0, 0, 24, 32).image)


def test_every_picture_has_depth() -> None:
    """Picture 66 of seed 0 is the one whose best view has a garment between the projector and everything in view."""
    frame = render(0, 66, 48, 64)
    assert np.mean(frame.depth > 0) > 0.4
