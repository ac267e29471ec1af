// A condition used as a number: canonicalization writes select(c, 1, 0) as an
// extension of c, which regions take like any other arithmetic.

// REQUIRES: attnc, avx2
// RUN: attnc compile -q %s -o %t --name m --target x86-64-v3
// RUN: attnc verify %t/libm.so %s
// RUN: attnc compile -q %s -o %t --name m --target x86-64
// RUN: attnc verify %t/libm.so %s

attn.size @n min 1 max 100
attn.entry @count(%x: tensor<?x5xf32, #attn.sizes<n, 5>> {attn.name = "x"}) -> (tensor<?x5xi32, #attn.sizes<n, 5>> {attn.name = "ones"}, tensor<?x5xf32, #attn.sizes<n, 5>> {attn.name = "signs"}) sizes ["n"] {
  %ones = attn.map element(%x at affine_map<(i, j) -> (i, j)> : tensor<?x5xf32, #attn.sizes<n, 5>>) {
  ^bb0(%a: f32):
    %zero = arith.constant 0.0 : f32
    %none = arith.constant 0 : i32
    %one = arith.constant 1 : i32
    %positive = arith.cmpf ogt, %a, %zero : f32
    %count = arith.select %positive, %one, %none : i32
    attn.yield %count : i32
  } : tensor<?x5xi32, #attn.sizes<n, 5>>
  %signs = attn.map element(%x at affine_map<(i, j) -> (i, j)> : tensor<?x5xf32, #attn.sizes<n, 5>>) {
  ^bb0(%a: f32):
    %zero = arith.constant 0.0 : f32
    %positive = arith.cmpf ogt, %a, %zero : f32
    %minus = arith.constant -1 : i32
    %none = arith.constant 0 : i32
    %sign = arith.select %positive, %minus, %none : i32
    %number = arith.sitofp %sign : i32 to f32
    %two = arith.uitofp %positive : i1 to f32
    %sum = arith.addf %number, %two : f32
    %r = arith.mulf %sum, %a : f32
    %s = arith.addf %r, %number : f32
    attn.yield %s : f32
  } : tensor<?x5xf32, #attn.sizes<n, 5>>
  attn.return %ones, %signs : tensor<?x5xi32, #attn.sizes<n, 5>>, tensor<?x5xf32, #attn.sizes<n, 5>>
}
