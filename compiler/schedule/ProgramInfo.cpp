//===- ProgramInfo.cpp - what the tables of a library need ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Enumerations over programs; see ProgramInfo.h.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/ProgramInfo.h"
#include "compiler/schedule/CostModel.h"
#include "compiler/schedule/RowChains.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc {

//===-- sizes
//--------------------------------------------------------------===//

SmallVector<attn::SizeOp> getSizes(ModuleOp module) {
  return llvm::to_vector(module.getOps<attn::SizeOp>());
}

int64_t getSizeIndex(ModuleOp module, StringRef name) {
  int64_t index = 0;
  for (auto size : module.getOps<attn::SizeOp>()) {
    if (size.getSymName() == name)
      return index;
    ++index;
  }
  llvm_unreachable("a size that no attn.size declares");
}

//===-- weights
//------------------------------------------------------------===//

RankedTensorType WeightUse::getTensorType() const {
  attn::WeightOp op = weight;
  return cast<RankedTensorType>(op.getType());
}

/// "#panels48", "#panels48.i8", "#panels48.i4x32", "#panels48.i8x16.f32"
static std::string getLayoutKey(kernel::PanelsAttr layout) {
  std::string key = "#panels" + std::to_string(layout.getWidth());
  if (layout.getFormat() != kernel::Format::f32)
    key += "." + kernel::stringifyFormat(layout.getFormat()).str();
  if (layout.getGroup() != 0)
    key += "x" + std::to_string(layout.getGroup());
  if (layout.getScales() != kernel::Scales::f16)
    key += "." + kernel::stringifyScales(layout.getScales()).str();
  return key;
}

static WeightUse makeUse(attn::WeightOp weight, kernel::PanelsAttr layout) {
  WeightUse use{weight, layout, weight.getSymName().str(), 0};
  RankedTensorType type = use.getTensorType();
  if (layout) {
    use.key += getLayoutKey(layout);
    use.bytes = llvm::divideCeil(type.getDimSize(0), layout.getWidth()) *
                layout.getPanelBytes(type.getDimSize(1));
  } else {
    use.bytes = type.getNumElements() * (type.getElementTypeBitWidth() / 8);
  }
  return use;
}

std::vector<WeightUse> getWeightUses(ModuleOp module) {
  std::vector<WeightUse> uses;
  llvm::SmallDenseSet<std::pair<Attribute, Attribute>> seen;
  for (auto variant : module.getOps<kernel::VariantOp>())
    variant.walk([&](kernel::WeightOp op) {
      kernel::PanelsAttr layout = op.getLayoutAttr();
      if (!seen.insert({op.getWeightAttr(), layout}).second)
        return;
      auto weight = module.lookupSymbol<attn::WeightOp>(op.getWeight());
      assert(weight && "kernel.weight names an attn.weight");
      uses.push_back(makeUse(weight, layout));
    });
  return uses;
}

int64_t getWeightIndex(ArrayRef<WeightUse> uses, StringRef symbol,
                       kernel::PanelsAttr layout) {
  for (auto [index, use] : llvm::enumerate(uses)) {
    attn::WeightOp weight = use.weight;
    if (weight.getSymName() == symbol && use.layout == layout)
      return index;
  }
  llvm_unreachable("a weight that no program reads");
}

//===-- symbols
//------------------------------------------------------------===//

std::string getKernelSymbol(kernel::VariantOp variant, StringRef kernel) {
  return (variant.getSymName() + "_" + kernel).str();
}

static std::string getProgramSymbol(kernel::ProgramOp program) {
  auto variant = program->getParentOfType<kernel::VariantOp>();
  return (variant.getSymName() + "_" + program.getSymName()).str();
}

std::string getPhaseSymbol(kernel::ProgramOp program, int64_t phase) {
  return getProgramSymbol(program) + "_phase_" + std::to_string(phase);
}

std::string getPlanSymbol(kernel::ProgramOp program) {
  return getProgramSymbol(program) + "_plan";
}

static std::string getBesidePlan(StringRef planSymbol, StringRef name) {
  return (planSymbol.drop_back(StringRef("plan").size()) + name).str();
}

std::string getPoisonSymbol(StringRef planSymbol) {
  return getBesidePlan(planSymbol, "poison");
}

std::string getUnpoisonSymbol(StringRef planSymbol) {
  return getBesidePlan(planSymbol, "unpoison");
}

//===-- programs
//-----------------------------------------------------------===//

