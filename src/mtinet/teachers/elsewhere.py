"""Whether an ONNX file keeps a tensor's values in another file, read from its bytes as protobuf encodes them.

Only the fields that lead to a tensor are followed, so that neither names nor values are taken for anything else. The
package onnx would do so too; it is no dependency of what runs.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, WORD64, BYTES, GROUP, END, WORD32 = range(6)  # kinds of fields in protobuf's encoding
FIXED = {WORD64: 8, WORD32: 4}
LONGEST_VARINT = 10  # bytes

# Of each kind of message the fields that lead on, by their numbers in onnx.proto.
LEADS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}  # fmt: skip
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor: entries that name the place, and whether it is another file


def stored_elsewhere(content: bytes) -> bool:
    """Whether some tensor of the model has its values in another file; ValueError for what is no protobuf message."""
    waiting = [("model", 0, len(content))]
    while waiting:
        message, begin, end = waiting.pop()
        for number, kind, first, last in fields(content, begin, end):
            if kind == BYTES and number in LEADS[message]:
                waiting.append((LEADS[message][number], first, last))
            if message == "tensor" and kind == BYTES and number == EXTERNAL_DATA:
                return True
            if message == "tensor" and kind == VARINT and number == DATA_LOCATION and varint(content, first, end)[0]:
                return True
    return False


def fields(content: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, kind and place [first, last) of the content of each field of a message; none of those within groups."""
    place, groups = begin, 0
    while place < end:
        tag, first = varint(content, place, end)
        number, kind = (tag & 0xFFFFFFFF) >> 3, tag & 7
        if kind == BYTES:
            length, first = varint(content, first, end)
            place = first + length
        elif kind == VARINT:
            _, place = varint(content, first, end)
        elif kind in FIXED:
            place = first + FIXED[kind]
        elif kind in (GROUP, END):
            groups += 1 if kind == GROUP else -1
            place = first
        if place > end or kind > WORD32 or groups < 0:
            raise ValueError(f"no field of a message at byte {first}")
        if groups == 0 and kind != END:
            yield number, kind, first, place
    if groups:
        raise ValueError(f"a group without an end before byte {end}")


def varint(content: bytes, place: int, end: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place after it."""
    value = 0
    for count, byte in enumerate(content[place : min(end, place + LONGEST_VARINT)]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value & (1 << 64) - 1, place + count + 1
    raise ValueError(f"no number at byte {place}")
