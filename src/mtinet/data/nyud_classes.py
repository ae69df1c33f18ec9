"""The 40 classes of NYUD-v2 in Gupta's order; label k of the archive (1..40) is CLASSES["seg"][k - 1]."""

from __future__ import annotations

SEGMENTATION: tuple[str, ...] = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf",
    "picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat",
    "clothes", "ceiling", "books", "refrigerator", "television", "paper", "towel", "shower curtain", "box",
    "whiteboard", "person", "night stand", "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure",
    "otherfurniture", "otherprop",
)  # fmt: skip

# 40 colours: starting at the first, always the one farthest in CIELAB from all before it and from black,
# white and the grey of pixels without a label, among those of moderate chroma. Nearest two: 26 apart (2 is
# about the least one sees).
COLOURS: tuple[str, ...] = (
    "#0077aa", "#ffaa22", "#00dd77", "#ff66dd", "#cc0033", "#112299", "#115500", "#774400", "#00ffff", "#ddee77",
    "#772255", "#ff9999", "#aa99ff", "#77bb88", "#888800", "#dd0077", "#ddbb88", "#cc5500", "#005544", "#449900",
    "#aaccff", "#003377", "#ffbbee", "#880088", "#00aabb", "#995555", "#666633", "#770011", "#9977aa", "#0066dd",
    "#334455", "#22eebb", "#dd8855", "#aaffaa", "#dd6699", "#ffdd44", "#443322", "#aaeedd", "#8855cc", "#33aaff",
)  # fmt: skip

# Per task with classes, in the order of its labels: what they are called, and how figures colour them.
CLASSES = {"seg": SEGMENTATION}
PALETTES = {"seg": COLOURS}
