// RUN: attn-opt %s --attn-lower-kernels | FileCheck %s

// What runs is checked by test/unit/cpu/AttentionTest.cpp; here: what the code
// is made of.

attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
attn.size @tokens derived "batch * seq"

kernel.variant @v4 target "x86-64-v4" {
  kernel.func @causal(%q: tensor<?x?x2x16xf32, #attn.sizes<batch, seq, 2, 16>>, %k: tensor<?x?x1x16xf32, #attn.sizes<batch, seq, 1, 16>>, %v: tensor<?x?x1x5xf32, #attn.sizes<batch, seq, 1, 5>>) -> tensor<?x?x2x5xf32, #attn.sizes<batch, seq, 2, 5>> {
    %o = attn.attention %q, %k, %v mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.cmpi sle, %j, %i : i32
      attn.yield %c : i1
    } : tensor<?x?x2x16xf32, #attn.sizes<batch, seq, 2, 16>>, tensor<?x?x1x16xf32, #attn.sizes<batch, seq, 1, 16>>, tensor<?x?x1x5xf32, #attn.sizes<batch, seq, 1, 5>> -> tensor<?x?x2x5xf32, #attn.sizes<batch, seq, 2, 5>>
    kernel.return %o : tensor<?x?x2x5xf32, #attn.sizes<batch, seq, 2, 5>>
  }
}

