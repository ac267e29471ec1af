//===- ProgramBuilder.cpp - building the programs of one kernel -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The program around a kernel, what the kernel says, and regions. Constants,
// sizes and ids are made once, at the head of a program; arithmetic on
// constants folds at once.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramBuilder.h"
#include "compiler/schedule/ProgramInfo.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc::gpu {

// NVPTX: global memory.
static constexpr unsigned kGlobal = 1;

ProgramBuilder::ProgramBuilder(ModuleOp module, kernel::FuncOp kernel,
                               const Target &target, Operands operands,
                               StringRef symbol)
    : kernel(kernel), target(target), operands(operands),
      b(kernel.getContext()), loc(kernel.getComputeOp()->getLoc()),
      module(module), symbol(symbol) {}

LogicalResult ProgramBuilder::build() {
  return llvm::TypeSwitch<Operation *, LogicalResult>(kernel.getComputeOp())
      .Case([&](attn::LinearOp op) { return buildLinear(op); })
      .Case([&](attn::MatmulOp op) { return buildMatmul(op); })
      .Case([&](attn::HeadLinearOp op) { return buildHeadLinear(op); })
      .Case([&](attn::AttentionOp op) { return buildAttention(op); })
      .Case([&](attn::MapOp op) { return buildMap(op); })
      .Case([&](attn::EmbeddingOp op) { return buildEmbedding(op); })
      .Case([&](attn::TokenPositionsOp op) { return buildTokenPositions(op); })
      .Case([&](attn::PackIndexOp op) { return buildPackIndex(op); })
      .Case([&](attn::PackOp op) { return buildPack(op); })
      .Case([&](attn::UnpackOp op) { return buildUnpack(op); })
      .Case([&](attn::PoolOp op) { return buildPool(op); })
      .Case([&](attn::RopeOp op) { return buildRope(op); })
      .Case([&](attn::PastOp op) { return buildPast(op); })
      .Case(
          [&](attn::PackedPositionsOp op) { return buildPackedPositions(op); })
      .Case([&](attn::AppendOp op) { return buildAppend(op); })
      .Case(
          [&](attn::CachedAttentionOp op) { return buildCachedAttention(op); })
      .Default([](Operation *op) {
        return op->emitError("error[A0520]: no kernel for GPUs computes '")
               << op->getName() << "'; compile for a processor";
      });
}

/// The position of an input or a result among a kernel's operands.
static unsigned getOperandIndex(kernel::FuncOp kernel, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getArgNumber();
  return kernel.getNumArguments() + cast<OpResult>(value).getResultNumber();
}

ArrayAttr ProgramBuilder::describeMaps(ArrayRef<MapShape> maps) {
  auto texts = [&](ArrayRef<SizeExpr> sizes) -> Attribute {
    SmallVector<Attribute> all;
    for (const SizeExpr &size : sizes)
      all.push_back(b.getStringAttr(size.str()));
    return b.getArrayAttr(all);
  };
  SmallVector<Attribute> all;
  for (const MapShape &map : maps)
    all.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("operand", b.getI64IntegerAttr(
                                       getOperandIndex(kernel, map.argument))),
         b.getNamedAttr("type", TypeAttr::get(storageOf(map.argument))),
         b.getNamedAttr("extents", texts(map.extents)),
         b.getNamedAttr("strides", texts(map.strides)),
         b.getNamedAttr("box", b.getI64ArrayAttr(map.box)),
         b.getNamedAttr(
             "swizzle",
             b.getI64IntegerAttr(
                 map.box[0] * storageOf(map.argument).getIntOrFloatBitWidth() /
                 8))}));
  return b.getArrayAttr(all);
}

Value ProgramBuilder::tensorMap(unsigned index) {
  Block &block = program.getBody().front();
  return block.getArgument(1 + kernel.getNumArguments() +
                           kernel.getNumResults() +
                           kernel.getScratch().has_value() + index);
}

