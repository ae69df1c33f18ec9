"""Four-legged animals and birds, built from one plan with the proportions of each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy.interpolate import PchipInterpolator

from mtinet.data.scenes.geometry import Array
from mtinet.data.scenes.materials import Material, shade
from mtinet.data.scenes.modelling import Model, unit
from mtinet.data.scenes.paints import BLACK, hue
from mtinet.data.scenes.people import turned
from mtinet.data.scenes.surfaces import coat


@dataclass(frozen=True)
class Build:
    """Proportions of a kind of animal, in units of its height at the withers unless said otherwise."""

    withers: tuple[float, float]  # metres
    length: float  # of the trunk, shoulder to hip
    depth: tuple[float, float, float]  # half heights of the trunk at shoulder, belly and hip
    width: float  # half width of the trunk
    neck: tuple[float, float, float]  # length, and radii at shoulder and head
    raised: float  # angle of the neck above the horizontal, degrees
    head: tuple[float, float, float]  # length of the skull, half height, half width
    muzzle: tuple[float, float, float]  # length beyond the skull, radii at its root and end
    ear: tuple[float, float, float]  # length, half width, degrees from upright to sideways
    leg: tuple[float, float]  # radii at the trunk and at the foot
    tail: tuple[float, float, float]  # length, radius, degrees above hanging down
    foot: str | None  # PASCAL-Part's name for the feet
    split: bool  # whether PASCAL-Part names upper and lower legs


BUILDS: dict[str, Build] = {
    "horse": Build((1.35, 1.7), 0.78, (0.215, 0.225, 0.215), 0.165, (0.55, 0.155, 0.09), 48, (0.23, 0.1, 0.072),
                   (0.24, 0.078, 0.052), (0.1, 0.028, 15), (0.085, 0.028), (0.5, 0.045, 18), "ho", True),
    "cow": Build((1.2, 1.5), 0.98, (0.25, 0.29, 0.26), 0.22, (0.3, 0.17, 0.12), 18, (0.16, 0.11, 0.095),
                 (0.15, 0.085, 0.075), (0.14, 0.05, 92), (0.1, 0.036), (0.55, 0.02, 4), None, True),
    "sheep": Build((0.6, 0.8), 0.95, (0.28, 0.3, 0.29), 0.27, (0.22, 0.16, 0.12), 45, (0.15, 0.095, 0.085),
                   (0.12, 0.075, 0.055), (0.13, 0.045, 98), (0.055, 0.032), (0.2, 0.045, 8), None, True),
    "dog": Build((0.3, 0.7), 0.95, (0.235, 0.2, 0.165), 0.16, (0.17, 0.115, 0.1), 48, (0.17, 0.125, 0.115),
                 (0.19, 0.065, 0.05), (0.17, 0.055, 30), (0.075, 0.04), (0.5, 0.035, 120), "pa", False),
    "cat": Build((0.24, 0.32), 1.2, (0.19, 0.185, 0.18), 0.15, (0.12, 0.13, 0.12), 45, (0.15, 0.15, 0.155),
                 (0.06, 0.075, 0.06), (0.17, 0.075, 22), (0.075, 0.045), (0.95, 0.04, 60), "pa", False),
}  # fmt: skip
GAITS = {  # swing of the four legs (front left, front right, back left, back right) in degrees forwards
    "stand": (2, -3, 3, -4),
    "walk": (24, -18, -20, 22),
    "run": (58, 40, -48, -35),
}


@dataclass
class Animal:
    """An animal being built: `h` is the height of its withers in metres."""

    model: Model
    build: Build
    h: float
    fur: Material
    dark: Material
    rng: Generator

    def leg(self, name: str, top: Array, swing: float, bend: float, length: float, pitch: float = 0.0) -> None:
        """Upper and lower leg and foot; the knee bends by `bend` degrees backwards below."""
        h, build = self.h, self.build
        first, second = build.leg[0] * h, build.leg[1] * h
        a, b = np.radians(swing + pitch), np.radians(swing + pitch - bend)
        knee = top + 0.52 * length * np.array([0.0, np.sin(a), -np.cos(a)])
        foot = knee + 0.46 * length * np.array([0.0, np.sin(b), -np.cos(b)])
        upper, lower = (f"{name}uleg", f"{name}lleg") if build.split else (f"{name}leg", f"{name}leg")
        middle = (1.25 * second + 0.35 * first) / 1.4
        rump = first * (1.75 if bend < 0 else 1.3)
        spine = top + np.outer([-0.25, 0.0, 0.35, 0.75, 1.0], knee - top)
        sizes = np.array([[0.3, 0.5], [0.72, 1.0], [0.62, 0.86], [0.0, 0.0], [0.0, 0.0]]) * rump
        sizes[3:] = [[0.7 * middle + 0.3 * first, 0.7 * middle + 0.3 * first], [middle, middle]]
        self.model.sweep(spine, sizes, self.fur, upper, side=[1.0, 0, 0], segments=14)
        hock = knee + 0.3 * (foot - knee) + np.array([0, -0.5 * middle if bend < 0 else 0, 0])
        line = np.stack([knee - 0.1 * (foot - knee), knee, hock, foot])
        self.model.sweep(line, [0.7 * middle, 1.08 * middle, 0.95 * second, second], self.fur, lower, segments=14)
        hoof = f"{name}{build.foot}" if build.foot else lower
        if build.foot == "pa":
            self.model.balls(
                foot + np.array([0, 0.5 * second, 0]), np.array([1.25, 1.7, 1.0]) * second, self.fur, hoof, detail=1
            )
        else:
            self.model.lathe(foot - [0, 0, 1.3 * second], [0, 0.15, 1], np.array([[0, 1.45], [1.8, 1.1]]) * second,
                             self.dark, hoof, 10)  # fmt: skip

    def trunk(self, front: Array, back: Array) -> None:
        """From the chest at `front` to the rump at `back`."""
        build, h = self.build, self.h
        shoulder, belly, hip = np.array(build.depth) * h
        along = np.array([-0.2, -0.15, 0.0, 0.25, 0.55, 0.8, 1.0, 1.12, 1.17])
        deep = np.array([0.1, 0.62, 0.98, 1.06, 1, 0.94, 0.96, 0.66, 0.1])
        deep *= np.interp(along, [0, 0.5, 1], [shoulder, belly, hip])
        wide = np.array([0.1, 0.55, 0.86, 1.0, 1.06, 0.94, 0.92, 0.6, 0.1]) * build.width * h
        spine = front + np.outer(along, back - front)
        spine[:, 2] -= np.array([0, 0, 0, 0.05, 0, -0.05, 0.02, 0.03, 0.05]) * shoulder
        fine = np.linspace(-0.2, 1.17, 24)
        spine, sizes = PchipInterpolator(along, spine)(fine), PchipInterpolator(along, np.c_[wide, deep])(fine)
        self.model.sweep(spine, sizes, self.fur, "torso", side=[1.0, 0, 0], segments=24)

    def head(self, base: Array, axes: Array) -> Array:
        """Skull, muzzle, eyes and ears at the neck's end; returns the crown, where horns and manes grow."""
        build, h, model = self.build, self.h, self.model
        right, front, up = axes.T
        length, high, wide = np.array(build.head) * h
        reach, root, end = np.array(build.muzzle) * h
        middle = base + 0.45 * length * front
        model.balls(middle, np.array([wide, 0.62 * length + 0.3 * root, high]), self.fur, "head", axes=axes[None])
        tip = middle + (0.5 * length + reach) * front - 0.35 * high * up
        model.limb(middle + 0.3 * length * front - 0.22 * high * up, tip - end * front, root, end, self.fur, "muzzle")
        model.balls(tip - 0.12 * end * front + 0.4 * end * up, np.array([0.55, 0.35, 0.4]) * end, self.dark, "nose",
                    detail=1, axes=axes[None])  # fmt: skip
        size, broad, aside = build.ear
        for side, sign in (("l", -1.0), ("r", 1.0)):
            eye = middle + 0.78 * wide * sign * right + 0.36 * length * front + 0.3 * high * up
            model.balls(eye, np.full(3, 0.13 * high + 0.01 * h), BLACK, f"{side}eye", detail=1)
            angle = np.radians(aside)
            out = np.cos(angle) * up + np.sin(angle) * sign * right - 0.1 * front
            root_at = middle + 0.55 * wide * sign * right + 0.75 * high * up - 0.15 * length * front
            thin = np.outer([0.0, 0.4, 0.8, 1.0], out) * size * h + root_at
            sizes = np.array([[0.8, 0.3], [1.0, 0.35], [0.5, 0.2], [0.05, 0.05]]) * broad * h
            model.sweep(thin, sizes, self.fur, f"{side}ear", side=np.cross(out, front), segments=8)
        crown: Array = middle + 0.9 * high * up
        return crown

    def tail(self, root: Array, back: Array, lowest: float = 0.0) -> None:
        """A tail that curves from its root, raised at least by `lowest` degrees; `back` points away from the trunk."""
        length, thick, rise = self.build.tail
        rise = max(rise, lowest)
        curl = 0.0 if lowest else self.rng.normal(0.6, 0.5)
        angle = np.radians(rise + (not lowest) * self.rng.normal(0, 12)) + np.linspace(0, 0.5, 7) * curl
        sway = self.rng.normal(0, 0.25)
        steps = np.c_[np.full(7, sway), np.sin(angle) * back[1], -np.cos(angle)]
        line = root + np.cumsum(unit(steps) * length * self.h / 7, axis=0)
        sizes = thick * self.h * np.array([0.8, 1, 1, 1, 0.95, 0.8, 0.35])
        self.model.sweep(
            np.vstack([root, line[1:]]), sizes, self.fur if thick < 0.042 else self.dark, "tail", segments=8
        )


