// RUN: attn-opt %s --attn-plan-arena --split-input-file --verify-diagnostics | FileCheck %s

!x = tensor<?x6xf32, #attn.sizes<n, 6>>
!wide = tensor<?x12xf32, #attn.sizes<n, 12>>
!i = tensor<?xi32, #attn.sizes<n>>
attn.size @n min 1 max 9
attn.weight @w from ["w"] : tensor<12x6xf32>
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @up(%x: !x, %w: tensor<12x6xf32> {kernel.layout = #kernel.panels<48>}) -> (!wide) {
    %y = attn.linear %x, %w : !x, tensor<12x6xf32> -> !wide
    kernel.return %y : !wide
  }
  kernel.func @half(%x: !x {kernel.layout = #kernel.rows<12>}, %i: !i, %c: tensor<6xf32>) -> (!x) {
    %y = attn.map element(%x at affine_map<(a, b) -> (a, b)> : !x, %c at affine_map<(a, b) -> (b)> : tensor<6xf32>) {
    ^bb0(%e: f32, %f: f32):
      attn.yield %e : f32
    } : !x
    kernel.return %y : !x
  }
  kernel.func @copy(%x: !x) -> (!x) {
    %y = attn.map element(%x at affine_map<(a, b) -> (a, b)> : !x) {
    ^bb0(%e: f32):
      attn.yield %e : f32
    } : !x
    kernel.return %y : !x
  }

  // The wide buffer has the first slot in phases 0 to 1 and lends it to "b" in
  // phases 2 to 3; "a" (1 to 2) meets both. The default of %i stands in from
  // phase 0 to its last use. The result is written where the caller wants it,
  // and read there.
  // CHECK-LABEL: kernel.program @chain(
  // CHECK-SAME: attn.name = "i", kernel.stand_in = 2 : i64
  // CHECK-SAME: slots {{\[\[}}"48 * n"], ["24 * n"], ["4 * n"]] {
  // CHECK-DAG: %[[X:.*]] = kernel.argument 0
  // CHECK-DAG: %[[I:.*]] = kernel.argument 1
  // CHECK-DAG: %[[W:.*]] = kernel.weight @w layout(#kernel.panels<48>) : !kernel.ref<tensor<12x6xf32>>
  // CHECK-DAG: %[[C:.*]] = kernel.constant {{.*}} : !kernel.ref<tensor<6xf32>>
  // CHECK: %[[WIDE:.*]] = kernel.slot 0
  // CHECK-NEXT: kernel.dispatch @up ins(%[[X]], %[[W]] : {{.*}}) outs(%[[WIDE]] : {{.*}}) phase 0 "up"{{$}}
  // CHECK: %[[VIEW:.*]] = kernel.view %[[WIDE]] offset 6
  // CHECK: %[[A:.*]] = kernel.slot 1
  // CHECK: kernel.dispatch @half ins(%[[VIEW]], %[[I]], %[[C]] : {{.*}}) outs(%[[A]]
  // CHECK: %[[B:.*]] = kernel.slot 0
  // CHECK: kernel.dispatch @copy ins(%[[A]] : {{.*}}) outs(%[[B]]
  // CHECK: %[[Y:.*]] = kernel.argument 2
  // CHECK: kernel.dispatch @copy ins(%[[B]] : {{.*}}) outs(%[[Y]]
  // CHECK: %[[Z:.*]] = kernel.argument 3
  // CHECK: kernel.dispatch @copy ins(%[[Y]] : {{.*}}) outs(%[[Z]]
  // CHECK-NEXT: kernel.return{{$}}
  kernel.program @chain(%x: !x {attn.name = "x"}, %i: !i {attn.default = 0 : i32, attn.name = "i"})
      -> (!x {attn.name = "y"}, !x {attn.name = "z"}) sizes ["n"] {
    %w = kernel.weight @w layout(#kernel.panels<48>) : tensor<12x6xf32>
    %c = kernel.constant dense<1.0> : tensor<6xf32> : tensor<6xf32>
    %e0 = kernel.empty : !wide
    %wide = kernel.dispatch @up ins(%x, %w : !x, tensor<12x6xf32>) outs(%e0 : !wide) phase 0 "up" -> !wide
    %half = kernel.view %wide offset 6 : !wide -> !x
    %e1 = kernel.empty : !x
    %a = kernel.dispatch @half ins(%half, %i, %c : !x, !i, tensor<6xf32>) outs(%e1 : !x) phase 1 "a" -> !x
    %b = kernel.dispatch @copy ins(%a : !x) outs(%e1 : !x) phase 2 "b" -> !x
    %y = kernel.dispatch @copy ins(%b : !x) outs(%e1 : !x) phase 3 "y" -> !x
    %z = kernel.dispatch @copy ins(%y : !x) outs(%e1 : !x) phase 4 "z" -> !x
    kernel.return %y, %z : !x, !x
  }
}

// -----

// Returning what no kernel wrote would be a copy.
!x = tensor<?x6xf32, #attn.sizes<n, 6>>
attn.size @n min 1 max 9
kernel.variant @x86_64_v3 target "x86-64-v3" {
  // expected-error@below {{error[A0414]: result 0 of @same is not computed by a kernel of its own}}
  kernel.program @same(%x: !x {attn.name = "x"}) -> (!x {attn.name = "y"}) sizes ["n"] {
    kernel.return %x : !x
  }
}
