//===- Constraints.cpp - checks that several verifiers share
//----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shapes of operands and named sizes; regions are in RegionConstraints.cpp.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Constraints.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace attnc::attn {

std::string toString(ArrayRef<SizeExpr> shape) {
  return "[" +
         llvm::join(llvm::map_range(
                        shape, [](const SizeExpr &dim) { return dim.str(); }),
                    ", ") +
         "]";
}

LogicalResult expectShape(Operation *op, StringRef what, StringRef form,
                          Type type, ArrayRef<SizeExpr> expected) {
  SmallVector<SizeExpr> shape = getNamedShape(type);
  if (ArrayRef<SizeExpr>(shape) == expected)
    return success();
  return op->emitOpError() << "expects " << what << " to be " << form << " = "
                           << toString(expected) << ", got " << toString(shape);
}

LogicalResult expectRank(Operation *op, StringRef what, StringRef form,
                         Type type, unsigned rank, bool orMore) {
  auto tensor = cast<RankedTensorType>(type);
  if (orMore ? tensor.getRank() >= rank : tensor.getRank() == rank)
    return success();
  return op->emitOpError() << "expects " << what << " to be " << form
                           << ", got " << toString(getNamedShape(tensor));
}

LogicalResult expectStatic(Operation *op, StringRef what, StringRef form,
                           Type type, int64_t dim) {
  auto tensor = cast<RankedTensorType>(type);
  if (dim < 0)
    dim += tensor.getRank();
  if (!tensor.isDynamicDim(dim))
    return success();
  return op->emitOpError() << "expects dimension " << dim << " of " << what
                           << " to be a number (" << form << "), got '"
                           << getNamedShape(tensor)[dim].str() << "'";
}

//===----------------------------------------------------------------------===//
// Named sizes
//===----------------------------------------------------------------------===//

LogicalResult verifyElements(Operation *op, RankedTensorType tensor) {
  constexpr int64_t kMost = int64_t(1) << 40;
  int64_t count = 1;
  for (int64_t dim : tensor.getShape()) {
    if (ShapedType::isDynamic(dim) || dim == 0)
      continue;
    if (dim > kMost / count)
      return op->emitOpError()
             << "expects a product of at most 2^40 of the dimensions that are "
                "numbers, got "
             << tensor;
    count *= dim;
  }
  return success();
}

LogicalResult verifyNamedTensor(Operation *op, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return success();
  if (failed(verifyElements(op, tensor)))
    return failure();
  Attribute encoding = tensor.getEncoding();
  if (tensor.hasStaticShape() && !encoding)
    return success();
  auto sizes = dyn_cast_or_null<SizesAttr>(encoding);
  if (!sizes)
    return op->emitOpError()
           << "expects every dynamic dimension to have a name, as in "
              "tensor<?x8xf32, #attn.sizes<seq, 8>>; got "
           << tensor;
  if (tensor.hasStaticShape())
    return op->emitOpError() << "expects no #attn.sizes on a tensor without "
                                "dynamic dimensions; got "
                             << tensor;
  if (int64_t(sizes.getDims().size()) != tensor.getRank())
    return op->emitOpError()
           << "expects #attn.sizes to name " << tensor.getRank()
           << " dimensions, got " << sizes.getDims().size() << " in " << tensor;
  for (auto [index, dim] : llvm::enumerate(tensor.getShape())) {
    SizeExpr expr = sizes.getDim(index);
    bool agrees = ShapedType::isDynamic(dim)
                      ? !expr.isNumber()
                      : expr.isNumber() && expr.number() == dim;
    if (!agrees)
      return op->emitOpError()
             << "expects dimension " << index << " and its size '" << expr.str()
             << "' to agree (a name where the dimension is '?', else the same "
                "number); got "
             << tensor;
  }
  return success();
}

LogicalResult verifyNamedShapes(Operation *op) {
  for (Type type : op->getOperandTypes())
    if (failed(verifyNamedTensor(op, type)))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(verifyNamedTensor(op, type)))
      return failure();
  return success();
}

LogicalResult expectGroups(Operation *op, int64_t queryHeads,
                           int64_t keyHeads) {
  if (keyHeads != 0 && queryHeads % keyHeads == 0)
    return success();
  return op->emitOpError()
         << "expects the number of query heads to be a multiple of that of key "
            "heads, got "
         << queryHeads << " and " << keyHeads;
}

SizeOp lookupSize(Operation *op, StringRef name) {
  auto module = op->getParentOfType<ModuleOp>();
  return module ? module.lookupSymbol<SizeOp>(name) : SizeOp();
}

/// The first name of an expression that is not declared, or an empty string.
static std::string findUndeclared(Operation *op, const SizeExpr &expr) {
  for (const std::string &name : expr.names())
    if (!lookupSize(op, name))
      return name;
  return "";
}

/// The first name of an expression that is neither derived nor listed, or an
/// empty string.
static std::string findUnlisted(Operation *op, const SizeExpr &expr,
                                ArrayAttr listed) {
  for (const std::string &name : expr.names())
    if (!lookupSize(op, name).getDerived() &&
        !llvm::is_contained(listed.getAsValueRange<StringAttr>(), name))
      return name;
  return "";
}

LogicalResult verifyDeclaredSizes(Operation *root, ArrayAttr listed) {
  auto checkExpr = [&](Operation *op, const SizeExpr &expr) -> LogicalResult {
    if (std::string name = findUndeclared(op, expr); !name.empty())
      return op->emitOpError()
             << "names the size '" << name << "', which no attn.size declares";
    if (std::string name = listed ? findUnlisted(op, expr, listed) : "";
        !name.empty())
      return op->emitOpError() << "names the size '" << name
                               << "', which 'sizes' of its entry does not list";
    return success();
  };
  auto checkTypes = [&](Operation *op, TypeRange types) -> LogicalResult {
    for (Type type : types) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      auto sizes = tensor ? dyn_cast_or_null<SizesAttr>(tensor.getEncoding())
                          : SizesAttr();
      if (!sizes)
        continue;
      for (unsigned i = 0; i < sizes.getDims().size(); ++i)
        if (failed(checkExpr(op, sizes.getDim(i))))
          return failure();
    }
    return success();
  };
  WalkResult result = root->walk([&](Operation *op) -> WalkResult {
    if (failed(checkTypes(op, op->getResultTypes())))
      return WalkResult::interrupt();
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (failed(checkTypes(op, block.getArgumentTypes())))
          return WalkResult::interrupt();
    auto attention = dyn_cast<AttentionOp>(op);
    if (!attention || !attention.getLengthBound())
      return WalkResult::advance();
    std::optional<SizeExpr> bound =
        SizeExpr::parse(*attention.getLengthBound());
    if (bound && failed(checkExpr(op, *bound)))
      return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

} // namespace attnc::attn
