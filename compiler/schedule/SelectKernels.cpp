//===- SelectKernels.cpp - every op becomes the dispatch of a kernel ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before: `attn.entry`s. After: one `kernel.variant` for the target, holding a
// `kernel.func` per distinct op and a `kernel.program` per entry; sizes and
// weights stay in the module. Two ops share a kernel when they agree in
// everything but their operands: attributes, regions, types with named sizes,
// and the layouts of operands (#kernel.rows where a view leaves gaps between
// rows). Dispatches are labelled with the names in their op's location.
//
// Declined with an error: an unknown target or provider, an op without a
// kernel.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/Target.h"
#include "compiler/schedule/KernelForms.h"
#include "compiler/schedule/ProgramInfo.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_SELECTKERNELS
#include "compiler/Passes.h.inc"

/// "384" for a static dimension, its expression in letters otherwise.
static std::string getDimName(const SizeExpr &dim) {
  std::string name = dim.str();
  llvm::erase_if(name, [](char c) { return c == ' '; });
  for (char &c : name)
    c = llvm::isAlnum(c) ? c : '_';
  return name;
}

static std::string getDimName(Value value, unsigned fromEnd = 1) {
  SmallVector<SizeExpr> shape = attn::getNamedShape(value.getType());
  return shape.size() < fromEnd ? "1"
                                : getDimName(shape[shape.size() - fromEnd]);
}

/// What a map is called: after its row region's last op, if it has one.
static std::string getMapName(attn::MapOp op) {
  std::string name = "map";
  if (!op.getRow().empty())
    if (Operation *last = op.getRow().front().getTerminator()->getPrevNode())
      name = last->getName().stripDialect().str();
  return name + "_" + getDimName(op.getResult());
}

/// A name that tells a reader of a profile what the kernel does.
static std::string getKernelName(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case([](attn::LinearOp linear) {
        return "linear_" + getDimName(linear.getInput()) + "x" +
               getDimName(linear.getResult());
      })
      .Case([](attn::MatmulOp matmul) {
        return "matmul_" + getDimName(matmul.getLhs()) + "x" +
               getDimName(matmul.getResult());
      })
      .Case([](attn::HeadLinearOp linear) {
        return "head_linear_" + getDimName(linear.getInput()) + "x" +
               getDimName(linear.getResult());
      })
      .Case([](attn::AttentionOp attention) {
        return "attention_" + std::to_string(attention.getQueryHeads()) + "x" +
               std::to_string(attention.getHeadSize());
      })
      .Case([](attn::CachedAttentionOp attention) {
        return "cached_attention_" + std::to_string(attention.getQueryHeads()) +
               "x" + std::to_string(attention.getHeadSize());
      })
      .Case([](attn::AppendOp append) {
        return "append_" + getDimName(append.getRows(), 2) + "x" +
               getDimName(append.getRows());
      })
      .Case([](attn::MapOp map) { return getMapName(map); })
      .Case([](attn::EmbeddingOp embedding) {
        return "embedding_" + getDimName(embedding.getResult());
      })
      .Case([](attn::PoolOp pool) {
        return ("pool_" + attn::stringifyPoolKind(pool.getKind())).str();
      })
      .Default([](Operation *other) {
        return other->getName().stripDialect().str();
      });
}

/// "layer.0.attention.query" from the location, else the kernel's name.
static StringRef getLabel(Operation *op, kernel::FuncOp kernel) {
  if (auto name = op->getLoc()->findInstanceOf<NameLoc>())
    return name.getName().getValue();
  return kernel.getSymName();
}

namespace {

/// Builds one variant.
class VariantBuilder {
public:
  VariantBuilder(kernel::VariantOp variant)
      : variant(variant), b(OpBuilder::atBlockEnd(&variant.getBody().front())),
        symbols(variant) {}

  /// Moves an entry's body into a program. All programs stand before the first
  /// kernel is named, so that theirs are the names that stay.
  void addProgram(attn::EntryOp entry);
  /// Turns every op of the programs into a dispatch.
  void dispatchAll();

private:
  /// The kernel that computes `op`: an equal one, or a new one.
  kernel::FuncOp getKernel(Operation *op);
  /// A kernel that computes `op` alone, not yet in the variant.
  OwningOpRef<kernel::FuncOp> buildKernel(Operation *op);
  void dispatch(Operation *op);

