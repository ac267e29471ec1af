// REQUIRES: attnc, avx2
// RUN: attnc compile %s -q -o %t --name wrap --target x86-64-v3
// RUN: attnc verify %t/libwrap.so %s | FileCheck %s

// Integers of regions wrap at 32 bits: kv + 2^31 - 1 is below every q but for
// the first key, and the bounds of the loops over keys may not say otherwise.

// CHECK: passed
attn.size @batch min 1 max 4
attn.size @seq min 1 max 70
attn.entry @main(%x: tensor<?x?x2x8xf32, #attn.sizes<batch, seq, 2, 8>> {attn.name = "x"})
    -> (tensor<?x?x2x8xf32, #attn.sizes<batch, seq, 2, 8>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %o = attn.attention %x, %x, %x mask() {
  ^bb0(%b: i32, %h: i32, %q: i32, %kv: i32):
    %most = arith.constant 2147483647 : i32
    %wrapped = arith.addi %kv, %most : i32
    %kept = arith.cmpi sle, %wrapped, %q : i32
    attn.yield %kept : i1
  } : tensor<?x?x2x8xf32, #attn.sizes<batch, seq, 2, 8>>, tensor<?x?x2x8xf32, #attn.sizes<batch, seq, 2, 8>>, tensor<?x?x2x8xf32, #attn.sizes<batch, seq, 2, 8>> -> tensor<?x?x2x8xf32, #attn.sizes<batch, seq, 2, 8>>
  attn.return %o : tensor<?x?x2x8xf32, #attn.sizes<batch, seq, 2, 8>>
}
