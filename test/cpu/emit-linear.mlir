// RUN: attn-opt %s --attn-lower-kernels --canonicalize --cse --split-input-file --verify-diagnostics | FileCheck %s

// 8x48 tiles: 24 accumulators, four steps of depth per iteration, a prefetch in
// each. One column strip is left of 100 = 2 * 48 + 4; its last vector is masked.
// The element region follows on the finished tile.

attn.size @tokens min 1 max 512
kernel.variant @v4 target "x86-64-v4" {
  kernel.func @wide(%x: tensor<?x64xf32, #attn.sizes<tokens, 64>>, %w: tensor<100x64xf32> {kernel.layout = #kernel.panels<48>}, %b: tensor<100xf32>) -> tensor<?x100xf32, #attn.sizes<tokens, 100>> tile #kernel.tile<rows = 8, columns = 48, depth = 0> {
    %y = attn.linear %x, %w element(%b at affine_map<(d0, d1) -> (d1)> : tensor<100xf32>) {
    ^bb0(%acc: f32, %bias: f32):
      %s = arith.addf %acc, %bias : f32
      attn.yield %s : f32
    } : tensor<?x64xf32, #attn.sizes<tokens, 64>>, tensor<100x64xf32> -> tensor<?x100xf32, #attn.sizes<tokens, 100>>
    kernel.return %y : tensor<?x100xf32, #attn.sizes<tokens, 100>>
  }
}

// CHECK-LABEL: func.func private @v4_wide(
// Workers share tiles of rows, or, where those are few, strips.
// CHECK: arith.select
// Blocks of rows, strips, tiles of rows, depth.
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for {{.*}} step %c8_i64
// CHECK: %[[SUMS:.*]]:24 = scf.for {{.*}} step %c4_i64 iter_args
// CHECK: llvm.intr.prefetch
// CHECK-COUNT-96: llvm.intr.fma
// CHECK: scf.yield
// CHECK-COUNT-24: llvm.store {{.*}} : vector<16xf32>
// CHECK: scf.for
// CHECK-COUNT-3: arith.addf {{.*}} : vector<16xf32>
// Rows that are left: a kernel of each number.
// CHECK: arith.cmpi eq, {{.*}}, %c1_i64
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK: arith.cmpi eq, {{.*}}, %c7_i64
// The last strip.
// CHECK: llvm.intr.masked.store

// -----

// 6x16 tiles walk a 48-wide panel in three strips. In blocks of depth the sums
// wait in the output; the element region runs after the last block.

kernel.variant @v3 target "x86-64-v3" {
  kernel.func @blocks(%x: tensor<12x64xf32>, %w: tensor<48x64xf32> {kernel.layout = #kernel.panels<48>}) -> tensor<12x48xf32> tile #kernel.tile<rows = 6, columns = 16, depth = 32> {
    %y = attn.linear %x, %w element() {
    ^bb0(%acc: f32):
      %s = math.tanh %acc : f32
      attn.yield %s : f32
    } : tensor<12x64xf32>, tensor<48x64xf32> -> tensor<12x48xf32>
    kernel.return %y : tensor<12x48xf32>
  }
}

// CHECK-LABEL: func.func private @v3_blocks(
// CHECK: scf.for {{.*}} step %c32_i64
// CHECK: scf.for {{.*}} step %c6_i64
// CHECK-COUNT-48: llvm.intr.fma({{.*}}) : (vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK: llvm.intr.masked.load
// CHECK: arith.addf
// CHECK: scf.if
// CHECK: math.tanh {{.*}} : vector<8xf32>

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.func @untiled(%x: tensor<12x64xf32>, %w: tensor<48x64xf32>) -> tensor<12x48xf32> {
    // expected-error @below {{error[A0503]: a linear kernel needs a tile and a weight in #kernel.panels; run --attn-choose-tiles}}
    %y = attn.linear %x, %w : tensor<12x64xf32>, tensor<48x64xf32> -> tensor<12x48xf32>
    kernel.return %y : tensor<12x48xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.func @odd(%x: tensor<12x64xf32>, %w: tensor<48x64xf32> {kernel.layout = #kernel.panels<48>}) -> tensor<12x48xf32> tile #kernel.tile<rows = 6, columns = 20, depth = 0> {
    // expected-error @below {{error[A0504]: a tile of 6 x 20 does not fit vectors of 8 lanes and panels of 48 columns}}
    %y = attn.linear %x, %w : tensor<12x64xf32>, tensor<48x64xf32> -> tensor<12x48xf32>
    kernel.return %y : tensor<12x48xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.func @uneven(%x: tensor<12x64xf32>, %w: tensor<48x64xf32> {kernel.layout = #kernel.panels<48>}) -> tensor<12x48xf32> tile #kernel.tile<rows = 6, columns = 16, depth = 30> {
    // expected-error @below {{error[A0505]: depth blocks of 30 are no multiple of 4}}
    %y = attn.linear %x, %w : tensor<12x64xf32>, tensor<48x64xf32> -> tensor<12x48xf32>
    kernel.return %y : tensor<12x48xf32>
  }
}

// -----

// Workers that share out strips count themselves: the last runs the row region.

attn.size @tokens min 1 max 512
kernel.variant @last target "x86-64-v4" {
  kernel.func @norm(%x: tensor<?x64xf32, #attn.sizes<tokens, 64>>, %w: tensor<96x64xf32> {kernel.layout = #kernel.panels<48>}) -> tensor<?x96xf32, #attn.sizes<tokens, 96>> tile #kernel.tile<rows = 8, columns = 48, depth = 0> {
    %y = attn.linear %x, %w row() {
    ^bb0(%r: tensor<96xf32>):
      %n = attn.norm rms %r epsilon 1.0e-5 : tensor<96xf32>
      attn.yield %n : tensor<96xf32>
    } : tensor<?x64xf32, #attn.sizes<tokens, 64>>, tensor<96x64xf32> -> tensor<?x96xf32, #attn.sizes<tokens, 96>>
    kernel.return %y : tensor<?x96xf32, #attn.sizes<tokens, 96>>
  }
}

// It reads what the others wrote, so that the output is not its worker's alone.
// CHECK-LABEL: func.func private @last_norm(
// CHECK-NOT: noalias
// CHECK: llvm.intr.prefetch
// CHECK: scf.if
// CHECK: math.sqrt
// CHECK: %[[BEFORE:.*]] = llvm.atomicrmw add %{{.*}}, %c1_i32 acq_rel
// CHECK: %[[WIDE:.*]] = arith.extsi %[[BEFORE]]
// CHECK: arith.cmpi eq, %[[WIDE]]
// CHECK: scf.if
// CHECK: llvm.store %c0_i32
// CHECK: math.sqrt
