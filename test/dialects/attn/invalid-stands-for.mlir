// What sessions with an adapter run in the place of something else.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expects 'attn.stands_for' to name an op of its kind before it that stands for none and has the same signature, got "other"}}
attn.entry @entry_c7() -> () sizes [] attributes {attn.stands_for = "other"} {
  attn.return
}

// -----

attn.entry @main(%x: tensor<2xf32> {attn.name = "x"}) -> () sizes [] {
  attn.return
}
// expected-error @+1 {{has the same signature, got "main"}}
attn.entry @entry_c7_signature(%x: tensor<3xf32> {attn.name = "x"}) -> () sizes [] attributes {attn.stands_for = "main"} {
  attn.return
}

// -----

attn.entry @main() -> () sizes [] {
  attn.return
}
attn.entry @first() -> () sizes [] attributes {attn.stands_for = "main"} {
  attn.return
}
// expected-error @+1 {{has the same signature, got "first"}}
attn.entry @entry_c7_chain() -> () sizes [] attributes {attn.stands_for = "first"} {
  attn.return
}

// -----

attn.entry @main() -> () sizes [] {
  attn.return
}
// expected-error @+1 {{with 'attn.stands_for' expects none without it behind it}}
attn.entry @entry_c7_order() -> () sizes [] attributes {attn.stands_for = "main"} {
  attn.return
}
attn.entry @last() -> () sizes [] {
  attn.return
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.program @main() -> () sizes ["batch"] {
    kernel.return
  }
  // expected-error @+1 {{has the same signature, got "main"}}
  kernel.program @program_c5() -> () sizes [] attributes {attn.stands_for = "main"} {
    kernel.return
  }
}

// -----

// expected-error @+1 {{expects 'attn.stands_for' to name an op of its kind before it}}
module attributes {attn.stands_for = "main"} {}
