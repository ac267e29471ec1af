//===- Description.cpp - what a library is, as data --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the description off a scheduled module and writes it as JSON.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Description.h"
#include "compiler/Target.h"
#include "compiler/package/DescribeProducts.h"
#include "compiler/package/DescribeStates.h"
#include "compiler/schedule/StateLayout.h"
#include "dialects/attn/EntryStorage.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using mlir::dyn_cast_or_null;

namespace attnc {
namespace {

template <typename... Args>
Error describeError(const char *format, Args... args) {
  return createStringError(inconvertibleErrorCode(), format, args...);
}

class Describer {
public:
  explicit Describer(mlir::ModuleOp module) : module(module) {}

  Expected<LibraryDescription> run() {
    auto name =
        module->getAttrOfType<mlir::StringAttr>(attn::AttnDialect::kNameAttr);
    assert(name && "import names every module");
    library.name = name.str();
    for (auto size : module.getOps<attn::SizeOp>())
      addSize(size);
    for (auto variant : module.getOps<kernel::VariantOp>())
      if (Error error = addVariant(variant))
        return error;
    if (library.variants.empty())
      return describeError("error[A0611]: the module holds no kernel.variant; "
                           "it has not been scheduled");
    if (library.entries.empty())
      return describeError("error[A0614]: the program has no attn.entry, so a "
                           "library would have nothing to call");
    for (const WeightUse &use : getWeightUses(module))
      addWeight(use);
    library.layoutFingerprint = fingerprintLayout(library.weights);
    describeStates(module, library);
    return std::move(library);
  }

private:
  /// Bounds by name; those of a derived size follow from its expression.
  int64_t bound(StringRef name, bool upper) {
    for (const SizeDescription &size : library.sizes)
      if (size.name == name)
        return upper ? size.maximum : size.minimum;
    llvm_unreachable("verified: sizes are declared before their use");
  }

  void addSize(attn::SizeOp size) {
    SizeDescription description{size.getSymName().str(), 0, 0, false, ""};
    if (auto derived = size.getDerived()) {
      SizeExpr expr = *SizeExpr::parse(*derived);
      description.derived = true;
      description.bound = expr.str();
      description.minimum =
          expr.evaluate([&](StringRef name) { return bound(name, false); });
      description.maximum =
          expr.evaluate([&](StringRef name) { return bound(name, true); });
    } else {
      description.minimum = *size.getMinimum();
      description.maximum = *size.getMaximum();
    }
    library.sizes.push_back(description);
  }

  Expected<ArgumentDescription>
  argument(mlir::Type type, mlir::DictionaryAttr attrs, bool output) {
    ArgumentDescription result;
    result.name = cast<mlir::StringAttr>(attrs.get("attn.name")).str();
    auto tensor = cast<mlir::RankedTensorType>(type);
    result.dtype = tensor.getElementType().isF32() ? ATTN_F32 : ATTN_I32;
    if (mlir::Type storage = attn::getEntryStorage(attrs))
      result.dtype = storage.isBF16() ? ATTN_BF16 : ATTN_F16;
    for (const SizeExpr &dim : attn::getNamedShape(tensor)) {
      if (!dim.isNumber() && dim.asName().empty())
        return describeError(
            "error[A0612]: '%s' has the dimension '%s'; dimensions of inputs "
            "and outputs are numbers or single sizes",
            result.name.c_str(), dim.str().c_str());
      result.dims.push_back(dim);
    }
    if (output)
      result.flags |= ATTN_ARGUMENT_OUTPUT;
    if (auto range = dyn_cast_or_null<mlir::DenseI64ArrayAttr>(
            attrs.get(attn::AttnDialect::kRangeAttr))) {
      result.flags |= ATTN_ARGUMENT_RANGE;
      result.minimum = range[0];
      result.maximum = range[1];
    }
    if (auto value = dyn_cast_or_null<mlir::IntegerAttr>(
            attrs.get(attn::AttnDialect::kDefaultAttr))) {
      result.flags |= ATTN_ARGUMENT_OPTIONAL;
      result.defaultValue = value.getInt();
    }
    return result;
  }

  Expected<EntryDescription> entry(kernel::ProgramOp program) {
    EntryDescription result;
    result.name = program.getSymName().str();
    for (auto size : program.getSizes().getAsRange<mlir::StringAttr>())
      result.sizes.push_back(size.str());
    for (auto [index, type] : enumerate(program.getArgumentTypes())) {
      Expected<ArgumentDescription> input =
          argument(type, program.getArgAttrDict(index), false);
      if (!input)
        return input.takeError();
      result.inputs.push_back(std::move(*input));
    }
    for (auto [index, type] : enumerate(program.getResultTypes())) {
      Expected<ArgumentDescription> output =
          argument(type, program.getResultAttrDict(index), true);
      if (!output)
        return output.takeError();
      result.outputs.push_back(std::move(*output));
    }
    if (std::optional<unsigned> input = getGrowthInput(program))
      result.growth = *input;
    return result;
  }

