"""People: jointed bodies of many builds in many poses, dressed by garments that do not stop at the parts' borders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from mtinet.data.scenes.geometry import Array
from mtinet.data.scenes.materials import Material, colour, shade
from mtinet.data.scenes.modelling import Model, unit
from mtinet.data.scenes.paints import paint
from mtinet.data.scenes.surfaces import natural

Joint = tuple[float, float, float, float]
"""Degrees: swing forwards and spread outwards of the upper bone, then of the lower one; (0, 0) hangs down."""


@dataclass(frozen=True)
class Pose:
    """Arms and legs as (left, right); lean forwards, roll and twist of the trunk, yaw and pitch of the head."""

    arms: tuple[Joint, Joint] = ((5, 8, 15, 4), (5, 8, 15, 4))
    legs: tuple[Joint, Joint] = ((0, 4, 0, 4), (0, 4, 0, 4))
    lean: float = 2.0
    roll: float = 0.0
    twist: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0


HANG: Joint = (5, 8, 15, 4)
UP: Joint = (165, 15, 170, 5)
OUT: Joint = (10, 85, 15, 88)
WAVE: Joint = (20, 75, 170, 20)
ON_HIP: Joint = (-20, 42, 25, -50)
FORWARD: Joint = (75, 5, 85, 0)
FOLDED: Joint = (18, 12, 80, -55)
HOLD: Joint = (15, 10, 105, -12)
LAP: Joint = (20, 8, 62, -18)
POSES: dict[str, Pose] = {
    "stand": Pose(),
    "relaxed": Pose(arms=(HANG, ON_HIP), legs=((2, 3, 0, 3), (-4, 10, -6, 10)), roll=3),
    "akimbo": Pose(arms=(ON_HIP, ON_HIP), legs=((0, 9, 0, 9), (0, 9, 0, 9))),
    "folded": Pose(arms=(FOLDED, FOLDED)),
    "cheer": Pose(arms=(UP, UP), legs=((0, 10, 0, 10), (0, 10, 0, 10))),
    "wave": Pose(arms=(HANG, WAVE), yaw=10),
    "point": Pose(arms=(HANG, FORWARD), twist=-15),
    "spread": Pose(arms=(OUT, OUT), legs=((0, 14, 0, 14), (0, 14, 0, 14))),
    "hold": Pose(arms=(HOLD, HOLD), pitch=-15),
    "phone": Pose(arms=(HANG, (25, 25, 150, -25)), yaw=15),
    "walk": Pose(arms=((-25, 6, -8, 2), (28, 6, 45, 0)), legs=((25, 2, 10, 2), (-20, 2, -38, 2)), lean=5),
    "run": Pose(arms=((-45, 10, 45, 0), (40, 8, 125, -10)), legs=((62, 2, -20, 2), (-25, 2, -85, 2)), lean=16),
    "jump": Pose(arms=(UP, OUT), legs=((45, 12, -40, 12), (-15, 15, -70, 12)), lean=8),
    "kick": Pose(arms=(OUT, (-35, 30, -10, 20)), legs=((-10, 4, -14, 4), (65, 2, 45, 2)), lean=-8),
    "bend": Pose(arms=((70, 5, 75, 0), (60, 5, 70, 0)), legs=((15, 5, -8, 5), (15, 5, -8, 5)), lean=55, pitch=20),
    "crouch": Pose(arms=(LAP, HOLD), legs=((105, 14, -45, 10), (95, 12, -50, 8)), lean=25),
    "kneel": Pose(arms=(LAP, HOLD), legs=((92, 8, 0, 8), (5, 4, -95, 4)), lean=8),
    "sit": Pose(arms=(LAP, LAP), legs=((86, 6, 2, 5), (86, 6, 4, 5)), lean=-4),
    "sit_folded": Pose(arms=(FOLDED, FOLDED), legs=((86, 12, 20, 8), (84, 8, 15, 8)), lean=4),
    "sit_leaning": Pose(arms=(HOLD, (30, 15, 80, -5)), legs=((88, 12, 15, 10), (82, 10, -10, 8)), lean=18),
    "sit_wave": Pose(arms=(LAP, UP), legs=((86, 6, 2, 5), (86, 16, 4, 14)), lean=0),
    "table": Pose(arms=((45, 15, 95, -25), (40, 15, 92, -20)), legs=((86, 6, 2, 5), (86, 6, 4, 5)), lean=8),
    "cycle": Pose(arms=((62, 10, 72, 2), (62, 10, 72, 2)), legs=((72, 4, 0, 3), (38, 4, -22, 3)), lean=32, pitch=25),
    "motor": Pose(arms=((52, 16, 80, 6), (52, 16, 80, 6)), legs=((72, 16, -12, 8), (72, 16, -12, 8)), lean=12),
    "ride": Pose(arms=((25, 10, 72, -6), (25, 10, 72, -6)), legs=((52, 32, -8, 12), (52, 32, -8, 12)), lean=0),
}
UPRIGHT = ("stand", "stand", "stand", "stand", "relaxed", "relaxed", "relaxed", "akimbo", "akimbo", "folded", "folded",
           "hold", "hold", "hold", "phone", "phone", "walk", "walk", "walk", "walk", "cheer", "wave", "point", "spread",
           "run", "jump", "kick", "bend", "bend", "crouch", "crouch", "kneel")  # fmt: skip
SEATED = ("sit", "sit", "sit_folded", "sit_leaning", "sit_wave")
SIDES = (("l", -1.0), ("r", 1.0))


@dataclass(frozen=True)
class Wardrobe:
    """Materials and lengths: sleeves and trouser legs as shares of the whole limb; skirt 0 for none."""

    skin: Material
    hair: Material
    top: Material
    bottom: Material
    shoe: Material
    glove: Material
    sleeve: float
    leg: float
    skirt: float
    hem: float


def skin_tone(rng: Generator) -> Material:
    """From pale to very dark."""
    depth = rng.random()
    base = np.array([0.78, 0.5, 0.36]) * (1 - depth) + np.array([0.1, 0.05, 0.03]) * depth
    red, green, blue = base * rng.uniform(0.85, 1.15, 3)
    return Material("plain", (red, green, blue), (0.7 * red, 0.6 * green, 0.6 * blue), 0.08, gloss=0.08)


def cloth(rng: Generator) -> Material:
    """Printed, woven, or of one colour that falls in folds."""
    return paint(rng, "textile") if rng.random() < 0.6 else replace(paint(rng, "textile", "knit"), period=0.2)


def dressed(rng: Generator) -> Wardrobe:
    """A random outfit; one garment covers several parts, and hands, feet and trunk are bare or covered."""
    skin, top = skin_tone(rng), cloth(rng)
    bottom = top if rng.random() < 0.25 else cloth(rng)
    leather = paint(rng, "leather")
    sleeve = float(rng.choice([0.0, 0.22, 0.3, 0.6, 0.97, 1.0], p=[0.14, 0.2, 0.15, 0.11, 0.3, 0.1]))
    leg = float(rng.choice([0.2, 0.32, 0.5, 0.7, 1.0], p=[0.1, 0.13, 0.12, 0.1, 0.55]))
    skirt = float(rng.uniform(0.3, 0.9)) if rng.random() < 0.16 else 0.0
    lock = natural(rng) if rng.random() < 0.93 else colour(rng, 0.05, 0.6, 0.9)
    hair = Material("pelt", lock, shade(lock, 0.3), 0.05)
    bare = rng.random() < 0.07
    return Wardrobe(
        skin, hair, skin if bare else top, bottom,
        shoe=skin if rng.random() < 0.12 else bottom if rng.random() < 0.1 else leather,
        glove=top if rng.random() < 0.1 else skin, sleeve=0.0 if bare else sleeve,
        leg=0.15 if skirt else leg, skirt=skirt, hem=float(rng.uniform(-0.02, 0.3)),
    )  # fmt: skip


def varied(pose: Pose, rng: Generator) -> Pose:
    """The pose with every joint a little different."""

    def loose(joint: Joint, spread: float) -> Joint:
        a, b, c, d = np.array(joint) + rng.normal(0, spread, 4) * [1.0, 0.6, 1.0, 0.6]
        return a, b, c, d

    first, second = pose.arms if rng.random() < 0.5 else pose.arms[::-1]
    return replace(
        pose, arms=(loose(first, 8), loose(second, 8)), legs=(loose(pose.legs[0], 4), loose(pose.legs[1], 4)),
        lean=pose.lean + rng.normal(0, 4), roll=pose.roll + rng.normal(0, 3), twist=pose.twist + rng.normal(0, 8),
        yaw=pose.yaw + rng.normal(0, 22), pitch=pose.pitch + rng.normal(0, 8),
    )  # fmt: skip


@dataclass
class Body:
    """A person being built: height in metres, girth (1 is average), clothes, and the trunk's axes."""

    model: Model
    height: float
    girth: float
    wear: Wardrobe

    def covered(self, a: Array, b: Array, radii: tuple[float, float], share: float, cloth: Material, part: str) -> None:
        """A bone of flesh whose first `share` is in cloth."""
        first, second = np.array(radii) * self.height * self.girth
        if share < 1:
            self.model.limb(a, b, first, second, self.wear.skin, part)
        if share > 0:
            reach = min(share, 1.0)
            middle, width = a + reach * (b - a), first + reach * (second - first)
            loose = 0.004 * self.height
            self.model.limb(a, middle, first + loose, width + loose * 1.3, cloth, part)

    def arm(self, side: str, sign: float, shoulder: Array, joint: Joint, axes: Array) -> None:
        """Upper arm, lower arm and hand."""
        elbow = shoulder + 0.172 * self.height * bone(joint[0], joint[1], sign, axes)
        wrist = elbow + 0.15 * self.height * bone(joint[2], joint[3], sign, axes)
        reach = self.wear.sleeve * 2
        self.covered(shoulder, elbow, (0.027, 0.022), reach, self.wear.top, f"{side}uarm")
        self.covered(elbow, wrist, (0.023, 0.017), reach - 1, self.wear.top, f"{side}larm")
        towards = unit(wrist - elbow)
        flat = unit(np.cross(towards, axes[:, 2] + 0.3 * axes[:, 0]))
        turn = np.stack([flat, np.cross(towards, flat), towards], axis=1)
        palm = wrist + 0.045 * self.height * towards
        self.model.balls(palm, np.array([0.013, 0.024, 0.048]) * self.height, self.wear.glove, f"{side}hand",
                         axes=turn[None])  # fmt: skip
        thumb = wrist + self.height * (0.03 * towards + 0.028 * turn[:, 1])
        self.model.limb(wrist, thumb, 0.011 * self.height, 0.008 * self.height, self.wear.glove, f"{side}hand", 8)

    def leg(self, side: str, sign: float, hip: Array, joint: Joint, axes: Array) -> None:
        """Upper leg, lower leg and foot."""
        knee = hip + 0.245 * self.height * bone(joint[0], joint[1], sign, axes)
        shin = bone(joint[2], joint[3], sign, axes)
        ankle = knee + 0.232 * self.height * shin
        reach = self.wear.leg * 2
        self.covered(hip, knee, (0.05, 0.034), reach, self.wear.bottom, f"{side}uleg")
        self.covered(knee, ankle, (0.034, 0.022), reach - 1, self.wear.bottom, f"{side}lleg")
        toes = unit(axes[:, 1] * max(0.15, -shin[2]) + axes[:, 2] * shin[1] * 0.9 + sign * 0.12 * axes[:, 0])
        heel = ankle + 0.02 * self.height * shin - 0.02 * self.height * toes
        spine = heel + np.outer([0.0, 0.02, 0.07, 0.115, 0.13], self.height * toes)
        widths = np.array([[0.012, 0.016], [0.022, 0.026], [0.026, 0.02], [0.026, 0.014], [0.012, 0.008]]) * self.height
        self.model.sweep(spine, widths, self.wear.shoe, f"{side}foot", side=axes[:, 0], power=2.6)

    def trunk(self, hips: Array, shoulders: Array, axes: Array) -> None:
        """Torso with the seam between top and bottom anywhere, and a skirt that hangs over the legs."""
        along = np.array([-0.17, -0.1, 0.05, 0.3, 0.55, 0.8, 0.95, 1.03, 1.06])
        wide = np.array([0.05, 0.088, 0.1, 0.083, 0.09, 0.105, 0.1, 0.06, 0.03])
        deep = np.array([0.045, 0.062, 0.072, 0.062 + 0.05 * max(0.0, self.girth - 1), 0.066, 0.074, 0.058, 0.04, 0.03])
        spine = hips + np.outer(along, shoulders - hips)
        sizes = np.c_[wide, deep] * self.height * np.array([0.5 + 0.5 * self.girth, self.girth])
        self.model.sweep(spine[:5], sizes[:5], self.wear.bottom, "torso", side=axes[:, 0], power=2.4, segments=24)
        hem = min(self.wear.hem, 0.3) - 0.1
        rows = np.concatenate([[hem], along[along > hem + 0.03]])
        shirt = np.c_[np.interp(rows, along, sizes[:, 0]), np.interp(rows, along, sizes[:, 1])] + 0.004 * self.height
        self.model.sweep(hips + np.outer(rows, shoulders - hips), shirt, self.wear.top, "torso", side=axes[:, 0],
                         power=2.4, segments=24)  # fmt: skip

    def skirt(self, hips: Array, knees: Array, axes: Array) -> None:
        """A cone around the legs, torso above and legs below as annotators split it."""
        down = (knees - hips) * self.wear.skirt * 1.5
        flare = np.array([[0.094, 0.07], [0.115, 0.09], [0.13, 0.11]]) * self.height * (0.4 + 0.6 * self.girth)
        steps = np.array([-0.12, 0.2, 0.32])
        self.model.sweep(hips + np.outer(steps, down), flare, self.wear.bottom, "torso", side=axes[:, 0])
        steps, wide = np.array([0.32, 0.7, 1.0]), flare[-1] + np.outer([0.0, 0.25, 0.4], [0.05, 0.06]) * self.height
        self.model.sweep(hips + np.outer(steps, down), wide, self.wear.bottom, side=axes[:, 0],
                         halves=("luleg", "ruleg"))  # fmt: skip

    def head(self, base: Array, axes: Array, size: float, rng: Generator) -> None:
        """Face, ears, hair and sometimes a hat on the neck's end `base`."""
        model, wear, h = self.model, self.wear, self.height * size
        right, front, up = axes.T
        centre = base + h * (0.062 * up + 0.012 * front)
        turn = axes[None]
        model.balls(centre, np.array([0.044, 0.054, 0.07]) * h, wear.skin, "head", axes=turn)
        model.limb(centre + h * (0.034 * front - 0.047 * up), centre + h * (0.018 * front - 0.036 * up), 0.019 * h,
                   0.034 * h, wear.skin, "head")  # fmt: skip
        model.limb(centre + h * (0.05 * front + 0.01 * up), centre + h * (0.0555 * front - 0.012 * up), 0.006 * h,
                   0.009 * h, wear.skin, "nose", 8)  # fmt: skip
        dark = Material("plain", (0.03, 0.02, 0.02), (0.02, 0.02, 0.02), gloss=0.4)
        lips = Material("plain", shade(wear.skin.light, 0.55), shade(wear.skin.light, 0.5))
        for side, sign in SIDES:
            eye = centre + h * (sign * 0.019 * right + 0.0475 * front + 0.012 * up)
            model.balls(eye, np.array([0.0095, 0.006, 0.0065]) * h, dark, f"{side}eye", detail=1, axes=turn)
            brow = eye + h * (0.002 * front + 0.012 * up)
            model.balls(brow, np.array([0.011, 0.004, 0.003]) * h, wear.hair, f"{side}ebrow", detail=1, axes=turn)
            ear = centre + h * (sign * 0.045 * right - 0.004 * front)
            model.balls(ear, np.array([0.006, 0.012, 0.018]) * h, wear.skin, f"{side}ear", detail=1, axes=turn)
        model.balls(centre + h * (0.05 * front - 0.033 * up), np.array([0.016, 0.006, 0.005]) * h, lips, "mouth",
                    detail=1, axes=turn)  # fmt: skip
        self.hair(centre, axes, h, rng)
        if rng.random() < 0.22:
            self.hat(centre, axes, h, paint(rng, "textile"), rng)

    def hair(self, centre: Array, axes: Array, h: float, rng: Generator) -> None:
        """Bald, short, or long down to the shoulders and beyond."""
        style = rng.random()
        if style < 0.08:
            return
        _, front, up = axes.T
        thick = rng.uniform(1.0, 1.18)
        self.model.balls(centre + h * (-0.014 * front + 0.015 * up), np.array([0.049, 0.053, 0.064]) * h * thick,
                         self.wear.hair, "hair", axes=axes[None])  # fmt: skip
        if style > 0.6:
            length = rng.uniform(0.05, 0.17)
            spine = centre + h * np.array([-0.02 * front + 0.03 * up, -0.028 * front, -0.03 * front - length * up])
            self.model.sweep(spine, np.array([[0.05, 0.045], [0.055, 0.042], [0.045, 0.025]]) * h * thick,
                             self.wear.hair, "hair", side=axes[:, 0])  # fmt: skip

    def hat(self, centre: Array, axes: Array, h: float, material: Material, rng: Generator) -> None:
        """A cap with a peak, or a brimmed hat, or a helmet."""
        _, front, up = axes.T
        crown = centre + h * (0.022 * up - 0.006 * front)
        tall = rng.uniform(0.055, 0.075)
        dome = h * np.c_[np.array([0.0, 0.5, 0.85, 1.0]) * tall, [0.06, 0.058, 0.04, 0.0]]
        self.model.lathe(crown, up, dome, material, "head")
        if rng.random() < 0.5:
            self.model.balls(
                crown + 0.055 * h * front, np.array([0.04, 0.045, 0.005]) * h, material, "head", axes=axes[None]
            )
        elif rng.random() < 0.6:
            self.model.lathe(crown, up, np.array([[0.0, 0.055], [0.002, 0.095], [0.006, 0.095], [0.008, 0.05]]) * h,
                             material, "head")  # fmt: skip


