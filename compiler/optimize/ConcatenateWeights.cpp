//===- ConcatenateWeights.cpp - several weights as one
//---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A recipe concatenates before it transposes: parts that are transposed are
// concatenated along dimension 1 of their sources, others along dimension 0.
// The result carries no digest; it is computed anew from the sources.
//
//===----------------------------------------------------------------------===//
#include "compiler/optimize/ConcatenateWeights.h"

using namespace mlir;

namespace attnc {

/// An attn.constant holds no more (attn.constant, constraint 1).
static constexpr int64_t kConstantLimit = 65536;

attn::WeightOp WeightConcatenation::getWeight(Value part) {
  auto get = part.getDefiningOp<attn::GetWeightOp>();
  return get ? SymbolTable::lookupNearestSymbolFrom<attn::WeightOp>(
                   module, get.getWeightAttr())
             : attn::WeightOp();
}

RankedTensorType WeightConcatenation::getType() {
  auto first = cast<RankedTensorType>(parts.front().getType());
  SmallVector<int64_t> shape(first.getShape());
  shape[0] = 0;
  for (Value part : parts)
    shape[0] += cast<RankedTensorType>(part.getType()).getDimSize(0);
  return RankedTensorType::get(shape, first.getElementType());
}

bool WeightConcatenation::isPossible(Operation *&culprit, std::string &why) {
  culprit = parts.front().getDefiningOp();
  if (llvm::all_of(parts, [](Value part) {
        return isa_and_nonnull<attn::ConstantOp>(part.getDefiningOp());
      })) {
    why = "the concatenated constant is too large";
    return getType().getNumElements() <= kConstantLimit;
  }
  attn::WeightOp first = getWeight(parts.front());
  for (Value part : parts) {
    culprit = part.getDefiningOp();
    attn::WeightOp weight = getWeight(part);
    why = "a weight is computed by the program";
    if (!weight)
      return false;
    why = "one weight is transposed, another is not";
    if (weight.getTranspose() != first.getTranspose())
      return false;
    why = "the rows of a weight are regrouped, or something is added to it";
    if (weight.getGroups() || weight.getPlus())
      return false;
    why = "a weight is concatenated along the other dimension";
    uint64_t along = weight.getTranspose() ? 1 : 0;
    if (weight.getSources().size() > 1 && weight.getConcat() != along)
      return false;
  }
  return true;
}

/// Joins symbol names: the leading and trailing components that all share, with
/// `name` for what differs: a.query.weight, a.key.weight -> a.NAME.weight.
static std::string joinNames(ArrayRef<StringRef> names, StringRef name) {
  std::vector<SmallVector<StringRef>> split;
  size_t shortest = SIZE_MAX;
  for (StringRef full : names) {
    full.split(split.emplace_back(), '.');
    shortest = std::min(shortest, split.back().size());
  }
  auto shared = [&](auto component) {
    return llvm::all_of(split, [&](ArrayRef<StringRef> parts) {
      return component(parts) == component(split.front());
    });
  };
  size_t leading = 0, trailing = 0;
  while (leading + 1 < shortest &&
         shared([&](ArrayRef<StringRef> parts) { return parts[leading]; }))
    ++leading;
  while (leading + trailing + 1 < shortest &&
         shared([&](ArrayRef<StringRef> parts) {
           return parts[parts.size() - 1 - trailing];
         }))
    ++trailing;
  SmallVector<StringRef> joined(split.front().begin(),
                                split.front().begin() + leading);
  joined.push_back(name);
  joined.append(split.front().end() - trailing, split.front().end());
  return llvm::join(joined, ".");
}

attn::WeightOp WeightConcatenation::findOrMakeWeight(StringRef name,
                                                     Location loc) {
  SmallVector<Attribute> sources;
  SmallVector<StringRef> names;
  attn::WeightOp last;
  for (Value part : parts) {
    attn::WeightOp weight = getWeight(part);
    llvm::append_range(sources, weight.getSources());
    names.push_back(weight.getSymName());
    if (!last || last->isBeforeInBlock(weight))
      last = weight;
  }
  OpBuilder builder(module.getContext());
  ArrayAttr allSources = builder.getArrayAttr(sources);
  RankedTensorType type = getType();
  int64_t along = last.getTranspose() ? 1 : 0;
  for (auto weight : module.getOps<attn::WeightOp>())
    if (weight.getSources() == allSources && weight.getType() == type &&
        weight.getTranspose() == last.getTranspose() && !weight.getGroups() &&
        !weight.getPlus() && weight.getConcat() == static_cast<uint64_t>(along))
      return weight;
  // Made outside the module: inserting it renames it if the name is taken.
  auto made = attn::WeightOp::create(
      builder, loc, builder.getStringAttr(joinNames(names, name)), allSources,
      builder.getI64IntegerAttr(along), last.getTransposeAttr(),
      /*groups=*/DenseI64ArrayAttr(), /*plus=*/FloatAttr(), StringAttr(),
      TypeAttr::get(type));
  SymbolTable(module).insert(made, std::next(last->getIterator()));
  return made;
}

Value WeightConcatenation::buildConstant(OpBuilder &builder, Location loc) {
  SmallVector<Attribute> elements;
  for (Value part : parts) {
    auto value =
        cast<ElementsAttr>(part.getDefiningOp<attn::ConstantOp>().getValue());
    llvm::append_range(elements, value.getValues<Attribute>());
  }
  return attn::ConstantOp::create(
      builder, loc, getType(),
      cast<ElementsAttr>(DenseElementsAttr::get(getType(), elements)));
}

Value WeightConcatenation::build(OpBuilder &builder, Location loc,
                                 StringRef name) {
  if (isa<attn::ConstantOp>(parts.front().getDefiningOp()))
    return buildConstant(builder, loc);
  attn::WeightOp weight = findOrMakeWeight(name, loc);
  return attn::GetWeightOp::create(builder, loc, weight.getType(),
                                   weight.getSymName());
}

} // namespace attnc
