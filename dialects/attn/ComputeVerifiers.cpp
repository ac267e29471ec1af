//===- ComputeVerifiers.cpp - constraints of maps, products, attention
//------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per op; a check that implements constraint N of attn.OP carries
// the label OP_cN, as does its negative test.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Constraints.h"

using namespace mlir;

namespace attnc::attn {

using Dims = SmallVector<SizeExpr>;

/// The dimensions of a type with the last `count` replaced by `last`.
static Dims replaceLast(Type type, unsigned count, ArrayRef<SizeExpr> last) {
  Dims shape = getNamedShape(type);
  shape.truncate(shape.size() - count);
  llvm::append_range(shape, last);
  return shape;
}

//===----------------------------------------------------------------------===//
// Maps and rows
//===----------------------------------------------------------------------===//

LogicalResult IndexOp::verify() {
  // index_c1
  auto parent = dyn_cast<EpilogueOpInterface>((*this)->getParentOp());
  if (!parent ||
      parent.getElementEpilogue().region != (*this)->getParentRegion())
    return emitOpError("expects to stand in an element region");
  // The result of a projection to heads has one dimension more than its index
  // space, in which the columns stand side by side.
  Type space = isa<QkvProjectionOp>(parent) ? parent->getOperand(0).getType()
                                            : parent->getResult(0).getType();
  int64_t rank = cast<RankedTensorType>(space).getRank();
  if (int64_t dim = getDim(); dim < 0 || dim >= rank)
    return emitOpError() << "expects a dimension of the index space, 0 to "
                         << rank - 1 << ", got " << dim;
  return success();
}

LogicalResult LookupOp::verify() {
  // lookup_c1
  auto table = dyn_cast<BlockArgument>(getTable());
  Operation *parent = (*this)->getParentOp();
  auto epilogue = dyn_cast<EpilogueOpInterface>(parent);
  bool isRegion =
      isa<AttentionOp, CachedAttentionOp>(parent) ||
      (epilogue &&
       epilogue.getElementEpilogue().region == (*this)->getParentRegion() &&
       !isa<EpilogueOpInterface>(parent->getParentOp()));
  if (!isRegion || !table || table.getOwner() != (*this)->getBlock())
    return emitOpError("expects as its table an argument of the element, score "
                       "or mask region in which it stands");
  // lookup_c2
  if (int64_t rank = getTable().getType().getRank();
      rank != static_cast<int64_t>(getIndices().size()))
    return emitOpError() << "expects one index per dimension of the table, "
                         << rank << ", got " << getIndices().size();
  return success();
}

LogicalResult MapOp::verify() {
  // map_c3
  if (getElement().empty())
    return emitOpError("expects an element region");
  // map_c1, map_c2, map_c3, map_c4, map_c5
  return verifyEpilogues(*this, getNamedShape(getType()),
                         getType().getElementType(), /*accumulator=*/false);
}

LogicalResult NormOp::verify() {
  // norm_c4
  if (failed(expectRank(*this, "the input", "of at least one dimension",
                        getType(), 1, /*orMore=*/true)))
    return failure();
  SizeExpr columns = getNamedShape(getType()).back();
  // norm_c1
  for (auto [value, name] : {std::pair<Value, StringRef>{getWeight(), "weight"},
                             {getBias(), "bias"}})
    if (value &&
        failed(expectShape(*this, name, "[N]", value.getType(), {columns})))
      return failure();
  // norm_c2
  if (getKind() == NormKind::l2 && (getWeight() || getBias()))
    return emitOpError("of kind l2 expects neither weight nor bias");
  if (getKind() == NormKind::rms && getBias())
    return emitOpError("of kind rms expects no bias");
  // norm_c3
  if (!getEpsilon().isFinite() || getEpsilon().isNegative())
    return emitOpError() << "expects a finite epsilon of at least 0, got "
                         << getEpsilonAttr();
  return success();
}

LogicalResult SoftmaxOp::verify() {
  // softmax_c1
  return expectRank(*this, "the input", "of at least one dimension", getType(),
                    1, /*orMore=*/true);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The weight is [N, K] in numbers.
static LogicalResult verifyMatrix(Operation *op, Type weight) {
  if (failed(expectRank(op, "the weight", "[N, K]", weight, 2)) ||
      failed(expectStatic(op, "the weight", "[N, K]", weight, 0)))
    return failure();
  return expectStatic(op, "the weight", "[N, K]", weight, 1);
}

LogicalResult LinearOp::verify() {
  // linear_c1
  Type input = getInput().getType(), weight = getWeight().getType();
  if (failed(expectRank(*this, "the input", "[.., K] with leading dimensions",
                        input, 2, /*orMore=*/true)) ||
      failed(verifyMatrix(*this, weight)))
    return failure();
  Dims matrix = getNamedShape(weight);
  if (failed(expectShape(*this, "the input", "[.., K]", input,
                         replaceLast(input, 1, matrix[1]))) ||
      failed(expectShape(*this, "the result", "[.., N]", getType(),
                         replaceLast(input, 1, matrix[0]))))
    return failure();
  // linear_c2
  return verifyEpilogues(*this, getNamedShape(getType()),
                         getType().getElementType(), /*accumulator=*/true);
}

LogicalResult QkvProjectionOp::verify() {
  // qkv_projection_c1
  Type input = getInput().getType(), weight = getWeight().getType();
  if (failed(expectRank(*this, "the input", "[.., K] with leading dimensions",
                        input, 2, /*orMore=*/true)) ||
      failed(verifyMatrix(*this, weight)))
    return failure();
  unsigned rank = cast<RankedTensorType>(input).getRank();
  Dims matrix = getNamedShape(weight);
  if (failed(expectShape(*this, "the input", "[.., K]", input,
                         replaceLast(input, 1, matrix[1]))))
    return failure();
  SizeExpr columns;
  for (auto [index, type] : llvm::enumerate(getOperation()->getResultTypes())) {
    StringRef name = index == 0   ? "the query"
                     : index == 1 ? "the key"
                                  : "the value";
    if (failed(expectRank(*this, name, "[.., H, D]", type, rank + 1)) ||
        failed(expectStatic(*this, name, "[.., H, D]", type, -1)) ||
        failed(expectStatic(*this, name, "[.., H, D]", type, -2)))
      return failure();
    Dims shape = getNamedShape(type);
    SizeExpr heads = shape[rank - 1], size = shape[rank];
    if (failed(expectShape(*this, name, "[.., H, D]", type,
                           replaceLast(input, 1, {heads, size}))))
      return failure();
    columns = columns + heads * size;
  }
  if (failed(expectShape(*this, "the weight", "[Hq*D + Hk*D + Hk*Dv, K]",
                         weight, {columns, matrix[1]})))
    return failure();
  // qkv_projection_c2
  ArrayRef<int64_t> query = getQuery().getType().getShape(),
                    key = getKey().getType().getShape(),
                    value = getValue().getType().getShape();
  if (query[rank] != key[rank])
    return emitOpError() << "expects query and key of one head size, got "
                         << query[rank] << " and " << key[rank];
  if (key[rank - 1] != value[rank - 1])
    return emitOpError() << "expects key and value with as many heads, got "
                         << key[rank - 1] << " and " << value[rank - 1];
  if (key[rank - 1] == 0 || query[rank - 1] % key[rank - 1] != 0)
    return emitOpError()
           << "expects the number of query heads to be a multiple "
              "of that of key heads, got "
           << query[rank - 1] << " and " << key[rank - 1];
  // qkv_projection_c3
  return verifyEpilogues(*this, replaceLast(input, 1, columns),
                         getQuery().getType().getElementType(),
                         /*accumulator=*/true);
}

LogicalResult OutputProjectionOp::verify() {
  // output_projection_c1
  Type input = getInput().getType(), weight = getWeight().getType();
  if (failed(expectRank(*this, "the input",
                        "[.., H, D] with leading dimensions", input, 3,
                        /*orMore=*/true)) ||
      failed(expectStatic(*this, "the input", "[.., H, D]", input, -1)) ||
      failed(expectStatic(*this, "the input", "[.., H, D]", input, -2)) ||
      failed(verifyMatrix(*this, weight)))
    return failure();
  Dims shape = getNamedShape(input), matrix = getNamedShape(weight);
  SizeExpr depth = shape[shape.size() - 2] * shape.back();
  if (failed(expectShape(*this, "the weight", "[N, H*D]", weight,
                         {matrix[0], depth})) ||
      failed(expectShape(*this, "the result", "[.., N]", getType(),
                         replaceLast(input, 2, matrix[0]))))
    return failure();
  // output_projection_c2
  return verifyEpilogues(*this, getNamedShape(getType()),
                         getType().getElementType(), /*accumulator=*/true);
}

/// `split` is [.., H, D], `merged` [.., H*D], both static there.
static LogicalResult verifyHeads(Operation *op, Type split, StringRef splitName,
                                 Type merged, StringRef mergedName) {
  if (failed(expectRank(op, splitName, "[.., H, D]", split, 2, true)) ||
      failed(expectStatic(op, splitName, "[.., H, D]", split, -1)) ||
      failed(expectStatic(op, splitName, "[.., H, D]", split, -2)))
    return failure();
  Dims shape = getNamedShape(split);
  SizeExpr columns = shape[shape.size() - 2] * shape.back();
  return expectShape(op, mergedName, "[.., H*D]", merged,
                     replaceLast(split, 2, columns));
}

LogicalResult SplitHeadsOp::verify() {
  // split_heads_c1
  return verifyHeads(*this, getType(), "the result", getInput().getType(),
                     "the input");
}

LogicalResult MergeHeadsOp::verify() {
  // merge_heads_c1
  return verifyHeads(*this, getInput().getType(), "the input", getType(),
                     "the result");
}

LogicalResult HeadLinearOp::verify() {
  // head_linear_c1
  Type input = getInput().getType(), weight = getWeight().getType();
  if (failed(expectRank(*this, "the input",
                        "[.., H, K] with leading dimensions", input, 3,
                        /*orMore=*/true)) ||
      failed(expectRank(*this, "the weight", "[H, K, N]", weight, 3)))
    return failure();
  for (int64_t dim : {0, 1, 2})
    if (failed(expectStatic(*this, "the weight", "[H, K, N]", weight, dim)))
      return failure();
  Dims matrix = getNamedShape(weight);
  if (failed(expectShape(*this, "the input", "[.., H, K]", input,
                         replaceLast(input, 2, {matrix[0], matrix[1]}))))
    return failure();
  return expectShape(*this, "the result", "[.., H, N]", getType(),
                     replaceLast(input, 1, matrix[2]));
}

LogicalResult MatmulOp::verify() {
  // matmul_c1
  Type lhs = getLhs().getType(), rhs = getRhs().getType();
  if (failed(expectRank(*this, "the left side", "[.., M, K]", lhs, 2, true)) ||
      failed(expectRank(*this, "the right side", "of the rank of the left", rhs,
                        cast<RankedTensorType>(lhs).getRank())))
    return failure();
  SizeExpr depth = getNamedShape(lhs).back();
  Dims right = getNamedShape(rhs);
  bool transpose = getTransposeRhs();
  SizeExpr columns = right[right.size() - (transpose ? 2 : 1)];
  if (failed(expectShape(*this, "the right side",
                         transpose ? "[.., N, K]" : "[.., K, N]", rhs,
                         transpose ? replaceLast(lhs, 2, {columns, depth})
                                   : replaceLast(lhs, 2, {depth, columns}))))
    return failure();
  return expectShape(*this, "the result", "[.., M, N]", getType(),
                     replaceLast(lhs, 1, columns));
}

LogicalResult RopeOp::verify() {
  // rope_c1
  Type input = getInput().getType(), table = getCos().getType();
  if (failed(expectRank(*this, "the input",
                        "[.., H, D] with leading dimensions", input, 3,
                        /*orMore=*/true)) ||
      failed(expectStatic(*this, "the input", "[.., H, D]", input, -1)) ||
      failed(expectStatic(*this, "the input", "[.., H, D]", input, -2)))
    return failure();
  // rope_c2
  unsigned rank = getInput().getType().getRank();
  if (failed(expectRank(*this, "cos", "[.., R/2]", table, rank - 1)) ||
      failed(expectStatic(*this, "cos", "[.., R/2]", table, -1)))
    return failure();
  int64_t angles = getAngles(), size = getType().getShape().back();
  if (angles < 1 || angles > size / 2)
    return emitOpError() << "expects 1 to " << size / 2
                         << " angles for heads of " << size << ", got "
                         << angles;
  return expectShape(*this, "cos", "[.., R/2]", table,
                     replaceLast(input, 2, SizeExpr(angles)));
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// Ranks, and heads and sizes as numbers.
static LogicalResult verifyAttentionForm(AttentionOp op) {
  unsigned rank = op.getQuery().getType().getRank();
  bool packed = op.isPacked();
  if (packed ? rank != 3 : rank != 2 && rank != 4)
    return op.emitOpError()
           << "expects a query of rank " << (packed ? "3" : "2 or 4")
           << (packed ? " with" : " without") << " offsets, got rank " << rank;
  if (packed != op.getLengthBound().has_value())
    return op.emitOpError() << "expects length_bound exactly with offsets";
  for (auto [value, name] :
       {std::pair<Value, StringRef>{op.getQuery(), "the query"},
        {op.getKey(), "the key"},
        {op.getValue(), "the value"},
        {op.getResult(), "the result"}}) {
    Type type = value.getType();
    if (failed(expectRank(op, name, "of the query's rank", type, rank)) ||
        failed(expectStatic(op, name, "the head size", type, -1)) ||
        (rank > 2 &&
         failed(expectStatic(op, name, "the number of heads", type, -2))))
      return failure();
  }
  if (packed && failed(expectRank(op, "the offsets", "[B + 1]",
                                  op.getOffsets().getType(), 1)))
    return failure();
  if (packed && !SizeExpr::parse(*op.getLengthBound()))
    return op.emitOpError()
           << "expects length_bound to be a sum of products of "
              "size names and numbers, got '"
           << *op.getLengthBound() << "'";
  return success();
}

/// Dimensions that operands share.
static LogicalResult verifyAttentionShapes(AttentionOp op) {
  Dims query = getNamedShape(op.getQuery().getType());
  Dims key = getNamedShape(op.getKey().getType());
  Dims value = getNamedShape(op.getValue().getType());
  Dims keyForm = key, valueForm = key, resultForm = query;
  keyForm.back() = query.back();
  if (query.size() == 4)
    keyForm[0] = query[0];
  if (op.isPacked())
    keyForm[0] = query[0];
  valueForm = keyForm;
  valueForm.back() = value.back();
  resultForm.back() = value.back();
  StringRef forms[3] = {"[KV, D]", "[KV, Dv]", "[Q, Dv]"};
  if (query.size() == 4)
    forms[0] = "[B, KV, Hk, D]", forms[1] = "[B, KV, Hk, Dv]",
    forms[2] = "[B, Q, Hq, Dv]";
  if (op.isPacked())
    forms[0] = "[T, Hk, D]", forms[1] = "[T, Hk, Dv]", forms[2] = "[T, Hq, Dv]";
  if (failed(expectShape(op, "the key", forms[0], op.getKey().getType(),
                         keyForm)) ||
      failed(expectShape(op, "the value", forms[1], op.getValue().getType(),
                         valueForm)))
    return failure();
  return expectShape(op, "the result", forms[2], op.getType(), resultForm);
}

/// (b, h, q, kv); in the packed form q and kv stand for rows.
static SmallVector<std::optional<SizeExpr>> getAttentionSpace(AttentionOp op) {
  Dims query = getNamedShape(op.getQuery().getType());
  Dims key = getNamedShape(op.getKey().getType());
  if (query.size() == 2)
    return {SizeExpr(1), SizeExpr(1), query[0], key[0]};
  if (query.size() == 4)
    return {query[0], query[2], query[1], key[1]};
  // The batch is one less than the offsets.
  SizeExpr offsets = getNamedShape(op.getOffsets().getType())[0];
  return {offsets + SizeExpr(-1), query[1], query[0], query[0]};
}

LogicalResult AttentionOp::verify() {
  // attention_c1
  if (failed(verifyAttentionForm(*this)) ||
      failed(verifyAttentionShapes(*this)))
    return failure();
  // attention_c2
  if (failed(expectGroups(*this, getQueryHeads(), getKeyHeads())))
    return failure();
  // attention_c3, attention_c4, attention_c5, attention_c6
  return verifyAttentionRegions(*this, getScoreRegion(), getMaskRegion(),
                                getAttentionSpace(*this));
}

} // namespace attnc::attn
