//===- Ptx.cpp - inline assembly is read ----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   {                                          scopes are flat: names are
//   unique
//     .reg .pred p;                            declared by use
//     LABEL:
//     @!p mbarrier.try_wait.parity.shared.b64 p, [$0+8], $1;
//   }
//
//===----------------------------------------------------------------------===//
#include "Ptx.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace attnc::emulator {

class PtxParser {
public:
  PtxParser(StringRef text, int operands, int outputs) : text(text) {
    snippet.outputCount = outputs;
    snippet.operandCount = snippet.registers = operands;
  }

  Expected<PtxSnippet> run() {
    while (!(text = text.ltrim()).empty())
      if (Error error = statement())
        return error;
    for (auto [index, label] : branches) {
      auto found = labels.find(label);
      if (found == labels.end())
        return problem("no label '" + label + "'");
      snippet.instructions[index].target = found->second;
    }
    return std::move(snippet);
  }

private:
  static Error problem(const Twine &what) {
    return createStringError("inline PTX: " + what);
  }

  Error statement() {
    if (text.consume_front("{") || text.consume_front("}") ||
        text.consume_front(";"))
      return Error::success();
    if (text.starts_with("//")) {
      text = text.split('\n').second;
      return Error::success();
    }
    size_t word = text.find_if_not(
        [](char c) { return isAlnum(c) || c == '_' || c == '$' || c == '%'; });
    if (word != StringRef::npos && word > 0 && text[word] == ':') {
      labels[text.take_front(word)] = snippet.instructions.size();
      text = text.drop_front(word + 1);
      return Error::success();
    }
    size_t end = text.find(';');
    if (end == StringRef::npos)
      return problem("no ';' after '" + text + "'");
    StringRef line = text.take_front(end).trim();
    text = text.drop_front(end + 1);
    return line.starts_with(".reg") ? Error::success() : instruction(line);
  }

  Error instruction(StringRef line) {
    PtxInstruction result;
    if (line.consume_front("@")) {
      result.negated = line.consume_front("!");
      auto [name, rest] = line.split(' ');
      result.predicate = registerNumber(name.trim());
      line = rest.ltrim();
    }
    size_t space = line.find_first_of(" \t\n");
    StringRef opcode = line.take_front(space);
    StringRef rest =
        space == StringRef::npos ? StringRef() : line.drop_front(space);
    SmallVector<StringRef> words;
    opcode.split(words, '.');
    result.name = words[0].str();
    for (StringRef word : ArrayRef(words).drop_front())
      result.modifiers.push_back(word.str());
    if (result.name == "bra") {
      branches.push_back({snippet.instructions.size(), rest.trim().str()});
      snippet.instructions.push_back(std::move(result));
      return Error::success();
    }
    for (StringRef part : split(rest))
      if (Error error = operand(part, result.operands.emplace_back()))
        return error;
    result.handler = findPtxHandler(result);
    if (!result.handler &&
        !(result.name == "wgmma" && result.has("wait_group")))
      return problem("the emulator does not know '" + opcode + "'");
    snippet.instructions.push_back(std::move(result));
    return Error::success();
  }

  /// At commas outside brackets.
  static SmallVector<StringRef> split(StringRef text) {
    SmallVector<StringRef> parts;
    int depth = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= text.size(); ++i) {
      char c = i == text.size() ? ',' : text[i];
      depth += (c == '[' || c == '{') - (c == ']' || c == '}');
      if (c != ',' || (depth != 0 && i != text.size()))
        continue;
      StringRef part = text.slice(begin, i).trim();
      if (!part.empty())
        parts.push_back(part);
      begin = i + 1;
    }
    return parts;
  }

  int registerNumber(StringRef name) {
    int number;
    if (name.starts_with("$") && !name.drop_front().getAsInteger(10, number) &&
        number < snippet.operandCount)
      return number;
    auto [found, isNew] = names.try_emplace(name, snippet.registers);
    if (isNew)
      ++snippet.registers;
    return found->second;
  }

  Error operands(StringRef text, std::vector<PtxOperand> &parts) {
    for (StringRef part : split(text))
      if (Error error = operand(part, parts.emplace_back()))
        return error;
    return Error::success();
  }

  Error operand(StringRef text, PtxOperand &result) {
    if (text.starts_with("[")) {
      result.kind = PtxOperand::Address;
      return operands(text.drop_front().drop_back(), result.parts);
    }
    if (text.starts_with("{")) {
      result.kind = PtxOperand::Vector;
      return operands(text.drop_front().drop_back(), result.parts);
    }
    if (text == "_")
      return Error::success();
    if (text.contains('|')) {
      result.kind = PtxOperand::Pair;
      auto [first, second] = text.split('|');
      if (Error error = operand(first.trim(), result.parts.emplace_back()))
        return error;
      return operand(second.trim(), result.parts.emplace_back());
    }
    if (isDigit(text[0]) || text[0] == '-') {
      result.kind = PtxOperand::Immediate;
      int64_t value;
      if (text.starts_with("0f") || text.starts_with("0F")) {
        if (text.drop_front(2).getAsInteger(16, result.value))
          return problem("'" + text + "' is no number");
        return Error::success();
      }
      if (text.getAsInteger(0, result.value)) {
        if (text.getAsInteger(0, value))
          return problem("'" + text + "' is no number");
        result.value = value;
      }
      return Error::success();
    }
    result.kind = PtxOperand::Register;
    auto [name, offset] = text.split('+');
    result.number = registerNumber(name.trim());
    if (!offset.empty() && offset.trim().getAsInteger(0, result.value))
      return problem("'" + text + "' is no address");
    return Error::success();
  }

  StringRef text;
  PtxSnippet snippet;
  StringMap<int> names, labels;
  std::vector<std::pair<size_t, std::string>> branches;
};

Expected<PtxSnippet> PtxSnippet::parse(StringRef text, int operands,
                                       int outputs) {
  return PtxParser(text, operands, outputs).run();
}

/// The wait makes the accumulators tied to the statement readable.
void PtxSnippet::waitForGroups(Block &block, int pending,
                               uint64_t *values) const {
  std::vector<uint32_t *> outputs;
  for (int i = 0; i < outputCount; ++i)
    outputs.push_back(reinterpret_cast<uint32_t *>(&values[i]));
  block.groupWait(pending, outputs.data(), outputs.size());
}

void PtxSnippet::run(Block &block, uint64_t *values) const {
  for (size_t at = 0; at < instructions.size();) {
    const PtxInstruction &instruction = instructions[at++];
    if (instruction.predicate >= 0 &&
        bool(values[instruction.predicate]) == instruction.negated)
      continue;
    if (instruction.target >= 0)
      at = instruction.target;
    else if (instruction.name == "wgmma" && instruction.has("wait_group"))
      waitForGroups(block, instruction.operands[0].value, values);
    else
      instruction.handler(block, instruction, values);
  }
}

} // namespace attnc::emulator
