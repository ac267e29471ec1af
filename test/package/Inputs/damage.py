"""Damages a weights file in many ways; the program must refuse each of them.

damage.py PROGRAM WEIGHTS SCRATCH
"""
import json
import struct
import subprocess
import sys

program, weights, scratch = sys.argv[1:]
data = open(weights, "rb").read()
(length,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8 : 8 + length])


def with_header(change):
    """The file with its header changed in place, as long as before."""
    copy = json.loads(json.dumps(header))
    change(copy)
    text = json.dumps(copy, separators=(",", ":")).encode()
    assert len(text) <= length, "the change must not make the header longer"
    return data[:8] + text.ljust(length) + data[8 + length :]


def set_meta(key, value):
    def change(copy):
        copy["__metadata__"][key] = value

    return change


first = next(key for key in header if key != "__metadata__")


def shift(by):
    def change(copy):
        offsets = copy[first]["data_offsets"]
        offsets[1] = offsets[1] + by

    return change


cases = {"cut to %d" % size: data[:size] for size in
         (0, 4, 8, 100, 8 + length, 8 + length + 5, len(data) // 2)}
cases.update({
    "length 2^63": struct.pack("<Q", 1 << 63) + data[8:],
    "length 0": struct.pack("<Q", 0) + data[8:],
    "no JSON": data[:8] + b"x" * length + data[8 + length :],
    "other layout": with_header(set_meta("attn.layout", "0" * 32)),
    "other content": with_header(set_meta("attn.content", "0" * 32)),
    "other ABI": with_header(set_meta("attn.abi", "7")),
    "no layout": with_header(lambda copy: copy.pop("__metadata__")),
    "tensor missing": with_header(lambda copy: copy.pop(first)),
    "tensor too short": with_header(shift(-4)),
    "tensor too long": with_header(shift(1 << 20)),
    "another type": with_header(lambda copy: copy[first].update(dtype="I8")),
})

accepted = []
for name, bytes_ in cases.items():
    with open(scratch, "wb") as file:
        file.write(bytes_)
    for extra in ([], ["memory"]):
        run = subprocess.run([program, scratch] + extra, capture_output=True,
                             text=True)
        if run.returncode != 0 or not run.stdout.startswith("status "):
            accepted.append((name, extra, run.returncode, run.stdout, run.stderr))
for case in accepted:
    print("not refused:", case)
print("every damaged file was refused" if not accepted else "BAD")
sys.exit(bool(accepted))
