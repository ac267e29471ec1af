//===- AttnDialect.cpp - the dialect and its sizes ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registers the dialect and parses `#attn.sizes`.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Attn.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FoldInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/attn/AttnDialect.cpp.inc"
#include "dialects/attn/AttnEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/attn/AttnAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/attn/AttnInterfaces.cpp.inc"
#include "dialects/attn/AttnTypes.cpp.inc"

namespace attnc::attn {

namespace {
/// Constants that folding makes stay in the region they were made in: captured
/// regions see nothing from above.
struct FoldInterface : DialectFoldInterface {
  using DialectFoldInterface::DialectFoldInterface;
  bool shouldMaterializeInto(Region *) const final { return true; }
};
} // namespace

void AttnDialect::initialize() {
  addInterfaces<FoldInterface>();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/attn/AttnAttributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/attn/AttnTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/attn/AttnOps.cpp.inc"
      >();
}

SizesAttr SizesAttr::get(MLIRContext *context, ArrayRef<SizeExpr> dims) {
  SmallVector<StringAttr> names;
  for (const SizeExpr &dim : dims)
    names.push_back(StringAttr::get(context, dim.str()));
  return Base::get(context, names);
}

SizeExpr SizesAttr::getDim(unsigned index) const {
  std::optional<SizeExpr> dim = SizeExpr::parse(getDims()[index].getValue());
  assert(dim && "verified when the attribute was made");
  return *dim;
}

LogicalResult SizesAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                ArrayRef<StringAttr> dims) {
  for (StringAttr dim : dims) {
    std::optional<SizeExpr> expr = SizeExpr::parse(dim.getValue());
    if (!expr)
      return emitError() << "'" << dim.getValue()
                         << "' is not a sum of products of size names and "
                            "numbers";
    if (expr->str() != dim.getValue())
      return emitError() << "'" << dim.getValue()
                         << "' is not in canonical form; expected '"
                         << expr->str() << "'";
  }
  return success();
}

/// factor ::= integer | name
static FailureOr<SizeExpr> parseFactor(AsmParser &parser) {
  int64_t number;
  OptionalParseResult integer = parser.parseOptionalInteger(number);
  if (integer.has_value()) {
    if (failed(*integer))
      return failure();
    if (number < 0)
      return parser.emitError(parser.getCurrentLocation(),
                              "a size is not negative");
    return SizeExpr(number);
  }
  StringRef name;
  SMLoc at = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  // MLIR's keywords may have dots and dollars in them.
  std::optional<SizeExpr> size = SizeExpr::parse(name);
  if (!size)
    return parser.emitError(at) << "'" << name
                                << "' is no name of a size; expected letters, "
                                   "digits and underscores";
  return *size;
}

Attribute SizesAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> dims;
  auto parseDim = [&]() -> ParseResult {
    SizeExpr sum(0);
    do {
      SizeExpr product(1);
      do {
        FailureOr<SizeExpr> factor = parseFactor(parser);
        if (failed(factor))
          return failure();
        product = product * *factor;
      } while (succeeded(parser.parseOptionalStar()));
      sum = sum + product;
    } while (succeeded(parser.parseOptionalPlus()));
    dims.push_back(StringAttr::get(parser.getContext(), sum.str()));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseDim))
    return {};
  return SizesAttr::get(parser.getContext(), dims);
}

void SizesAttr::print(AsmPrinter &printer) const {
  printer << "<";
  llvm::interleaveComma(getDims(), printer,
                        [&](StringAttr dim) { printer << dim.getValue(); });
  printer << ">";
}

SmallVector<SizeExpr> getNamedShape(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  auto sizes = dyn_cast_or_null<SizesAttr>(tensor.getEncoding());
  SmallVector<SizeExpr> shape;
  for (auto [index, dim] : llvm::enumerate(tensor.getShape())) {
    assert((sizes || !ShapedType::isDynamic(dim)) && "a nameless dimension");
    shape.push_back(sizes ? sizes.getDim(index) : SizeExpr(dim));
  }
  return shape;
}

RankedTensorType getNamedTensor(ArrayRef<SizeExpr> shape, Type elementType) {
  SmallVector<int64_t> dims;
  for (const SizeExpr &dim : shape)
    dims.push_back(dim.isNumber() ? dim.number() : ShapedType::kDynamic);
  if (!llvm::is_contained(dims, ShapedType::kDynamic))
    return RankedTensorType::get(dims, elementType);
  return RankedTensorType::get(dims, elementType,
                               SizesAttr::get(elementType.getContext(), shape));
}

Type getCapturedType(RankedTensorType capture, AffineMap map) {
  if (map.getNumResults() == capture.getRank())
    return capture.getElementType();
  SmallVector<SizeExpr> shape = getNamedShape(capture);
  return getNamedTensor(ArrayRef(shape).drop_front(map.getNumResults()),
                        capture.getElementType());
}

SizeExpr getProduct(ArrayRef<SizeExpr> dims) {
  SizeExpr product(1);
  for (const SizeExpr &dim : dims)
    product = product * dim;
  return product;
}

} // namespace attnc::attn