def bone(swing: float, spread: float, sign: float, axes: Array) -> Array:
    """Unit direction of a bone that hangs down along -z of `axes` (columns right, front, up) at angles 0."""
    a, b = np.radians(swing), np.radians(spread)
    return np.asarray(np.cos(b) * (np.sin(a) * axes[:, 1] - np.cos(a) * axes[:, 2]) + sign * np.sin(b) * axes[:, 0])


def turned(axes: Array, yaw: float, pitch: float) -> Array:
    """Axes turned about their own up by `yaw` (to the left) and raised by `pitch`, degrees."""
    a, b = np.radians(yaw), np.radians(pitch)
    right, front, up = axes.T
    sideways, ahead = np.cos(a) * right + np.sin(a) * front, np.cos(a) * front - np.sin(a) * right
    return np.stack([sideways, np.cos(b) * ahead + np.sin(b) * up, np.cos(b) * up - np.sin(b) * ahead], axis=1)


def person(rng: Generator, pose: Pose, on_ground: bool = True) -> Model:
    """A person facing +y; the lowest point at z = 0, or else the hips at z = 0 (for seats and saddles)."""
    young = rng.random() < 0.2
    height = rng.uniform(0.8, 1.4) if young else rng.normal(1.7, 0.09)
    girth = float(np.clip(rng.normal(1.02, 0.13), 0.82, 1.45))
    body = Body(Model("person"), height, girth, dressed(rng))
    pose = varied(pose, rng)
    trunk = turned(np.eye(3), 0.0, -pose.lean)
    roll = np.radians(pose.roll)
    trunk[:, 2] = unit(trunk[:, 2] + np.sin(roll) * trunk[:, 0])
    trunk[:, 0] = np.cross(trunk[:, 1], trunk[:, 2])
    hips, shoulders = np.zeros(3), 0.285 * height * trunk[:, 2]
    chest = turned(trunk, pose.twist, 0.0)
    body.trunk(hips, shoulders, trunk)
    for (side, sign), arm, leg in zip(SIDES, pose.arms, pose.legs, strict=True):
        broad = 0.095 * (0.5 + 0.5 * girth)
        shoulder = shoulders + height * (sign * broad * chest[:, 0] - 0.024 * trunk[:, 2])
        body.arm(side, sign, shoulder, arm, chest)
        body.leg(side, sign, hips + height * np.array([sign * 0.05, 0.0, -0.01]), leg, np.eye(3))
    if body.wear.skirt:
        knees = 0.245 * height * np.mean([bone(leg[0], 0.0, 1.0, np.eye(3)) for leg in pose.legs], axis=0)
        body.skirt(hips, knees, np.eye(3))
    neck = shoulders + height * 0.047 * unit(trunk[:, 2] + [0.0, 0.15, 0.0])
    body.model.limb(shoulders + 0.005 * height * trunk[:, 2], neck, 0.035 * height * girth, 0.03 * height,
                    body.wear.skin, "neck")  # fmt: skip
    upright = turned(chest, 0.0, 0.75 * pose.lean)
    body.head(
        neck, turned(upright, float(np.clip(pose.yaw, -75, 75)), pose.pitch), 1.0 + max(0.0, 1.6 - height) * 0.55, rng
    )
    return body.model.standing() if on_ground else body.model
