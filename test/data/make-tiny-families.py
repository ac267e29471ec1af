#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes test/data/families: a tiny random model per encoder family and head.

    python3 test/data/make-tiny-families.py test/data/families

Needs torch and transformers (the checked-in files: 2.15.0 and 5.23.0), which
give the names of tensors and the form of the files; the numbers are drawn here.
Sizes are odd on purpose: 3, 5 and 7 heads, rows of no multiple of 16.
"""
import os
import shutil
import sys

import numpy as np
import torch
import transformers

BERT = dict(vocab_size=40, hidden_size=20, num_hidden_layers=2,
            num_attention_heads=5, intermediate_size=36, type_vocab_size=2,
            max_position_embeddings=26)
ROBERTA = dict(BERT, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)
XLM_ROBERTA = dict(ROBERTA, hidden_size=33, num_hidden_layers=1,
                   num_attention_heads=3, intermediate_size=17)
DISTILBERT = dict(vocab_size=40, dim=14, n_layers=2, n_heads=7, hidden_dim=30,
                  max_position_embeddings=26, sinusoidal_pos_embds=True)
ELECTRA = dict(BERT, embedding_size=10, hidden_size=21, num_attention_heads=3,
               intermediate_size=40)
ALBERT = dict(BERT, embedding_size=10, num_hidden_layers=3, intermediate_size=28,
              inner_group_num=1, num_hidden_groups=1)

# Longer, so that every bucket of distances is met.
MPNET = dict(vocab_size=40, hidden_size=20, num_hidden_layers=2,
             num_attention_heads=5, intermediate_size=36,
             max_position_embeddings=102)

# The numbers of models with a head: one small layer.
SMALL = dict(vocab_size=24, hidden_size=12, num_hidden_layers=1,
             num_attention_heads=3, intermediate_size=20)
SMALL_BERT = BERT | SMALL
SMALL_ROBERTA = ROBERTA | SMALL
SMALL_DISTILBERT = DISTILBERT | dict(vocab_size=24, dim=12, n_layers=1, n_heads=3,
                                     hidden_dim=20)
SMALL_ELECTRA = ELECTRA | SMALL
SMALL_ALBERT = ALBERT | SMALL | dict(num_hidden_layers=2)
LABELS, RANK = dict(num_labels=3), dict(num_labels=1)

# Folder -> class, numbers.
MODELS = {
    "bert-masked": ("BertForMaskedLM", SMALL_BERT),
    "bert-untied": ("BertForMaskedLM", SMALL_BERT | dict(tie_word_embeddings=False)),
    "bert-pretraining": ("BertForPreTraining", SMALL_BERT),
    "bert-next": ("BertForNextSentencePrediction", SMALL_BERT),
    "bert-sequence": ("BertForSequenceClassification", SMALL_BERT | LABELS),
    "bert-rank": ("BertForSequenceClassification", SMALL_BERT | RANK),
    "bert-token": ("BertForTokenClassification", SMALL_BERT | LABELS),
    "bert-question": ("BertForQuestionAnswering", SMALL_BERT),
    "roberta": ("RobertaModel", ROBERTA),
    "xlm-roberta": ("XLMRobertaModel", XLM_ROBERTA),
    "distilbert": ("DistilBertModel", DISTILBERT),
    "electra": ("ElectraModel", ELECTRA),
    "electra-replaced": ("ElectraForPreTraining", SMALL_ELECTRA),
    "albert": ("AlbertModel", ALBERT),
    "albert-groups": ("AlbertModel", ALBERT | dict(num_hidden_groups=2,
                                                   inner_group_num=2)),
}
for family, prefix, numbers in (
    ("roberta", "Roberta", SMALL_ROBERTA),
    ("xlm-roberta", "XLMRoberta", SMALL_ROBERTA),
    ("distilbert", "DistilBert", SMALL_DISTILBERT),
    ("electra", "Electra", SMALL_ELECTRA),
    ("albert", "Albert", SMALL_ALBERT),
    ("mpnet", "MPNet", MPNET | SMALL | dict(max_position_embeddings=26)),
):
    # ELECTRA as wide as its tables has no projection.
    same = dict(embedding_size=12) if family == "electra" else {}
    MODELS |= {
        family + "-masked": (prefix + "ForMaskedLM", numbers),
        family + "-sequence": (prefix + "ForSequenceClassification",
                               numbers | LABELS | same),
        family + "-token": (prefix + "ForTokenClassification", numbers | LABELS),
        family + "-question": (prefix + "ForQuestionAnswering", numbers),
    }
MODELS["mpnet"] = ("MPNetModel", MPNET)

# Later families stand behind: the seed is the model's number.
DEBERTA = dict(vocab_size=40, hidden_size=21, num_hidden_layers=2,
               num_attention_heads=3, intermediate_size=38, type_vocab_size=0,
               max_position_embeddings=102, relative_attention=True,
               position_buckets=12, max_relative_positions=-1,
               norm_rel_ebd="layer_norm", share_att_key=True,
               pos_att_type="p2c|c2p", position_biased_input=False)
# Every distance to 9 has a row of its own; absolute positions, token types and
# a projection of the embeddings besides.
DEBERTA_PLAIN = DEBERTA | dict(
    hidden_size=20, num_attention_heads=5, num_hidden_layers=1, embedding_size=10,
    type_vocab_size=2, position_buckets=-1, max_relative_positions=9,
    norm_rel_ebd="none", share_att_key=False, position_biased_input=True,
    max_position_embeddings=26)
SMALL_DEBERTA = DEBERTA | SMALL | dict(max_position_embeddings=26)
MODELS |= {
    "deberta": ("DebertaV2Model", DEBERTA),
    "deberta-plain": ("DebertaV2Model", DEBERTA_PLAIN),
    "deberta-c2p": ("DebertaV2Model", DEBERTA_PLAIN | dict(pos_att_type=["c2p"])),
    "deberta-p2c": ("DebertaV2Model", DEBERTA | dict(
        num_hidden_layers=1, share_att_key=False, pos_att_type="p2c",
        max_relative_positions=64)),
    "deberta-conv": ("DebertaV2Model", DEBERTA | dict(
        conv_kernel_size=3, conv_act="gelu", max_position_embeddings=26)),
    # Without distances the scale still counts their terms.
    "deberta-absolute": ("DebertaV2Model", DEBERTA_PLAIN | dict(
        relative_attention=False, type_vocab_size=0)),
    "deberta-masked": ("DebertaV2ForMaskedLM",
                       SMALL_DEBERTA | dict(embedding_size=10)),
    "deberta-masked-newer": ("DebertaV2ForMaskedLM",
                             SMALL_DEBERTA | dict(legacy=False)),
    "deberta-sequence": ("DebertaV2ForSequenceClassification",
                         SMALL_DEBERTA | LABELS),
    "deberta-token": ("DebertaV2ForTokenClassification", SMALL_DEBERTA | LABELS),
    "deberta-question": ("DebertaV2ForQuestionAnswering", SMALL_DEBERTA),
    "camembert": ("CamembertModel", ROBERTA | dict(num_hidden_layers=1)),
    "camembert-masked": ("CamembertForMaskedLM", SMALL_ROBERTA),
    "camembert-sequence": ("CamembertForSequenceClassification",
                           SMALL_ROBERTA | LABELS),
    "camembert-token": ("CamembertForTokenClassification", SMALL_ROBERTA | LABELS),
    "camembert-question": ("CamembertForQuestionAnswering", SMALL_ROBERTA),
}

# Windows of 4 rows to either side, which 24 rows exceed.
MODERNBERT = dict(vocab_size=40, hidden_size=30, num_hidden_layers=4,
                  num_attention_heads=5, intermediate_size=22,
                  max_position_embeddings=101, local_attention=9, pad_token_id=1,
                  bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3)
SMALL_MODERNBERT = MODERNBERT | SMALL | dict(
    num_hidden_layers=2, max_position_embeddings=26, layer_types=[
        "sliding_attention", "full_attention"])
BIASES = dict(attention_bias=True, mlp_bias=True, norm_bias=True,
              classifier_bias=True)
MODELS |= {
    "modernbert": ("ModernBertModel", MODERNBERT),
    "modernbert-masked": ("ModernBertForMaskedLM", SMALL_MODERNBERT),
    "modernbert-biases": ("ModernBertForMaskedLM", SMALL_MODERNBERT | BIASES | dict(
        decoder_bias=False, tie_word_embeddings=False)),
    "modernbert-sequence": ("ModernBertForSequenceClassification",
                            SMALL_MODERNBERT | LABELS),
    "modernbert-mean": ("ModernBertForSequenceClassification",
                        SMALL_MODERNBERT | LABELS | dict(classifier_pooling="mean")),
    "modernbert-token": ("ModernBertForTokenClassification",
                         SMALL_MODERNBERT | LABELS | dict(classifier_bias=True)),
    "modernbert-question": ("ModernBertForQuestionAnswering", SMALL_MODERNBERT),
}

# Trained otherwise: names alone differ.
ERNIE = SMALL_BERT | dict(use_task_id=False)
MODELS |= {
    "ernie": ("ErnieModel", ERNIE | dict(num_hidden_layers=2)),
    "ernie-masked": ("ErnieForMaskedLM", ERNIE),
    "ernie-sequence": ("ErnieForSequenceClassification", ERNIE | LABELS),
    "ernie-token": ("ErnieForTokenClassification", ERNIE | LABELS),
    "ernie-question": ("ErnieForQuestionAnswering", ERNIE),
    "data2vec": ("Data2VecTextModel", SMALL_ROBERTA | dict(num_hidden_layers=2)),
    "data2vec-masked": ("Data2VecTextForMaskedLM", SMALL_ROBERTA),
    "data2vec-sequence": ("Data2VecTextForSequenceClassification",
                          SMALL_ROBERTA | LABELS),
    "data2vec-token": ("Data2VecTextForTokenClassification",
                       SMALL_ROBERTA | LABELS),
    "data2vec-question": ("Data2VecTextForQuestionAnswering", SMALL_ROBERTA),
}


def fill(model, rng):
    """Larger numbers than a model starts training with, so that attention is
    not nearly uniform; small enough that no row loses many digits."""
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            shape = tuple(tensor.shape)
            if len(shape) == 2:
                scale = 1.0 if "embeddings" in name else 1.0 / np.sqrt(shape[-1])
                values = rng.normal(0.0, scale, shape)
            else:
                is_scale = "norm" in name.lower() and name.endswith("weight")
                values = rng.normal(1.0 if is_scale else 0.0, 0.2, shape)
            tensor.copy_(torch.from_numpy(values.astype(np.float32)))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for seed, (name, (class_name, numbers)) in enumerate(MODELS.items()):
        model_class = getattr(transformers, class_name)
        model = model_class(model_class.config_class(**numbers))
        fill(model, np.random.default_rng(1000 + seed))
        folder = os.path.join(sys.argv[1], name)
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        os.chmod(os.path.join(folder, "model.safetensors"), 0o644)


if __name__ == "__main__":
    main()