void ProgramBuilder::begin(StringRef suffix, int64_t threadCount,
                           ArrayRef<GridSize> grid, ArrayRef<MapShape> maps) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), kGlobal);
  const bool hasScratch = kernel.getScratch().has_value();
  SmallVector<Type> types(1 + kernel.getNumArguments() +
                              kernel.getNumResults() + hasScratch,
                          pointer);
  const unsigned pointers = types.size();
  types.append(maps.size(), LLVM::LLVMPointerType::get(b.getContext()));
  threads = threadCount;
  OperationState state(kernel.getLoc(), warp::ProgramOp::getOperationName());
  state.addAttribute("sym_name", b.getStringAttr(symbol + suffix.str()));
  state.addAttribute("function_type",
                     TypeAttr::get(b.getFunctionType(types, {})));
  state.addAttribute("threads", b.getI64IntegerAttr(threads));
  state.addAttribute(kKernelAttr, b.getStringAttr(kernel.getSymName()));
  state.addAttribute(kernel::KernelDialect::kTargetAttr,
                     b.getStringAttr(target.name));
  if (hasScratch)
    state.addAttribute(kScratchAttr, b.getUnitAttr());
  SmallVector<Attribute> sizes;
  for (const GridSize &dim : grid)
    sizes.push_back(b.getArrayAttr(
        {b.getStringAttr(dim.count.str()), b.getI64IntegerAttr(dim.unit)}));
  state.addAttribute(kGridAttr, b.getArrayAttr(sizes));
  if (!maps.empty())
    state.addAttribute(kMapsAttr, describeMaps(maps));
  state.addRegion();
  b.setInsertionPointToEnd(module.getBody());
  program = cast<warp::ProgramOp>(b.create(state));
  for (unsigned i = pointers; i < types.size(); ++i)
    program.setArgAttr(i, warp::WarpDialect::kTensorMapAttr, b.getUnitAttr());
  Block *block = b.createBlock(&program.getBody(), {}, types,
                               SmallVector<Location>(types.size(), loc));
  headEnd = warp::ReturnOp::create(b, loc);
  b.setInsertionPoint(headEnd);
  // What follows the head stands after this op.
  headEnd = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
  sizeValues.clear();
  constants.clear();
  constantTensors.clear();
  registers.clear();
  (void)block;
}

void ProgramBuilder::launchWhere(const SizeExpr &count, int64_t limit,
                                 bool atMost) {
  program->setAttr(kWhereAttr, b.getArrayAttr({b.getStringAttr(count.str()),
                                               b.getI64IntegerAttr(limit),
                                               b.getBoolAttr(atMost)}));
}

void ProgramBuilder::end() {
  if (headEnd->use_empty())
    headEnd->erase();
}

//===-- what the kernel says ----------------------------------------------===//

Type ProgramBuilder::operandType() {
  if (operands == Operands::BF16)
    return b.getBF16Type();
  if (operands == Operands::F16)
    return b.getF16Type();
  return b.getF32Type();
}

warp::PrecisionAttr ProgramBuilder::precision() {
  if (operands == Operands::BF16 || operands == Operands::F16)
    return {};
  return warp::PrecisionAttr::get(b.getContext(), operands == Operands::TF32
                                                      ? warp::Precision::tf32
                                                      : warp::Precision::f32);
}

int64_t ProgramBuilder::operandDepth() { return precision() ? 8 : 16; }

Value ProgramBuilder::pointerOf(Value value) {
  if (auto constant = value.getDefiningOp<attn::ConstantOp>())
    return constantTensor(constant);
  Block &block = program.getBody().front();
  if (auto argument = dyn_cast<BlockArgument>(value))
    return block.getArgument(1 + argument.getArgNumber());
  unsigned index = cast<OpResult>(value).getResultNumber();
  return block.getArgument(1 + kernel.getNumArguments() + index);
}

Value ProgramBuilder::scratch() {
  Block &block = program.getBody().front();
  return block.getArgument(1 + kernel.getNumArguments() +
                           kernel.getNumResults());
}

Value ProgramBuilder::constantTensor(attn::ConstantOp op) {
  Value &place = constantTensors[op.getResult()];
  if (place)
    return place;
  auto dense = cast<DenseElementsAttr>(op.getValue());
  std::string &name = constantGlobals[dense];
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), kGlobal);
  if (name.empty()) {
    name = symbol + "_constant_" + std::to_string(constantGlobals.size() - 1);
    auto flat =
        RankedTensorType::get({dense.getNumElements()}, dense.getElementType());
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(program);
    constexpr unsigned kAlignment = 64;
    LLVM::GlobalOp::create(
        b, op.getLoc(),
        LLVM::LLVMArrayType::get(flat.getElementType(), flat.getDimSize(0)),
        /*isConstant=*/true, LLVM::Linkage::Internal, name, dense.reshape(flat),
        kAlignment, kGlobal);
  }
  return place = atHead([&]() -> Value {
           return LLVM::AddressOfOp::create(b, loc, pointer, name);
         });
}

