"""The renderer of the PASCAL-like set: its pictures, their labels, and what they must not give away."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.random import default_rng
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from mtinet.data.scenes import annotation, saliency
from mtinet.data.scenes.composition import SETTINGS, SHARES, composed, subject
from mtinet.data.scenes.context_classes import CONTEXT, VOC
from mtinet.data.scenes.picture import Picture
from mtinet.data.scenes.picture_sheet import sheet
from mtinet.data.scenes.pictures import capture, render_picture

COUNT, LONGEST = 60, 120
SIX = {  # how the archive's reader merges the fine parts
    "head": ("head",),
    "torso": ("torso", "neck"),
    "upper arm": ("luarm", "ruarm"),
    "lower arm": ("llarm", "rlarm", "lhand", "rhand"),
    "upper leg": ("luleg", "ruleg"),
    "lower leg": ("llleg", "rlleg", "lfoot", "rfoot"),
}


@cache
def pictures() -> list[Picture]:
    return [render_picture(4, index, LONGEST) for index in range(COUNT)]


@cache
def asked_for(name: str, number: int) -> Picture:
    scene, tracer = composed(default_rng([number, VOC[name]]), name)
    return capture(scene, tracer, LONGEST, default_rng(number))


def digest(picture: Picture) -> str:
    """A hash of everything in a picture."""
    found = hashlib.sha256()
    for array in (picture.image, picture.label_map, picture.semseg, picture.normals, picture.depth, picture.salient):
        found.update(array.tobytes())
    for thing in picture.objects:
        found.update(f"{thing.category} {thing.name}".encode() + thing.mask.tobytes())
        for name, mask in thing.parts:
            found.update(name.encode() + mask.tobytes())
    return found.hexdigest()


def test_same_arguments_same_bytes() -> None:
    again = render_picture(4, 3, LONGEST)
    assert digest(again) == digest(pictures()[3])
    others = {digest(render_picture(seed, index, LONGEST)) for seed, index in ((5, 3), (4, 4))}
    assert digest(again) not in others
    assert len(others) == 2


def test_another_process_with_other_threads_renders_the_same_bytes() -> None:
    code = "from tests.test_pictures import digest, render_picture as render; print(digest(render(4, 3, 120)))"
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "7"}
    root = Path(__file__).resolve().parents[1]
    environment["PYTHONPATH"] = os.pathsep.join([str(root / "src"), environment.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == digest(pictures()[3]), done.stderr


def test_threads_of_opencv_change_nothing() -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1 if before != 1 else 3)
        assert digest(render_picture(4, 7, LONGEST)) == digest(pictures()[7])
    finally:
        cv2.setNumThreads(before)


def test_more_pictures_change_no_earlier_one_and_keep_the_shares() -> None:
    kinds = [subject(4, index) for index in range(400)]
    assert [subject(4, index) for index in range(100)] == kinds[:100]
    total = sum(SHARES.values())
    for start in (0, 60, 200):
        for name, share in SHARES.items():
            assert abs(kinds[start : start + 200].count(name) - 200 * share / total) < 3
    assert kinds != [subject(5, index) for index in range(400)]


def test_shapes_types_and_ranges() -> None:
    for picture in pictures():
        height, width = picture.semseg.shape
        assert max(height, width) == LONGEST
        for array, kind in ((picture.image, np.uint8), (picture.normals, np.float32)):
            assert array.shape == (height, width, 3)
            assert array.dtype == kind
        kinds = {"label_map": np.uint16, "semseg": np.uint8, "depth": np.float32, "salient": np.bool_}
        for name, kind in kinds.items():
            assert getattr(picture, name).shape == (height, width)
            assert getattr(picture, name).dtype == kind
        assert set(np.unique(picture.label_map)) <= set(CONTEXT.values())
        assert set(np.unique(picture.semseg)) <= {*range(21), 255}
        assert np.isfinite(picture.depth).all()
        assert picture.depth.min() >= 0
        for thing in picture.objects:
            assert thing.mask.shape == (height, width)
            assert thing.mask.dtype == np.bool_
            assert VOC[thing.name] == thing.category
            assert all(mask.dtype == np.bool_ and mask.any() for _, mask in thing.parts)


@pytest.mark.parametrize("arguments", [(-1, 0, 100), (0, -1, 100), (0, 0, 31)])
def test_nonsense_is_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="seed, index >= 0 and longest >= 32"):
        render_picture(*arguments)


def test_normals_are_unit_vectors_where_something_is() -> None:
    for picture in pictures():
        length = np.linalg.norm(picture.normals.astype(np.float64), axis=2)
        sky = picture.label_map == CONTEXT["sky"]
        assert np.allclose(length[~sky], 1, atol=1e-5)
        assert not length[sky].any()
        assert np.array_equal(picture.depth == 0, sky)


def test_normals_agree_with_those_of_the_depth_and_face_the_viewer() -> None:
    """Cross products of back-projected neighbours of one label whose depth and normals change little."""
    medians, checked = [], 0
    for number in range(20):
        scene, tracer = composed(default_rng([number, 99]))
        picture = capture(scene, tracer, 200, default_rng(number))
        shape = picture.depth.shape
        rays = scene.camera.directions((shape[0], shape[1])) @ scene.camera.rotation
        z = picture.depth.astype(np.float64)
        points = rays.reshape(*shape, 3) * z[..., None]
        found = np.cross(points[1:-1, 2:] - points[1:-1, :-2], points[:-2, 1:-1] - points[2:, 1:-1])
        found /= np.maximum(np.linalg.norm(found, axis=2, keepdims=True), 1e-12)
        window = np.stack([z[1:-1, 2:], z[1:-1, :-2], z[:-2, 1:-1], z[2:, 1:-1], z[1:-1, 1:-1]])
        normals = picture.normals.astype(np.float64)
        assert ((normals * rays.reshape(*shape, 3)).sum(axis=2) <= 1e-6).all()
        inner = normals[1:-1, 1:-1]
        around = (normals[1:-1, 2:], normals[1:-1, :-2], normals[:-2, 1:-1], normals[2:, 1:-1])
        alike = np.min([(side * inner).sum(axis=2) for side in around], axis=0) > 0.97
        smooth = (window.min(axis=0) > 0) & (np.ptp(window, axis=0) < 0.05 * window.min(axis=0)) & alike
        angles = np.degrees(np.arccos(np.clip((found * inner).sum(axis=2)[smooth], -1, 1)))
        round_things = np.isin(picture.label_map, [CONTEXT[name] for name in VOC])[1:-1, 1:-1][smooth]
        medians.append(np.median(angles))
        if round_things.sum() > 300:
            assert np.median(angles[round_things]) < 6
            checked += 1
    assert max(medians) < 4
    assert checked >= 5


def test_parts_lie_in_the_person_and_cover_it() -> None:
    seen, people_seen = set(), 0
    for picture in [*pictures(), *(asked_for("person", k) for k in range(8))]:
        for thing in picture.objects:
            union = np.zeros_like(thing.mask)
            for name, mask in thing.parts:
                assert not (mask & ~thing.mask).any(), name
                union |= mask
            if thing.name == "person":
                people_seen += 1
                seen |= {name for name, _ in thing.parts}
                assert np.array_equal(union, thing.mask)
                parts = dict(thing.parts)
                for inner in ("hair", "nose", "leye", "lear", "mouth"):
                    if inner in parts:
                        assert not (parts[inner] & ~parts["head"]).any()
                groups = [[parts[name] for name in names if name in parts] for names in SIX.values()]
                whole = [np.any(masks, axis=0) for masks in groups if masks]
                assert np.array_equal(np.sum(whole, axis=0), thing.mask)  # the six groups part the person
    assert people_seen > 20
    assert {name for names in SIX.values() for name in names} <= seen


def test_classes_agree_with_objects() -> None:
    for picture in pictures():
        covered = np.zeros(picture.semseg.shape, int)
        for thing in picture.objects:
            covered += thing.mask
            inside = picture.semseg[thing.mask]
            assert set(np.unique(inside)) <= {thing.category, 255}
        assert covered.max(initial=0) <= 1
        decided = (picture.semseg > 0) & (picture.semseg < 255)
        assert (covered[decided] == 1).all()
        assert (picture.semseg[covered == 0] % 255 == 0).all()


def test_classes_agree_with_the_label_map() -> None:
    names = {number: name for name, number in VOC.items()}
    of_voc = np.array([CONTEXT[name] for name in VOC])
    unnoticed = 0
    for picture in pictures():
        for number in set(np.unique(picture.semseg)) - {0, 255}:
            assert set(np.unique(picture.label_map[picture.semseg == number])) == {CONTEXT[names[number]]}
        unnoticed += (np.isin(picture.label_map, of_voc) & (picture.semseg == 0)).sum()
    assert unnoticed < 1e-3 * sum(picture.semseg.size for picture in pictures())


def test_the_ignored_band_is_five_pixels_of_five_hundred() -> None:
    instances = np.zeros((60, 500), np.int64)
    instances[:, 200:] = 1
    found = annotation.voc_classes(instances, np.array([0, 7], np.uint8), [1])
    assert (found[30] == 255).sum() == 5
    assert np.flatnonzero(found[30] == 255).mean() == pytest.approx(199.5, abs=1.0)
    assert (found[30, :195] == 0).all()
    assert (found[30, 205:] == 7).all()


def test_the_band_follows_every_border_of_an_object() -> None:
    """Pixels of the band lie within its half width of a border between objects, or of an object and the rest."""
    for picture in pictures()[:20]:
        owner = np.zeros(picture.semseg.shape, int)
        for number, thing in enumerate(picture.objects, start=1):
            owner[thing.mask] = number
        border = np.zeros(owner.shape, bool)
        border[:, :-1] |= owner[:, :-1] != owner[:, 1:]
        border[:-1] |= owner[:-1] != owner[1:]
        assert (picture.semseg[border] == 255).all()
        band = picture.semseg == 255
        if border.any():
            assert distance_transform_edt(~border)[band].max() <= 2


def test_sizes_vary_and_follow_the_longest_side() -> None:
    shapes = {picture.semseg.shape for picture in pictures()}
    assert len(shapes) >= 4
    assert any(height > width for height, width in shapes)
    assert sum(picture.semseg.shape[1] > picture.semseg.shape[0] for picture in pictures()) > COUNT / 2


def test_the_size_changes_the_sampling_and_not_the_scene() -> None:
    for index in (0, 5):
        fine = render_picture(4, index, 3 * LONGEST)
        middle = cv2.resize(fine.label_map, pictures()[index].label_map.shape[::-1], interpolation=cv2.INTER_NEAREST)
        assert (middle == pictures()[index].label_map).mean() > 0.9


def test_every_class_can_be_asked_for() -> None:
    assert set(SHARES) == set(SETTINGS) == set(VOC)
    for name, number in VOC.items():
        shares = [(asked_for(name, k).semseg == number).mean() for k in range(3)]
        masks = [sum(thing.mask.mean() for thing in asked_for(name, k).objects if thing.name == name) for k in range(3)]
        assert max(shares) > 0.015, name
        assert min(masks) > 0.005, name


def test_statistics_are_those_of_photographs() -> None:
    present = dict.fromkeys(VOC, 0)
    for picture in pictures():
        for name in {thing.name for thing in picture.objects}:
            present[name] += 1
    assert 0.25 * COUNT < present["person"] < 0.65 * COUNT
    assert sum(number > 0 for number in present.values()) >= 17
    background = np.mean([(picture.semseg == 0).mean() for picture in pictures()])
    assert 0.6 < background < 0.8
    several = np.mean([len(picture.objects) > 1 for picture in pictures()])
    assert 0.3 < several < 0.9
    assert min(len(picture.objects) for picture in pictures()) >= 1


def test_the_background_has_borders_of_its_own() -> None:
    kinds = [len(set(np.unique(p.label_map[p.semseg == 0])) - {CONTEXT[name] for name in VOC}) for p in pictures()]
    assert np.mean(kinds) > 3
    assert len({label for p in pictures() for label in np.unique(p.label_map)}) > 35


def test_images_are_exposed() -> None:
    for picture in pictures():
        assert 35 < picture.image.mean() < 225
        assert picture.image.std() > 8


def samples(labels: list[np.ndarray], images: list[np.ndarray], rng: np.random.Generator, each: int) -> tuple:
    """Colours and labels of up to `each` pixels per class and picture; label -1 is left out."""
    colours, classes, group = [], [], []
    for number, (label, image) in enumerate(zip(labels, images, strict=True)):
        for kind in set(np.unique(label)) - {-1}:
            pixels = image[label == kind]
            chosen = pixels[rng.permutation(len(pixels))[:each]]
            colours.append(chosen)
            classes.append(np.full(len(chosen), kind))
            group.append(np.full(len(chosen), number))
    return np.concatenate(colours).astype(float), np.concatenate(classes), np.concatenate(group)


def accuracy_by_colour(labels: list[np.ndarray], images: list[np.ndarray]) -> float:
    """Balanced accuracy of a nearest-neighbour classifier of single pixels on pictures it has not seen.

    Training draws as many pixels from every class, so that it cannot gain by guessing the frequent ones. Each third
    of the pictures is held out once: the mean over them, since one third's figure moves by a fifth with the draw.
    """
    rng = default_rng(0)
    colours, classes, group = samples(labels, images, rng, 40)
    least, found = 400, []
    for third in range(3):
        test = group % 3 == third
        kept = np.concatenate(
            [rng.choice(np.flatnonzero(~test & (classes == kind)), least) for kind in np.unique(classes[~test])]
        )
        model = KNeighborsClassifier(25).fit(colours[kept], classes[kept])
        found.append(balanced_accuracy_score(classes[test], model.predict(colours[test])))
    return float(np.mean(found))


def test_colour_does_not_give_the_class_away() -> None:
    """Chance is 1/21 = 0.048; a pixel's colour may not do better than twice that."""
    shown = [*pictures(), *(asked_for(name, k) for k in range(3) for name in VOC)]
    labels = [np.where(p.semseg == 255, -1, p.semseg.astype(int)) for p in shown]
    assert accuracy_by_colour(labels, [p.image for p in shown]) < 0.1


