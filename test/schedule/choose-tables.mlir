// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision=weights=i4 --attn-choose-tiles | FileCheck %s --check-prefixes=CHECK,I4
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4-vnni --attn-choose-precision=weights=i8 --attn-choose-tiles | FileCheck %s --check-prefixes=CHECK,I8
// RUN: attn-opt %s --attn-select-kernels=target=sm_80 --attn-choose-precision=weights=i4 --attn-choose-tiles | FileCheck %s --check-prefix=GPU

// Two products of one shape, by a table that is looked up and by one that is
// not. The former's i4 is i8, in a kernel of its own.

!ids = tensor<?xi32, #attn.sizes<tokens>>
!x = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
attn.weight @tied from ["tied"] : tensor<96x96xf32>
attn.weight @free from ["free"] : tensor<96x96xf32>
attn.weight @looked from ["looked"] : tensor<96x96xf32>

// I4: kernel.func @[[LOOK:embedding[^(]*]](%{{.*}}, %{{.*}}: tensor<96x96xf32> {kernel.layout = #kernel.panels<48, i8, group 32>}, %{{.*}}: tensor<96x96xf32>) ->
// I8: kernel.func @[[LOOK:embedding[^(]*]](%{{.*}}, %{{.*}}: tensor<96x96xf32> {kernel.layout = #kernel.panels<48, i8>}, %{{.*}}: tensor<96x96xf32>) ->
// I4: kernel.func @[[FREE:linear[^(]*]]({{.*}} {kernel.layout = #kernel.panels<48, i4, group 32>}) {{.*}} precision #kernel.precision<weights = i4, activations = i8, group = 32>
// I4: kernel.func @[[TIED:linear[^(]*]]({{.*}} {kernel.layout = #kernel.panels<48, i8, group 32>}) {{.*}} precision #kernel.precision<weights = i8, activations = i8, group = 32>
// I8: kernel.func @[[FREE:linear[^(]*]]({{.*}} precision #kernel.precision<weights = i8, activations = i8>
// I8-NOT: kernel.func @linear
// CHECK-NOT: kernel.weight @tied :
// CHECK: kernel.weight @looked : tensor<96x96xf32>
// CHECK-NOT: kernel.weight @tied :
// I4: kernel.dispatch @[[FREE]] ins(
// I4: kernel.dispatch @[[TIED]] ins(

// Devices look tables up in rows of their own.
// GPU-DAG: kernel.weight @tied : tensor<96x96xf32>
// GPU-DAG: kernel.weight @tied layout(#kernel.panels<48, i8, group 32>)
attn.entry @f(%ids: !ids {attn.name = "ids"}) -> (!x {attn.name = "y"}) sizes ["tokens"] {
  %tied = attn.get_weight @tied : tensor<96x96xf32>
  %looked = attn.get_weight @looked : tensor<96x96xf32>
  %free = attn.get_weight @free : tensor<96x96xf32>
  %x = attn.embedding(%ids, %ids), (%tied, %looked) : (!ids, !ids), (tensor<96x96xf32>, tensor<96x96xf32>) -> !x
  %u = attn.linear %x, %free : !x, tensor<96x96xf32> -> !x
  %y = attn.linear %u, %tied : !x, tensor<96x96xf32> -> !x
  attn.return %y : !x
}
