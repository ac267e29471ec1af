//===- GgufNames.cpp - tensors of GGUF files by the names of folders ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   blk.3.attn_q.weight    model.layers.3.self_attn.q_proj.weight
//   blk.3.attn_qkv.bias    h.3.self_attention.query_key_value.bias   (BLOOM)
//
// An architecture takes what it calls otherwise before what most share. Names
// that are not known stay, and are refused later as tensors that nobody reads.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/GgufModel.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace attnc {

using Name = std::pair<StringLiteral, StringLiteral>;

namespace {
/// Names of one architecture, or of those that have no row of their own.
struct Names {
  StringLiteral architecture;
  StringLiteral layers; ///< before a layer's number
  ArrayRef<Name> whole, parts;
};
} // namespace

static constexpr Name kUsualWhole[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    // Read into the configuration; as tensors they are buffers.
    {"rope_freqs.weight", "model.rotary_emb.inv_freq"},
    {"rope_factors_short.weight", "model.short.rotary_emb.inv_freq"},
    {"rope_factors_long.weight", "model.long.rotary_emb.inv_freq"}};
static constexpr Name kUsualParts[] = {
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"attn_qkv", "self_attn.qkv_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"post_attention_norm", "post_attention_layernorm"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};

static constexpr Name kGpt2Whole[] = {{"token_embd.weight", "wte.weight"},
                                      {"position_embd.weight", "wpe.weight"},
                                      {"output_norm.weight", "ln_f.weight"},
                                      {"output_norm.bias", "ln_f.bias"}};
static constexpr Name kGpt2Parts[] = {
    {"attn_norm", "ln_1"},  {"attn_qkv", "attn.c_attn"},
    {"ffn_norm", "ln_2"},   {"attn_output", "attn.c_proj"},
    {"ffn_up", "mlp.c_fc"}, {"ffn_down", "mlp.c_proj"}};

static constexpr Name kNeoxWhole[] = {
    {"token_embd.weight", "embed_in.weight"},
    {"output_norm.weight", "final_layer_norm.weight"},
    {"output_norm.bias", "final_layer_norm.bias"}};
static constexpr Name kNeoxParts[] = {{"attn_norm", "input_layernorm"},
                                      {"attn_qkv", "attention.query_key_value"},
                                      {"attn_output", "attention.dense"},
                                      {"ffn_norm", "post_attention_layernorm"},
                                      {"ffn_up", "mlp.dense_h_to_4h"},
                                      {"ffn_down", "mlp.dense_4h_to_h"}};

// Falcon and BLOOM.
static constexpr Name kBloomWhole[] = {
    {"token_embd.weight", "word_embeddings.weight"},
    {"token_embd_norm.weight", "word_embeddings_layernorm.weight"},
    {"token_embd_norm.bias", "word_embeddings_layernorm.bias"},
    {"output_norm.weight", "ln_f.weight"},
    {"output_norm.bias", "ln_f.bias"}};
static constexpr Name kBloomParts[] = {
    {"attn_norm", "input_layernorm"},
    {"attn_norm_2", "ln_attn"},
    {"attn_qkv", "self_attention.query_key_value"},
    {"attn_output", "self_attention.dense"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_up", "mlp.dense_h_to_4h"},
    {"ffn_down", "mlp.dense_4h_to_h"}};

static constexpr Names kNames[] = {
    {"gpt2", "h.", kGpt2Whole, kGpt2Parts},
    {"gptneox", "layers.", kNeoxWhole, kNeoxParts},
    {"falcon", "h.", kBloomWhole, kBloomParts},
    {"bloom", "h.", kBloomWhole, kBloomParts},
    {"", "model.layers.", kUsualWhole, kUsualParts}};

std::string renameTensor(StringRef architecture, StringRef name,
                         bool hasTwoNorms) {
  if (name == "output.weight")
    return "lm_head.weight";
  const Names *names = find_if(kNames, [&](const Names &row) {
    return row.architecture == architecture || row.architecture.empty();
  });
  for (const auto &[from, to] : names->whole)
    if (name == from)
      return to.str();
  StringRef rest = name;
  if (!rest.consume_front("blk."))
    return name.str();
  auto [index, part] = rest.split('.');
  auto [module, ending] = part.rsplit('.');
  auto getName = [&, index = index, ending = ending](StringRef of) {
    return (names->layers + index + "." + of + "." + ending).str();
  };
  if (architecture == "gemma2" && module == "ffn_norm")
    return getName("pre_feedforward_layernorm");
  if (architecture == "phi3" && module == "ffn_up")
    return getName("mlp.gate_up_proj");
  if (architecture == "falcon" && module == "attn_norm" && hasTwoNorms)
    return getName("ln_mlp");
  for (const auto &[from, to] : names->parts)
    if (module == from)
      return getName(to);
  return name.str();
}

void renameTensors(GgufFile &file) {
  StringRef architecture =
      file.metadata.getString("general.architecture").value_or("");
  const bool hasTwoNorms = any_of(file.tensors, [](const NamedWeight &tensor) {
    return StringRef(tensor.name).ends_with(".attn_norm_2.weight");
  });
  for (NamedWeight &tensor : file.tensors)
    tensor.name = renameTensor(architecture, tensor.name, hasTwoNorms);
}

} // namespace attnc
