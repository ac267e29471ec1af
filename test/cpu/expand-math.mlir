// RUN: attn-opt %s --attn-expand-math --split-input-file | FileCheck %s

// Where the target fuses: range reduction and polynomial by fma, the power of two
// from bits. No math.exp is left; absf and sqrt have instructions and stay.

// CHECK-LABEL: func.func @fused(
func.func @fused(%x: vector<16xf32>) -> (vector<16xf32>, vector<16xf32>) attributes {kernel.target = "x86-64-v4"} {
  // CHECK-NOT: math.
  // CHECK: arith.cmpf olt
  // CHECK: arith.select
  // CHECK: %[[SHIFTED:.*]] = llvm.intr.fma
  // CHECK: arith.subf %[[SHIFTED]]
  // CHECK-COUNT-8: llvm.intr.fma
  // CHECK: arith.bitcast %[[SHIFTED]] : vector<16xf32> to vector<16xi32>
  // CHECK: arith.shli
  // CHECK: %[[EXP:.*]] = arith.mulf
  %y = math.exp %x : vector<16xf32>
  // CHECK: %[[ROOT:.*]] = math.sqrt
  // CHECK: %[[INVERSE:.*]] = arith.divf %{{.*}}, %[[ROOT]]
  %z = math.rsqrt %x : vector<16xf32>
  // CHECK: return %[[EXP]], %[[INVERSE]]
  return %y, %z : vector<16xf32>, vector<16xf32>
}

// Elsewhere, and where nothing names a target: mul and add.
// CHECK-LABEL: func.func @unfused(
func.func @unfused(%x: f32) -> f32 {
  // CHECK-NOT: math.exp2
  // CHECK-NOT: fma
  // CHECK: arith.mulf {{.*}} : f32
  // CHECK-NEXT: arith.addf {{.*}} : f32
  // CHECK-NOT: fma
  // CHECK: return
  %y = math.exp2 %x : f32
  return %y : f32
}

// -----

// erf and tanh: a polynomial near zero, an exponential beyond, and x's sign.
// CHECK-LABEL: func.func @split(
func.func @split(%x: vector<8xf32>) -> (vector<8xf32>, vector<8xf32>) attributes {kernel.target = "x86-64-v3"} {
  // CHECK: %[[MAGNITUDE:.*]] = math.absf
  // CHECK-NOT: math.erf
  // CHECK: %[[LARGE:.*]] = math.copysign
  // CHECK: %[[NEAR:.*]] = arith.cmpf olt, %[[MAGNITUDE]]
  // CHECK: %[[ERF:.*]] = arith.select %[[NEAR]], %{{.*}}, %[[LARGE]]
  %y = math.erf %x : vector<8xf32>
  // CHECK-NOT: math.tanh
  // CHECK: arith.divf
  // CHECK: %[[SIGNED:.*]] = math.copysign
  // CHECK: %[[TANH:.*]] = arith.select %{{.*}}, %{{.*}}, %[[SIGNED]]
  %z = math.tanh %x : vector<8xf32>
  // CHECK: return %[[ERF]], %[[TANH]]
  return %y, %z : vector<8xf32>, vector<8xf32>
}

// -----

// Other element types are not ours.
// CHECK-LABEL: func.func @double(
func.func @double(%x: f64) -> f64 {
  // CHECK: math.exp %{{.*}} : f64
  %y = math.exp %x : f64
  return %y : f64
}
