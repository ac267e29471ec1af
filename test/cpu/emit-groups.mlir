// RUN: attn-opt %s --attn-lower-kernels --canonicalize --cse --split-input-file | FileCheck %s

// Rows of i8 in the groups of the weights, which become u8: of a group the exact
// sum, then one multiply-add with both scales. With 24 sums of integers in
// registers those of f32 wait in a buffer.

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @vnni target "x86-64-v4-vnni" {
  kernel.func @nibbles(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i4, group 32>}) -> !y tile #kernel.tile<rows = 8, columns = 48, depth = 0, block = 8> precision #kernel.precision<weights = i4, activations = i8, group = 32> scratch "1152" {
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}

// CHECK-LABEL: func.func private @vnni_nibbles(
// A group of a row: its largest magnitude, its steps in the order in which words
// split, and what its sums begin at.
// CHECK: vector.reduction <maxsi>
// CHECK: arith.divf {{.*}} : f32
// CHECK: arith.trunci {{.*}} : vector<16xi32> to vector<16xi8>
// CHECK: vector.shuffle {{.*}} [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15]
// CHECK: vector.reduction <add>
// CHECK: arith.muli {{.*}} : i32
// CHECK: llvm.intr.prefetch
// CHECK-COUNT-24: llvm.load {{.*}} -> vector<16xf32>
// CHECK: arith.andi {{.*}} : vector<16xi32>
// CHECK: arith.xori {{.*}} : vector<16xi32>
// CHECK-COUNT-192: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK: arith.extf {{.*}} : vector<16xf16> to vector<16xf32>
// CHECK: arith.sitofp {{.*}} : vector<16xi32> to vector<16xf32>
// CHECK: arith.mulf
// CHECK: llvm.intr.fma
// CHECK-NOT: vpdpbusd
// CHECK: llvm.store {{.*}} : vector<16xf32>

// -----

// Without VNNI: products of bytes in i16, where eight of nibbles have room.

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @v3 target "x86-64-v3" {
  kernel.func @nibbles(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i4, group 32>}) -> !y tile #kernel.tile<rows = 4, columns = 16, depth = 0, block = 4> precision #kernel.precision<weights = i4, activations = i8, group = 32> scratch "576" {
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
  kernel.func @bytes(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i8, group 32>}) -> !y tile #kernel.tile<rows = 4, columns = 16, depth = 0, block = 4> precision #kernel.precision<weights = i8, activations = i8, group = 32> scratch "1152" {
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}

// CHECK-LABEL: func.func private @v3_nibbles(
// CHECK-COUNT-8: llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
// CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
// CHECK-LABEL: func.func private @v3_bytes(
// CHECK: vector.shuffle {{.*}} [0, 2, 1, 3, 4, 6, 5, 7]
// CHECK-NOT: pmadd.ub.sw
// CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
