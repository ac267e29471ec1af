//===- AttnVerifiers.cpp - constraints of programs and sequences
//------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per op; a check that implements constraint N of attn.OP carries
// the label OP_cN, as does its negative test. Ops that compute are in
// ComputeVerifiers.cpp, what verifiers share in Constraints.h.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Constraints.h"
#include "dialects/attn/EntryStorage.h"
#include "dialects/attn/ProjectedWeight.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace attnc::attn {

static bool isIdentifier(StringRef name) {
  return !name.empty() && !llvm::isDigit(name.front()) &&
         llvm::all_of(name,
                      [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

//===----------------------------------------------------------------------===//
// Sizes, weights, constants
//===----------------------------------------------------------------------===//

LogicalResult SizeOp::verify() {
  constexpr int64_t kLargest = int64_t(1) << 40;
  // size_c1
  bool bounded = getMinimum() && getMaximum();
  if (bounded == getDerived().has_value())
    return emitOpError("expects either bounds (min and max) or 'derived'");
  if (bounded &&
      !(*getMinimum() <= *getMaximum() && *getMaximum() <= uint64_t(kLargest)))
    return emitOpError() << "expects 0 <= min <= max <= 2^40, got min "
                         << int64_t(*getMinimum()) << " and max "
                         << int64_t(*getMaximum());
  // size_c3
  if (!isIdentifier(getSymName()))
    return emitOpError() << "expects a C identifier as its name, got '"
                         << getSymName() << "'";
  return success();
}

LogicalResult SizeOp::verifySymbolUses(SymbolTableCollection &) {
  // size_c2
  if (!getDerived())
    return success();
  std::optional<SizeExpr> expr = SizeExpr::parse(*getDerived());
  if (!expr)
    return emitOpError() << "expects 'derived' to be a sum of products of size "
                            "names and numbers, got '"
                         << *getDerived() << "'";
  for (const std::string &name : expr->names()) {
    SizeOp size = lookupSize(*this, name);
    if (!size)
      return emitOpError() << "names the size '" << name
                           << "', which no attn.size declares";
    if (size.getDerived())
      return emitOpError() << "expects sizes that are not derived, but '"
                           << name << "' is";
  }
  return success();
}

/// What a weight needs that is computed of others (ProjectedWeight.h).
static LogicalResult verifyProjected(WeightOp op) {
  // weight_c6
  Attribute given = op->getAttr(kProjectedAttr);
  auto type = cast<RankedTensorType>(op.getType());
  auto epsilon = dyn_cast<FloatAttr>(given);
  const bool isKnown =
      isa<UnitAttr>(given) ||
      (epsilon && epsilon.getType().isF64() && epsilon.getValue().isFinite() &&
       !epsilon.getValue().isNegative());
  const size_t sources = epsilon ? 5 : 3;
  // Products of two of them do not overflow.
  const bool areDims = llvm::all_of(type.getShape(), [](int64_t dim) {
    return dim > 0 && dim < int64_t(1) << 31;
  });
  if (!isKnown || op.getSources().size() != sources || type.getRank() != 3 ||
      !areDims || op.getConcat() || op.getTranspose() || op.getGroups() ||
      op.getPlus())
    return op.emitOpError()
           << "expects '" << kProjectedAttr << "' to be alone, or a positive "
           << "f64 with five sources instead of three, a type of three "
           << "dimensions, and nothing else to be done; got " << given
           << " with " << op.getSources().size() << " sources and " << type;
  return success();
}

LogicalResult WeightOp::verify() {
  if (failed(verifyElements(*this, cast<RankedTensorType>(getType()))))
    return failure();
  if (isProjected(*this))
    return verifyProjected(*this);
  // weight_c1
  if (getSources().empty())
    return emitOpError("expects at least one source");
  if (getSources().size() > 1 && !getConcat())
    return emitOpError() << "expects 'concat' to say along which dimension its "
                         << getSources().size() << " sources are joined";
  auto type = cast<RankedTensorType>(getType());
  // weight_c2
  if (getConcat() && *getConcat() >= uint64_t(type.getRank()))
    return emitOpError() << "expects 'concat' to be one of the "
                         << type.getRank() << " dimensions of " << type
                         << ", got " << int64_t(*getConcat());
  // weight_c3
  if (!type.hasStaticShape() || type.getEncoding())
    return emitOpError() << "expects a type with static dimensions, got "
                         << type;
  if (getTranspose() && type.getRank() < 2)
    return emitOpError() << "expects at least two dimensions to transpose, got "
                         << type;
  // weight_c4
  if (std::optional<ArrayRef<int64_t>> groups = getGroups()) {
    // Parts larger than the dimension are counted no further: no overflow.
    const int64_t rows = type.getRank() ? type.getDimSize(0) : 0;
    int64_t sum = 0;
    for (int64_t part : *groups)
      sum = part > 0 && part <= rows - sum ? sum + part : rows + 1;
    if (sum == 0 || sum > rows || rows % sum != 0)
      return emitOpError() << "expects 'groups' to be positive numbers whose "
                              "sum divides the first dimension of "
                           << type;
  }
  // weight_c5
  if (getPlus() && !getPlus()->isFinite())
    return emitOpError("expects 'plus' to be a finite number");
  return success();
}

LogicalResult GetWeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // get_weight_c1
  auto weight =
      symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError() << "expects @" << getWeight()
                         << " to be an attn.weight of the module";
  if (weight.getType() != getType())
    return emitOpError() << "expects the type of @" << getWeight() << ", "
                         << weight.getType() << ", got " << getType();
  return success();
}

LogicalResult ConstantOp::verify() {
  // constant_c1
  constexpr int64_t kMostElements = 65536;
  if (int64_t count = getValue().getNumElements(); count > kMostElements)
    return emitOpError() << "expects at most " << kMostElements
                         << " elements (larger tensors are weights), got "
                         << count;
  return success();
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

static LogicalResult verifyNames(EntryOp op) {
  // entry_c2
  llvm::StringSet<> names;
  auto checkName = [&](StringRef what, unsigned index,
                       StringRef name) -> LogicalResult {
    if (!isIdentifier(name))
      return op.emitOpError() << "expects " << what << " " << index
                              << " to have a C identifier as its attn.name, "
                                 "got '"
                              << name << "'";
    if (!names.insert(name).second)
      return op.emitOpError()
             << "expects distinct names of inputs and outputs, but '" << name
             << "' stands twice";
    return success();
  };
  for (unsigned i = 0; i < op.getArgumentTypes().size(); ++i)
    if (failed(checkName("input", i, op.getArgName(i))))
      return failure();
  for (unsigned i = 0; i < op.getResultTypes().size(); ++i)
    if (failed(checkName("output", i, op.getResultName(i))))
      return failure();
  return success();
}

static LogicalResult verifyInputAttributes(EntryOp op) {
  // entry_c5
  for (auto [index, type] : llvm::enumerate(op.getArgumentTypes())) {
    Attribute range = op.getArgAttr(index, AttnDialect::kRangeAttr);
    Attribute standIn = op.getArgAttr(index, AttnDialect::kDefaultAttr);
    auto tensor = dyn_cast<RankedTensorType>(type);
    if ((range || standIn) &&
        !(tensor && tensor.getElementType().isInteger(32)))
      return op.emitOpError()
             << "expects attn.range and attn.default on integer inputs only; "
                "input "
             << index << " is " << type;
    auto bounds = dyn_cast_or_null<DenseI64ArrayAttr>(range);
    if (range && !(bounds && bounds.size() == 2 && bounds[0] <= bounds[1]))
      return op.emitOpError() << "expects attn.range of input " << index
                              << " to be array<i64: MINIMUM, MAXIMUM> in "
                                 "order, got "
                              << range;
    auto value = dyn_cast_or_null<IntegerAttr>(standIn);
    if (standIn && !(value && value.getType().isInteger(32)))
      return op.emitOpError() << "expects attn.default of input " << index
                              << " to be an i32, got " << standIn;
  }
  return success();
}

static LogicalResult verifyStorage(EntryOp op) {
  // entry_c6
  auto check = [&](StringRef kind, unsigned index, Type type,
                   Attribute storage) -> LogicalResult {
    if (!storage)
      return success();
    auto named = dyn_cast<TypeAttr>(storage);
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (named && isa<BFloat16Type, Float16Type>(named.getValue()) && tensor &&
        tensor.getElementType().isF32())
      return success();
    return op.emitOpError()
           << "expects attn.storage to be bf16 or f16, on f32; " << kind << " "
           << index << " is " << type << " with " << storage;
  };
  for (auto [index, type] : llvm::enumerate(op.getArgumentTypes()))
    if (failed(check("input", index, type, op.getArgAttr(index, kStorageAttr))))
      return failure();
  for (auto [index, type] : llvm::enumerate(op.getResultTypes()))
    if (failed(check("output", index, type,
                     op.getResultAttr(index, kStorageAttr))))
      return failure();
  return success();
}

LogicalResult EntryOp::verify() {
  // entry_c1
  for (Type type : getFunctionType().getInputs())
    if (failed(verifyNamedTensor(*this, type)))
      return failure();
  for (Type type : getFunctionType().getResults())
    if (failed(verifyNamedTensor(*this, type)))
      return failure();
  for (Type type : llvm::concat<const Type>(getFunctionType().getInputs(),
                                            getFunctionType().getResults())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !(tensor.getElementType().isF32() ||
                     tensor.getElementType().isInteger(32)))
      return emitOpError() << "expects tensors of f32 or i32, got " << type;
  }
  if (failed(verifyNames(*this)) || failed(verifyInputAttributes(*this)) ||
      failed(verifyStorage(*this)))
    return failure();
  // entry_c4
  if (getBody().empty())
    return emitOpError("expects a body");
  auto terminator = getBody().front().empty()
                        ? ReturnOp()
                        : dyn_cast<ReturnOp>(getBody().front().back());
  if (!terminator)
    return emitOpError("expects its body to end with attn.return");
  if (!llvm::equal(terminator.getOperandTypes(), getResultTypes())) {
    InFlightDiagnostic error = terminator.emitOpError("expects to return (");
    llvm::interleaveComma(getResultTypes(), error);
    error << "), as its entry says; got (";
    llvm::interleaveComma(terminator.getOperandTypes(), error);
    return error << ")";
  }
  return success();
}

LogicalResult EntryOp::verifySymbolUses(SymbolTableCollection &) {
  // entry_c3
  llvm::StringSet<> sizes;
  for (auto name : getSizes().getAsValueRange<StringAttr>()) {
    SizeOp size = lookupSize(*this, name);
    if (!size || size.getDerived())
      return emitOpError() << "expects 'sizes' to list declared sizes that are "
                              "not derived, got '"
                           << name << "'";
    if (!sizes.insert(name).second)
      return emitOpError() << "lists the size '" << name << "' twice";
  }
  // entry_c3
  for (Type type : getArgumentTypes())
    for (const SizeExpr &dim : getNamedShape(type))
      for (const std::string &name : dim.names())
        if (lookupSize(*this, name) && !sizes.contains(name))
          return emitOpError() << "expects 'sizes' to list '" << name
                               << "', which the input type " << type << " uses";
  // entry_c1, entry_c3: nobody gives a size that is not listed.
  if (failed(verifyDeclaredSizes(*this, getSizes())))
    return failure();
  return verifyStates(*this);
}

/// An op with `attn.stands_for` does what another does, otherwise.
static LogicalResult verifyStandsFor(Operation *op, Attribute given) {
  // entry_c7, program_c5
  constexpr llvm::StringLiteral kName = AttnDialect::kStandsForAttr;
  Operation *other = nullptr;
  if (isa<FunctionOpInterface>(op) && op->getBlock())
    for (Operation *before = op->getPrevNode(); before && !other;
         before = before->getPrevNode())
      if (before->getName() == op->getName() &&
          before->getAttr(SymbolTable::getSymbolAttrName()) == given)
        other = before;
  // Runs before the op's own verifier: its attributes may be missing.
  if (!other || other->hasAttr(kName) ||
      other->getAttr("function_type") != op->getAttr("function_type") ||
      other->getAttr("sizes") != op->getAttr("sizes"))
    return op->emitOpError()
           << "expects '" << kName << "' to name an op of its kind before it "
           << "that stands for none and has the same signature, got " << given;
  for (Operation *next = op->getNextNode(); next; next = next->getNextNode())
    if (next->getName() == op->getName() && !next->hasAttr(kName))
      return op->emitOpError()
             << "with '" << kName << "' expects none without it behind it";
  return success();
}

LogicalResult AttnDialect::verifyOperationAttribute(Operation *op,
                                                    NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name == kStandsForAttr)
    return verifyStandsFor(op, attribute.getValue());
  if (name == kFilesAttr || name == kAdaptersAttr) {
    auto files = dyn_cast<ArrayAttr>(attribute.getValue());
    if (!files || !llvm::all_of(files, llvm::IsaPred<StringAttr>))
      return op->emitOpError()
             << "expects '" << name << "' to list paths as strings, got "
             << attribute.getValue();
  }
  if (name == kProjectedAttr && !isa<WeightOp>(op))
    return op->emitOpError()
           << "expects '" << name << "' on an attn.weight only";
  if (name == kStoredAttr) {
    auto format = dyn_cast<StringAttr>(attribute.getValue());
    if (!isa<WeightOp>(op) || !format ||
        !llvm::is_contained(
            {"bf16", "q8_0", "q4_0", "q4_1", "q4_k", "q6_k", "blocks"},
            format.getValue()))
      return op->emitOpError()
             << "expects '" << name << "' on an attn.weight, \"bf16\", "
             << "\"q8_0\", \"q4_0\", \"q4_1\", \"q4_k\", \"q6_k\" or "
             << "\"blocks\"; got " << attribute.getValue();
  }
  if (name == kStopTokensAttr && !isa<DenseI32ArrayAttr>(attribute.getValue()))
    return op->emitOpError()
           << "expects '" << name << "' to be array<i32: ...>, got "
           << attribute.getValue();
  if ((name == kNameAttr || name == kStageAttr || name == kAdapterAttr) &&
      !isa<StringAttr>(attribute.getValue()))
    return op->emitOpError() << "expects '" << name << "' to be a string, got "
                             << attribute.getValue();
  return success();
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  // embedding_c1
  if (getIds().empty() || getIds().size() != getTables().size())
    return emitOpError() << "expects as many tables as ids, at least one; got "
                         << getIds().size() << " ids and " << getTables().size()
                         << " tables";
  SmallVector<SizeExpr> shape = getNamedShape(getIds().front().getType());
  for (Value ids : getIds().drop_front())
    if (failed(expectShape(*this, "ids", "of one shape", ids.getType(), shape)))
      return failure();
  SizeExpr columns;
  for (auto [index, table] : llvm::enumerate(getTables())) {
    Type type = table.getType();
    if (failed(expectRank(*this, "a table", "[V, N]", type, 2)) ||
        failed(expectStatic(*this, "a table", "[V, N]", type, 0)) ||
        failed(expectStatic(*this, "a table", "[V, N]", type, 1)))
      return failure();
    SmallVector<SizeExpr> dims = getNamedShape(type);
    if (index == 0)
      columns = dims[1];
    if (failed(
            expectShape(*this, "a table", "[V, N]", type, {dims[0], columns})))
      return failure();
  }
  shape.push_back(columns);
  if (failed(expectShape(*this, "the result", "[.., N]", getType(), shape)))
    return failure();
  // embedding_c2
  return verifyEpilogues(*this, shape, getType().getElementType(),
                         /*accumulator=*/false);
}

LogicalResult PositionsOp::verify() {
  // positions_c1
  return expectRank(*this, "the result", "of at least one dimension", getType(),
                    1, /*orMore=*/true);
}

LogicalResult TokenPositionsOp::verify() {
  // token_positions_c1
  if (failed(expectRank(*this, "ids", "of at least one dimension", getType(), 1,
                        /*orMore=*/true)))
    return failure();
  // token_positions_c2
  int64_t padding = static_cast<int64_t>(getPadding());
  if (padding < 0 || padding > std::numeric_limits<int32_t>::max())
    return emitOpError() << "expects padding to be an i32 that is not "
                            "negative, got "
                         << padding;
  return success();
}

LogicalResult PackIndexOp::verify() {
  // pack_index_c1
  if (failed(expectRank(*this, "the mask", "[B, S]", getMask().getType(), 2)) ||
      failed(expectRank(*this, "the rows", "[T]", getRows().getType(), 1)))
    return failure();
  SizeExpr batch = getNamedShape(getMask().getType())[0];
  return expectShape(*this, "the offsets", "[B + 1]", getOffsets().getType(),
                     {batch + SizeExpr(1)});
}

LogicalResult PackIndexOp::verifySymbolUses(SymbolTableCollection &) {
  // pack_index_c1
  SizeExpr rows = getNamedShape(getRows().getType())[0];
  SizeOp size = lookupSize(*this, rows.asName());
  if (rows.asName().empty() || !size || !size.getDerived())
    return emitOpError()
           << "expects the number of rows to be one derived size, "
              "got '"
           << rows.str() << "'";
  SizeExpr bound = getProduct(getNamedShape(getMask().getType()));
  std::optional<SizeExpr> declared = SizeExpr::parse(*size.getDerived());
  if (!declared || *declared != bound)
    return emitOpError() << "expects '" << rows.str()
                         << "' to be derived with the bound '" << bound.str()
                         << "', got '" << *size.getDerived() << "'";
  return success();
}

/// [B, S, ..] is the padded form of [T, ..].
static LogicalResult verifyPacking(Operation *op, RankedTensorType padded,
                                   StringRef paddedName,
                                   RankedTensorType packed,
                                   StringRef packedName, Type rows) {
  if (failed(expectRank(op, paddedName, "[B, S, ..]", padded, 2, true)) ||
      failed(expectRank(op, "the rows", "[T]", rows, 1)))
    return failure();
  SmallVector<SizeExpr> expected = getNamedShape(rows);
  llvm::append_range(expected, ArrayRef(getNamedShape(padded)).drop_front(2));
  if (failed(expectShape(op, packedName, "[T, ..]", packed, expected)))
    return failure();
  if (padded.getElementType() != packed.getElementType())
    return op->emitOpError()
           << "expects one element type, got " << padded.getElementType()
           << " and " << packed.getElementType();
  return success();
}

LogicalResult PackOp::verify() {
  // pack_c1
  return verifyPacking(*this, getInput().getType(), "the input", getType(),
                       "the result", getRows().getType());
}

LogicalResult UnpackOp::verify() {
  // unpack_c1
  return verifyPacking(*this, getType(), "the result", getInput().getType(),
                       "the input", getRows().getType());
}

LogicalResult PoolOp::verify() {
  // pool_c1
  if (!getMask() == !getOffsets())
    return emitOpError("expects exactly one of mask and offsets");
  // pool_c2
  unsigned rank = getMask() ? 3 : 2;
  StringRef form = getMask() ? "[B, S, N]" : "[T, N]";
  if (failed(expectRank(*this, "the input", form, getInput().getType(), rank)))
    return failure();
  SmallVector<SizeExpr> input = getNamedShape(getInput().getType());
  if (getMask()) {
    if (failed(expectShape(*this, "the mask", "[B, S]", getMask().getType(),
                           {input[0], input[1]})))
      return failure();
    return expectShape(*this, "the result", "[B, N]", getType(),
                       {input[0], input[2]});
  }
  if (failed(expectRank(*this, "the offsets", "[B + 1]", getOffsets().getType(),
                        1)) ||
      failed(expectRank(*this, "the result", "[B, N]", getType(), 2)))
    return failure();
  SizeExpr batch = getNamedShape(getType())[0];
  if (failed(expectShape(*this, "the offsets", "[B + 1]",
                         getOffsets().getType(), {batch + SizeExpr(1)})))
    return failure();
  return expectShape(*this, "the result", "[B, N]", getType(),
                     {batch, input[1]});
}

} // namespace attnc::attn
