//===- KernelOps.td - variants, kernels, programs -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KERNEL_OPS
#define KERNEL_OPS

include "KernelDialect.td"

def Kernel_VariantOp : Kernel_Op<"variant", [Symbol, SymbolTable,
    IsolatedFromAbove, SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "The program for one target";
  let description = [{
    `gemm` names who multiplies matrices instead of our own micro-kernels.
    `machine` is what kernels are laid out for (absent: the target's defaults).

    ```mlir
    kernel.variant @x86_64_v4 target "x86-64-v4" {
    }
    ```

    Constraints:
    1. `target` names a target that the compiler knows.
    2. The body holds only `kernel.func` and `kernel.program`.
    3. The numbers of `machine` are positive; it may have no `l3`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$target,
                       OptionalAttr<StrAttr>:$gemm,
                       OptionalAttr<Kernel_MachineAttr>:$machine);
  let regions = (region AnyRegion:$body);
  let assemblyFormat = [{
    $sym_name `target` $target (`gemm` $gemm^)?
    (`machine` qualified($machine)^)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def Kernel_FuncOp : Kernel_Op<"func", [Symbol, IsolatedFromAbove,
    FunctionOpInterface, SingleBlock,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "One distinct kernel";
  let description = [{
    The body is one computing op of the `attn` dialect (after constants) and
    `kernel.return` of its results. Arguments carry `kernel.layout`. `tile` says
    how it is cut, `precision` in which formats a product multiplies (absent:
    f32), `scratch` how many bytes each worker needs (an expression
    over named sizes), `serial` that it runs as worker 0 of 1.

    ```mlir
    kernel.func @linear_0(%x: tensor<?x4xf32, #attn.sizes<tokens, 4>>, %w: tensor<6x4xf32> {kernel.layout = #kernel.panels<48>})
        -> tensor<?x6xf32, #attn.sizes<tokens, 6>> tile #kernel.tile<rows = 8, columns = 48, depth = 0> {
      %y = attn.linear %x, %w : tensor<?x4xf32, #attn.sizes<tokens, 4>>, tensor<6x4xf32> -> tensor<?x6xf32, #attn.sizes<tokens, 6>>
      kernel.return %y : tensor<?x6xf32, #attn.sizes<tokens, 6>>
    }
    ```

    Constraints:
    1. The body holds one computing op and `kernel.return` of exactly its
       results.
    2. `scratch` and the types' sizes are expressions over declared sizes.
    3. A layout is `#kernel.panels` with a positive width, on rank-2 f32
       arguments only, or `#kernel.rows` with a positive stride. Panels of i4
       have groups of a multiple of 8, those of i8 such groups or none, others
       none; scales other than f16 stand beside groups only.
    4. `precision` stands on an `attn.linear`, with activations of f32, of bf16
       or i8 as the weights are, or of i8 beside i4, and with scales other than
       f16 beside groups only; or on an `attn.attention`, whose products are then
       of bf16 on both sides.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<Kernel_TileAttr>:$tile,
                       OptionalAttr<Kernel_PrecisionAttr>:$precision,
                       OptionalAttr<StrAttr>:$scratch, UnitAttr:$serial,
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
    /// The op that the kernel computes.
    ::mlir::Operation *getComputeOp();
    /// The `kernel.layout` of an argument, or null.
    ::mlir::Attribute getLayout(unsigned index);
  }];
}

def Kernel_ProgramOp : Kernel_Op<"program", [Symbol, IsolatedFromAbove,
    FunctionOpInterface, SingleBlock,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "An entry point as dispatches in phases";
  let description = [{
    Signature and argument attributes are those of the `attn.entry`, in both
    forms. In the tensor form the body is `kernel.weight`, `kernel.constant`,
    `kernel.empty`, `kernel.view`, `kernel.dispatch` and `kernel.return` of the
    results. In the slot form the block's arguments have no uses and
    `kernel.return` no operands: arguments and results have become
    `kernel.argument`, tensors `kernel.slot`, and `slots` gives for each slot of
    the arena the byte sizes that it must hold (the largest counts, rounded up
    to 64). The argument attribute `kernel.stand_in` names the slot that stands
    in for an optional input that the caller leaves out.

    ```mlir
    kernel.program @encode() -> () sizes ["batch", "seq"] slots [["4 * batch * seq"]] {
      kernel.return
    }
    ```

    Constraints:
    1. Phases of dispatches do not decrease.
    2. In the slot form no op has a tensor as operand or result.
    3. Every slot index is below the number of slots; `slots` lists expressions
       over declared sizes.
    4. `kernel.return` returns the result types; nothing in the slot form.
    5. `attn.stands_for` names a program without it and of the same signature;
       programs with it stand behind all others.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       StrArrayAttr:$sizes, OptionalAttr<ArrayAttr>:$slots,
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
    /// True once PlanArena ran.
    bool hasSlots() { return static_cast<bool>(getSlotsAttr()); }
  }];
}

def Kernel_ReturnOp : Kernel_Op<"return",
    [Pure, Terminator, ReturnLike, ParentOneOf<["FuncOp", "ProgramOp"]>]> {
  let summary = "Ends a kernel or a program";
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
}

def Kernel_WeightOp : Kernel_Op<"weight",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A packed weight";
  let description = [{
    The weight `@name` as it stands in the weights file, in `layout`.

    ```mlir
    %w = kernel.weight @w layout(#kernel.panels<48>) : tensor<6x4xf32>
    ```

    Constraints:
    1. The symbol is an `attn.weight` of the same type.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight, OptionalAttr<Kernel_PanelsAttr>:$layout);
  let results = (outs Kernel_Value:$result);
  let assemblyFormat = [{
    $weight (`layout` `(` qualified($layout)^ `)`)? attr-dict `:` type($result)
  }];
  let extraClassDeclaration = [{
    /// Type as a tensor, in either form.
    ::mlir::RankedTensorType getTensorType();
  }];
}

def Kernel_ConstantOp : Kernel_Op<"constant", [Pure]> {
  let summary = "A small tensor that stands in the library's code";
  let description = [{
    Becomes read-only data, row-major, aligned to 64 bytes.

    ```mlir
    %b = kernel.constant dense<1.0> : tensor<6xf32> : tensor<6xf32>
    ```

    Constraints:
    1. The value's type is the result's, seen as a tensor.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Kernel_Value:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Kernel_StateOp : Kernel_Op<"state",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A state of the session";
  let description = [{
    The state `@name`, its rows in `layout`.

    ```mlir
    %k = kernel.state @k layout(#kernel.blocks<positions = 64, transposed = true>) : !attn.state<tensor<2x4xf32>>
    ```

    Constraints:
    1. The symbol is an `attn.state` of the same type.
    2. The layout's format is what this state is kept as.
  }];
  let arguments = (ins FlatSymbolRefAttr:$state, Kernel_BlocksAttr:$layout);
  let results = (outs Kernel_State:$result);
  let assemblyFormat = [{
    $state `layout` `(` qualified($layout) `)` attr-dict `:` type($result)
  }];
}

def Kernel_EmptyOp : Kernel_Op<"empty", [Pure]> {
  let summary = "A destination to write to";
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Kernel_SlotOp : Kernel_Op<"slot", [Pure]> {
  let summary = "A tensor in a slot of the arena";
  let arguments = (ins I64Attr:$index);
  let results = (outs Kernel_RefType:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
}

def Kernel_ArgumentOp : Kernel_Op<"argument", [Pure]> {
  let summary = "An input (first) or an output of the entry, at its caller's";
  let arguments = (ins I64Attr:$index);
  let results = (outs Kernel_RefType:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
}

def Kernel_ViewOp : Kernel_Op<"view", [Pure]> {
  let summary = "The same memory seen as another shape";
  let description = [{
    With base [R.., C..] and result [R.., c..], R.. being the leading dimensions
    that both share, C and c the products of the rest: the elements offset ..
    offset + c - 1 of every row. No bytes move: rows stay as far apart as those
    of the base.

    ```mlir
    %k = kernel.view %qkv offset 8 : tensor<3x24xf32> -> tensor<3x2x4xf32>
    ```

    Constraints:
    1. Either offset is 0 and base and result hold equally many elements, or C
       and c are static and offset + c <= C.
  }];
  let arguments = (ins Kernel_Value:$base,
                       DefaultValuedAttr<I64Attr, "0">:$offset);
  let results = (outs Kernel_Value:$result);
  let assemblyFormat = [{
    $base (`offset` $offset^)? attr-dict `:` type($base) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Kernel_DispatchOp : Kernel_Op<"dispatch", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel in a phase";
  let description = [{
    Destination style: on tensors every result is tied to the `outs` operand of
    its position; on references there are no results. Dispatches of one phase
    are independent: no one reads what another writes.

    With `by_row` the phase goes on from the one before: of what that one, and
    those that it goes on from, computed for some rows it needs the same rows
    only, and all of them share out rows among workers alike. A worker that has
    done its rows need not wait for the others. Where such a chain of phases
    begins, `block_rows` says how many rows go through it together.

    `cycles` is what the kernel takes on one core, an expression over named sizes,
    by which the runtime decides how many workers a phase is worth. Absent: not
    known, all of them.

    ```mlir
    %y = kernel.dispatch @linear_0 ins(%x, %w : tensor<3x4xf32>, tensor<6x4xf32>) outs(%e : tensor<3x6xf32>) phase 2 "layer.0.qkv" -> tensor<3x6xf32>
    ```

    Constraints:
    1. Operand and result types are those of the kernel.
    2. `cycles` is an expression over declared sizes; `block_rows` is positive.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Kernel_Input>:$ins,
                       Variadic<Kernel_Value>:$outs, I64Attr:$phase,
                       StrAttr:$label, UnitAttr:$by_row,
                       OptionalAttr<StrAttr>:$cycles,
                       OptionalAttr<I64Attr>:$block_rows);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel `ins` `(` ($ins^ `:` type($ins))? `)` `outs` `(` ($outs^ `:`
    type($outs))? `)` `phase` $phase (`by_row` $by_row^)? $label
    (`block_rows` $block_rows^)? (`cycles` $cycles^)? attr-dict (`->` type($results)^)?
  }];
}

#endif // KERNEL_OPS