def bred(kind: str, rng: Generator) -> Build:
    """One breed: the proportions varied, most of all a dog's muzzle, ears and length."""
    build = BUILDS[kind]
    stout, long = rng.uniform(0.9, 1.15), rng.uniform(0.92, 1.1)
    build = replace(build, width=build.width * stout, length=build.length * long,
                    depth=(build.depth[0] * stout, build.depth[1] * stout, build.depth[2] * stout))  # fmt: skip
    if kind != "dog":
        return build
    reach, root, end = build.muzzle
    ear = (rng.uniform(0.13, 0.26), rng.uniform(0.045, 0.075), float(rng.choice([22.0, 60.0, 150.0])))
    return replace(build, muzzle=(reach * rng.uniform(0.35, 1.15), root, end * rng.uniform(0.9, 1.25)), ear=ear,
                   length=build.length * rng.uniform(0.95, 1.25),
                   tail=(rng.uniform(0.2, 0.55), rng.uniform(0.03, 0.055), rng.uniform(60, 150)))  # fmt: skip


def four_legged(kind: str, rng: Generator, upright: bool = False) -> Model:
    """An animal of one of BUILDS facing +y: standing or moving, and unless `upright` grazing, sitting or lying."""
    build, h = bred(kind, rng), rng.uniform(*BUILDS[kind].withers)
    fur = coat(rng, h * 0.5)
    dark = Material("plain", shade(fur.dark, rng.uniform(0.15, 0.9)), (0.02, 0.02, 0.02), h * 0.2)
    animal = Animal(Model(kind), build, h, fur, dark, rng)
    choice = 1.0 if upright else rng.random()
    if kind in ("dog", "cat") and choice < 0.3:
        sitting(animal)
    elif choice < (0.55 if kind in ("dog", "cat") else 0.15):
        lying(animal)
    else:
        gait = str(rng.choice(list(GAITS), p=[0.5, 0.35, 0.15]))
        moving(animal, gait, not upright and kind in ("cow", "sheep", "horse") and rng.random() < 0.35)
    return animal.model.standing()