def test_colour_does_not_give_the_part_away() -> None:
    """Chance is 1/6 = 0.167; hands and faces share the skin, garments span parts: at most 0.27."""
    shown = [*pictures(), *(asked_for(name, k) for k in range(3) for name in VOC)]
    labels = []
    for picture in shown:
        label = np.full(picture.semseg.shape, -1)
        for thing in picture.objects:
            parts = dict(thing.parts)
            for number, names in enumerate(SIX.values()):
                for name in names:
                    if thing.name == "person" and name in parts:
                        label[parts[name]] = number
        labels.append(label)
    assert sum((label >= 0).any() for label in labels) > 30
    assert accuracy_by_colour(labels, [p.image for p in shown]) < 0.27


def test_colour_is_seen_by_the_classifier_where_it_tells() -> None:
    """The same classifier does find a class that has a colour of its own."""
    rng = default_rng(1)
    labels = [rng.integers(0, 3, (30, 30)) for _ in range(8)]
    images = [np.stack([60 * label + 50] * 3, axis=2) + rng.integers(0, 9, (30, 30, 3)) for label in labels]
    assert accuracy_by_colour(labels, images) > 0.95


def test_salient_is_what_is_large_central_and_contrasting() -> None:
    lab = np.full((100, 100, 3), 50.0, np.float32)

    def put(row: int, column: int, half: int, light: float) -> float:
        mask = np.zeros((100, 100), bool)
        mask[row - half : row + half, column - half : column + half] = True
        drawn = lab.copy()
        drawn[mask] += light
        return saliency.score(mask, drawn)

    assert put(50, 50, 14, 20) > put(50, 50, 8, 20) > put(50, 50, 4, 20) > 0
    assert put(50, 50, 12, 20) > put(50, 25, 12, 20) > put(20, 15, 12, 20)
    assert put(50, 50, 12, 20) > put(50, 50, 12, 5) > put(50, 50, 12, 0)
    assert put(50, 88, 10, 20) > put(50, 90, 10, 20) > 0  # the second touches the rim
    assert put(50, 88, 10, 20) - put(50, 90, 10, 20) > 2 * (put(50, 86, 10, 20) - put(50, 88, 10, 20))
    assert put(50, 50, 2, 20) == 0  # a speck


