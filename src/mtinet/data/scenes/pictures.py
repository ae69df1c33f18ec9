"""From a seed to a picture of the PASCAL-like set: compose a scene, cast rays, shade, and derive every label."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from mtinet.data.scenes import annotation, daylight, saliency, sensor
from mtinet.data.scenes.composition import Scene, composed, subject
from mtinet.data.scenes.context_classes import CONTEXT
from mtinet.data.scenes.modelling import SmoothMesh
from mtinet.data.scenes.picture import Picture
from mtinet.data.scenes.tracing import Tracer


def render_picture(seed: int, index: int, longest: int = 500) -> Picture:
    """Picture number `index` of the set `seed`, `longest` pixels along its longer side (see Picture).

    A pure function of its arguments; the scene depends on seed and index alone, the size sets the sampling.
    ValueError for a negative seed or index, or fewer than 32 pixels.
    """
    if min(seed, index) < 0 or longest < 32:
        raise ValueError(f"seed {seed}, index {index}, longest {longest}: need seed, index >= 0 and longest >= 32")
    layout, film = (default_rng(child) for child in SeedSequence((seed, index)).spawn(2))
    scene, tracer = composed(layout, subject(seed, index))
    return capture(scene, tracer, longest, film)


def capture(scene: Scene, tracer: Tracer, longest: int, film: Generator) -> Picture:
    """The picture that a scene's camera takes, with the labels; `film` draws exposure and noise."""
    shape = scene.camera.shape(longest)
    directions = scene.camera.directions(shape)
    hits = tracer.cast(scene.camera.position, directions)
    assert isinstance(tracer.mesh, SmoothMesh)
    smooth = daylight.smoothed(hits, tracer.mesh, directions)
    light = daylight.radiance(tracer, hits, smooth, directions, scene.light, shape, 1 / scene.camera.focal(shape))
    image = sensor.photograph(daylight.exposed(light, film).reshape(*shape, 3), film)
    instances = hits.instance.reshape(shape)
    parts = np.where(hits.face < 0, 0, tracer.mesh.part[hits.face]).reshape(shape)
    labels = np.array([CONTEXT[thing.model.label] for thing in scene.things] + [CONTEXT["sky"]], np.uint16)
    models = [thing.model for thing in scene.things]
    found = annotation.noticed(instances, tracer.mesh.labels)
    prominent = [k for k, thing in enumerate(scene.things) if thing.prominent]
    return Picture(
        image=image,
        label_map=labels[instances],
        semseg=annotation.voc_classes(instances, tracer.mesh.labels, found),
        objects=annotation.objects(instances, parts, models, tracer.mesh.labels, found),
        normals=(smooth.normals @ scene.camera.rotation).astype(np.float32).reshape(*shape, 3),
        depth=np.where(hits.face < 0, 0.0, hits.depth).astype(np.float32).reshape(shape),
        salient=saliency.salient(image, instances, prominent),
    )  # fmt: skip
