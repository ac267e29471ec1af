// RUN: attn-opt %s --attn-lower-kernels --canonicalize --cse --split-input-file | FileCheck %s

// Products of bytes: rows as u8 in scratch, sums that begin at the row's zero
// times the weights' sums, four steps of depth to a word, four words per iteration.

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @vnni target "x86-64-v4-vnni" {
  kernel.func @bytes(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i8>}) -> !y tile #kernel.tile<rows = 8, columns = 48, depth = 0> precision #kernel.precision<weights = i8, activations = i8> scratch "13056" {
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}

// CHECK-LABEL: func.func private @vnni_bytes(
// The lowest and the highest number by their bits, then the steps between.
// CHECK: arith.maxui {{.*}} : vector<16xi32>
// CHECK: arith.maxsi {{.*}} : vector<16xi32>
// CHECK: vector.reduction <maxui>
// CHECK: vector.reduction <maxsi>
// CHECK: arith.divf {{.*}} : f32
// CHECK-COUNT-2: llvm.intr.fma
// CHECK: arith.trunci {{.*}} : vector<16xi32> to vector<16xi8>
// CHECK: scf.for {{.*}} -> (vector<16xi32>
// CHECK: llvm.intr.prefetch
// CHECK-COUNT-96: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK: scf.yield
// CHECK-COUNT-24: arith.sitofp {{.*}} : vector<16xi32> to vector<16xf32>

// -----

// Without VNNI: rows as i16, in the order of the weights' shifts.

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @avx2 target "x86-64-v3" {
  kernel.func @shorts(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i8>}) -> !y tile #kernel.tile<rows = 4, columns = 16, depth = 0> precision #kernel.precision<weights = i8, activations = i8> scratch "25344" {
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}

// CHECK-LABEL: func.func private @avx2_shorts(
// CHECK: arith.subi {{.*}} : vector<8xi32>
// CHECK: arith.trunci {{.*}} : vector<8xi32> to vector<8xi16>
// CHECK: vector.shuffle {{.*}} [0, 2, 1, 3, 4, 6, 5, 7]
// CHECK: scf.for {{.*}} -> (vector<8xi32>
// CHECK: arith.shli {{.*}} : vector<16xi16>
// CHECK: arith.shrsi {{.*}} : vector<16xi16>
// CHECK-COUNT-64: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
// CHECK: scf.yield

// -----

// Tiles of AMX: configured once; one by three of sums for up to 16 rows, else two
// by two, then up to four by one for the third of a panel; from rows 64 bytes
// apart and words of the panel 192 apart, through scratch to the output.

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @amx target "amx" {
  kernel.func @tiles(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i8>}) -> !y tile #kernel.tile<rows = 32, columns = 48, depth = 0> precision #kernel.precision<weights = i8, activations = i8> scratch "49984" {
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}

// CHECK-LABEL: func.func private @amx_tiles(
// CHECK: llvm.call_intrinsic "llvm.x86.ldtilecfg"
// CHECK: vector.reduction <maxsi>
// CHECK: arith.trunci {{.*}} : vector<16xi32> to vector<16xi8>
// CHECK-COUNT-3: llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK-COUNT-3: llvm.call_intrinsic "llvm.x86.tileloadd64"({{.*}}, %c192_i64)
// CHECK: llvm.call_intrinsic "llvm.x86.tileloadd64"({{.*}}, %c64_i64)
// CHECK-COUNT-3: llvm.call_intrinsic "llvm.x86.tdpbusd"
// CHECK-COUNT-3: llvm.call_intrinsic "llvm.x86.tilestored64"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.tileloadd64"({{.*}}, %c192_i64)
// CHECK: llvm.call_intrinsic "llvm.x86.tileloadd64"({{.*}}, %c64_i64)
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tdpbusd"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilestored64"
// CHECK: arith.muli {{.*}} : vector<16xi32>
// CHECK: arith.addi {{.*}} : vector<16xi32>
// CHECK: arith.sitofp {{.*}} : vector<16xi32> to vector<16xf32>

// -----

// bf16 on both sides, into f32.

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @amd target "x86-64-v4-bf16" {
  kernel.func @pairs(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, bf16>}) -> !y tile #kernel.tile<rows = 8, columns = 48, depth = 0> precision #kernel.precision<weights = bf16, activations = bf16> scratch "24576" {
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}

// CHECK-LABEL: func.func private @amd_pairs(
// CHECK: arith.truncf {{.*}} : vector<16xf32> to vector<16xbf16>
// CHECK: scf.for {{.*}} -> (vector<16xf32>
// CHECK-COUNT-96: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// CHECK: scf.yield

// -----

// Weights of i4 become f32 in registers: a nibble of a word indexes sixteen
// numbers, times its scale; the first tile keeps them in scratch.

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @v4 target "x86-64-v4" {
  kernel.func @nibbles(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i4, group 32>}) -> !y tile #kernel.tile<rows = 8, columns = 48, depth = 0> precision #kernel.precision<weights = i4, activations = f32, group = 32> scratch "12288" {
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}

// CHECK-LABEL: func.func private @v4_nibbles(
// CHECK: scf.for {{.*}} step %c8_i64 iter_args
// CHECK: arith.shrui
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.permvar.sf.512"
// CHECK: arith.mulf
// CHECK: llvm.store
// CHECK-COUNT-192: llvm.intr.fma
// CHECK: scf.yield
// The other tiles read what the first one stored.
// CHECK: scf.for {{.*}} step %c8_i64 iter_args
// CHECK-NOT: llvm.call_intrinsic
// CHECK-COUNT-192: llvm.intr.fma
// CHECK: scf.yield