def test_salient_objects_are_one_or_several_and_of_no_class() -> None:
    yes = dict.fromkeys(VOC, 0)
    no = dict.fromkeys(VOC, 0)
    numbers = []
    shown = [*pictures(), *(asked_for(name, k) for k in range(3) for name in VOC)]
    for picture in shown:
        shares = [(thing.name, (picture.salient & thing.mask).sum() / thing.mask.sum()) for thing in picture.objects]
        for name, share in shares:
            assert share in (0.0, 1.0)  # whole things
            yes[name] += share == 1
            no[name] += share == 0
        numbers.append(sum(share == 1 for _, share in shares))
    assert sum(yes[name] > 0 for name in VOC) >= 18
    assert sum(yes[name] > 0 and no[name] > 0 for name in VOC) >= 12
    assert 0.15 < yes["person"] / (yes["person"] + no["person"]) < 0.85
    assert np.mean(np.array(numbers) == 1) > 0.25
    assert np.mean(np.array(numbers) > 1) > 0.1
    assert np.mean([picture.salient.any() for picture in shown]) > 0.85


def test_pictures_without_people_exist() -> None:
    without = [all(thing.name != "person" for thing in picture.objects) for picture in pictures()]
    assert 0.3 < np.mean(without) < 0.75


def test_contact_sheet() -> None:
    drawn = sheet(4, 0, 3, LONGEST, columns=2)
    assert drawn.shape == (2 * LONGEST, 2 * 6 * LONGEST, 3)
    height, width = pictures()[0].semseg.shape
    assert np.array_equal(drawn[:height, :width], pictures()[0].image)