  Error addVariant(kernel::VariantOp variant) {
    const Target *target = Target::find(variant.getTarget());
    assert(target && "verified: the target is known");
    VariantDescription description;
    description.name = target->name.str();
    description.cpuFeatures = target->cpuFeatures;
    if (!target->isGpu())
      description.products = describeProducts(variant);
    for (auto kernel : variant.getBody().front().getOps<kernel::FuncOp>())
      if (kernel::PrecisionAttr precision = kernel.getPrecisionAttr()) {
        if (isa<attn::AttentionOp>(kernel.getComputeOp())) {
          description.attention =
              stringifyFormat(precision.getActivations()).str();
          continue;
        }
        // Beside i4, i8 is that of a table that is looked up too.
        if (description.weights == stringifyFormat(kernel::Format::i4))
          continue;
        description.weights =
            precision.getStored()
                ? "stored"
                : stringifyFormat(precision.getWeights()).str();
        // Beside blocks of i8 and i4, a file may have bf16, whose rows are f32.
        if (!precision.getStored() || description.activations == "f32")
          description.activations =
              stringifyFormat(precision.getActivations()).str();
        description.group = precision.getStored() ? 0 : precision.getGroup();
      }
    if (std::optional<StringRef> gemm = variant.getGemm())
      library.gemm = gemm->str();
    bool first = library.entries.empty();
    for (auto program : variant.getBody().front().getOps<kernel::ProgramOp>()) {
      if (auto name = program->getAttrOfType<mlir::StringAttr>(
              attn::AttnDialect::kStandsForAttr)) {
        if (first)
          library.adapted.push_back(findEntry(name.getValue()));
      } else if (first) {
        Expected<EntryDescription> described = entry(program);
        if (!described)
          return described.takeError();
        if (described->name == "embed" || described->name == "text_embed")
          library.embedEntry = library.entries.size();
        library.entries.push_back(std::move(*described));
      }
      description.schedules.push_back(describeProgram(program));
    }
    library.variants.push_back(std::move(description));
    return Error::success();
  }

  /// Verified: it stands before the one that asks.
  int32_t findEntry(StringRef name) {
    auto found = find_if(library.entries, [&](const EntryDescription &entry) {
      return entry.name == name;
    });
    assert(found != library.entries.end());
    return found - library.entries.begin();
  }

  ScheduleDescription describeProgram(kernel::ProgramOp program) {
    ScheduleInfo info = getSchedule(program);
    ScheduleDescription result;
    for (const PhaseInfo &phase : info.phases)
      result.phases.push_back(
          {phase.name, phase.symbol, phase.serial, phase.chain, phase.cost});
    result.slotCount = info.slotCount;
    result.planSymbol = info.planSymbol;
    result.argumentSlots.assign(info.argumentSlots.begin(),
                                info.argumentSlots.end());
    for (const std::vector<SizeExpr> &slot : getSlotBytes(program))
      result.slotBytes.push_back(texts(slot));
    result.scratchBytes = texts(getScratchBytes(program));
    result.work = getWork(program);
    return result;
  }

  static std::vector<std::string> texts(ArrayRef<SizeExpr> exprs) {
    std::vector<std::string> result;
    for (const SizeExpr &expr : exprs)
      result.push_back(expr.str());
    return result;
  }

  void addWeight(const WeightUse &use) {
    WeightDescription description;
    description.symbol = attn::WeightOp(use.weight).getSymName().str();
    description.key = use.key;
    description.bytes = use.bytes;
    description.shape = use.getTensorType().getShape().vec();
    if (kernel::PanelsAttr panels = use.layout) {
      const int64_t depth = description.shape[1], width = panels.getWidth();
      description.panels = panels;
      description.shape = {
          static_cast<int64_t>(divideCeil(description.shape[0], width))};
      switch (panels.getFormat()) {
      case kernel::Format::f32:
        description.shape.insert(description.shape.end(), {depth, width});
        break;
      case kernel::Format::bf16:
        description.dtype = ATTN_BF16;
        description.shape.insert(
            description.shape.end(),
            {panels.getPaddedDepth(depth) / panels.getPack(), width,
             panels.getPack()});
        break;
      case kernel::Format::i8:
      case kernel::Format::i4:
        description.dtype = ATTN_U8;
        description.shape.push_back(panels.getPanelBytes(depth));
        break;
      }
    }
    library.weights.push_back(std::move(description));
  }

