//===- Work.cpp - what a phase computes and moves -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the operations off the kernels' ops and the bytes off the types of the
// dispatches' operands.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/Work.h"
#include "compiler/schedule/Tuning.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc {

static SizeExpr countElements(Type type) {
  return attn::getProduct(attn::getNamedShape(kernel::getTensorType(type)));
}

static SizeExpr countBytes(Type type) {
  unsigned bits = kernel::getTensorType(type).getElementTypeBitWidth();
  return countElements(type) * SizeExpr(llvm::divideCeil(bits, 8));
}

static SizeExpr countAttention(attn::AttentionOp op) {
  SmallVector<SizeExpr> query = attn::getNamedShape(op.getQuery().getType());
  SmallVector<SizeExpr> key = attn::getNamedShape(op.getKey().getType());
  SizeExpr rows = attn::getProduct(ArrayRef(query).drop_back());
  // Keys that a row of the query sees: its own sequence's.
  SizeExpr keys = op.isPacked() ? *SizeExpr::parse(*op.getLengthBound())
                                : key[key.size() == 2 ? 0 : 1];
  return rows * keys * SizeExpr(2 * (op.getHeadSize() + op.getValueSize()));
}

/// Multiplications and additions of `op`.
static SizeExpr countFlops(Operation *op) {
  return llvm::TypeSwitch<Operation *, SizeExpr>(op)
      .Case([](attn::LinearOp linear) {
        auto weight = cast<RankedTensorType>(linear.getWeight().getType());
        auto input = attn::getNamedShape(linear.getInput().getType());
        return attn::getProduct(ArrayRef(input).drop_back()) *
               SizeExpr(2 * weight.getNumElements());
      })
      .Case([](attn::MatmulOp matmul) {
        return countElements(matmul.getResult().getType()) *
               attn::getNamedShape(matmul.getLhs().getType()).back() *
               SizeExpr(2);
      })
      .Case(countAttention)
      .Default([](Operation *) { return SizeExpr(0); });
}

/// The type of what `op` multiplies.
static std::string getFactorType(Operation *op) {
  if (isa<attn::CachedAttentionOp>(op))
    return "f32"; // whatever a session keeps, it is widened first
  if (!isa<attn::LinearOp, attn::MatmulOp, attn::AttentionOp>(op))
    return "";
  auto kernel = op->getParentOfType<kernel::FuncOp>();
  if (kernel::PrecisionAttr precision = kernel.getPrecisionAttr())
    return kernel::stringifyFormat(precision.getActivations()).str();
  std::string text;
  llvm::raw_string_ostream(text) << getElementTypeOrSelf(op->getOperand(0));
  return text;
}

/// Bytes of an input of a dispatch.
static SizeExpr countInput(kernel::DispatchOp dispatch, unsigned index) {
  Operation *op = getKernel(dispatch).getComputeOp();
  Type type = dispatch.getIns()[index].getType();
  // What a session keeps is as long as its past, which no size tells.
  if (isa<attn::StateType>(type))
    return SizeExpr(0);
  auto embedding = dyn_cast<attn::EmbeddingOp>(op);
  Value argument = getKernel(dispatch).getArgument(index);
  if (embedding && llvm::is_contained(embedding.getTables(), argument))
    return countBytes(embedding.getResult().getType());
  if (auto weight = dispatch.getIns()[index].getDefiningOp<kernel::WeightOp>())
    if (weight.getLayoutAttr()) {
      auto module = dispatch->getParentOfType<ModuleOp>();
      std::vector<WeightUse> uses = getWeightUses(module);
      int64_t use =
          getWeightIndex(uses, weight.getWeight(), weight.getLayoutAttr());
      return SizeExpr(static_cast<int64_t>(uses[use].bytes));
    }
  return countBytes(type);
}

/// Adds what attention does with a session's rows.
static void addPositions(kernel::DispatchOp dispatch,
                         attn::CachedAttentionOp op, PhaseWork &work) {
  SmallVector<SizeExpr> query = attn::getNamedShape(op.getQuery().getType());
  SmallVector<SizeExpr> past = attn::getNamedShape(op.getPast().getType());
  work.flopsPerPosition =
      work.flopsPerPosition +
      query[0] * SizeExpr(2 * op.getQueryHeads() *
                          (op.getHeadSize() + op.getValueSize()));
  work.window = op.getWindow();
  for (Value value : dispatch.getIns())
    if (auto state = value.getDefiningOp<kernel::StateOp>()) {
      auto row = cast<attn::StateType>(value.getType()).getRow();
      kernel::BlocksAttr blocks = state.getLayout();
      work.bytesPerPosition =
          work.bytesPerPosition +
          past[0] *
              SizeExpr(llvm::divideCeil(
                  row.getDimSize(0) * blocks.getHeadBytes(row.getDimSize(1)),
                  blocks.getPositions()));
    }
}

/// Adds what a dispatch computes and moves.
static void addWork(kernel::DispatchOp dispatch, PhaseWork &work) {
  Operation *op = getKernel(dispatch).getComputeOp();
  work.kernels.push_back(dispatch.getKernel().str());
  work.flops = work.flops + countFlops(op);
  if (work.type.empty())
    work.type = getFactorType(op);
  if (auto attention = dyn_cast<attn::CachedAttentionOp>(op))
    addPositions(dispatch, attention, work);
  llvm::SmallPtrSet<Value, 8> counted;
  for (unsigned index : llvm::seq(dispatch.getIns().size()))
    if (counted.insert(dispatch.getIns()[index]).second)
      work.bytes = work.bytes + countInput(dispatch, index);
  for (Value out : dispatch.getOuts())
    work.bytes = work.bytes + countBytes(out.getType());
}

std::vector<PhaseWork> getWork(kernel::ProgramOp program) {
  std::vector<PhaseWork> phases;
  for (kernel::DispatchOp dispatch : getDispatches(program)) {
    if (dispatch.getPhase() >= phases.size())
      phases.resize(dispatch.getPhase() + 1);
    addWork(dispatch, phases[dispatch.getPhase()]);
  }
  return phases;
}

/// expr / divisor, every term rounded up.
static SizeExpr divide(const SizeExpr &expr, int64_t divisor) {
  SizeExpr sum = 0;
  for (const auto &[names, factor] : expr.getTerms()) {
    SizeExpr term = llvm::divideCeil(factor, divisor);
    for (const std::string &name : names)
      term = term * SizeExpr::name(name);
    sum = sum + term;
  }
  return sum;
}

std::optional<SizeExpr> getCycles(kernel::DispatchOp dispatch) {
  for (Value value : dispatch.getIns())
    if (isa<attn::StateType>(value.getType()))
      return std::nullopt;
  const CostModel model =
      CostModel::of(dispatch->getParentOfType<kernel::VariantOp>());
  if (model.target.isGpu())
    return std::nullopt;
  PhaseWork work;
  addWork(dispatch, work);
  kernel::FuncOp kernel = getKernel(dispatch);
  auto linear = dyn_cast<attn::LinearOp>(kernel.getComputeOp());
  const int64_t flops =
      model.getFlopsPerCycle(linear ? getProduct(kernel, linear).rows
                             : work.type == "bf16" ? kernel::Format::bf16
                                                   : kernel::Format::f32);
  return divide(work.flops, flops) + divide(work.bytes, model.machine.l3Rate);
}

} // namespace attnc
