//===- Reduce.cpp - a smaller program that still differs ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tries, one after the other: to return less, to use an earlier value of the
// same type instead of a result, in entries and in regions, and to leave out
// regions. A change stays if the program is still valid and still differs.
// Every try runs in a child process, so that a program which crashes can be
// reduced.
//
//===----------------------------------------------------------------------===//
#include "Findings.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/TypeSwitch.h"
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;

namespace attnc::fuzz {

namespace {

class Reducer {
public:
  Reducer(Checker &checker, const Setting &setting, const Finding &finding)
      : checker(checker), setting(setting), finding(finding) {}

  bool run(Program &program);

private:
  /// Makes change number `number` of a module; false if there is none.
  using Change = bool (*)(attn::EntryOp entry, unsigned number);
  bool tryAll(Program &program, Change change);
  bool stillDiffers(Program &program);

  Checker &checker;
  const Setting &setting;
  const Finding &finding;
  unsigned tries = 0;
  static constexpr unsigned kMostTries = 400, kMostSeconds = 20;
};

} // namespace

bool Reducer::stillDiffers(Program &program) {
  if (failed(verify(*program.module)))
    return false;
  fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
      std::signal(signal, SIG_DFL);
    alarm(kMostSeconds);
    std::optional<std::string> what =
        checker.checkCase(program, setting, finding);
    // A program that is declined or refused is another finding.
    bool same = what &&
                (what->find("not compiled") == 0) ==
                    (finding.what.find("not compiled") == 0) &&
                what->find("the reference") != 0;
    _exit(same ? 1 : 0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child)
    return false;
  if (WIFSIGNALED(status))
    return WTERMSIG(status) != SIGALRM && finding.what.empty();
  return WEXITSTATUS(status) == 1;
}

/// Erases ops that nothing needs, in entries and regions.
static void eraseDead(attn::EntryOp entry) {
  bool changed = true;
  while (changed) {
    changed = false;
    llvm::SmallVector<Operation *> dead;
    entry.walk([&](Operation *op) {
      if (op != entry.getOperation() && op->getNumResults() &&
          isOpTriviallyDead(op))
        dead.push_back(op);
    });
    for (Operation *op : llvm::reverse(dead))
      if (op->use_empty()) {
        op->erase();
        changed = true;
        break; // a region's ops may have gone with it
      }
  }
}

/// Every op of the entry, the last first: what ends programs goes at once.
static llvm::SmallVector<Operation *> listOps(attn::EntryOp entry) {
  llvm::SmallVector<Operation *> ops;
  entry.walk([&](Operation *op) {
    if (op != entry.getOperation())
      ops.push_back(op);
  });
  std::reverse(ops.begin(), ops.end());
  return ops;
}

/// Replaces a result by an earlier value of its block.
static bool useEarlier(attn::EntryOp entry, unsigned number) {
  for (Operation *op : listOps(entry))
    for (Value result : op->getResults()) {
      if (result.use_empty())
        continue;
      llvm::SmallVector<Value> earlier(op->getOperands());
      llvm::append_range(earlier, op->getBlock()->getArguments());
      for (Value value : earlier)
        if (value.getType() == result.getType() && number-- == 0) {
          result.replaceAllUsesWith(value);
          eraseDead(entry);
          return true;
        }
    }
  return false;
}

/// Leaves out a region with its captures.
static bool dropRegion(attn::EntryOp entry, unsigned number) {
  for (Operation *op : listOps(entry)) {
    auto drop = [&](Region &region, MutableOperandRange captures,
                    StringRef maps) {
      if (region.empty() || number-- != 0)
        return false;
      captures.clear();
      op->removeAttr(maps);
      region.dropAllReferences();
      region.getBlocks().clear();
      return true;
    };
    bool done =
        llvm::TypeSwitch<Operation *, bool>(op)
            .Case<attn::LinearOp, attn::OutputProjectionOp>([&](auto product) {
              return drop(product.getRow(), product.getRowCapturesMutable(),
                          product.getRowMapsAttrName()) ||
                     drop(product.getElement(),
                          product.getElementCapturesMutable(),
                          product.getElementMapsAttrName());
            })
            .Case([&](attn::QkvProjectionOp product) {
              return drop(product.getElement(),
                          product.getElementCapturesMutable(),
                          product.getElementMapsAttrName());
            })
            .Case<attn::MapOp, attn::EmbeddingOp>([&](auto map) {
              return drop(map.getRow(), map.getRowCapturesMutable(),
                          map.getRowMapsAttrName());
            })
            .Case<attn::AttentionOp, attn::CachedAttentionOp>(
                [&](auto attention) {
                  return drop(attention.getScore(),
                              attention.getScoreCapturesMutable(),
                              attention.getScoreMapsAttrName()) ||
                         drop(attention.getMask(),
                              attention.getMaskCapturesMutable(),
                              attention.getMaskMapsAttrName());
                })
            .Default([](Operation *) { return false; });
    if (done) {
      eraseDead(entry);
      return true;
    }
  }
  return false;
}

/// Returns one value less.
static bool dropOutput(attn::EntryOp entry, unsigned number) {
  Operation *terminator = entry.getBody().front().getTerminator();
  if (terminator->getNumOperands() < 2 ||
      number >= terminator->getNumOperands())
    return false;
  terminator->eraseOperand(number);
  llvm::SmallVector<Type> results(entry.getResultTypes());
  results.erase(results.begin() + number);
  llvm::SmallVector<Attribute> names(entry.getResAttrs()->getValue());
  names.erase(names.begin() + number);
  Builder b(entry.getContext());
  entry.setFunctionType(b.getFunctionType(entry.getArgumentTypes(), results));
  entry.setResAttrsAttr(b.getArrayAttr(names));
  eraseDead(entry);
  return true;
}

bool Reducer::tryAll(Program &program, Change change) {
  bool changed = false;
  unsigned number = 0;
  while (tries < kMostTries) {
    OwningOpRef<ModuleOp> before(cast<ModuleOp>(program.module.get()->clone()));
    auto entry = program.module->lookupSymbol<attn::EntryOp>(finding.program);
    if (!change(entry, number))
      break;
    ++tries;
    if (stillDiffers(program)) {
      changed = true; // the next change has this number now
    } else {
      program.module = std::move(before);
      ++number;
    }
  }
  return changed;
}

bool Reducer::run(Program &program) {
  if (!stillDiffers(program))
    return false;
  bool any = false, changed = true;
  while (changed && tries < kMostTries) {
    changed = tryAll(program, dropOutput);
    changed |= tryAll(program, dropRegion);
    changed |= tryAll(program, useEarlier);
    any |= changed;
  }
  return any;
}

std::unique_ptr<Program> reduce(Checker &checker, const Program &program,
                                const Setting &setting,
                                const Finding &finding) {
  auto small = std::make_unique<Program>();
  small->module = cast<ModuleOp>(program.module.get()->clone());
  // The table is of the same file.
  if (llvm::Error error = small->weights.addFile(
          program.weights.files().empty() ? std::string("/dev/null")
                                          : program.weights.files().front()))
    llvm::consumeError(std::move(error));
  if (!Reducer(checker, setting, finding).run(*small))
    return nullptr;
  return small;
}

} // namespace attnc::fuzz
