// RUN: attn-opt %s --attn-lower-kernels | FileCheck %s

attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
attn.size @tokens derived "batch * seq"
kernel.variant @v target "x86-64-v3" {
  kernel.func @index(%mask: tensor<?x?xi32, #attn.sizes<batch, seq>>) -> (tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>) serial {
    %rows, %offsets = attn.pack_index %mask : tensor<?x?xi32, #attn.sizes<batch, seq>> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
    kernel.return %rows, %offsets : tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
  }
  kernel.func @pack(%x: tensor<?x?xi32, #attn.sizes<batch, seq>>, %rows: tensor<?xi32, #attn.sizes<tokens>>) -> tensor<?xi32, #attn.sizes<tokens>> {
    %y = attn.pack %x, %rows : tensor<?x?xi32, #attn.sizes<batch, seq>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?xi32, #attn.sizes<tokens>>
    kernel.return %y : tensor<?xi32, #attn.sizes<tokens>>
  }
  kernel.func @unpack(%x: tensor<?x16xf32, #attn.sizes<tokens, 16>>, %rows: tensor<?xi32, #attn.sizes<tokens>>) -> tensor<?x?x16xf32, #attn.sizes<batch, seq, 16>> {
    %y = attn.unpack %x, %rows : tensor<?x16xf32, #attn.sizes<tokens, 16>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x?x16xf32, #attn.sizes<batch, seq, 16>>
    kernel.return %y : tensor<?x?x16xf32, #attn.sizes<batch, seq, 16>>
  }
}

// The count of kept rows goes to size 2, `tokens`.
// CHECK-LABEL: func.func private @v_index(
// CHECK: %[[COUNT:.*]] = scf.for
// CHECK: arith.cmpi ne, %{{.*}}, %c0_i32
// CHECK: scf.if
// CHECK: llvm.store
// CHECK: %[[SIZES:.*]] = llvm.load
// CHECK: %[[PLACE:.*]] = llvm.getelementptr %[[SIZES]][2]
// CHECK: llvm.store %[[COUNT]], %[[PLACE]]

// Ids are copied one by one.
// CHECK-LABEL: func.func private @v_pack(
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: llvm.load %{{.*}} -> i32
// CHECK: llvm.load %{{.*}} -> i32
// CHECK: llvm.store %{{.*}} : i32

// Each worker finds its place by binary search, then writes zeros and rows.
// CHECK-LABEL: func.func private @v_unpack(
// CHECK-COUNT-2: scf.while
// CHECK: scf.for
// CHECK: llvm.store %{{.*}} : vector<8xf32>
