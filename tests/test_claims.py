"""The paper's claims: judged by hand-made differences, every one of declared experiments, gaps said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reporting_inputs as made

from mtinet import config, metrics
from mtinet.errors import UserError
from mtinet.evaluation import uncertainty
from mtinet.evaluation.claims import CLAIMS, Claim, judge, load_claims
from mtinet.reporting import formats, plain
from mtinet.reporting.conditions import Conditions
from mtinet.reporting.verdicts import claims_table, compared
from mtinet.studies.intervals import resamples

PARAMS = config.load(made.ROOT / "params.yaml")
IMAGES = 40
# The factor on every figure's error: what is to come out.
QUALITY = {"hrnet18-mtl": 1.3, "hrnet18-pad": 1.0, "hrnet18-mti": 0.7, "hrnet18-mti@32": 1.2, "hrnet18-mti@16": 1.0}


def statistics(name: str, seed: int) -> dict[str, np.ndarray] | None:
    """Depth and segmentation of one run; None for runs that are not there."""
    if not (name in QUALITY or name.startswith("hrnet18-single")):
        return None
    source = np.random.default_rng(7)
    error, noise = source.gamma(4, 0.25, IMAGES), np.random.default_rng([*name.encode()])
    found = {}
    for suffix in ("", "@16", "@32"):
        factor = QUALITY.get(f"{name}{suffix}", 1.0) * noise.normal(1, 0.02, IMAGES)
        depth = np.stack([np.full(IMAGES, 100.0), 100 * (factor * error) ** 2, *[error] * 4], axis=1)
        missed = np.minimum(300.0, 200 * factor[:, None] * source.uniform(0.8, 1.2, (IMAGES, 3)))
        seg = np.stack([500 - missed, missed, missed], axis=1)
        found |= {f"depth{suffix}": depth, f"seg{suffix}": seg}
    return {key: rows for key, rows in found.items() if not name.endswith("single-seg") or "depth" not in key}


def metrics_file(name: str, seed: int) -> dict[str, Any] | None:
    """What the evaluation writes of one run."""
    rows = statistics(name, seed)
    if rows is None:
        return None
    tasks = PARAMS.experiment("nyud", name)[1].tasks
    found = {key: metrics.summarize(key.split("@")[0], value) for key, value in rows.items()}
    return {
        "dataset": "nyud", "experiment": name, "seed": 0, "steps": 9, "epochs": 1, "auxiliary": {},
        "tasks": {task: found[task] for task in tasks},
        "initial": {key: found[key] for key in found if "@" in key} if len(tasks) > 1 else {},
    }  # fmt: skip


def judged(better: str, worse: str) -> dict[str, Any]:
    claims = [Claim(claim="c", where="w", better=better, worse=worse)]
    return judge(claims, PARAMS, "nyud", metrics_file, statistics)[0]


def gain(rows: dict[str, np.ndarray], suffix: str, draw: np.ndarray) -> float:
    """Equation 2 on the drawn images."""
    single = {t: statistics(f"hrnet18-single-{t}", 0)[t][draw] for t in ("seg", "depth")}
    terms = []
    for task, metric, sign in (("seg", "mIoU", 1), ("depth", "rmse", -1)):
        own = metrics.summarize(task, rows[f"{task}{suffix}"][draw])[metric]
        base = metrics.summarize(task, single[task])[metric]
        terms.append(sign * (own - base) / base)
    return 100 * float(np.mean(terms))


@pytest.mark.parametrize(("better", "worse", "verdict"), [
    ("hrnet18-mti", "hrnet18-mtl", "supported"),
    ("hrnet18-mtl", "hrnet18-mti", "contradicted"),
    ("single", "hrnet18-mtl", "supported"),
    ("hrnet18-mti", "hrnet18-mti", "inconclusive"),
    ("hrnet18-mti@16", "hrnet18-mti@32", "supported"),
    ("hrnet18-mti-n", "hrnet18-mti", "missing"),
])  # fmt: skip
def test_verdicts(better: str, worse: str, verdict: str) -> None:
    assert judged(better, worse)["verdict"] == verdict


def test_effect_and_interval_are_those_of_the_draws() -> None:
    found = judged("hrnet18-mti", "hrnet18-mti@32")
    rows, everything = statistics("hrnet18-mti", 0), np.arange(IMAGES)
    draws = resamples(IMAGES, uncertainty.REPLICATES, uncertainty.SEED)
    values = [gain(rows, "", draw) - gain(rows, "@32", draw) for draw in draws]
    assert found["effect"] == pytest.approx(gain(rows, "", everything) - gain(rows, "@32", everything), rel=1e-9)
    assert found["interval"] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), rel=1e-9)
    assert found["seeds"] == 1


def test_against_exact_labels_a_claim_has_an_effect_of_its_own() -> None:
    """Against exact labels two runs change places: so do effect, interval and verdict."""
    other = {"hrnet18-mti": "hrnet18-mtl", "hrnet18-mtl": "hrnet18-mti"}

    def exact_statistics(name: str, seed: int) -> dict[str, np.ndarray] | None:
        rows, swapped = statistics(name, seed), statistics(other.get(name, name), seed)
        return rows and rows | {f"{key}!exact": found for key, found in (swapped or {}).items()}

    def exact_metrics(name: str, seed: int) -> dict[str, Any] | None:
        found, swapped = metrics_file(name, seed), metrics_file(other.get(name, name), seed)
        return found and found | {"exact": {**(swapped or {})["tasks"], **(swapped or {})["initial"]}}

    claims = [Claim(claim="c", where="w", better="hrnet18-mti", worse="hrnet18-mtl")]
    (found,) = judge(claims, PARAMS, "nyud", exact_metrics, exact_statistics)
    plainly, swapped = judged("hrnet18-mti", "hrnet18-mtl"), judged("hrnet18-mtl", "hrnet18-mti")
    assert {key: value for key, value in found.items() if key != "exact"} == plainly
    assert found["exact"] == {key: swapped[key] for key in ("effect", "interval", "verdict")}
    assert (found["verdict"], found["exact"]["verdict"]) == ("supported", "contradicted")
    table = claims_table("nyud", [found], made.conditions())
    assert table.header[-3:] == ("Effect on Δm vs exact", "95 % interval vs exact", "Verdict vs exact")
    assert table.rows[0][-1] == "contradicted"
    assert len(table.rows[0]) == len(table.header) == len(claims_table("nyud", [plainly], made.conditions()).header) + 3


@pytest.mark.parametrize("dataset", ["nyud", "pascal"])
def test_every_claim_compares_declared_experiments(dataset: str) -> None:
    claims = load_claims(dataset, made.ROOT / CLAIMS)
    declared = {name for name, _ in PARAMS.runs(dataset)}
    assert len(claims) > 5
    for claim in claims:
        assert set(claim.experiments) <= declared, claim
        assert claim.better != claim.worse


def test_a_missing_run_is_a_gap_in_the_table() -> None:
    found = [judged("hrnet18-mti-n", "hrnet18-mti"), judged("hrnet18-mti", "hrnet18-mtl")]
    table = claims_table("nyud", found, made.conditions())
    assert table.rows[0][3:] == ("–", "–", "0", "missing")
    assert table.rows[1][3].startswith("+")
    assert table.rows[1][-1] == "supported"


def test_the_table_states_its_conditions_and_steps_in_every_format() -> None:
    found = [judged("hrnet18-mti@32", "single"), judged("hrnet18-mti", "hrnet18-mtl")]
    names = compared(found, PARAMS.names("nyud"))
    assert names == ["hrnet18-mti", "hrnet18-mtl"]
    assert compared(found, ["hrnet18-mtl"]) == ["hrnet18-mtl"]
    manifests = [made.manifest(name, steps=steps) for name, steps in zip(names, (81, 81), strict=True)]
    conditions = Conditions.of(PARAMS, "nyud", names, manifests)
    table = claims_table("nyud", found, conditions)
    assert "training images" in conditions.line()
    assert "Training steps: 81." in table.notes
    assert plain.markdown(table).startswith(conditions.line() + "\n")
    assert plain.csv(table).startswith(f"# {conditions.line()}\n")
    assert plain.latex(table).startswith(f"% {conditions.line()}\n")
    assert "Training steps: 81." in plain.latex(table)
    caption = next(line for line in plain.latex(table).splitlines() if line.startswith(r"\caption"))
    assert formats.escape(conditions.line()) in caption


def test_a_malformed_file_is_one_line(tmp_path) -> None:
    (tmp_path / "claims.yaml").write_text("nyud:\n  - {claim: a, where: b, better: c}\n")
    with pytest.raises(UserError, match=r"nyud\.0\.worse"):
        load_claims("nyud", tmp_path / "claims.yaml")
