"""Which rules come before which: by files, folders, single jobs of a matrix, and through others."""

from __future__ import annotations

from pipeline.order import behind
from pipeline.rule import Out, Rule


def rule(stage: str, reads: tuple[str, ...], writes: str, **more: tuple[str, ...]) -> Rule:
    return Rule(stage, "rooms", reads, (Out(writes),), params=(), code=(), matrix=dict(more))


def test_behind() -> None:
    rules = [
        rule("report", ("tables/a.md", "scores"), "page.html"),
        rule("table", ("scores/mtl/seed0.json",), "tables/a.md"),
        rule("train", ("data",), "weights/{exp}/seed{seed}", exp=("mtl",), seed=("0",)),
        rule("score", ("weights/{exp}/seed{seed}",), "scores/{exp}/seed{seed}.json", exp=("mtl",), seed=("0",)),
        rule("render", (), "data"),
        rule("count", ("database",), "counts.json"),
    ]
    assert behind(rules) == {
        "report_rooms": {"table_rooms", "score_rooms", "train_rooms", "render_rooms"},
        "table_rooms": {"score_rooms", "train_rooms", "render_rooms"},
        "train_rooms": {"render_rooms"},
        "score_rooms": {"train_rooms", "render_rooms"},
        "render_rooms": set(),
        "count_rooms": set(),  # "database" is not in "data"
    }
