//===- AttnProgram.td - sizes, weights and entry points -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_PROGRAM
#define ATTN_PROGRAM

include "AttnAttributes.td"

def Attn_SizeOp : Attn_Op<"size", [Symbol,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Declares a named size with its bounds";
  let description = [{
    A size that callers choose within [minimum, maximum], or, with `derived`, a
    size that the program computes and that never exceeds the expression.

    ```mlir
    attn.size @batch min 1 max 64
    attn.size @tokens derived "batch * seq"
    ```

    Constraints:
    1. Exactly one of bounds and `derived`; 0 <= minimum <= maximum <= 2^40.
    2. `derived` is an expression over declared sizes that are not derived.
    3. The name is a C identifier.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       OptionalAttr<I64Attr>:$minimum,
                       OptionalAttr<I64Attr>:$maximum,
                       OptionalAttr<StrAttr>:$derived);
  let assemblyFormat = [{
    $sym_name (`min` $minimum^ `max` $maximum)? (`derived` $derived^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Attn_WeightOp : Attn_Op<"weight", [Symbol]> {
  let summary = "A weight: where its bytes come from and what is done to them";
  let description = [{
    `sources` names tensors of the model's files (module attribute
    `attn.files`). The recipe runs once, when the library is packaged: sources
    are converted to the element type, concatenated along `concat`, then
    transposed if `transpose` is set (last two dimensions). With `groups [a, b,
    ..]` the rows that this gives stand in groups of a + b + .. rows; the weight
    has the first a rows of every group, then the next b of every group, and so
    on: a projection that a checkpoint keeps head by head. `plus` is added to
    every element. A single source may have more dimensions than the type: its
    last ones count as one. `digest` is the hex digest of the sources' bytes and
    lets a dumped file be taken up again safely.

    With `attn.projected` the weight is a product of weights alone, computed in
    double precision: sources are rows [R, K], a matrix [H * D, K] and a bias
    [H * D], and the weight [H, D, R] is what this projection of the rows gives
    each head. Where the attribute is a number, two more sources are scale and
    shift [K] of a layer norm with that epsilon, which goes before.

    ```mlir
    attn.weight @layer.0.qkv from ["q.weight", "k.weight", "v.weight"] concat 0 : tensor<1152x384xf32>
    attn.weight @layer.1.qkv from ["qkv.weight"] groups [64, 64, 64] : tensor<1152x384xf32>
    attn.weight @norm from ["norm.weight"] plus 1.000000e+00 : tensor<384xf32>
    attn.weight @distances from ["far.weight", "k.weight", "k.bias"] : tensor<6x64x512xf32> {attn.projected}
    ```

    Constraints:
    1. At least one source; more than one needs `concat`.
    2. `concat` is a dimension of the type.
    3. The type has static dimensions and element type f32; `transpose` needs
       two of them.
    4. `groups` are positive numbers whose sum divides the first dimension.
    5. `plus` is finite.
    6. `attn.projected` is alone, with three sources, or a positive f64, with
       five; the type has three dimensions, and there is no other recipe.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$sources,
                       OptionalAttr<I64Attr>:$concat, UnitAttr:$transpose,
                       OptionalAttr<DenseI64ArrayAttr>:$groups,
                       OptionalAttr<F32Attr>:$plus,
                       OptionalAttr<StrAttr>:$digest,
                       TypeAttrOf<RankedTensorOf<[F32]>>:$type);
  let assemblyFormat = [{
    $sym_name `from` $sources (`concat` $concat^)? (`transpose` $transpose^)?
    (`groups` $groups^)? (`plus` $plus^)? (`digest` $digest^)? `:` $type attr-dict
  }];
  let hasVerifier = 1;
}

def Attn_GetWeightOp : Attn_Op<"get_weight",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The value of a weight";
  let description = [{
    ```mlir
    %w = attn.get_weight @layer.0.qkv : tensor<1152x384xf32>
    ```

    Constraints:
    1. The symbol is an `attn.weight` of the same type.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs RankedTensorOf<[F32]>:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def Attn_ConstantOp : Attn_Op<"constant", [Pure, ConstantLike,
    AllTypesMatch<["value", "result"]>]> {
  let summary = "A small tensor written in the program";
  let description = [{
    ```mlir
    %q = attn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    ```

    Constraints:
    1. At most 65,536 elements; larger tensors are weights.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Attn_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Attn_EntryOp : Attn_Op<"entry", [Symbol, IsolatedFromAbove,
    FunctionOpInterface, SingleBlock, AutomaticAllocationScope,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "An entry point of the library";
  let description = [{
    Becomes the C function `NAME_symbol(session, sizes..., inputs...,
    outputs...)`. Inputs and outputs are named by `attn.name`; `attn.range`
    bounds an integer input's elements (checked at every call); `attn.default`
    makes an integer input optional. `sizes` fixes the order of the size
    parameters. An input or output of f32 with `attn.storage = bf16` (or `f16`)
    lies so in the caller's memory: inputs are the f32 numbers of these, outputs
    are rounded to the nearest. Variants for GPUs know that, those for processors
    do not.

    An entry with `attn.stands_for = "encode"` has no function of its own: it runs
    in the place of `encode` in sessions that have chosen an adapter.

    ```mlir
    attn.entry @encode(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "input_ids", attn.range = array<i64: 0, 99>})
        -> (tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "copy"}) sizes ["batch", "seq"] {
      attn.return %ids : tensor<?x?xi32, #attn.sizes<batch, seq>>
    }
    ```

    Constraints:
    1. Every dynamic dimension of an argument, a result or a value of the body
       is named by `#attn.sizes` over declared sizes.
    2. Every argument and result has a distinct `attn.name`, a C identifier.
    3. `sizes` lists declared sizes that are not derived, each once, and every
       size that an argument's type uses.
    4. `attn.return` returns exactly the result types.
    5. `attn.range` is two numbers in order, `attn.default` an i32; both stand on
       integer inputs only.
    6. `attn.storage` is bf16 or f16, and stands on inputs and outputs of f32.
    7. `attn.stands_for` names an entry with a function and the same signature;
       entries with it stand behind all others.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       StrArrayAttr:$sizes,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region AnyRegion:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() {
      return getFunctionType().getInputs();
    }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() {
      return getFunctionType().getResults();
    }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    /// The `attn.name` of an argument or result.
    ::llvm::StringRef getArgName(unsigned index);
    ::llvm::StringRef getResultName(unsigned index);
  }];
}

def Attn_ReturnOp : Attn_Op<"return",
    [Pure, Terminator, ReturnLike, HasParent<"EntryOp">]> {
  let summary = "Ends an entry point";
  let arguments = (ins Variadic<Attn_Tensor>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
}

#endif // ATTN_PROGRAM
