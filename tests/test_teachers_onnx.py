"""Teachers in ONNX files say exactly what the network computes; those that are none are refused with what is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from taught import MIRRORED, PROBABILITY, network, project, teacher_of

from mtinet import teachers
from mtinet.errors import UserError

__all__ = ["project"]
NOISE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def predicted(task: str, section: dict[str, Any], image: np.ndarray) -> np.ndarray:
    params = teacher_of(task, section)
    teachers.check(params, "pascal")
    teacher = params.teachers["pascal"][task]
    label: np.ndarray = teachers.kind_of(teacher).load(teacher, task, Path(), params.compute)(image)
    return label


def test_an_onnx_teacher_sees_the_declared_pixels(project):
    """At the network's own size nothing is resized: the answer is the closed form."""
    rgb = NOISE / 255
    np.testing.assert_allclose(predicted("sal", network("a.onnx", PROBABILITY), NOISE), rgb.mean(-1), atol=1e-6)
    red = network("b.onnx", [[1, 0, 0, 0]], mean=[0.5, 0.1, 0.1], std=[0.2, 1.0, 1.0], activation="sigmoid")
    expected = 1 / (1 + np.exp(-(rgb[..., 0] - 0.5) / 0.2))
    np.testing.assert_allclose(predicted("sal", red, NOISE), expected, atol=1e-6)
    expected = 1 / (1 + np.exp(-(rgb[..., 2] - 0.5) / 0.2))
    np.testing.assert_allclose(predicted("sal", red | {"colours": "bgr"}, NOISE), expected, atol=1e-6)
    two = network("c.onnx", [[1, 0, 0, 0], [0, 1, 0, 0]], activation="softmax", channels=["+1"])
    expected = np.exp(rgb[..., 1]) / (np.exp(rgb[..., 0]) + np.exp(rgb[..., 1]))
    np.testing.assert_allclose(predicted("sal", two, NOISE), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "channels", "expected"),
    [
        ("none", ["+0", "+1", "+2"], [0.6, 0.0, -0.8]),
        ("none", ["+0", "-1", "-2"], [0.6, 0.0, 0.8]),
        ("none", ["-2", "+1", "+0"], [0.8, 0.0, 0.6]),
        ("centred", ["+0", "+1", "+2"], np.array([0.2, -1.0, -2.6]) / np.sqrt(0.04 + 1 + 6.76)),
    ],
)
def test_normals_are_turned_into_the_projects_axes(project, activation, channels, expected):
    section = network("a.onnx", MIRRORED, activation=activation, channels=channels)
    found = predicted("normals", section, np.zeros((21, 33, 3), np.uint8))
    assert found.shape == (21, 33, 3)
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-6)


def test_a_prediction_comes_back_bilinearly_to_the_images_size(project):
    image = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 40, 0).repeat(3, 2)
    small = np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR))[..., 0] / 255
    columns = (np.arange(64) + 0.5) * 16 / 64 - 0.5
    expected = np.interp(columns, np.arange(16), small[0])
    found = predicted("sal", network("a.onnx", PROBABILITY), image)
    np.testing.assert_allclose(found, np.broadcast_to(expected, (40, 64)), atol=1e-6)


def test_an_onnx_teacher_with_operators_or_weights_from_elsewhere_is_refused(project):
    """What runs is what the digest covers: ONNX Runtime's own operators, and weights in the one file."""
    image, answer = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("image", "a"))
    weights = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), "w")
    foreign = helper.make_graph([helper.make_node("Own", ["image"], ["a"], domain="own")], "g", [image], [answer])
    plain = helper.make_graph([helper.make_node("Conv", ["image", "w"], ["a"])], "g", [image], [answer], [weights])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    Path("own.onnx").write_bytes(helper.make_model(foreign, opset_imports=opsets, ir_version=8).SerializeToString())
    model = helper.make_model(plain, opset_imports=opsets[:1], ir_version=8)
    onnx.save(model, "two.onnx", save_as_external_data=True, location="two.bin", size_threshold=0)
    for name, said in (("own.onnx", "own:Own.* is not a registered"), ("two.onnx", "keeps weights in other files")):
        digest = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        params = teacher_of("sal", network("a.onnx", PROBABILITY) | {"file": f"{name}#sha256={digest}"})
        with pytest.raises(UserError, match=f"teachers.pascal.sal.onnx: file: {name}.*{said}") as caught:
            teachers.check(params, "pascal")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "rows", "changes", "expected"),
    [
        ("sal", PROBABILITY, {"file": "gone.onnx#sha256=0"}, "file: found 'gone.onnx', expected an ONNX file"),
        ("sal", PROBABILITY, {"file": "a.onnx#sha256=0123"}, "file: a.onnx has SHA-256 "),
        ("sal", PROBABILITY, {"file": "a.onnx"}, "expected its SHA-256 behind its name"),
        ("sal", PROBABILITY, {"channels": ["+1"]}, "found float32 of shape [1, 1, 16, 16], expected floating point"),
        ("sal", PROBABILITY, {"channels": ["+0", "+0"]}, "channels: found ['+0', '+0'], expected 1 for 'sal'"),
        ("sal", PROBABILITY, {"output": "mask"}, "output: found 'mask', expected one of answer"),
        ("sal", PROBABILITY, {"input": {"height": 8, "width": 16}}, "input: the network does not take it"),
        ("sal", PROBABILITY, {"rank": 3}, "found float32 of shape [1, 16, 16], expected floating point [1, C, h, w]"),
        ("normals", PROBABILITY, {}, "channels: found ['+0'], expected 3 for 'normals'"),
    ],
)
def test_check_names_what_is_wrong_with_an_onnx_teacher(project, task, rows, changes, expected):
    rank = changes.get("rank", 4)
    changes = {key: value for key, value in changes.items() if key != "rank"}
    params = teacher_of(task, network("a.onnx", rows, rank=rank, **changes))
    with pytest.raises(UserError) as caught:
        teachers.check(params, "pascal")
    message = str(caught.value)
    assert message.startswith(f"teachers.pascal.{task}.onnx: ")
    assert expected in message
    assert "\n" not in message


def test_a_file_that_is_no_network_and_a_missing_teacher_are_named(project):
    Path("b.onnx").write_bytes(b"nothing")
    digest = hashlib.sha256(b"nothing").hexdigest()
    params = teacher_of("sal", network("a.onnx", PROBABILITY) | {"file": f"b.onnx#sha256={digest}"})
    with pytest.raises(UserError, match=r"onnx: file: b.onnx is no readable ONNX network"):
        teachers.check(params, "pascal")
    with pytest.raises(UserError, match=r"declare teachers.pascal.sal in params.yaml, or set study.source.pascal"):
        teachers.check(params.model_copy(update={"teachers": {}}), "pascal")


@pytest.mark.parametrize(("value", "expected"), [(1.5, "predicts 1.5 to 1.5, expected 0..1"), (np.nan, "NaN")])
def test_what_is_no_probability_is_refused(project, value, expected):
    with pytest.raises(UserError, match=expected):
        predicted("sal", network("a.onnx", [[0, 0, 0, value]]), NOISE)
