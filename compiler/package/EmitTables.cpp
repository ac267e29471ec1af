//===- EmitTables.cpp - tables and functions of a library -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the constant tables of include/attn/abi.h and the NAME_* functions,
// each of which passes its arguments on to the runtime's attnrt_* function:
//
//   attn_status NAME_encode(session, batch, seq, ids, out) {
//     int64_t sizes[] = {batch, seq};
//     void *arguments[] = {ids, out};
//     return attnrt_call(session, 0, sizes, arguments);
//   }
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "compiler/package/TableConstants.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"

using namespace llvm;

namespace attnc {
namespace {

class TableBuilder : TableConstants {
public:
  TableBuilder(const LibraryDescription &library, StringRef embeddedWeights,
               uint64_t embeddedBytes, std::unique_ptr<Module> emitted)
      : TableConstants(library, *emitted), embeddedWeights(embeddedWeights),
        embeddedBytes(embeddedBytes), owned(std::move(emitted)),
        builder(module.getContext()) {
    module.setTargetTriple(Triple("x86_64-unknown-linux-gnu"));
    module.setDataLayout("e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-"
                         "i128:128-f80:128-n8:16:32:64-S128");
    module.setPICLevel(PICLevel::BigPIC);
  }

  std::unique_ptr<Module> build() {
    description = text(library.json());
    Constant *table = buildLibraryTable();
    defineFunctions(table);
    assert(!verifyModule(module, &errs()) && "tables are valid IR");
    return std::move(owned);
  }

private:
  //===-- tables
  //-----------------------------------------------------------===//
  Constant *argument(const ArgumentDescription &arg) {
    std::vector<int64_t> dims;
    for (const SizeExpr &dim : arg.dims)
      dims.push_back(dim.isNumber() ? dim.number()
                                    : -1 - sizeIndex(dim.asName()));
    return record({text(arg.name), number(arg.dtype, i32),
                   number(arg.flags, i32), number(dims.size(), i32),
                   numbers(dims), number(arg.minimum, i64),
                   number(arg.maximum, i64), number(arg.defaultValue, i64)},
                  sizeof(attn_abi_argument));
  }

  /// `adapted`: as in attn_abi_entry, 0 of an entry that nobody calls.
  Constant *entry(const EntryDescription &entry, int32_t adapted = 0) {
    std::vector<int32_t> sizes;
    for (const std::string &size : entry.sizes)
      sizes.push_back(sizeIndex(size));
    SmallVector<Constant *> arguments;
    for (const ArgumentDescription &input : entry.inputs)
      arguments.push_back(argument(input));
    for (const ArgumentDescription &output : entry.outputs)
      arguments.push_back(argument(output));
    return record({text(entry.name), numbers(sizes), number(sizes.size(), i32),
                   array(arguments), number(entry.inputs.size(), i32),
                   number(arguments.size(), i32),
                   number(entry.growth ? 1 + *entry.growth : 0, i32),
                   number(adapted, i32)},
                  sizeof(attn_abi_entry));
  }

  Constant *phase(const PhaseDescription &phase) {
    const RowChain &chain = phase.chain;
    auto rows = [&](size_t index) {
      return number(
          index < chain.rows.size() ? sizeIndex(chain.rows[index]) : -1, i32);
    };
    return record({external(phase.symbol), text(phase.label),
                   number(phase.serial ? ATTN_PHASE_SERIAL : 0, i32),
                   number(chain.phases, i32), rows(0), rows(1),
                   number(chain.fewestRows, i32), number(chain.blockRows, i32),
                   work(phase.cost)},
                  sizeof(attn_abi_phase));
  }