def moving(animal: Animal, gait: str, grazing: bool) -> None:
    """On four legs, the head up or at the ground."""
    h, build, rng = animal.h, animal.build, animal.rng
    level = h * (1 - build.depth[0] * 0.95)
    front, back = np.array([0, 0.5 * build.length * h, level]), np.array([0, -0.5 * build.length * h, level])
    back[2] += h * rng.normal(0, 0.015)
    animal.trunk(front, back)
    below = level - 0.25 * build.depth[0] * h
    for (name, swing), (x, y) in zip(zip(("lf", "rf", "lb", "rb"), GAITS[gait], strict=True),
                                     ((-1, 1), (1, 1), (-1, -1), (1, -1)), strict=True):  # fmt: skip
        top = np.array([x * 0.62 * build.width * h, y * 0.46 * build.length * h, below])
        bend = (8 + 0.6 * max(0, -swing)) if y > 0 else -10 - 0.3 * abs(swing)
        animal.leg(name, top, swing + rng.normal(0, 4) + (-6 if y > 0 else 6), bend, below)
    front_end(animal, front + np.array([0, 0.08 * h, 0.25 * build.depth[0] * h]), -38.0 if grazing else build.raised)
    animal.tail(back + np.array([0, -0.1 * h, 0.6 * build.depth[2] * h]), np.array([0.0, -1.0, 0.0]))
    finish(animal, front, back)


