# ===- peer_iree.py - IREE on the CPU ---------------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# The ONNX graph, imported and compiled by IREE ahead of time for every shape by
# itself. Compiling takes from seconds to minutes, so that batches of many lengths
# one by one are not measured. What IREE does not compile is skipped with a line.
#
# ===----------------------------------------------------------------------===//
import importlib.metadata
import os
import tempfile

import iree.compiler
import iree.runtime
import onnx
from iree.compiler.tools import CompilerToolError
from iree.compiler.tools.import_onnx import __main__ as importer

import measure

VERSION = importlib.metadata.version("iree-base-compiler")
FLAGS = [
    "--iree-llvmcpu-target-cpu=host",
    "--iree-opt-level=O3",
    # Its default refuses the normalizations of rows of some hundred numbers.
    "--iree-llvmcpu-stack-allocation-limit=262144",
]


def fix_shape(graph, shape):
    """A copy whose inputs and output have this batch and length."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(graph)
    for value in [*fixed.graph.input, *fixed.graph.output]:
        for dim, size in zip(value.type.tensor_type.shape.dim, shape):
            dim.ClearField("dim_param")
            dim.dim_value = size
    return fixed


class Iree:
    name = "IREE"
    settings = (
        f"IREE {VERSION}: llvm-cpu, {' '.join(FLAGS)}, compiled for each shape by "
        "itself; local-sync on one thread, local-task on more"
    )

    def __init__(self, model, threads):
        self.graph = model.onnx()
        driver = "local-sync" if threads == 1 else "local-task"
        if threads > 1:
            iree.runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
        self.config = iree.runtime.Config(driver)

    def compile(self, shape):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "model.onnx")
            imported = os.path.join(folder, "model.mlir")
            onnx.save(fix_shape(self.graph, shape), source)
            importer.main(importer.parse_arguments([source, "-o", imported]))
            try:
                return iree.compiler.compile_file(
                    imported,
                    input_type="onnx",
                    target_backends=["llvm-cpu"],
                    extra_args=FLAGS,
                )
            except CompilerToolError as error:
                words = [line for line in str(error).splitlines() if "error:" in line]
                raise measure.Skipped(
                    "IREE does not compile it: " + (words or ["?"])[0][-200:]
                ) from error

    def prepare(self, ids, mask):
        context = iree.runtime.SystemContext(config=self.config)
        module = iree.runtime.VmModule.copy_buffer(
            context.instance, self.compile(ids.shape)
        )
        context.add_vm_module(module)
        function = context.modules[module.name][self.graph.graph.name]
        device = self.config.device
        arguments = [iree.runtime.asdevicearray(device, of) for of in (ids, mask)]
        return lambda: function(*arguments).to_host()

    def prepare_each(self, rows):
        raise measure.Skipped("IREE would be compiled for every length")


PEERS = {"f32": [Iree]}