  /// Terms of more sizes than the table has room for leave the work unknown.
  Constant *work(const PhaseCost &cost) {
    constexpr size_t kMostSizes =
        sizeof(attn_abi_term::sizes) / sizeof(attn_abi_term::sizes[0]);
    SmallVector<Constant *> terms;
    bool isKnown = cost.cycles.has_value();
    if (isKnown)
      for (const auto &[names, cycles] : cost.cycles->getTerms()) {
        isKnown &= names.size() <= kMostSizes;
        SmallVector<Constant *> values = {number(cycles, i64)};
        for (size_t i = 0; i < kMostSizes; ++i)
          values.push_back(
              number(i < names.size() ? sizeIndex(names[i]) : -1, i32));
        terms.push_back(record(values, sizeof(attn_abi_term)));
      }
    if (!isKnown)
      terms.clear();
    return record({array(terms), number(terms.size(), i32),
                   number(cost.fewestCycles, i32)},
                  sizeof(attn_abi_work));
  }

  Constant *schedule(const EntryDescription &entry,
                     const ScheduleDescription &schedule, bool isDevice) {
    SmallVector<Constant *> phases;
    if (isDevice)
      return record({null(), number(0, i32), number(schedule.slotCount, i32),
                     emitDevicePlan(*this, entry, schedule),
                     numbers(schedule.argumentSlots)},
                    sizeof(attn_abi_schedule));
    for (const PhaseDescription &described : schedule.phases)
      phases.push_back(phase(described));
    return record({array(phases), number(phases.size(), i32),
                   number(schedule.slotCount, i32),
                   external(schedule.planSymbol),
                   numbers(schedule.argumentSlots)},
                  sizeof(attn_abi_schedule));
  }

  Constant *variant(const VariantDescription &variant) {
    SmallVector<Constant *> schedules;
    for (auto [index, described] : enumerate(variant.schedules))
      schedules.push_back(
          schedule(library.getEntry(index), described, bool(variant.device)));
    return record({text(variant.name), number(variant.cpuFeatures, i64),
                   array(schedules),
                   variant.device ? emitDevice(*this, variant) : null()},
                  sizeof(attn_abi_variant));
  }

  /// The weights file inside the library: the assembler reads it, so that its
  /// bytes never pass through the IR.
  Constant *embed() {
    std::string path;
    for (char c : embeddedWeights) {
      if (c == '"' || c == '\\')
        path += '\\';
      path += c;
    }
    std::string symbol = "attnrt_embedded_weights"; // local once linked
    module.setModuleInlineAsm(
        ".section .rodata.attn_weights,\"a\",@progbits\n.balign 64\n.hidden " +
        symbol + "\n.globl " + symbol + "\n" + symbol + ":\n.incbin \"" + path +
        "\"\n.text\n");
    auto *global =
        new GlobalVariable(module, Type::getInt8Ty(module.getContext()), true,
                           GlobalValue::ExternalLinkage, nullptr, symbol);
    global->setVisibility(GlobalValue::HiddenVisibility);
    return global;
  }

  Constant *states() {
    const StatesDescription &described = library.states;
    if (described.states.empty())
      return null();
    SmallVector<Constant *> groups, states;
    for (const StatesDescription::Group &group : described.groups)
      groups.push_back(
          record({number(group.window, i64), number(group.blockBytes, i64)},
                 sizeof(attn_abi_state_group)));
    for (const StatesDescription::State &state : described.states)
      states.push_back(
          record({text(state.name), number(state.group, i32),
                  number(state.offset, i64), number(state.heads, i64),
                  number(state.lines, i64), number(state.width, i32),
                  number(state.scaleBytes, i32)},
                 sizeof(attn_abi_state)));
    return place(
        record({number(described.positions, i64),
                number(described.blockPositions, i64),
                number(described.sequences, i64), array(groups),
                number(groups.size(), i32), array(states),
                number(states.size(), i32), text(described.fingerprint)},
               sizeof(attn_abi_states)));
  }

