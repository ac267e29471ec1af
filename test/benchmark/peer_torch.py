# ===- peer_torch.py - PyTorch, eager and compiled --------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# The encoder in PyTorch's own fused functions, without the layers of Python that
# a model library puts around them: eager, and through torch.compile with frozen
# weights (which lets it pack them for oneDNN), one compilation for each shape.
#
# ===----------------------------------------------------------------------===//
import numpy as np
import torch
from torch.nn import functional

VERSION = torch.__version__


class Encoder(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.config = model.config
        self.names = {}
        for name, values in model.tensors.items():
            self.names[name] = name.replace(".", "_")
            tensor = torch.from_numpy(np.array(values))
            self.register_buffer(self.names[name], tensor)

    def tensor(self, name):
        return getattr(self, self.names[name])

    def linear(self, prefix, x):
        weight, bias = self.tensor(prefix + ".weight"), self.tensor(prefix + ".bias")
        return functional.linear(x, weight, bias)

    def norm(self, prefix, x):
        return functional.layer_norm(
            x,
            x.shape[-1:],
            self.tensor(prefix + ".weight"),
            self.tensor(prefix + ".bias"),
            self.config["layer_norm_eps"],
        )

    def attention(self, prefix, x, mask):
        heads = self.config["num_attention_heads"]
        query, key, value = (
            self.linear(f"{prefix}.self.{name}", x)
            .unflatten(-1, (heads, -1))
            .transpose(1, 2)
            for name in ("query", "key", "value")
        )
        y = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.linear(prefix + ".output.dense", y.transpose(1, 2).flatten(2))

    def forward(self, ids, mask):
        x = functional.embedding(ids, self.tensor("embeddings.word_embeddings.weight"))
        x = x + self.tensor("embeddings.token_type_embeddings.weight")[0]
        x = x + self.tensor("embeddings.position_embeddings.weight")[: ids.shape[1]]
        x = self.norm("embeddings.LayerNorm", x)
        # No mask at all is PyTorch's fastest form where nothing is padded.
        if mask is not None:
            mask = mask[:, None, None, :]
        for index in range(self.config["num_hidden_layers"]):
            prefix = f"encoder.layer.{index}"
            y = self.attention(prefix + ".attention", x, mask)
            x = self.norm(prefix + ".attention.output.LayerNorm", x + y)
            y = functional.gelu(self.linear(prefix + ".intermediate.dense", x))
            y = self.linear(prefix + ".output.dense", y)
            x = self.norm(prefix + ".output.LayerNorm", x + y)
        return x


class Eager:
    name = "torch"
    settings = (
        f"torch {VERSION}: eager, inference_mode, scaled_dot_product_attention, "
        "float32 matmul precision highest, no mask where nothing is padded, "
        "denormals kept"
    )

    def __init__(self, model, threads):
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        self.module = Encoder(model).eval()

    def callable(self, dynamic):
        return self.module

    def prepare(self, ids, mask):
        tensor = torch.from_numpy(ids)
        admitted = None if mask.all() else torch.from_numpy(mask.astype(bool))
        module = self.callable(dynamic=False)

        @torch.inference_mode()
        def run():
            return module(tensor, admitted).numpy()

        return run

    def prepare_each(self, rows):
        """Sequences one by one: one compilation for every length."""
        tensors = [torch.from_numpy(row[None]) for row in rows]
        module = self.callable(dynamic=True)

        @torch.inference_mode()
        def run():
            return [module(tensor, None)[0].numpy() for tensor in tensors]

        return run


class Compiled(Eager):
    name = "torch.compile"
    settings = (
        f"torch.compile {VERSION}: the same through torch.compile (inductor, "
        "freezing, static shapes)"
    )

    def callable(self, dynamic):
        import torch._inductor.config

        torch._inductor.config.freezing = True
        torch._dynamo.reset()
        return torch.compile(self.module, dynamic=dynamic)


class EagerBf16(Eager):
    settings = Eager.settings.replace(": eager", " bf16: eager, all in bfloat16")

    def __init__(self, model, threads):
        super().__init__(model, threads)
        self.module = InBf16(self.module)


class CompiledBf16(Compiled):
    settings = Compiled.settings.replace(": the same", " bf16: the same", 1)

    def __init__(self, model, threads):
        super().__init__(model, threads)
        self.module = InBf16(self.module)


class InBf16(torch.nn.Module):
    """An encoder in bfloat16 whose output is f32."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder.to(torch.bfloat16)

    def forward(self, ids, mask):
        return self.encoder(ids, mask).float()


PEERS = {"f32": [Eager, Compiled], "bf16": [EagerBf16, CompiledBf16]}
