//===- TextMutator.cpp - changes to programs that leave most of them ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For the fuzzer of MLIR text: tokens and lines change places, numbers move,
// types and names are exchanged for others of the same program; now and then a
// new random program begins.
//
//===----------------------------------------------------------------------===//
#include "JsonMutator.h"
#include "programs/Templates.h"
#include <cstring>

namespace attnc::fuzz {

namespace {
struct Token {
  enum Kind { Blank, Name, Number, String, Mark } kind;
  std::string text;
};
} // namespace

static Token::Kind classify(char c) {
  if (isspace(uint8_t(c)))
    return Token::Blank;
  if (isdigit(uint8_t(c)))
    return Token::Number;
  if (isalpha(uint8_t(c)) || strchr("_%@#^!.$", c))
    return Token::Name;
  return Token::Mark;
}

static std::vector<Token> tokenize(const std::string &text) {
  std::vector<Token> tokens;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    Token::Kind kind = classify(text[at]);
    if (text[at] == '"') {
      kind = Token::String;
      at = text.find('"', at + 1);
      at = at == std::string::npos ? text.size() : at + 1;
    } else if (kind == Token::Mark || text[at] == '\0') {
      ++at;
    } else {
      auto belongs = [&](char c) {
        Token::Kind next = classify(c);
        return next == kind ||
               (kind != Token::Blank && next == Token::Number) ||
               (kind == Token::Number && c == '.');
      };
      while (at < text.size() && text[at] && belongs(text[at]))
        ++at;
    }
    tokens.push_back({kind, text.substr(begin, at - begin)});
  }
  return tokens;
}

static const char *const kWords[] = {"attn.map",
                                     "attn.linear",
                                     "attn.attention",
                                     "attn.norm",
                                     "attn.softmax",
                                     "attn.matmul",
                                     "attn.pool",
                                     "attn.pack",
                                     "attn.unpack",
                                     "attn.constant",
                                     "attn.embedding",
                                     "attn.positions",
                                     "attn.index",
                                     "attn.yield",
                                     "arith.addf",
                                     "arith.cmpi",
                                     "arith.select",
                                     "math.exp",
                                     "math.tanh",
                                     "f32",
                                     "i32",
                                     "i1",
                                     "f64",
                                     "index",
                                     "tensor<f32>",
                                     "batch",
                                     "seq",
                                     "tokens",
                                     "dense<0>",
                                     "unit",
                                     "affine_map<()->()>",
                                     "tensor<0x4xf32>",
                                     "tensor<?xf32>",
                                     "tensor<*xf32>",
                                     "true",
                                     "layer",
                                     "rms",
                                     "l2",
                                     "mean",
                                     "row",
                                     "element",
                                     "score",
                                     "mask"};
static const char *const kEdges[] = {"0",
                                     "1",
                                     "2",
                                     "3",
                                     "7",
                                     "16",
                                     "48",
                                     "64",
                                     "511",
                                     "65537",
                                     "4294967296",
                                     "9223372036854775807",
                                     "18446744073709551616",
                                     "1099511627777",
                                     "-1",
                                     "0.0",
                                     "1.0e-45",
                                     "1e39",
                                     "0x7F800000"};

static std::string join(const std::vector<Token> &tokens) {
  std::string text;
  for (const Token &token : tokens)
    text += token.text;
  return text;
}

static std::string mutateTokens(const std::string &text, Random &random) {
  std::vector<Token> tokens = tokenize(text);
  for (int64_t i = random.between(1, 3); i > 0 && !tokens.empty(); --i) {
    Token &token = tokens[random.below(tokens.size())];
    std::vector<Token *> alike;
    for (Token &other : tokens)
      if (other.kind == token.kind && other.text != token.text)
        alike.push_back(&other);
    switch (random.below(6)) {
    case 0:
      token.text.clear();
      break;
    case 1:
      token.text += " " + token.text;
      break;
    case 2:
      token.text = token.kind == Token::Number
                       ? kEdges[random.below(std::size(kEdges))]
                       : kWords[random.below(std::size(kWords))];
      break;
    default:
      if (token.kind == Token::Number && random.chance(0.3))
        token.text = kEdges[random.below(std::size(kEdges))];
      else if (!alike.empty())
        token.text = random.pick(alike)->text;
    }
  }
  return join(tokens);
}

static std::string mutateLines(const std::string &text, Random &random) {
  std::vector<std::string> lines;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find('\n', at);
    end = end == std::string::npos ? text.size() : end + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  if (lines.empty())
    return text;
  size_t from = random.below(lines.size()), to = random.below(lines.size());
  std::string line = lines[from];
  if (random.chance(0.6))
    lines.erase(lines.begin() + from);
  if (random.chance(0.6))
    lines.insert(lines.begin() + std::min(to, lines.size()), line);
  std::string result;
  for (const std::string &each : lines)
    result += each;
  return result;
}

} // namespace attnc::fuzz

/// The last byte, which picks the pipeline, stays or changes alone.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t most, unsigned seed) {
  using namespace attnc::fuzz;
  Random random(seed);
  char choice = size ? data[size - 1] : 0;
  std::string text(reinterpret_cast<char *>(data), size ? size - 1 : 0);
  int64_t kind = text.empty() ? 0 : random.below(20);
  if (kind == 0)
    text = makeModule(random.next(), 1).finish("weights.safetensors");
  else if (kind == 1)
    text = mutateBytes(text, text.size() + 8, random);
  else if (kind < 7)
    text = mutateLines(text, random);
  else
    text = mutateTokens(text, random);
  if (random.chance(0.1))
    choice = random.next();
  size_t length = std::min(text.size(), most - 1);
  memcpy(data, text.data(), length);
  data[length] = choice;
  return length + 1;
}