  Constant *generation() {
    if (library.decodeEntry < 0)
      return null();
    const StatesDescription &states = library.states;
    const SizeExpr &vocabulary =
        library.entries[library.decodeEntry].outputs[0].dims[1];
    generationFacts = place(record(
        {number(sizeof(attn_generation), i64), number(vocabulary.number(), i64),
         number(states.positions, i64), number(states.sequences, i64),
         numbers(library.stopTokens), number(library.stopTokens.size(), i64),
         place(generateOptions(library.generateDefaults)),
         library.tokensDigest.empty() ? null() : text(library.tokensDigest)},
        sizeof(attn_generation)));
    return place(
        record({number(library.decodeEntry, i32),
                number(library.scoreEntry, i32), generationFacts, chat()},
               sizeof(attn_abi_generation)));
  }

  Constant *generateOptions(const attn_generate_options &options) {
    auto real = [&](float value) {
      return ConstantFP::get(Type::getFloatTy(module.getContext()), value);
    };
    return record({number(sizeof(options), i64),
                   number(options.max_tokens, i64), real(options.temperature),
                   number(options.top_k, i32), real(options.top_p),
                   real(options.min_p), real(options.repetition_penalty),
                   number(options.seed, i64), null(), number(0, i64), null(),
                   number(0, i64), number(0, i32), number(0, i64), null(),
                   null(), number(0, i64)},
                  sizeof(options));
  }

  Constant *chat() {
    if (!library.chat)
      return null();
    auto token = [&](StringRef value) {
      return value.empty() ? null() : text(value);
    };
    const ChatDescription &chat = *library.chat;
    return place(record({text(chat.text), number(chat.text.size(), i64),
                         token(chat.bosToken), token(chat.eosToken),
                         token(chat.padToken), token(chat.unkToken)},
                        sizeof(attn_abi_chat)));
  }

  Constant *adapters() {
    if (library.adapters.empty())
      return null();
    SmallVector<Constant *> described;
    for (const AdapterDescription &adapter : library.adapters)
      described.push_back(record({text(adapter.name), numbers(adapter.weights)},
                                 sizeof(attn_abi_adapter)));
    return place(record({array(described), number(described.size(), i32),
                         number(library.adapters.front().weights.size(), i32)},
                        sizeof(attn_abi_adapters)));
  }

  Constant *buildLibraryTable() {
    SmallVector<Constant *> sizes, entries, variants, weights;
    for (const SizeDescription &size : library.sizes)
      sizes.push_back(record({text(size.name), number(size.minimum, i64),
                              number(size.maximum, i64)},
                             sizeof(attn_abi_size)));
    for (auto [index, description] : enumerate(library.entries))
      entries.push_back(entry(description, 1 + library.getAdapted(index)));
    for (int32_t index : library.adapted)
      entries.push_back(entry(library.entries[index]));
    for (const VariantDescription &description : library.variants)
      variants.push_back(variant(description));
    for (const WeightDescription &weight : library.weights)
      weights.push_back(record({text(weight.key), number(weight.dtype, i32),
                                number(weight.bytes, i64)},
                               sizeof(attn_abi_weight)));
    Constant *textTable = null();
    if (library.hasText)
      textTable = place(record(
          {number(library.embedEntry, i32), number(library.maxLength, i64)},
          sizeof(attn_abi_text)));
    return place(record({number(ATTN_ABI_VERSION, i32),
                         text(library.name),
                         description,
                         array(sizes),
                         number(sizes.size(), i32),
                         array(entries),
                         number(library.entries.size(), i32),
                         array(variants),
                         number(variants.size(), i32),
                         array(weights),
                         number(weights.size(), i32),
                         text(library.layoutFingerprint),
                         text(library.contentDigest),
                         textTable,
                         embeddedWeights.empty() ? null() : embed(),
                         number(embeddedBytes, i64),
                         states(),
                         generation(),
                         adapters(),
                         number(library.adapted.size(), i32)},
                        sizeof(attn_abi_library)));
  }

  //===-- functions
  //--------------------------------------------------------===//
  FunctionCallee runtime(StringRef name, FunctionType *type) {
    FunctionCallee callee = module.getOrInsertFunction(name, type);
    cast<Function>(callee.getCallee())
        ->setVisibility(GlobalValue::HiddenVisibility);
    return callee;
  }