Type ProgramBuilder::storageOf(Value value) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  TypeAttr storage;
  if (auto argument = dyn_cast<BlockArgument>(value))
    storage = kernel.getArgAttrOfType<TypeAttr>(argument.getArgNumber(),
                                                kStorageAttr);
  else if (!value.getDefiningOp<attn::ConstantOp>())
    storage = kernel.getResultAttrOfType<TypeAttr>(
        cast<OpResult>(value).getResultNumber(), kStorageAttr);
  return storage ? storage.getValue() : element;
}

/// The `#kernel.rows` stride of an argument.
static std::optional<int64_t> layoutStride(kernel::FuncOp kernel, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return std::nullopt;
  auto rows = dyn_cast_or_null<kernel::RowsAttr>(
      kernel.getLayout(argument.getArgNumber()));
  return rows ? std::optional(rows.getStride()) : std::nullopt;
}

/// How many trailing dimensions make a row of a tensor whose rows are `stride`
/// apart: heads and head size where these fit a row, else one.
static unsigned rowDimensions(ArrayRef<SizeExpr> shape, int64_t stride) {
  if (shape.size() < 3)
    return 1;
  SizeExpr lastTwo = attn::getProduct(shape.take_back(2));
  return lastTwo.isNumber() && lastTwo.number() <= stride ? 2 : 1;
}

SizeExpr ProgramBuilder::strideExpr(Value value, unsigned dim) {
  auto shape = attn::getNamedShape(value.getType());
  const unsigned rank = shape.size();
  if (std::optional<int64_t> stride = layoutStride(kernel, value)) {
    const unsigned rowDims = rowDimensions(shape, *stride);
    if (dim + rowDims < rank)
      return attn::getProduct(
                 ArrayRef(shape).slice(dim + 1, rank - rowDims - dim - 1)) *
             SizeExpr(*stride);
  }
  return attn::getProduct(ArrayRef(shape).drop_front(dim + 1));
}

Value ProgramBuilder::strideOf(Value value, unsigned dim) {
  return size64(strideExpr(value, dim));
}

Value ProgramBuilder::offsetOf(Value value, ArrayRef<Value> indices) {
  Value offset = i64(0);
  for (auto [dim, index] : llvm::enumerate(indices))
    offset = add(offset, mul(wide(index), strideOf(value, dim)));
  return offset;
}

bool ProgramBuilder::isAligned(Value value, int64_t elements) {
  SmallVector<SizeExpr> shape = attn::getNamedShape(value.getType());
  // A view begins anywhere in its row; heads begin at multiples of their size,
  // and so does everything that SelectKernels cuts from one projection.
  if (!shape.back().isNumber() || shape.back().number() % elements != 0)
    return false;
  std::optional<int64_t> stride = layoutStride(kernel, value);
  return !stride || *stride % elements == 0;
}

SmallVector<Value> ProgramBuilder::unflatten(Value row,
                                             ArrayRef<SizeExpr> leading) {
  SmallVector<Value> indices(leading.size());
  for (unsigned dim = leading.size(); dim-- > 1;) {
    Value extent = size(leading[dim]);
    Value outer = div(row, extent);
    indices[dim] = sub(row, mul(outer, extent));
    row = outer;
  }
  if (!indices.empty())
    indices[0] = row;
  return indices;
}

Value ProgramBuilder::sizePlace(StringRef name) {
  return LLVM::GEPOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobal),
      b.getI64Type(), program.getBody().getArgument(0),
      ArrayRef<LLVM::GEPArg>{int32_t(getSizeIndex(module, name))});
}

void ProgramBuilder::setSize(StringRef name, Value value) {
  LLVM::StoreOp::create(b, loc, wide(value), sizePlace(name), 8);
}

Value ProgramBuilder::pastOf(Value sequence) {
  auto sizes = module.getOps<attn::SizeOp>();
  const int32_t count = std::distance(sizes.begin(), sizes.end());
  Value lengths = LLVM::GEPOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobal),
      b.getI64Type(), program.getBody().getArgument(0),
      ArrayRef<LLVM::GEPArg>{count});
  Type number = b.getI32Type();
  return loadAt(at(lengths, wide(sequence), number), number);
}

