//===- AttnAttributes.td - sizes and enumerations -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_ATTRIBUTES
#define ATTN_ATTRIBUTES

include "AttnDialect.td"

class Attn_Attr<string name, string attrMnemonic>
    : AttrDef<Attn_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Attn_SizesAttr : Attn_Attr<"Sizes", "sizes"> {
  let summary = "Names the dimensions of a tensor";
  let description = [{
    The encoding of a tensor type with dynamic dimensions: one expression per
    dimension, a sum of products of size names and numbers.

    ```mlir
    tensor<?x?x384xf32, #attn.sizes<batch, seq, 384>>
    tensor<?xi32, #attn.sizes<batch + 1>>
    ```

    Expressions are kept in one canonical form, so equal sizes are equal
    attributes.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$dims);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    static SizesAttr get(::mlir::MLIRContext *context,
                         ::llvm::ArrayRef<SizeExpr> dims);
    SizeExpr getDim(unsigned index) const;
  }];
}

def Attn_NormKind : I32EnumAttr<"NormKind", "what a norm does to a row", [
    I32EnumAttrCase<"layer", 0>, I32EnumAttrCase<"rms", 1>,
    I32EnumAttrCase<"l2", 2>]> {
  let cppNamespace = "::attnc::attn";
}

def Attn_PoolKind : I32EnumAttr<"PoolKind", "how the rows of a sequence become one", [
    I32EnumAttrCase<"mean", 0>, I32EnumAttrCase<"first", 1>,
    I32EnumAttrCase<"last", 2>, I32EnumAttrCase<"max", 3>,
    I32EnumAttrCase<"mean_sqrt_len", 4>,
    I32EnumAttrCase<"weighted_mean", 5>]> {
  let cppNamespace = "::attnc::attn";
}

def Attn_StateFormat : I32EnumAttr<"StateFormat", "what a session keeps of a number", [
    I32EnumAttrCase<"f32", 0>, I32EnumAttrCase<"bf16", 1>,
    I32EnumAttrCase<"i8", 2>]> {
  let cppNamespace = "::attnc::attn";
}

#endif // ATTN_ATTRIBUTES
