"""ONNX files with weights in others are refused by what they hold, not by what their tensors are called."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from taught import PROBABILITY, network, project, teacher_of

from mtinet import teachers
from mtinet.errors import UserError
from mtinet.teachers.elsewhere import stored_elsewhere

__all__ = ["project"]
NAME = b"\n\x08location"  # how an entry that names another file begins, and a field 1 with that name


def tensor(name: str, elsewhere: bool = False) -> TensorProto:
    """A weight of 1; with values in another file, or inside: bytes that look like an entry that names one."""
    if not elsewhere:
        return numpy_helper.from_array(
            np.frombuffer(NAME + b"\0\0", np.uint8).view(np.float32).reshape(3, 1, 1, 1), name
        )
    made = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[3, 1, 1, 1], data_location=TensorProto.EXTERNAL)
    made.external_data.add(key="location", value="two.bin")
    return made


def graph(nodes: list[onnx.NodeProto], **fields: object) -> onnx.GraphProto:
    return helper.make_graph(nodes, "location", [], [], **fields)


def constant(**attributes: object) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["location"], name="location", doc_string="\n\x08location", **attributes)


def models(elsewhere: bool) -> dict[str, onnx.ModelProto]:
    """Models with a tensor in each of the places that may hold one."""
    weight = tensor("location", elsewhere)
    sparse = helper.make_sparse_tensor(weight, helper.make_tensor("indices", TensorProto.INT64, [3], [0, 1, 2]), [9])
    branch = graph([constant(value=weight)])
    deep = branch
    for _ in range(20):
        deep = graph([helper.make_node("If", ["location"], ["b"], then_branch=deep)])
    function = helper.make_function("own", "F", [], ["location"], [constant(value=weight)], [])
    default = helper.make_function(
        "own", "G", [], [], [], [], attribute_protos=[helper.make_attribute("location", weight)]
    )
    plain = graph([])
    made = {
        "initializer": helper.make_model(graph([], initializer=[tensor("w"), weight])),
        "sparse initializer": helper.make_model(graph([], sparse_initializer=[sparse])),
        "attribute": helper.make_model(branch),
        "attributes": helper.make_model(graph([constant(values=[tensor("w"), weight])])),
        "sparse attribute": helper.make_model(graph([constant(sparse_value=sparse)])),
        "branches": helper.make_model(graph([helper.make_node("If", ["a"], ["b"], branches=[plain, branch])])),
        "deep": helper.make_model(deep),
        "function": helper.make_model(plain, functions=[function]),
        "function's attribute": helper.make_model(plain, functions=[default]),
        "training": helper.make_model(plain),
    }
    made["training"].training_info.add().algorithm.CopyFrom(branch)
    return made


@pytest.mark.parametrize("place", models(False))
def test_values_in_another_file_are_found_wherever_the_tensor_is_and_names_are_not_taken_for_them(place: str) -> None:
    inside, outside = models(False)[place].SerializeToString(), models(True)[place].SerializeToString()
    assert NAME in inside
    assert not stored_elsewhere(inside)
    assert stored_elsewhere(outside)


def test_either_sign_of_another_file_is_enough() -> None:
    for field in ("data_location", "external_data"):
        weight = tensor("w", elsewhere=True)
        weight.ClearField(field)
        assert stored_elsewhere(helper.make_model(graph([], initializer=[weight])).SerializeToString())


def test_fields_of_no_known_number_and_groups_are_passed_over() -> None:
    """What a reader of protobuf skips: a group (with what would be a graph in it), words of 4 and 8 bytes, a number."""
    outside = models(True)["initializer"].SerializeToString()
    unknown = b"\xa3\x06" + outside + b"\xa4\x06" + b"\xad\x06abcd" + b"\xa9\x06abcdefgh" + b"\xa0\x06\xff\x01"
    assert not stored_elsewhere(unknown + models(False)["initializer"].SerializeToString())
    assert stored_elsewhere(unknown + outside)
    assert not onnx.ModelProto.FromString(unknown).HasField("graph")


def test_files_broken_anywhere_are_read_as_protobuf_reads_them() -> None:
    """Cut off or changed at random: refused, or found to say what the package onnx finds in them."""

    def reference(content: bytes) -> bool:
        model = onnx.ModelProto.FromString(content)
        return any(one.external_data or one.data_location for one in model.graph.initializer)

    rng, answers = random.Random(3), {True: 0, False: 0}
    for trial in range(600):
        content = bytearray(models(trial % 2 == 0)["initializer"].SerializeToString())
        content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            expected = reference(bytes(content))
        except DecodeError:
            continue
        answers[expected] += 1
        assert stored_elsewhere(bytes(content)) >= expected, bytes(content)
    assert min(answers.values()) > 50


def test_a_teacher_whose_tensors_are_called_location_is_taken(project: Path) -> None:
    section = network("a.onnx", PROBABILITY)
    model = onnx.load("a.onnx")
    model.graph.initializer.append(tensor("location"))
    named = helper.make_node("Identity", ["location"], ["unused"])
    model.graph.node.append(named)
    Path("b.onnx").write_bytes(model.SerializeToString())
    assert NAME in Path("b.onnx").read_bytes()
    digest = hashlib.sha256(Path("b.onnx").read_bytes()).hexdigest()
    teachers.check(teacher_of("sal", section | {"file": f"b.onnx#sha256={digest}"}), "pascal")


def test_what_is_no_message_is_refused(project: Path) -> None:
    section = network("a.onnx", PROBABILITY)
    for content in (b"\xff" * 40, b"\x3a\x7f", b"\x3c", b"\x3b", b"\x3e"):
        Path("b.onnx").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        with pytest.raises(UserError, match=r"b\.onnx is no readable ONNX network"):
            teachers.check(teacher_of("sal", section | {"file": f"b.onnx#sha256={digest}"}), "pascal")