int64_t ProgramBuilder::statePositions() {
  return (*module.getOps<attn::StateOp>().begin()).getPositions();
}

int64_t ProgramBuilder::largest(const SizeExpr &expr) {
  int64_t sum = 0;
  for (const auto &[product, coefficient] : expr.getTerms()) {
    int64_t term = coefficient;
    for (const std::string &name : product) {
      auto size = module.lookupSymbol<attn::SizeOp>(name);
      term *= size.getDerived() ? largest(*SizeExpr::parse(*size.getDerived()))
                                : *size.getMaximum();
    }
    sum += term;
  }
  return sum;
}

Value ProgramBuilder::size64(const SizeExpr &expr) {
  auto named = [&](StringRef name) {
    Value &value = sizeValues[name];
    if (!value)
      value = atHead([&]() -> Value {
        return LLVM::LoadOp::create(b, loc, b.getI64Type(), sizePlace(name), 8);
      });
    return value;
  };
  if (expr.isNumber())
    return i64(expr.number());
  return atHead([&] {
    Value sum = i64(0);
    for (const auto &[product, coefficient] : expr.getTerms()) {
      Value term = i64(coefficient);
      for (const std::string &name : product)
        term = mul(named(name), term);
      sum = add(sum, term);
    }
    return sum;
  });
}

Value ProgramBuilder::size(const SizeExpr &expr) {
  if (expr.isNumber())
    return i32(expr.number());
  return atHead([&] { return narrow(size64(expr)); });
}

Value ProgramBuilder::atHead(function_ref<Value()> build) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(headEnd);
  return build();
}

//===-- regions -----------------------------------------------------------===//

Value ProgramBuilder::readCapture(Value capture, AffineMap map,
                                  ArrayRef<Value> dims, ValueRange lookup) {
  SmallVector<Value> indices;
  for (AffineExpr expr : map.getResults()) {
    if (auto number = dyn_cast<AffineConstantExpr>(expr))
      indices.push_back(i32(number.getValue()));
    else
      indices.push_back(dims[cast<AffineDimExpr>(expr).getPosition()]);
  }
  SmallVector<SizeExpr> shape = attn::getNamedShape(capture.getType());
  for (Value index : lookup) {
    Value last = sub(size(shape[indices.size()]), i32(1));
    indices.push_back(maximum(minimum(index, last), i32(0)));
  }
  Value element = load(capture, offsetOf(capture, indices));
  // Of an empty table there is nothing but zeros.
  Value zero = element.getType().isInteger() ? i32(0) : f32(0);
  for (const SizeExpr &extent : ArrayRef(shape).take_back(lookup.size()))
    if (!extent.isNumber())
      element = select(lessThan(i32(0), size(extent)), element, zero);
  return element;
}

Value ProgramBuilder::inlineRegion(const attn::CapturedRegion &region,
                                   ValueRange leading, ArrayRef<Value> dims,
                                   ArrayRef<Value> safe) {
  assert(region.leading == leading.size() && "arguments that the op defines");
  Block &block = region.block();
  IRMapping values;
  for (auto [argument, value] : llvm::zip(block.getArguments(), leading))
    values.map(argument, value);
  for (auto [index, capture] : llvm::enumerate(region.captures)) {
    BlockArgument argument = block.getArgument(region.leading + index);
    if (!argument.use_empty() && !isa<RankedTensorType>(argument.getType()))
      values.map(argument, readCapture(capture, region.maps[index], safe));
  }
  for (Operation &op : block.without_terminator()) {
    if (auto index = dyn_cast<attn::IndexOp>(op)) {
      values.map(index.getResult(), dims[index.getDim()]);
      continue;
    }
    auto lookup = dyn_cast<attn::LookupOp>(op);
    if (!lookup) {
      b.clone(op, values);
      continue;
    }
    unsigned number =
        cast<BlockArgument>(lookup.getTable()).getArgNumber() - region.leading;
    SmallVector<Value> indices;
    for (Value index : lookup.getIndices())
      indices.push_back(values.lookup(index));
    values.map(lookup.getResult(),
               readCapture(region.captures[number], region.maps[number], safe,
                           indices));
  }
  return values.lookup(region.yielded());
}

} // namespace attnc::gpu