  Function *define(StringRef suffix, FunctionType *type) {
    auto *function = Function::Create(type, GlobalValue::ExternalLinkage,
                                      library.name + "_" + suffix, &module);
    function->setDSOLocal(true);
    function->addFnAttr(Attribute::NoUnwind);
    builder.SetInsertPoint(
        BasicBlock::Create(module.getContext(), "", function));
    return function;
  }

  /// NAME_suffix(args...) = attnrt_callee(leading..., args...)
  Function *forward(StringRef suffix, StringRef callee, Type *result,
                    ArrayRef<Type *> parameters,
                    ArrayRef<Constant *> leading = {}) {
    Function *function =
        define(suffix, FunctionType::get(result, parameters, false));
    SmallVector<Value *> arguments(leading.begin(), leading.end());
    SmallVector<Type *> types;
    for (Argument &argument : function->args())
      arguments.push_back(&argument);
    for (Value *argument : arguments)
      types.push_back(argument->getType());
    Value *value = builder.CreateCall(
        runtime(callee, FunctionType::get(result, types, false)), arguments);
    if (result->isVoidTy())
      builder.CreateRetVoid();
    else
      builder.CreateRet(value);
    return function;
  }

  /// Stores values side by side on the stack and returns the address.
  Value *spread(ArrayRef<Value *> values, Type *type) {
    Value *memory = builder.CreateAlloca(
        ArrayType::get(type, std::max<size_t>(values.size(), 1)));
    for (auto [index, value] : enumerate(values))
      builder.CreateStore(
          value, builder.CreateConstInBoundsGEP1_64(type, memory, index));
    return memory;
  }

  void defineEntry(int32_t index, const EntryDescription &entry) {
    SmallVector<Type *> parameters{ptr};
    parameters.append(entry.sizes.size(), i64);
    parameters.append(entry.inputs.size() + entry.outputs.size(), ptr);
    Function *function =
        define(entry.name, FunctionType::get(i32, parameters, false));
    SmallVector<Value *> sizes, arguments;
    for (Argument &argument : drop_begin(function->args()))
      (argument.getType()->isPointerTy() ? arguments : sizes)
          .push_back(&argument);
    Value *sizeArray = spread(sizes, i64);
    Value *argumentArray = spread(arguments, ptr);
    FunctionCallee callee = runtime(
        "attnrt_call", FunctionType::get(i32, {ptr, i32, ptr, ptr}, false));
    builder.CreateRet(
        builder.CreateCall(callee, {function->getArg(0), number(index, i32),
                                    sizeArray, argumentArray}));
  }

  /// What sessions with states do, in the order of attn_library; NULL in
  /// libraries without any.
  SmallVector<Constant *> defineSequences() {
    struct Sequences {
      StringRef name;
      SmallVector<Type *> parameters;
      bool generates = false, needsText = false, needsChat = false;
    };
    Type *p = ptr, *n = i64, *i = i32;
    const Sequences functions[] = {
        {"session_reset", {p}},
        {"session_length", {p, n, p}},
        {"session_truncate", {p, n, n}},
        {"session_fork", {p, n, n}},
        {"session_reserve", {p, n, n}},
        {"session_save", {p, n, p, n, p}},
        {"session_load", {p, n, p, n}},
        {"generate", {p, p, p, n, p, p, p}, true},
        {"generate_text", {p, p, p, n, p, p, p}, true, true},
        {"detokenize", {p, p, n, p, n, p}, true, true},
        {"generation", {}, true},
        {"session_feed", {p, n, p, n, p}, true},
        {"generate_batch", {p, p, n, p, p}, true},
        {"chat_prompt", {p, p, n, i, p, n, p}, true, true, true},
        {"chat_tokenize", {p, p, n, i, p, n, p}, true, true, true},
        {"chat", {p, p, p, n, p, p, p}, true, true, true}};
    SmallVector<Constant *> result;
    bool hasStates = !library.states.states.empty();
    for (const Sequences &function : functions) {
      std::string callee = "attnrt_" + function.name.str();
      bool isThere = hasStates && (library.hasText || !function.needsText) &&
                     (library.decodeEntry >= 0 || !function.generates) &&
                     (library.chat || !function.needsChat);
      if (isThere && function.name == "generation") {
        result.push_back(define(function.name, FunctionType::get(ptr, false)));
        builder.CreateRet(generationFacts);
        continue;
      }
      result.push_back(
          isThere ? forward(function.name, callee, i32, function.parameters)
                  : null());
    }
    return result;
  }

