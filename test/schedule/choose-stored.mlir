// Formats of the model's own file: a kernel is cloned for each.
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision=weights=stored --attn-choose-tiles | FileCheck %s
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision="weights=stored activations=i8" --attn-choose-tiles | FileCheck %s --check-prefix=ROWS
// RUN: attn-opt %s --attn-select-kernels=target=sm_90a --attn-choose-precision=weights=stored | FileCheck %s --check-prefix=GPU
// RUN: attn-opt %s --attn-select-kernels="target=x86-64-v4 gemm=openblas" --attn-choose-precision=weights=stored | FileCheck %s --check-prefix=BLAS

!x = tensor<?x96xf32, #attn.sizes<tokens, 96>>
!few = tensor<?x2xf32, #attn.sizes<tokens, 2>>
attn.size @tokens min 1 max 512
attn.weight @a from ["a"] : tensor<96x96xf32> {attn.stored = "q8_0"}
attn.weight @b from ["b"] : tensor<96x96xf32> {attn.stored = "q4_0"}
attn.weight @c from ["c"] : tensor<96x96xf32>
attn.weight @d from ["d"] : tensor<96x96xf32> {attn.stored = "q8_0"}
attn.weight @e from ["e"] : tensor<96x96xf32> {attn.stored = "bf16"}
attn.weight @four_one from ["f"] : tensor<96x96xf32> {attn.stored = "q4_1"}
attn.weight @four_k from ["g"] : tensor<96x96xf32> {attn.stored = "q4_k"}
attn.weight @six_k from ["h"] : tensor<96x96xf32> {attn.stored = "q6_k"}
attn.weight @mixed from ["g", "h"] concat 0 : tensor<96x96xf32> {attn.stored = "blocks"}
attn.weight @head from ["head"] : tensor<2x96xf32> {attn.stored = "q8_0"}

// Clones stand behind the first, the last one first.
// CHECK: kernel.func @linear_96x96({{.*}}#kernel.panels<48, i8, group 32>}) {{.*}} precision #kernel.precision<weights = i8, activations = f32, group = 32, stored = true> scratch
// CHECK: kernel.func @[[MIXED:[a-z0-9_]+]]({{.*}}#kernel.panels<48, i8, group 16, f32_affine>}) {{.*}} precision #kernel.precision<weights = i8, activations = f32, group = 16, stored = true, scales = f32_affine>
// CHECK: kernel.func @[[SIX_K:[a-z0-9_]+]]({{.*}}#kernel.panels<48, i8, group 16, f32>}) {{.*}} precision #kernel.precision<weights = i8, activations = f32, group = 16, stored = true, scales = f32>
// CHECK: kernel.func @[[FOUR_K:[a-z0-9_]+]]({{.*}}#kernel.panels<48, i4, group 32, f32_affine>}) {{.*}} precision #kernel.precision<weights = i4, activations = f32, group = 32, stored = true, scales = f32_affine>
// CHECK: kernel.func @[[FOUR_ONE:[a-z0-9_]+]]({{.*}}#kernel.panels<48, i4, group 32, f16_affine>}) {{.*}} precision #kernel.precision<weights = i4, activations = f32, group = 32, stored = true, scales = f16_affine>
// Numbers of bf16 have no scales.
// CHECK: kernel.func @[[BRAIN:[a-z0-9_]+]]({{.*}}#kernel.panels<48, bf16>}) {{.*}} precision #kernel.precision<weights = bf16, activations = f32, stored = true>
// CHECK: kernel.func @[[PLAIN:.*]]({{.*}}#kernel.panels<48>})
// CHECK-NOT: precision
// CHECK: kernel.func @[[FOUR:.*]]({{.*}}#kernel.panels<48, i4, group 32>}) {{.*}} precision #kernel.precision<weights = i4, activations = f32, group = 32, stored = true>
// ROWS-DAG: precision #kernel.precision<weights = i8, activations = i8, group = 32, stored = true>
// ROWS-DAG: precision #kernel.precision<weights = bf16, activations = f32, stored = true>
// ROWS-DAG: precision #kernel.precision<weights = i4, activations = i8, group = 32, stored = true>
// ROWS-DAG: precision #kernel.precision<weights = i4, activations = i8, group = 32, stored = true, scales = f32_affine>
// ROWS-DAG: precision #kernel.precision<weights = i8, activations = i8, group = 16, stored = true, scales = f32>
// GPUs know groups with scales of f16 alone.
// GPU-NOT: scales =
// GPU-DAG: precision #kernel.precision<weights = i4, activations = f32, group = 32, stored = true>
// GPU-DAG: precision #kernel.precision<weights = bf16, activations = f32, stored = true>
// GPU-NOT: scales =
// Products of few columns stay f32.
// CHECK: kernel.func @linear_96x2({{.*}}#kernel.panels<48>})
// CHECK: kernel.dispatch @linear_96x96 ins
// CHECK: kernel.dispatch @[[FOUR]] ins
// CHECK: kernel.dispatch @[[PLAIN]] ins
// CHECK: kernel.dispatch @linear_96x96 ins
// CHECK: kernel.dispatch @[[BRAIN]] ins
// CHECK: kernel.dispatch @[[FOUR_ONE]] ins
// CHECK: kernel.dispatch @[[FOUR_K]] ins
// CHECK: kernel.dispatch @[[SIX_K]] ins
// CHECK: kernel.dispatch @[[MIXED]] ins
// BLAS-NOT: precision
attn.entry @step(%x: !x {attn.name = "x"}) -> (!few {attn.name = "y"}) sizes ["tokens"] {
  %a = attn.get_weight @a : tensor<96x96xf32>
  %b = attn.get_weight @b : tensor<96x96xf32>
  %c = attn.get_weight @c : tensor<96x96xf32>
  %d = attn.get_weight @d : tensor<96x96xf32>
  %e = attn.get_weight @e : tensor<96x96xf32>
  %h = attn.get_weight @head : tensor<2x96xf32>
  %0 = attn.linear %x, %a : !x, tensor<96x96xf32> -> !x
  %1 = attn.linear %0, %b : !x, tensor<96x96xf32> -> !x
  %2 = attn.linear %1, %c : !x, tensor<96x96xf32> -> !x
  %3 = attn.linear %2, %d : !x, tensor<96x96xf32> -> !x
  %brain = attn.linear %3, %e : !x, tensor<96x96xf32> -> !x
  %f = attn.get_weight @four_one : tensor<96x96xf32>
  %g = attn.get_weight @four_k : tensor<96x96xf32>
  %i = attn.get_weight @six_k : tensor<96x96xf32>
  %j = attn.get_weight @mixed : tensor<96x96xf32>
  %5 = attn.linear %brain, %f : !x, tensor<96x96xf32> -> !x
  %6 = attn.linear %5, %g : !x, tensor<96x96xf32> -> !x
  %7 = attn.linear %6, %i : !x, tensor<96x96xf32> -> !x
  %8 = attn.linear %7, %j : !x, tensor<96x96xf32> -> !x
  %4 = attn.linear %8, %h : !x, tensor<2x96xf32> -> !few
  attn.return %4 : !few
}