kernel::FuncOp getKernel(kernel::DispatchOp dispatch) {
  auto variant = dispatch->getParentOfType<kernel::VariantOp>();
  auto kernel = SymbolTable::lookupNearestSymbolFrom<kernel::FuncOp>(
      variant, dispatch.getKernelAttr());
  assert(kernel && "a dispatch names a kernel of its variant");
  return kernel;
}

SmallVector<kernel::DispatchOp> getDispatches(kernel::ProgramOp program) {
  return llvm::to_vector(program.getBody().getOps<kernel::DispatchOp>());
}

/// Adds a dispatch's cycles to its phase's.
static void addCycles(kernel::DispatchOp dispatch, bool isFirst,
                      PhaseCost &cost) {
  const std::optional<StringRef> cycles = dispatch.getCycles();
  if (!cycles || (!isFirst && !cost.cycles))
    cost.cycles.reset();
  else
    cost.cycles = cost.cycles.value_or(0) + *SizeExpr::parse(*cycles);
}

ScheduleInfo getSchedule(kernel::ProgramOp program) {
  ScheduleInfo info;
  const int64_t fewestCycles =
      CostModel::of(program->getParentOfType<kernel::VariantOp>())
          .getFewestCycles();
  info.entry = program.getSymName().str();
  info.planSymbol = getPlanSymbol(program);
  for (kernel::DispatchOp dispatch : getDispatches(program)) {
    int64_t phase = dispatch.getPhase();
    bool isNew = phase >= static_cast<int64_t>(info.phases.size());
    if (isNew)
      info.phases.push_back({getPhaseSymbol(program, phase),
                             "",
                             false,
                             getRowChain(program, phase),
                             {std::nullopt, fewestCycles}});
    assert(phase + 1 == static_cast<int64_t>(info.phases.size()) &&
           "phases are numbered in order, without gaps");
    PhaseInfo &last = info.phases.back();
    last.name += (isNew ? "" : ", ") + dispatch.getLabel().str();
    last.serial |= getKernel(dispatch).getSerial();
    addCycles(dispatch, isNew, last.cost);
  }
  info.slotCount = program.getSlots() ? program.getSlots()->size() : 0;
  for (unsigned i : llvm::seq(program.getNumArguments())) {
    auto slot = program.getArgAttrOfType<IntegerAttr>(
        i, kernel::KernelDialect::kStandInAttr);
    info.argumentSlots.push_back(slot ? slot.getInt() : -1);
  }
  info.argumentSlots.append(program.getNumResults(), -1);
  return info;
}

std::vector<std::vector<SizeExpr>> getSlotBytes(kernel::ProgramOp program) {
  std::vector<std::vector<SizeExpr>> slots;
  if (!program.hasSlots())
    return slots;
  for (auto slot : program.getSlotsAttr().getAsRange<ArrayAttr>()) {
    slots.emplace_back();
    for (auto bytes : slot.getAsRange<StringAttr>())
      slots.back().push_back(*SizeExpr::parse(bytes.getValue()));
  }
  return slots;
}

std::vector<SizeExpr> getScratchBytes(kernel::ProgramOp program) {
  std::vector<SizeExpr> all;
  for (kernel::DispatchOp dispatch : getDispatches(program)) {
    std::optional<StringRef> scratch = getKernel(dispatch).getScratch();
    if (!scratch)
      continue;
    SizeExpr bytes = *SizeExpr::parse(*scratch);
    if (!llvm::is_contained(all, bytes))
      all.push_back(bytes);
  }
  return all;
}

//===-- views
//--------------------------------------------------------------===//

/// Splits two shapes after the leading dimensions that they share; returns the
/// products of the rest.
static std::pair<SizeExpr, SizeExpr> getRows(RankedTensorType base,
                                             RankedTensorType result) {
  SmallVector<SizeExpr> from = attn::getNamedShape(base);
  SmallVector<SizeExpr> to = attn::getNamedShape(result);
  size_t shared = 0;
  while (shared < std::min(from.size(), to.size()) &&
         from[shared] == to[shared])
    ++shared;
  return {attn::getProduct(ArrayRef(from).drop_front(shared)),
          attn::getProduct(ArrayRef(to).drop_front(shared))};
}

Place getPlace(Value value) {
  auto view = value.getDefiningOp<kernel::ViewOp>();
  if (!view)
    return {value};
  Place place = getPlace(view.getBase());
  auto [base, result] =
      getRows(kernel::getTensorType(view.getBase().getType()),
              kernel::getTensorType(view.getResult().getType()));
  place.offset += view.getOffset();
  if (base != result && !place.stride)
    place.stride = base.number();
  return place;
}

} // namespace attnc
