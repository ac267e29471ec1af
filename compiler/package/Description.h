//===- Description.h - what a library is, as data -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything that the header, the tables, the JSON self-description and the
// weights file must agree on, derived once from a scheduled module.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_DESCRIPTION_H
#define ATTNC_COMPILER_PACKAGE_DESCRIPTION_H

#include "attn/abi.h"
#include "compiler/gpu/GpuProgram.h"
#include "compiler/import/Weights.h"
#include "compiler/schedule/ProgramInfo.h"
#include "compiler/schedule/Work.h"
#include "dialects/kernel/Kernel.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <string>
#include <vector>

namespace attnc {

struct SizeDescription {
  std::string name;
  int64_t minimum, maximum; ///< of a derived size: of its upper bound
  bool derived;
  std::string bound; ///< of a derived size: the expression it never exceeds
};

struct ArgumentDescription {
  std::string name;
  attn_dtype dtype;
  std::vector<SizeExpr> dims; ///< numbers and single names
  uint32_t flags = 0;         ///< ATTN_ARGUMENT_*
  int64_t minimum = 0, maximum = 0, defaultValue = 0;
};

/// What sessions keep; attn_abi_states.
struct StatesDescription {
  struct Group {
    int64_t window, blockBytes;
  };
  struct State {
    std::string name;
    int32_t group;
    int64_t offset;
    int64_t heads, lines; ///< as in attn_abi_state
    int32_t width, scaleBytes;
  };
  int64_t positions = 0, blockPositions = 0, sequences = 0;
  std::string format = "f32"; ///< they are kept in it, or wider
  std::vector<Group> groups;
  std::vector<State> states;
  std::string fingerprint; ///< hex
};

/// How prompts are made of messages; attn_abi_chat.
struct ChatDescription {
  std::string text; ///< the template
  /// Texts of special tokens; empty: there is none.
  std::string bosToken, eosToken, padToken, unkToken;
};

struct EntryDescription {
  std::string name;
  std::vector<std::string> sizes; ///< in the C function's order
  std::vector<ArgumentDescription> inputs, outputs;
  /// The input that tells what the entry appends to the states.
  std::optional<int32_t> growth;
};

struct PhaseDescription {
  std::string label, symbol;
  bool serial;
  RowChain chain; ///< that begins here
  PhaseCost cost;
};

/// One entry's code in one variant.
struct ScheduleDescription {
  std::vector<PhaseDescription> phases;
  int32_t slotCount;
  std::vector<int32_t> argumentSlots; ///< per argument, or -1
  std::string planSymbol;
  /// Bytes of each slot and of scratch per worker (the largest counts), for
  /// people.
  std::vector<std::vector<std::string>> slotBytes;
  std::vector<std::string> scratchBytes;
  std::vector<PhaseWork> work; ///< per phase
};

/// What a variant for a GPU holds besides its schedules.
struct DeviceDescription {
  struct Image {
    std::string bytes; ///< a cubin, or PTX as text
    bool isPtx;
  };
  gpu::GpuProgram program;
  int32_t chip;              ///< 80 for sm_80
  bool isExact;              ///< sm_90a: for this chip alone
  std::vector<Image> images; ///< in the order of preference
};

/// Narrow products with weights that come from `sources`, tensors of the model.
struct ProductsDescription {
  kernel::PrecisionAttr precision;
  bool hasShortErf;   ///< ShortErf.h
  bool hasPlainTable; ///< embeddings look the weight up in f32
  bool isAdapted;     ///< of entries that sessions with an adapter run
  std::vector<std::string> sources;
};

struct VariantDescription {
  std::string name;
  uint64_t cpuFeatures;
  std::vector<ScheduleDescription> schedules;      ///< per entry, adapted ones
                                                   ///< behind
  std::shared_ptr<const DeviceDescription> device; ///< of a GPU
  /// Formats of #kernel.precision, where products have one.
  std::string weights = "f32", activations = "f32";
  std::string attention = "f32"; ///< f32 or bf16
  int64_t group = 0;             ///< of weights of i4
  std::vector<ProductsDescription> products;
};

struct WeightDescription {
  std::string symbol;          ///< of the attn.weight
  std::string key;             ///< in the weights file
  kernel::PanelsAttr panels;   ///< null: row-major
  attn_dtype dtype = ATTN_F32; ///< in the file; ATTN_U8: words and scales
  std::vector<int64_t> shape;  ///< as it stands in the file
  uint64_t bytes = 0;
  std::optional<unsigned> choice; ///< the adapter that it is of
};

/// An adapter that sessions choose.
struct AdapterDescription {
  std::string name;
  /// What stands for each weight that code reads, by index.
  std::vector<int32_t> weights;
};

struct LibraryDescription {
  std::string name;
  std::string source; ///< what was compiled, for people
  std::string gemm;   ///< "" or "openblas"
  std::vector<SizeDescription> sizes;
  std::vector<EntryDescription> entries;
  /// For every schedule behind those of the entries: the entry, an index, in
  /// whose place it runs in sessions with an adapter.
  std::vector<int32_t> adapted;
  std::vector<VariantDescription> variants;
  std::vector<WeightDescription> weights;
  bool hasText = false;
  int32_t embedEntry = -1;
  int64_t maxLength = 0;
  StatesDescription states;
  /// Weights from `weights[adapters.front().weights.size()]` on are theirs.
  std::vector<AdapterDescription> adapters;
  /// Of their products, as in WeightTable.
  std::map<std::string, std::vector<int64_t>> adapterRanks;
  int32_t decodeEntry = -1; ///< that generates text
  int32_t scoreEntry = -1;  ///< the same for all positions
  std::vector<int32_t> stopTokens;
  attn_generate_options generateDefaults = ATTN_GENERATE_INIT;
  std::string tokensDigest; ///< hex, of all tokens with their ids; or empty
  std::optional<ChatDescription> chat;
  bool chatIsKnown = false;      ///< `chat` was looked for
  std::string layoutFingerprint; ///< hex
  std::string contentDigest;     ///< hex; known once the weights are written

  /// The entry that a schedule is of.
  const EntryDescription &getEntry(size_t schedule) const {
    const size_t called = entries.size();
    return entries[schedule < called ? schedule : adapted[schedule - called]];
  }
  /// The schedule that stands for an entry's own in sessions with an adapter,
  /// or -1.
  int32_t getAdapted(size_t entry) const {
    auto found = llvm::find(adapted, static_cast<int32_t>(entry));
    return found == adapted.end()
               ? -1
               : static_cast<int32_t>(entries.size() +
                                      (found - adapted.begin()));
  }

  /// The JSON that NAME_library()->describe() returns.
  std::string json() const;
};

/// Reads a module whose programs have slots (after PlanArena).
llvm::Expected<LibraryDescription> describeLibrary(mlir::ModuleOp module);

/// Adds the adapters of `table`, with weights of their own where they differ.
void describeAdapters(LibraryDescription &library, mlir::ModuleOp module,
                      const WeightTable &table);

/// Hex digest of the tensors' keys, types and shapes.
std::string fingerprintLayout(llvm::ArrayRef<WeightDescription> weights);

/// "f32", "i32", ... and the C type, "float", "int32_t", ...
llvm::StringRef getName(attn_dtype dtype);
llvm::StringRef getCType(attn_dtype dtype);

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_DESCRIPTION_H