  kernel::VariantOp variant;
  OpBuilder b;
  SymbolTable symbols;
  /// Kernels by their text, which holds everything but names and locations.
  llvm::StringMap<kernel::FuncOp> kernels;
};

OwningOpRef<kernel::FuncOp> VariantBuilder::buildKernel(Operation *op) {
  OpBuilder::InsertionGuard guard(b);
  b.clearInsertionPoint();
  MLIRContext *context = op->getContext();
  SmallVector<DictionaryAttr> layouts;
  for (Value operand : op->getOperands()) {
    NamedAttrList attrs;
    if (std::optional<int64_t> stride = getPlace(operand).stride)
      attrs.set(kernel::KernelDialect::kLayoutAttr,
                kernel::RowsAttr::get(context, *stride));
    if (auto state = operand.getDefiningOp<kernel::StateOp>())
      attrs.set(kernel::KernelDialect::kLayoutAttr, state.getLayoutAttr());
    layouts.push_back(attrs.getDictionary(context));
  }
  auto type = b.getFunctionType(op->getOperandTypes(), op->getResultTypes());
  OperationState state(op->getLoc(), kernel::FuncOp::getOperationName());
  state.addAttribute(kernel::FuncOp::getSymNameAttrName(state.name),
                     b.getStringAttr("kernel"));
  state.addAttribute(kernel::FuncOp::getFunctionTypeAttrName(state.name),
                     TypeAttr::get(type));
  state.addRegion();
  OwningOpRef<kernel::FuncOp> kernel =
      cast<kernel::FuncOp>(Operation::create(state));
  for (auto [index, attrs] : llvm::enumerate(layouts))
    if (!attrs.empty())
      kernel->setArgAttrs(index, attrs);

  Block *block = b.createBlock(&kernel->getBody());
  IRMapping mapping;
  // One argument per operand: a value may come in twice.
  Operation *clone = op->cloneWithoutRegions();
  for (OpOperand &operand : clone->getOpOperands())
    operand.set(block->addArgument(operand.get().getType(), op->getLoc()));
  for (auto [from, to] : llvm::zip(op->getRegions(), clone->getRegions()))
    from.cloneInto(&to, mapping);
  b.insert(clone);
  kernel::ReturnOp::create(b, op->getLoc(), clone->getResults());
  return kernel;
}

kernel::FuncOp VariantBuilder::getKernel(Operation *op) {
  OwningOpRef<kernel::FuncOp> kernel = buildKernel(op);
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*kernel)->print(stream, OpPrintingFlags().assumeVerified().useLocalScope());
  kernel::FuncOp &known = kernels[text];
  if (known)
    return known;
  known = kernel.release();
  known.setSymName(getKernelName(op));
  // Kernels stand before programs, in the order of their first dispatch.
  auto program = variant.getBody().getOps<kernel::ProgramOp>().begin();
  symbols.insert(known, Block::iterator(*program));
  return known;
}

void VariantBuilder::dispatch(Operation *op) {
  kernel::FuncOp kernel = getKernel(op);
  b.setInsertionPoint(op);
  SmallVector<Value> outs;
  for (Type type : op->getResultTypes())
    outs.push_back(kernel::EmptyOp::create(b, op->getLoc(), type));
  auto dispatch = kernel::DispatchOp::create(
      b, op->getLoc(), op->getResultTypes(), kernel.getSymName(),
      op->getOperands(), outs, /*phase=*/0, getLabel(op, kernel),
      /*by_row=*/false, /*cycles=*/nullptr, /*block_rows=*/nullptr);
  op->replaceAllUsesWith(dispatch);
  op->erase();
}

void VariantBuilder::addProgram(attn::EntryOp entry) {
  b.setInsertionPointToEnd(&variant.getBody().front());
  OperationState state(entry.getLoc(), kernel::ProgramOp::getOperationName());
  state.addAttributes(entry->getAttrs());
  state.addRegion();
  auto program = cast<kernel::ProgramOp>(b.create(state));
  program.getBody().takeBody(entry.getBody());
  symbols.insert(program);
  Operation *terminator = program.getBody().front().getTerminator();
  b.setInsertionPoint(terminator);
  kernel::ReturnOp::create(b, terminator->getLoc(), terminator->getOperands());
  terminator->erase();
}

void VariantBuilder::dispatchAll() {
  auto programs =
      llvm::to_vector(variant.getBody().getOps<kernel::ProgramOp>());
  for (kernel::ProgramOp program : programs)
    for (Operation &op : llvm::make_early_inc_range(program.getBody().front()))
      if (isKernelForm(&op))
        dispatch(&op);
}

struct SelectKernels : impl::SelectKernelsBase<SelectKernels> {
  using SelectKernelsBase::SelectKernelsBase;

  /// This machine, as far as it is known.
  kernel::MachineAttr describeMachine(const Target &target) {
    Machine m = Machine::detect(target.machine, target.vectorBytes);
    return kernel::MachineAttr::get(&getContext(), m.cores, m.l1Bytes,
                                    m.l2Bytes, m.l3Bytes, m.fmas, m.l2Rate,
                                    m.l3Rate, m.memoryRate, m.roundTrip);
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    const Target *known = Target::find(target);
    if (!known) {
      module.emitError("error[A0411]: no target is named '")
          << target << "'; `attnc targets` lists those known";
      return signalPassFailure();
    }
    if (!gemm.empty() && gemm != "openblas") {
      module.emitError(
          "error[A0412]: no provider of matrix products is named '")
          << gemm << "'; expected 'openblas' or nothing";
      return signalPassFailure();
    }
    auto entries = llvm::to_vector(module.getOps<attn::EntryOp>());
    for (attn::EntryOp entry : entries)
      if (failed(rewriteToKernelForms(entry)))
        return signalPassFailure();

    OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
    std::string provider =
        known->hasMicroKernels ? std::string(gemm) : "openblas";
    std::string name = known->name.str();
    llvm::replace(name, '-', '_');
    auto variant = kernel::VariantOp::create(
        b, module.getLoc(), name, known->name,
        provider.empty() ? StringAttr() : b.getStringAttr(provider),
        detect ? describeMachine(*known) : kernel::MachineAttr());
    variant.getBody().emplaceBlock();
    VariantBuilder builder(variant);
    for (attn::EntryOp entry : entries) {
      builder.addProgram(entry);
      entry.erase();
    }
    builder.dispatchAll();
  }
};
} // namespace
} // namespace attnc
