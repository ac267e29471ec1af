// Named sizes print in one canonical form.
// RUN: attn-opt %s | attn-opt | FileCheck %s

attn.size @batch min 1 max 64
attn.size @seq min 1 max 512

// CHECK-LABEL: attn.entry @canonical
// CHECK-SAME: tensor<?x?xi32, #attn.sizes<batch, 2 * batch * seq + 1>>
attn.entry @canonical(%ids: tensor<?x?xi32, #attn.sizes<batch, 1 + seq * 2 * batch>> {attn.name = "ids"})
    -> (tensor<?x?xi32, #attn.sizes<batch, seq * batch + batch * seq + 1>> {attn.name = "copy"})
    sizes ["batch", "seq"] {
  attn.return %ids : tensor<?x?xi32, #attn.sizes<batch, seq * batch + batch * seq + 1>>
}
