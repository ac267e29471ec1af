# ===- families.py - other families in BERT's form --------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# RoBERTa's and DistilBERT's relatives compute what BERT does under other names:
# config and tensors are renamed, so that one graph serves all peers.
#
# ===----------------------------------------------------------------------===//
import numpy as np

ROBERTA = ("roberta", "xlm-roberta", "camembert")
KNOWN = ("bert", "distilbert") + ROBERTA

DISTILBERT_CONFIG = {
    "hidden_size": "dim",
    "intermediate_size": "hidden_dim",
    "num_attention_heads": "n_heads",
    "num_hidden_layers": "n_layers",
    "hidden_act": "activation",
}
DISTILBERT_NAMES = (
    ("transformer.layer.", "encoder.layer."),
    ("attention.q_lin", "attention.self.query"),
    ("attention.k_lin", "attention.self.key"),
    ("attention.v_lin", "attention.self.value"),
    ("attention.out_lin", "attention.output.dense"),
    ("sa_layer_norm", "attention.output.LayerNorm"),
    ("ffn.lin1", "intermediate.dense"),
    ("ffn.lin2", "output.dense"),
    ("output_layer_norm", "output.LayerNorm"),
)
BERT_NAMES = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))


class Unknown(Exception):
    """A family whose graph the peers are not given."""


def alone(config):
    """What sizes of batches and counts of operations need of any encoder's config."""
    config = dict(config)
    config["pad_token_id"] = config.get("pad_token_id") or 0
    # Above the ids that mean something to tokenizers.
    config["lowest_id"] = min(8, config["vocab_size"] - 1)
    if config["lowest_id"] <= config["pad_token_id"] < config["vocab_size"] - 1:
        config["lowest_id"] = config["pad_token_id"] + 1
    return config


def as_bert(config, tensors):
    """Config and tensors, renamed and without heads; `lowest_id` in the config is
    the smallest id that is no special one."""
    kind = config["model_type"]
    config = dict(config)
    if kind == "distilbert":
        config.update({name: config[of] for name, of in DISTILBERT_CONFIG.items()})
    act = config.get("hidden_act", "gelu")
    if kind not in KNOWN or act != "gelu":
        raise Unknown(
            f"model_type '{kind}' with hidden_act '{act}'; the peers' graph is "
            f"written for {', '.join(KNOWN)} with 'gelu'"
        )
    config.setdefault("layer_norm_eps", 1e-12)
    renames = DISTILBERT_NAMES if kind == "distilbert" else BERT_NAMES
    kept = {}
    for name, values in tensors.items():
        for prefix in ("bert.", "roberta.", "distilbert."):
            name = name.removeprefix(prefix)
        for old, new in renames:
            name = name.replace(old, new)
        if name.startswith(("embeddings.", "encoder.")):
            kept[name] = values
    config["pad_token_id"] = config.get("pad_token_id") or 0
    config["lowest_id"] = 1
    positions = "embeddings.position_embeddings.weight"
    if kind in ROBERTA:
        # The first position is the one after the padding's.
        first = config["pad_token_id"] + 1
        kept[positions] = kept[positions][first:]
        config["max_position_embeddings"] -= first
        config["lowest_id"] = first
    types = "embeddings.token_type_embeddings.weight"
    kept.setdefault(types, np.zeros((1, config["hidden_size"]), np.float32))
    return config, kept