  void defineFunctions(Constant *table) {
    Type *nothing = Type::getVoidTy(module.getContext());
    Function *open = forward("open", "attnrt_open", i32, {ptr, ptr}, {table});
    Function *close = forward("close", "attnrt_close", nothing, {ptr});
    Function *lastError = forward("last_error", "attnrt_last_error", ptr, {});
    Function *info = forward("info", "attnrt_info", i32, {ptr, ptr, i64, ptr});
    Function *sessionOpen =
        forward("session_open", "attnrt_session_open", i32, {ptr, ptr});
    Function *sessionClose =
        forward("session_close", "attnrt_session_close", nothing, {ptr});
    Function *sessionBytes =
        forward("session_bytes", "attnrt_session_bytes_by_name", i32,
                {ptr, ptr, ptr, i64, ptr});
    Function *cancel = forward("cancel", "attnrt_cancel", i32, {ptr});
    for (auto [index, entry] : enumerate(library.entries))
      defineEntry(index, entry);
    Constant *tokenize = null(), *encodeText = null();
    if (library.hasText) {
      tokenize = forward("tokenize", "attnrt_tokenize", i32, {ptr, ptr});
      if (library.embedEntry >= 0)
        encodeText = forward("encode_text", "attnrt_encode_text", i32,
                             {ptr, i64, ptr, ptr, ptr});
    }
    SmallVector<Constant *> sequences = defineSequences();
    Function *describe = define("describe", FunctionType::get(ptr, false));
    describe->setLinkage(GlobalValue::InternalLinkage);
    builder.CreateRet(description);
    FunctionCallee call =
        runtime("attnrt_call_by_name",
                FunctionType::get(i32, {ptr, ptr, ptr, i64, ptr, i64, ptr, i64},
                                  false));
    SmallVector<Constant *> hostFunctions = {number(sizeof(attn_library), i64),
                                             number(ATTN_ABI_VERSION, i32),
                                             text(library.name),
                                             describe,
                                             lastError,
                                             open,
                                             close,
                                             info,
                                             sessionOpen,
                                             sessionClose,
                                             sessionBytes,
                                             cast<Constant>(call.getCallee()),
                                             cancel,
                                             tokenize,
                                             encodeText};
    hostFunctions.append(sequences);
    hostFunctions.push_back(library.adapters.empty()
                                ? null()
                                : forward("session_adapter",
                                          "attnrt_session_adapter", i32,
                                          {ptr, ptr}));
    Constant *hostTable = place(record(hostFunctions, sizeof(attn_library)));
    define("library", FunctionType::get(ptr, false));
    builder.CreateRet(hostTable);
  }

  StringRef embeddedWeights;
  uint64_t embeddedBytes;
  std::unique_ptr<Module> owned;
  IRBuilder<> builder;
  Constant *description = nullptr;     ///< the JSON, which two tables name
  Constant *generationFacts = nullptr; ///< likewise
};

} // namespace

std::unique_ptr<Module> emitTables(const LibraryDescription &library,
                                   StringRef embeddedWeights,
                                   LLVMContext &context,
                                   uint64_t embeddedBytes) {
  return TableBuilder(library, embeddedWeights, embeddedBytes,
                      std::make_unique<Module>(library.name, context))
      .build();
}

} // namespace attnc
