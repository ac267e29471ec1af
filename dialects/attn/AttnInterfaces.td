//===- AttnInterfaces.td - what the ops with regions share -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_INTERFACES
#define ATTN_INTERFACES

include "mlir/IR/OpBase.td"

def Attn_EpilogueInterface : OpInterface<"EpilogueOpInterface"> {
  let cppNamespace = "::attnc::attn";
  let description = [{
    An op that produces rows and can finish them in registers: an optional
    *element* region sees one element at a time, an optional *row* region then
    sees complete rows. The index space of both is that of result 0 (for
    `attn.qkv_projection`: leading dimensions, then the columns of q, k and v
    side by side).
  }];
  let methods = [
    InterfaceMethod<"The element region with its captures", "::attnc::attn::CapturedRegion",
                    "getElementEpilogue", (ins)>,
    InterfaceMethod<"The row region with its captures; null region if the op "
                    "has none", "::attnc::attn::CapturedRegion", "getRowEpilogue", (ins)>
  ];
}

#endif // ATTN_INTERFACES
