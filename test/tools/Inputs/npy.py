"""Writes and shows .npy files with Python's standard library.

npy.py write FILE TYPE SHAPE VALUE...   TYPE as NumPy has it: f4, i8, ...
npy.py show FILE                        type, shape and values, on one line
npy.py bad FOLDER                       files that are damaged in many ways
"""
import struct
import sys

CODES = {"f4": "f", "f8": "d", "i4": "i", "i8": "q", "f2": "e", "u1": "B"}


def npy(kind, shape, body, version=1, order="False", mark="<"):
    text = "{'descr': '%s%s', 'fortran_order': %s, 'shape': (%s), }" % (
        mark, kind, order, "".join("%d," % dim for dim in shape))
    text += " " * (-(10 + len(text) + 1) % 64) + "\n"
    return (b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) +
            text.encode() + body)


def write(file, kind, shape, *values):
    shape = [int(dim) for dim in shape.split(",") if dim]
    count = 1
    for dim in shape:
        count *= dim
    number = float if kind[0] == "f" else int
    values = [number(value) for value in values]
    values = (values * count)[:count]  # repeated to fill the shape
    body = struct.pack("<%d%s" % (count, CODES[kind]), *values)
    with open(file, "wb") as out:
        out.write(npy(kind, shape, body))


def show(file):
    data = open(file, "rb").read()
    (length,) = struct.unpack("<H", data[8:10])
    header = eval(data[10 : 10 + length].decode(), {})
    assert (10 + length) % 64 == 0 and not header["fortran_order"]
    kind = header["descr"].lstrip("<")
    body = data[10 + length :]
    values = struct.unpack("<%d%s" % (len(body) // int(kind[1]), CODES[kind]), body)
    print(kind, list(header["shape"]), " ".join("%.6g" % value for value in values))


def bad(folder):
    one = struct.pack("<3i", 1, 2, 3)
    files = {
        "text": b"1 2 3\n",
        "empty": b"",
        "cut": npy("i4", [1, 3], one)[:40],
        "short": npy("i4", [1, 3], one[:8]),
        "long": npy("i4", [1, 3], one + one),
        "version": npy("i4", [1, 3], one, version=2),
        "fortran": npy("i4", [1, 3], one, order="True"),
        "half": npy("f2", [1, 3], one[:6]),
        "big": npy("i4", [1, 3], one, mark=">"),
        "wide": npy("i8", [1, 3], struct.pack("<3q", 1, 1 << 31, 3)),
        "huge": npy("f8", [1, 3], struct.pack("<3d", 1, 1e300, 3)),
        "shape": npy("i4", [-1, 3], one),
        "many": npy("i4", [1 << 40, 1 << 40], one),
        "rank": npy("i4", [3], one),
        "float": npy("f4", [1, 3], struct.pack("<3f", 1, 2, 3)),
        "good": npy("i4", [1, 3], one),
    }
    for name, data in files.items():
        with open("%s/%s.npy" % (folder, name), "wb") as out:
            out.write(data)


{"write": write, "show": show, "bad": bad}[sys.argv[1]](*sys.argv[2:])
