// RUN: attn-opt %s --attn-lower-programs --split-input-file --verify-diagnostics

attn.size @n min 1 max 5
kernel.variant @x86_64_v3 target "x86-64-v3" {
  // expected-error@below {{error[A0531]: @f has no slots; run --attn-plan-arena}}
  kernel.program @f() -> () sizes ["n"] {
    kernel.return
  }
}

// -----

kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @zero() -> (tensor<4xi32>) {
    %y = attn.map element() {
      %i = attn.index 0 : i32
      attn.yield %i : i32
    } : tensor<4xi32>
    kernel.return %y : tensor<4xi32>
  }
  kernel.program @f() -> (tensor<4xi32> {attn.name = "y"}) sizes [] slots [] {
    %y = kernel.argument 0 : !kernel.ref<tensor<4xi32>>
    // expected-error@below {{error[A0532]: @zero is not lowered; run --attn-lower-kernels}}
    kernel.dispatch @zero ins() outs(%y : !kernel.ref<tensor<4xi32>>) phase 0 "zero"
    kernel.return
  }
}

// -----

kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.program @f() -> () sizes [] slots [] {
    // expected-error@below {{error[A0530]: only dense constants become data}}
    %c = kernel.constant dense_resource<blob> : tensor<1xf32> : !kernel.ref<tensor<1xf32>>
    kernel.return
  }
}

{-#
  dialect_resources: {
    builtin: {
      blob: "0x040000000000803f"
    }
  }
#-}