def sitting(animal: Animal) -> None:
    """Front legs upright, haunches on the ground."""
    h, build = animal.h, animal.build
    front = np.array([0.0, 0.2 * h, 0.86 * h])
    back = front + 0.78 * min(build.length, 1.05) * h * np.array([0, -0.62, -0.78])
    animal.trunk(front, back)
    ground = back[2] - 0.55 * build.depth[2] * h
    for name, x in (("lf", -1), ("rf", 1)):
        top = front + np.array([x * 0.6 * build.width * h, 0.02 * h, -0.1 * h])
        animal.leg(name, top, 4, 2, top[2] - ground)
    for name, x in (("lb", -1), ("rb", 1)):
        hip = back + np.array([x * 0.85 * build.width * h, 0.02 * h, 0.1 * h])
        knee = np.array([hip[0] + x * 0.05 * h, hip[1] + 0.3 * h, ground + 0.2 * h])
        paw = np.array([knee[0], knee[1] + 0.1 * h, ground + 0.04 * h])
        animal.model.limb(hip, knee, 0.14 * h, 0.07 * h, animal.fur, f"{name}leg")
        animal.model.limb(np.array([knee[0], hip[1], paw[2]]), paw, 0.05 * h, 0.045 * h, animal.fur, f"{name}pa")
    front_end(animal, front + np.array([0, 0.05 * h, 0.12 * h]), 70.0)
    animal.tail(np.array([0, back[1] - 0.12 * h, ground + 0.08 * h]), np.array([0.0, -1.0, 0.0]), 88.0)


def lying(animal: Animal) -> None:
    """On the belly, legs folded forwards."""
    h, build = animal.h, animal.build
    level = build.depth[1] * h * 0.95
    front, back = np.array([0, 0.5 * build.length * h, level]), np.array([0, -0.5 * build.length * h, level * 0.95])
    animal.trunk(front, back)
    for name, x, y in (("lf", -1, 1), ("rf", 1, 1), ("lb", -1, -1), ("rb", 1, -1)):
        reach = 0.9 if animal.build.foot == "pa" else 0.5
        start = np.array([x * build.width * h * (0.75 if y > 0 else 1.05), y * 0.42 * build.length * h, 0.13 * h])
        end = start + np.array([x * 0.03, reach * 0.4 * (1 if y > 0 else 0.75), 0]) * h - [0, 0, 0.08 * h]
        parts = (f"{name}uleg", f"{name}lleg") if build.split else (f"{name}leg", f"{name}leg")
        animal.model.limb(
            start, (start + end) / 2, 0.8 * build.leg[0] * h, build.leg[1] * h * 1.2, animal.fur, parts[0]
        )
        animal.model.limb((start + end) / 2, end, build.leg[1] * h * 1.2, build.leg[1] * h, animal.fur, parts[1])
    front_end(animal, front + np.array([0, 0.06 * h, 0.3 * build.depth[0] * h]), build.raised + 8)
    animal.tail(np.array([0.0, back[1] - 0.15 * h, 0.1 * h]), np.array([0.0, -1.0, 0.0]), 88.0)
    finish(animal, front, back)


def front_end(animal: Animal, base: Array, raised: float) -> None:
    """Neck and head, with what grows on them."""
    h, build, rng = animal.h, animal.build, animal.rng
    angle = np.radians(raised + rng.normal(0, 7))
    length, first, second = np.array(build.neck) * h
    if raised < 0:
        length = max(length, 0.45 * h)
    aside = np.radians(rng.normal(0, 15))
    towards = np.array([np.sin(aside) * np.cos(angle), np.cos(aside) * np.cos(angle), np.sin(angle)])
    end = base + length * towards
    animal.model.limb(base - 0.12 * h * towards, end, first, second, animal.fur, "neck")
    nod = {"horse": -38.0, "cow": -28.0, "sheep": -24.0}.get(animal.model.label, -6.0)
    axes = turned(
        np.eye(3), float(np.degrees(-aside) + rng.normal(0, 20)), (nod if raised > 0 else -62.0) + rng.normal(0, 6)
    )
    crown = animal.head(end, axes)
    GROWTHS.get(animal.model.label, lambda *_: None)(animal, base, crown, axes)


