//===- EncoderProgram.h - a small encoder as attn text ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes a BERT-like encoder of tiny sizes in plain attn: nothing is fused, so
// that every optimization pass finds its site. Its entry is @encode(ids, mask,
// types), padded; it gives the hidden states, zero where masked, and a pooled
// row per sequence.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_OPTIMIZE_ENCODERPROGRAM_H
#define ATTNC_TEST_UNIT_OPTIMIZE_ENCODERPROGRAM_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Twine.h"
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace attnc {

struct EncoderShape {
  bool rawAttention = true; ///< matmul, map, softmax, matmul
  bool biases = true;       ///< projections have them
  bool weights = true;      ///< attn.weight; otherwise attn.constant
  bool finiteMask = false;  ///< masked scores get a large negative number
  bool head = false;        ///< the last op before the guard is a projection
  int layers = 1;
  bool distances = false; ///< scores look them up; without rawAttention
};

class EncoderProgram {
public:
  static constexpr int64_t kHidden = 6, kHeads = 2, kHeadSize = 3, kInner = 10,
                           kWords = 11, kTypes = 2, kPositions = 9,
                           kDistances = 5;

  EncoderProgram(const EncoderShape &shape, unsigned seed);

  const std::string &getText() const { return text; }
  /// The bytes of a safetensors file with the weights.
  std::string getWeightsFile() const;

private:
  struct Operand {
    std::string value, map, type;
  };

  std::string fresh() { return "%v" + std::to_string(count++); }
  void line(const llvm::Twine &op) { body += ("  " + op + "\n").str(); }
  std::string weight(const std::string &name, std::vector<int64_t> shape);
  std::string map(const std::string &type, std::vector<Operand> operands,
                  const std::string &arithmetic);
  std::string add(const std::string &a, const std::string &b);
  std::string linear(const std::string &x, const std::string &name, int64_t in,
                     int64_t out, bool bias);
  std::string norm(const std::string &x, const std::string &name);
  std::string embed();
  std::string attend(const std::string &x, const std::string &bias,
                     const std::string &prefix);
  std::string attendByDistance(const std::string heads[3],
                               const std::string &bias,
                               const std::string &prefix);
  std::string attendRaw(const std::string heads[3], const std::string &bias);
  std::string layer(const std::string &x, const std::string &bias, int index);

  EncoderShape shape;
  std::mt19937 random;
  int count = 0;
  std::string symbols, body, text;
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
  std::vector<std::vector<float>> tensors;
};

} // namespace attnc

#endif // ATTNC_TEST_UNIT_OPTIMIZE_ENCODERPROGRAM_H
