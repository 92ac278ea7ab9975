"""Files that call themselves Bundles and are not: one line, no wrong answer, bounded memory."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.bundles import change_property, write_bundle

from mien.bundle.bundle import Bundle
from mien.errors import BundleError

CROPS = np.full((3, 64, 64, 3), 90, np.uint8)


def changed(path, change):
    """Write a Bundle whose graph is changed by a function."""
    model = onnx.load(write_bundle(path))
    change(model.graph)
    onnx.save(model, path)
    return path


def rename(graph, old, new):
    """Give the node output that is called `old` another name."""
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == old:
                node.output[index] = new


def constant(graph, name, values, kind=np.float32):
    graph.initializer.append(numpy_helper.from_array(np.array(values, kind), name))


def after(output, *nodes):
    """Return a change that puts nodes between the graph and one of its outputs."""

    def change(graph):
        rename(graph, output, "before")
        constant(graph, "nan", [np.nan])
        constant(graph, "two", [2])
        constant(graph, "big", [1e38])
        constant(graph, "half", [0.5])
        constant(graph, "twos", [2, 1], np.int64)
        graph.node.extend(nodes)

    return change


def node(kind, inputs, output="probabilities", **attributes):
    return helper.make_node(kind, inputs, [output], **attributes)


def of_type(part, kind):
    def change(graph):
        parts = [*graph.input, *graph.output]
        found = next(one for one in parts if one.name == part)
        found.type.tensor_type.elem_type = kind
        if part == "images":
            return
        rename(graph, part, "before")
        graph.node.append(node("Cast", ["before"], part, to=kind))

    return change


def another_input(graph):
    graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    rename(graph, "probabilities", "before")
    graph.node.append(node("Add", ["before", "more"]))


def fixed_batch(graph):
    for part in (*graph.input, *graph.output):
        part.type.tensor_type.shape.dim[0].dim_value = 1


def an_endless_loop(graph):
    rename(graph, "probabilities", "before")
    inside = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Identity", ["value"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    constant(graph, "true", True, bool)
    graph.node.append(
        helper.make_node("Loop", ["", "true", "before"], ["probabilities"], body=inside)
    )


def much_memory(graph):
    rename(graph, "probabilities", "before")
    constant(graph, "shape", [3 << 28, 1, 3], np.int64)  # 9.7 GB
    graph.node.extend(
        [
            node("Expand", ["before", "shape"], "wide"),
            node("ReduceMean", ["wide"], "narrow", keepdims=0),
            node("Mul", ["narrow", "half"], "less"),
            node("Sub", ["less", "less"], "none"),
            node("Add", ["before", "none"]),
        ]
    )
    constant(graph, "half", [0.5])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (after("probabilities", node("Mul", ["before", "nan"])), "not finite"),
        (after("logits", node("Mul", ["before", "nan"], "logits")), "not finite"),
        (after("probabilities", node("Mul", ["before", "two"])), "add up to 2"),
        (after("probabilities", node("Sub", ["before", "half"])), "negative|add up"),
        (
            after("probabilities", node("Tile", ["before", "twos"])),
            r"\(4, 3\), expected float32",
        ),
        (
            of_type("probabilities", TensorProto.DOUBLE),
            r"tensor\(double\), expected tensor\(float\)",
        ),
        (of_type("images", TensorProto.FLOAT), r"float\), expected tensor\(uint8\)"),
        (another_input, "takes 'more' as well"),
        (fixed_batch, r"\(1, 64, 64, 3\), expected \(N, 64, 64, 3\)"),
        (an_endless_loop, "holds a graph of its own"),
        (much_memory, "memory"),
    ],
)
def test_what_a_graph_answers_is_not_believed(change, said, tmp_path):
    path = changed(tmp_path / "own.onnx", change)
    with pytest.raises(BundleError, match=said) as caught:
        Bundle(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_answers_that_go_wrong_later_are_said(tmp_path):
    """A graph that answers an all-white crop alone with NaN."""

    def change(graph):
        rename(graph, "probabilities", "before")
        constant(graph, "white", [254.5])
        graph.node.extend(
            [
                node("ReduceMin", ["mean"], "least", keepdims=1),
                node("Greater", ["least", "white"], "is_white"),
                node("Where", ["is_white", "nan", "before"]),
            ]
        )
        constant(graph, "nan", [np.nan])

    bundle = Bundle(changed(tmp_path / "own.onnx", change))
    assert np.isfinite(bundle.predict(CROPS)[1]).all()
    with pytest.raises(BundleError, match=r"own.onnx: .*not finite.*export it again"):
        bundle.predict(np.full_like(CROPS, 255))


@pytest.mark.parametrize("place", ["beside", "working directory", "sub-folder"])
def test_data_outside_of_the_file_are_refused(place, tmp_path, monkeypatch):
    path = write_bundle(tmp_path / "own.onnx")
    model = onnx.load(path)
    location = "in/data.bin" if place == "sub-folder" else "data.bin"
    (tmp_path / "in").mkdir()
    (tmp_path / location).write_bytes(numpy_helper.to_array(model.graph.initializer[0]).tobytes())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    if place != "beside":
        monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"own.onnx: .*data in another file") as caught:
        Bundle(path)
    assert "\n" not in str(caught.value)


def test_functions_that_grow_without_bound_are_refused(tmp_path):
    path = write_bundle(tmp_path / "own.onnx")
    model = onnx.load(path)
    model.functions.append(
        helper.make_function(
            "own", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])],
            [helper.make_opsetid("", 18)],
        )
    )  # fmt: skip
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match=r"own.onnx: .*function"):
        Bundle(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recipe", "[" * 100_000),
        ("recipe", '{"a":' * 300 + "1" + "}" * 300),
        ("parameters", "1" * 5000),
        ("parameters", "-1"),
        ("uncertain_below", "NaN"),
        ("uncertain_below", "1e999"),
        ("uncertain_below", "2"),
        ("crop_margin", "1e9"),
        ("crop_margin", "-3"),
        ("macs", "-5"),
        ("scores", '[{"x": 1e999}]'),
        ("note", '"\\ud800"'),
    ],
)
def test_other_metadata_are_one_line(name, value, tmp_path):
    path = change_property(write_bundle(tmp_path / "own.onnx"), name, value)
    with pytest.raises(BundleError, match=r"own.onnx: ") as caught:
        Bundle(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_metadata_that_are_not_utf_8_are_one_line(tmp_path):
    path = write_bundle(tmp_path / "own.onnx", licence="QQQQ")
    path.write_bytes(path.read_bytes().replace(b"QQQQ", b"\xff\xfe\xff\xfe"))
    with pytest.raises(BundleError, match=r"own.onnx: .*UTF-8") as caught:
        Bundle(path)
    assert "\n" not in str(caught.value)


def test_names_that_are_not_utf_8_are_one_line_and_nothing_is_printed(tmp_path, capfd):
    path = changed(tmp_path / "own.onnx", another_input)
    content = path.read_bytes()
    for old, new in ((b"\x04more", b"\x04mo\xff\xfe"), (b"Add", b"A\xff\xfe")):
        path.write_bytes(content.replace(old, new))
        with pytest.raises(BundleError, match=r"own.onnx: ") as caught:
            Bundle(path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_every_half_of_a_bundle_is_one_line(tmp_path):
    whole = write_bundle(tmp_path / "own.onnx").read_bytes()
    path = tmp_path / "half.onnx"
    for length in range(0, len(whole), 61):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError) as caught:
            Bundle(path)
        assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = write_bundle(tmp_path / "own.onnx")
    with path.open("r+b") as file:
        file.truncate(3 << 20)
    monkeypatch.setenv("MIEN_MAX_MB", "2")
    with pytest.raises(BundleError, match=r"own.onnx: .*MIEN_MAX_MB"):
        Bundle(path)


def test_json_of_metadata_has_no_bare_nan(tmp_path):
    bundle = Bundle(write_bundle(tmp_path / "own.onnx"))
    json.dumps(bundle.metadata.model_dump(mode="json"), allow_nan=False)