// CHECK-LABEL: func.func private @v4_causal(
// The work of all sequences, then the items of this worker.
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for
// Keys are transposed only when the key head changes.
// CHECK: scf.if
// CHECK: vector.shuffle
// Blocks of 8 query rows of an item of 64; the mask bounds the keys by the last
// row of the block.
// The next head is fetched meanwhile, if it is this worker's and short.
// CHECK: %[[SHORT:.*]] = arith.cmpi slt, %{{.*}}, %c{{[0-9]+}}_i64
// CHECK: %[[NEXT:.*]] = arith.andi %{{.*}}, %[[SHORT]] : i1
// CHECK: scf.for %[[ROW:[^ ]*]] = %{{.*}} to %{{.*}} step %c8_i64
// CHECK: %[[LAST:.*]] = arith.addi %[[ROW]], %c7_i64
// CHECK: %[[CLAMPED:.*]] = arith.minsi %[[LAST]]
// CHECK: %[[END:.*]] = arith.addi %[[CLAMPED]], %c1_i64
// CHECK: arith.minsi %{{.*}}, %[[END]]
// CHECK: "llvm.intr.prefetch"({{.*}}rw = 1 : i32
// CHECK: scf.if %[[NEXT]] {
// CHECK: "llvm.intr.prefetch"({{.*}}hint = 2 : i32, rw = 0 : i32
// Scores: 8 rows of 3 vectors, four steps of depth at a time; the mask on vectors.
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c1_i64 iter_args(
// CHECK: scf.for %{{.*}} = %c0_i64 to %c16_i64 step %c4_i64 iter_args(
// CHECK-COUNT-96: llvm.intr.fma
// CHECK: scf.yield
// CHECK: arith.cmpi sle, %{{.*}}, %{{.*}} : vector<16xi32>
// CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : vector<16xi1>, vector<16xf32>
// CHECK: math.exp
// The value rows have a tail of five.
// CHECK: llvm.intr.masked.store

kernel.variant @v3 target "x86-64-v3" {
  kernel.func @packed(%q: tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>> {kernel.layout = #kernel.rows<96>}, %k: tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>> {kernel.layout = #kernel.rows<96>}, %v: tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>> {kernel.layout = #kernel.rows<96>}, %offsets: tensor<?xi32, #attn.sizes<batch + 1>>) -> tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>> {
    %o = attn.attention %q, %k, %v offsets(%offsets : tensor<?xi32, #attn.sizes<batch + 1>>) score() {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      %t = math.tanh %s : f32
      attn.yield %t : f32
    } length_bound "seq" : tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>>, tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>>, tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>> -> tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>>
    kernel.return %o : tensor<?x2x16xf32, #attn.sizes<tokens, 2, 16>>
  }
}

// CHECK-LABEL: func.func private @v3_packed(
// CHECK-SAME: %[[OFFSETS:arg[0-9]+]]: !llvm.ptr, %{{[^:]*}}: !llvm.ptr {llvm.noalias}
// CHECK: scf.for %[[B:[^ ]*]] = %c0_i64
// CHECK: llvm.getelementptr %[[OFFSETS]][%[[B]]]
// Rows of the shared buffer are 96 elements apart.
// CHECK: arith.muli %{{.*}}, %c96_i64
// Tiles of 4 rows and 3 vectors of 8 lanes.
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c4_i64
// CHECK: scf.for %{{.*}} = %c0_i64 to %c16_i64 step %c4_i64 iter_args(
// CHECK-COUNT-48: llvm.intr.fma
// CHECK: scf.yield
// A region with a polynomial in it stands once for whole vectors and once for
// the tail, not in every tile.
// CHECK-COUNT-4: math.tanh %{{.*}} : vector<8xf32>
// CHECK-NOT: math.tanh
// CHECK: math.exp

// Pairs of bf16: 16 words of depth for 32 numbers, two keys to a word of values;
// weights become bf16 behind an exponential of as many bits as that takes.

kernel.variant @bf16 target "x86-64-v4-bf16" {
  kernel.func @narrow(%q: tensor<?x32xf32, #attn.sizes<tokens, 32>>, %k: tensor<?x32xf32, #attn.sizes<tokens, 32>>, %v: tensor<?x32xf32, #attn.sizes<tokens, 32>>) -> tensor<?x32xf32, #attn.sizes<tokens, 32>> precision #kernel.precision<weights = bf16, activations = bf16> {
    %o = attn.attention %q, %k, %v : tensor<?x32xf32, #attn.sizes<tokens, 32>>, tensor<?x32xf32, #attn.sizes<tokens, 32>>, tensor<?x32xf32, #attn.sizes<tokens, 32>> -> tensor<?x32xf32, #attn.sizes<tokens, 32>>
    kernel.return %o : tensor<?x32xf32, #attn.sizes<tokens, 32>>
  }
}

// CHECK-LABEL: func.func private @bf16_narrow(
// CHECK: arith.truncf %{{.*}} : vector<16xf32> to vector<16xbf16>
// CHECK: vector.shuffle %{{.*}} [0, 16, 1, 17, {{.*}}] : vector<16xbf16>, vector<16xbf16>
// CHECK: scf.for %{{.*}} = %c0_i64 to %c16_i64 step %c4_i64 iter_args(
// CHECK-COUNT-96: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// CHECK: math.exp %{{.*}} fastmath<afn> : vector<16xf32>
// CHECK: llvm.store %{{.*}} : vector<16xbf16>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"

// By tiles of AMX: two by two of scores, over 16 words of depth, from rows of
// queries 64 bytes apart and words of keys 128 apart; regions and softmax row by
// row; then weights, whose 32 keys are one step, by values.

kernel.variant @amx target "amx" {
  kernel.func @narrow(%q: tensor<?x32xf32, #attn.sizes<tokens, 32>>, %k: tensor<?x32xf32, #attn.sizes<tokens, 32>>, %v: tensor<?x32xf32, #attn.sizes<tokens, 32>>) -> tensor<?x32xf32, #attn.sizes<tokens, 32>> precision #kernel.precision<weights = bf16, activations = bf16> {
    %o = attn.attention %q, %k, %v : tensor<?x32xf32, #attn.sizes<tokens, 32>>, tensor<?x32xf32, #attn.sizes<tokens, 32>>, tensor<?x32xf32, #attn.sizes<tokens, 32>> -> tensor<?x32xf32, #attn.sizes<tokens, 32>>
    kernel.return %o : tensor<?x32xf32, #attn.sizes<tokens, 32>>
  }
}

// CHECK-LABEL: func.func private @amx_narrow(
// CHECK: llvm.call_intrinsic "llvm.x86.ldtilecfg"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.tileloadd64"({{.*}}, %c128_i64)
// CHECK: llvm.call_intrinsic "llvm.x86.tileloadd64"({{.*}}, %c64_i64)
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilestored64"
// Up to 16 rows.
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.tilestored64"
// CHECK: math.exp %{{.*}} fastmath<afn> : vector<16xf32>
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK: arith.mulf
