"""From a seed to a frame: furnish a room, choose a pose, cast rays, shade, and derive every label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from mtinet.data.scenes import labels, rooms, sensor, shading
from mtinet.data.scenes.camera import Camera, choose, intrinsics
from mtinet.data.scenes.layout import Light
from mtinet.data.scenes.tracing import Tracer


@dataclass(frozen=True)
class Frame:
    """One rendered image with all its labels, H x W pixels.

    image         uint8 [H, W, 3], RGB
    segmentation  uint8 [H, W], 0 = unlabelled, k in 1..40 = CLASSES[k - 1]
    depth         float32 [H, W], metres along the optical axis, 0 = missing (as a Kinect misses it)
    normals       float32 [H, W, 3], unit vectors in camera coordinates pointing to the camera: x right, y up,
                  z towards the viewer (a wall facing the camera has (0, 0, 1)); (0, 0, 0) where nothing is
    edge          uint8 [H, W] in {0, 1}: 1 where the right or lower neighbour is of another instance
    """

    image: NDArray[np.uint8]
    segmentation: NDArray[np.uint8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    edge: NDArray[np.uint8]


def generators(seed: int, index: int) -> tuple[Generator, ...]:
    """Independent generators of layout, pose, light, photograph, labels and depth of one image."""
    return tuple(default_rng(child) for child in SeedSequence((seed, index)).spawn(6))


def render(seed: int, index: int, height: int, width: int) -> Frame:
    """Image number `index` of the set `seed`, a pure function of its arguments (see Frame for what it holds).

    The scene depends on seed and index alone; the size only sets the sampling. ValueError for a negative seed
    or index or a side below 8 pixels.
    """
    if min(seed, index) < 0 or min(height, width) < 8:
        raise ValueError(f"seed {seed}, index {index}, size {height}x{width}: need seed, index >= 0 and sides >= 8")
    layout, pose, light, film, annotator, kinect = generators(seed, index)
    room = rooms.furnished(layout)
    tracer = Tracer(room.assemble().mesh())
    camera = choose(room, tracer, pose)
    frame = capture(tracer, camera, room.lights, (height, width), light, film, annotator, kinect)
    return framed(frame)


def framed(frame: Frame) -> Frame:
    """The frame with NYUD-v2's white border, where nothing is labelled or measured."""
    border = sensor.bordered(frame.segmentation.shape)
    frame.image[border] = 255
    for labels_of in (frame.segmentation, frame.depth, frame.normals, frame.edge):
        labels_of[border] = 0
    return frame


def capture(tracer: Tracer, camera: Camera, lights: list[Light], shape: tuple[int, int], light: Generator,
            film: Generator, annotator: Generator, kinect: Generator) -> Frame:  # fmt: skip
    """What a camera sees of a room, with the labels; the generators drive light, noise, gaps and holes."""
    directions = camera.directions(*shape)
    hits = tracer.cast(camera.position, directions)
    lit = shading.illumination(lights, camera.position, light)
    colours = shading.radiance(tracer, hits, directions, lit, shape, 1 / intrinsics(*shape)[0])
    lost = sensor.dropouts(tracer, hits, camera, directions, colours, shape, kinect)
    instances = hits.instance.reshape(shape)
    return Frame(
        image=sensor.photograph(colours.reshape(*shape, 3), film, sensor.INDOORS, sensor.outlines(hits, shape)),
        segmentation=labels.segmentation(instances, tracer.mesh.labels, annotator),
        depth=np.where(lost, 0.0, hits.depth).astype(np.float32).reshape(shape),
        normals=(hits.normals @ camera.rotation).astype(np.float32).reshape(*shape, 3),
        edge=labels.edges(instances),
    )
