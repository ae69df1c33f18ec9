"""The 21 classes and 7 parts that PASCAL is labelled with, label k being the k-th, and colours to draw them in."""

from __future__ import annotations

SEGMENTATION: tuple[str, ...] = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv/monitor",
)  # fmt: skip

PARTS: tuple[str, ...] = ("background", "head", "torso", "upper arm", "lower arm", "upper leg", "lower leg")

CLASSES = {"seg": SEGMENTATION, "parts": PARTS}

# Black, then always the colour farthest in CIELAB from all before it, from white and from the grey of ignored
# pixels, among those of moderate chroma. Nearest two: 34 apart (2 is about the least one sees).
SPECTRUM = (
    "#000000", "#0077aa", "#ffaa22", "#00dd77", "#ff66dd", "#cc0033", "#112299", "#115500", "#774400", "#00ffff",
    "#ddee77", "#772255", "#ff9999", "#aa99ff", "#77bb88", "#888800", "#dd0077", "#ddbb88", "#cc5500", "#005544",
    "#449900",
)  # fmt: skip

PALETTES = {task: SPECTRUM[: len(names)] for task, names in CLASSES.items()}