  mlir::ModuleOp module;
  LibraryDescription library;
};

void writeArguments(json::OStream &json, StringRef key,
                    ArrayRef<ArgumentDescription> arguments) {
  json.attributeArray(key, [&] {
    for (const ArgumentDescription &argument : arguments)
      json.object([&] {
        json.attribute("name", argument.name);
        json.attribute("dtype", getName(argument.dtype));
        json.attributeArray("dims", [&] {
          for (const SizeExpr &dim : argument.dims)
            if (dim.isNumber())
              json.value(dim.number());
            else
              json.value(dim.str());
        });
        if (argument.flags & ATTN_ARGUMENT_RANGE)
          json.attributeArray("range", [&] {
            json.value(argument.minimum);
            json.value(argument.maximum);
          });
        if (argument.flags & ATTN_ARGUMENT_OPTIONAL)
          json.attribute("default", argument.defaultValue);
      });
  });
}

void writeTexts(json::OStream &json, ArrayRef<std::string> texts) {
  json.array([&] {
    for (const std::string &text : texts)
      json.value(text);
  });
}

void writeWork(json::OStream &json, const PhaseWork &work) {
  json.attributeBegin("kernels");
  writeTexts(json, work.kernels);
  json.attributeEnd();
  if (!work.type.empty()) {
    json.attribute("type", work.type);
    json.attribute("flops", work.flops.str());
  }
  json.attribute("bytes", work.bytes.str());
  if (work.bytesPerPosition == SizeExpr(0))
    return;
  json.attribute("flops_per_position", work.flopsPerPosition.str());
  json.attribute("bytes_per_position", work.bytesPerPosition.str());
  json.attribute("window", work.window);
}

void writeVariant(json::OStream &json, const LibraryDescription &library,
                  const VariantDescription &variant) {
  // Of what sessions with an adapter run, behind the others.
  auto writeEntry = [&](size_t schedule) {
    json.attribute("entry", library.getEntry(schedule).name);
    if (schedule >= library.entries.size())
      json.attribute("adapted", true);
  };
  json.attribute("name", variant.name);
  json.attribute("weights", variant.weights);
  json.attribute("activations", variant.activations);
  if (variant.group)
    json.attribute("group", variant.group);
  json.attribute("attention", variant.attention);
  if (!variant.products.empty())
    writeProducts(json, variant.products);
  json.attributeArray("memory", [&] {
    for (auto [i, schedule] : enumerate(variant.schedules))
      json.object([&, i = i, &schedule = schedule] {
        writeEntry(i);
        json.attribute("phases", static_cast<int64_t>(schedule.phases.size()));
        // Bytes of a session: each slot the largest of its expressions,
        // rounded up to 64, 320 between slots, plus scratch per worker.
        json.attributeArray("slots", [&] {
          for (const std::vector<std::string> &slot : schedule.slotBytes)
            writeTexts(json, slot);
        });
        json.attributeBegin("scratch");
        writeTexts(json, schedule.scratchBytes);
        json.attributeEnd();
      });
  });
  json.attributeArray("work", [&] {
    for (auto [i, schedule] : enumerate(variant.schedules))
      json.object([&, i = i, &schedule = schedule] {
        writeEntry(i);
        json.attributeArray("phases", [&] {
          for (const PhaseWork &work : schedule.work)
            json.object([&] { writeWork(json, work); });
        });
      });
  });
}

} // namespace

std::string LibraryDescription::json() const {
  std::string text;
  raw_string_ostream os(text);
  json::OStream json(os);
  json.object([&] {
    json.attribute("name", name);
    json.attribute("abi_version", static_cast<int64_t>(ATTN_ABI_VERSION));
    json.attribute("source", source);
    json.attribute("gemm", gemm.empty() ? "attnc" : gemm);
    json.attributeArray("sizes", [&] {
      for (const SizeDescription &size : sizes)
        json.object([&] {
          json.attribute("name", size.name);
          json.attribute("minimum", size.minimum);
          json.attribute("maximum", size.maximum);
          json.attribute("derived", size.derived);
          if (size.derived)
            json.attribute("bound", size.bound);
        });
    });
    json.attributeArray("entries", [&] {
      for (const EntryDescription &entry : entries)
        json.object([&] {
          json.attribute("name", entry.name);
          json.attributeArray("sizes", [&] {
            for (const std::string &size : entry.sizes)
              json.value(size);
          });
          writeArguments(json, "inputs", entry.inputs);
          writeArguments(json, "outputs", entry.outputs);
        });
    });
    json.attributeArray("variants", [&] {
      for (const VariantDescription &variant : variants)
        json.object([&] { writeVariant(json, *this, variant); });
    });
    json.attributeObject("weights", [&] {
      int64_t bytes = 0;
      for (const WeightDescription &weight : weights)
        bytes += weight.bytes;
      json.attribute("tensors", static_cast<int64_t>(weights.size()));
      json.attribute("bytes", bytes);
      json.attribute("layout", layoutFingerprint);
      json.attribute("content", contentDigest);
    });
    if (!adapters.empty()) {
      json.attributeArray("adapters", [&] {
        for (const AdapterDescription &adapter : adapters)
          json.value(adapter.name);
      });
      json.attributeObject("adapter_ranks", [&] {
        for (const auto &[tensors, ranks] : adapterRanks)
          json.attributeArray(tensors, [&, &ranks = ranks] {
            for (int64_t rank : ranks)
              json.value(rank);
          });
      });
    }
    if (!states.states.empty())
      json.attributeObject("states", [&] { writeStates(json, *this); });
    if (hasText)
      json.attributeObject("text", [&] {
        json.attribute("max_length", maxLength);
        if (embedEntry >= 0)
          json.attribute("entry", entries[embedEntry].name);
      });
  });
  return text;
}

Expected<LibraryDescription> describeLibrary(mlir::ModuleOp module) {
  return Describer(module).run();
}

} // namespace attnc