def mane(animal: Animal, base: Array, crown: Array, axes: Array) -> None:
    """Hair along a horse's neck and on its forehead."""
    h = animal.h
    line = np.linspace(base + np.array([0, -0.08 * h, 0.14 * h]), crown - 0.05 * h * axes[:, 1], 5)
    line[1:4] += np.array([0, -0.03, 0.02]) * h
    animal.model.sweep(line, np.array([[0.02, 0.04], [0.03, 0.08], [0.03, 0.075], [0.03, 0.06], [0.03, 0.03]]) * h,
                       animal.dark, "neck", side=[1.0, 0, 0], segments=8)  # fmt: skip
    animal.model.limb(
        crown, crown + h * (0.12 * axes[:, 1] - 0.05 * axes[:, 2]), 0.03 * h, 0.012 * h, animal.dark, "head", 8
    )


def horns(animal: Animal, base: Array, crown: Array, axes: Array) -> None:
    """Two horns that curve up, on two cows in three."""
    if animal.rng.random() < 0.35:
        return
    horn, h = Material("plain", (0.6, 0.53, 0.4), (0.3, 0.25, 0.2), gloss=0.2), animal.h
    right, front, up = axes.T
    for side, sign in (("l", -1.0), ("r", 1.0)):
        root = crown + h * (sign * 0.05 * right - 0.03 * front)
        line = root + h * np.array([0 * up, sign * 0.08 * right + 0.01 * up, sign * 0.13 * right + 0.07 * up,
                                    sign * 0.12 * right + 0.13 * up + 0.03 * front])  # fmt: skip
        animal.model.sweep(line, np.array([0.024, 0.02, 0.014, 0.003]) * h, horn, f"{side}horn", segments=8)


def topknot(animal: Animal, base: Array, crown: Array, axes: Array) -> None:
    """Wool on a sheep's forehead and neck."""
    animal.model.balls(crown - 0.05 * animal.h * axes[:, 1], np.full(3, 0.085 * animal.h), animal.fur, "head", detail=1)


GROWTHS: dict[str, Callable[[Animal, Array, Array, Array], None]] = {"horse": mane, "cow": horns, "sheep": topknot}


def finish(animal: Animal, front: Array, back: Array) -> None:
    """Wool in tufts for sheep, an udder for cows."""
    h, rng, build = animal.h, animal.rng, animal.build
    if animal.model.label == "cow":
        animal.model.balls(
            back + np.array([0, 0.12 * h, -0.27 * h]), np.array([0.11, 0.13, 0.1]) * h, animal.fur, "torso"
        )
    if animal.model.label == "sheep":
        count = 180
        turn, along = rng.uniform(0, 2 * np.pi, count), rng.uniform(-0.14, 1.12, count)
        fade = np.sqrt(np.clip(1 - ((along - 0.5) / 0.72) ** 2, 0.02, 1))
        middles = front + np.outer(along, back - front)
        middles = (
            middles
            + np.c_[np.cos(turn) * build.width, np.zeros(count), np.sin(turn) * build.depth[1]]
            * (0.93 * h * fade)[:, None]
        )
        sizes = h * rng.uniform(0.045, 0.085, (count, 1)) * np.ones((1, 3))
        animal.model.balls(middles, sizes, animal.fur, "torso", detail=1)


