//===- HarmlessFields.cpp - fields that change no result ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What every class of transformers may write into config.json without a meaning
// for inference. A reader that gives one of them a meaning asks for it, which
// takes it off this list for that model.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Config.h"

using namespace llvm;

namespace attnc {

// Fields of config.json that do not change what a model computes: training,
// heads on top of it, text generation, and bookkeeping.
static constexpr StringLiteral kHarmless[] = {
    "_name_or_path",
    "auto_map", // code that comes with a checkpoint: this compiler has its own
    "transformers.js_config",
    // What a re-ranker makes of its logits, which are left to the caller.
    "sentence_transformers", "sbert_ce_default_activation_function",
    "name_or_path", "_commit_hash", "transformers_version", "torch_dtype",
    "dtype", "attn_implementation", "_attn_implementation",
    "_attn_implementation_autoset", "torchscript", "use_bfloat16",
    "gradient_checkpointing", "attention_probs_dropout_prob",
    "hidden_dropout_prob", "classifier_dropout", "initializer_range",
    "initializer_factor", "use_cache", "return_dict", "output_attentions",
    "output_hidden_states", "output_past", "chunk_size_feed_forward",
    "tie_word_embeddings", "tie_encoder_decoder", "tie_last_hidden_states",
    "pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id",
    "cls_token_id", "mask_token_id", "unk_token_id", "decoder_start_token_id",
    "tokenizer_class", "model_max_length", "id2label", "label2id", "num_labels",
    "_num_labels", "problem_type", "finetuning_task", "task_specific_params",
    "directionality", "pooler_fc_size", "pooler_num_attention_heads",
    "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", "language",
    "license", "name", "author", "tf_legacy_loss", "xla_device", "max_length",
    "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "diversity_penalty", "temperature", "top_k", "top_p", "typical_p",
    "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences",
    "output_scores", "return_dict_in_generate", "forced_bos_token_id",
    "forced_eos_token_id", "remove_invalid_values", "suppress_tokens",
    "begin_suppress_tokens", "exponential_decay_length_penalty", "prefix"};

void ConfigReader::ignoreHarmless() { ignore(kHarmless); }

} // namespace attnc