def bird(rng: Generator) -> Model:
    """A bird facing +y: perched, walking, swimming (legs hidden) or flying with spread wings."""
    model, size = Model("bird"), float(np.exp(rng.uniform(np.log(0.12), np.log(0.45))))
    plumage, second = coat(rng, size), coat(rng, size * 0.5)
    horn = Material("plain", hue(rng), hue(rng), gloss=0.2)
    flying, tall = rng.random() < 0.3, rng.random() < 0.35
    pitch = np.radians(rng.uniform(-5, 10) if flying else rng.uniform(8, 40))
    front, up = np.array([0, np.cos(pitch), np.sin(pitch)]), np.array([0, -np.sin(pitch), np.cos(pitch)])
    along = np.array([-1.0, -0.92, -0.6, -0.2, 0.25, 0.6, 0.85, 0.95])
    around = np.array([0.02, 0.1, 0.27, 0.4, 0.44, 0.36, 0.18, 0.03])
    fine = np.linspace(-1.0, 0.95, 22)
    around = PchipInterpolator(along, around)(fine)
    model.sweep(size * np.outer(fine, front), size * np.c_[around, around * 1.02], plumage, "torso", side=[1.0, 0, 0],
                segments=24)  # fmt: skip
    neck = size * (0.7 * front + 0.15 * up)
    throat = size * (rng.uniform(0.7, 1.3) if tall else rng.uniform(0.15, 0.35))
    skull = neck + throat * unit(0.45 * front + up + [rng.normal(0, 0.2), 0, 0])
    model.limb(neck, skull, 0.24 * size, 0.15 * size, plumage, "neck")
    facing = turned(np.eye(3), rng.normal(0, 30), rng.normal(0, 8))
    head = skull + 0.08 * size * facing[:, 1]
    model.balls(
        head, np.array([0.22, 0.27, 0.23]) * size, plumage if rng.random() < 0.6 else second, "head", axes=facing[None]
    )
    reach = size * rng.uniform(0.2, 0.65)
    beak = head + np.outer([0.2 * size, 0.2 * size + 0.4 * reach, 0.2 * size + reach], facing[:, 1])
    model.sweep(
        beak, size * np.array([[0.09, 0.1], [0.07, 0.06], [0.015, 0.012]]), horn, "beak", side=facing[:, 0], segments=8
    )
    for side, sign in (("l", -1.0), ("r", 1.0)):
        eye = head + size * (0.185 * sign * facing[:, 0] + 0.12 * facing[:, 1] + 0.07 * facing[:, 2])
        model.balls(eye, np.full(3, 0.045 * size), BLACK, f"{side}eye", detail=1)
        (spread_wing if flying else folded_wing)(model, side, sign, size, front, up, second, rng)
    fan = size * (np.outer([-0.8, -1.2, -1.75], front) + np.outer([0.0, -0.02, -0.04], up))
    model.sweep(fan, size * np.array([[0.12, 0.06], [0.2, 0.03], [0.26, 0.015]]), second, "tail", side=[1.0, 0, 0])
    if not flying:
        legs(model, size, horn, tall)
    return model if flying else model.standing()


def folded_wing(model: Model, side: str, sign: float, size: float, front: Array, up: Array, material: Material,
                rng: Generator) -> None:  # fmt: skip
    """A wing along the flank."""
    line = size * (np.outer([0.5, 0.1, -0.5, -1.15], front) + np.outer([0.12, 0.12, 0.1, 0.05], up))
    line = line + sign * size * np.array([[0.27, 0, 0], [0.36, 0, 0], [0.24, 0, 0], [0.06, 0, 0]])
    model.sweep(line, size * np.array([[0.05, 0.1], [0.09, 0.27], [0.08, 0.22], [0.02, 0.03]]), material, f"{side}wing",
                side=[1.0, 0, 0])  # fmt: skip


def spread_wing(model: Model, side: str, sign: float, size: float, front: Array, up: Array, material: Material,
                rng: Generator) -> None:  # fmt: skip
    """A wing stretched out, raised or lowered."""
    rise = np.radians(rng.uniform(-15, 45))
    out = sign * np.cos(rise) * np.array([1.0, 0, 0]) + np.sin(rise) * up
    line = 0.2 * size * front + 0.15 * size * up + size * np.outer([0.2, 0.9, 1.7, 2.4], out)
    line = line - size * np.outer([0.0, 0.0, 0.25, 0.6], front)
    sizes = size * np.array([[0.42, 0.07], [0.42, 0.05], [0.33, 0.03], [0.06, 0.01]])
    model.sweep(line, sizes, material, f"{side}wing", side=front, along=out)


def legs(model: Model, size: float, horn: Material, tall: bool) -> None:
    """Thin legs with three toes."""
    length = size * (1.3 if tall else 0.55)
    for side, x in (("l", -0.16), ("r", 0.16)):
        top = np.array([x, -0.08, -0.3]) * size
        foot = top + np.array([0, 0.12 * size, -length])
        model.tube([top, foot], 0.045 * size, horn, f"{side}leg", 6)
        for toe in (-0.5, 0.0, 0.5):
            tip = foot + 0.3 * size * np.array([np.sin(toe), np.cos(toe), 0])
            model.tube([foot, tip], 0.035 * size, horn, f"{side}foot", 6)
