//===- Package.h - files that the user ships ------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes libNAME.so, libNAME.a, NAME.h, NAME.weights and attn/*.h. Every file
// is written beside its place and renamed at the end: a failure leaves what was
// there before.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_PACKAGE_H
#define ATTNC_COMPILER_PACKAGE_PACKAGE_H

#include "compiler/cpu/Codegen.h"
#include "compiler/import/Import.h"
#include "compiler/package/Description.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/raw_ostream.h"

namespace llvm {
class Module;
class LLVMContext;
} // namespace llvm

namespace attnc {

/// Takes away what was written of a file before writing failed; a device stays.
void removeUnfinished(llvm::StringRef path);

/// Writes a file through `write`; an error of the disk is returned, never
/// fatal, and no half of a file stays.
llvm::Error
writeFile(llvm::StringRef path,
          llvm::function_ref<llvm::Error(llvm::raw_fd_ostream &os)> write);

/// What to say of a file that travels and cannot be read (A0603).
llvm::Error unreadable(llvm::StringRef path, std::error_code code);

/// Files under one directory that appear all together or not at all: each is a
/// temporary beside its final place until commit() renames them.
class OutputSet {
public:
  explicit OutputSet(llvm::StringRef directory) : directory(directory) {}
  ~OutputSet(); ///< removes what was not committed
  /// Creates the directory and checks that it can be written (A0601).
  llvm::Error prepare();
  /// A temporary for `name` (may hold a subdirectory); returns its path.
  llvm::Expected<std::string> create(llvm::StringRef name);
  /// Writes a whole file.
  llvm::Error write(llvm::StringRef name, llvm::StringRef contents);
  /// Renames everything into place.
  llvm::Error commit();
  /// Final paths, in the order of creation.
  std::vector<std::string> paths() const;

private:
  struct File {
    std::string temporary, final;
  };
  std::string directory;
  std::vector<File> files;
};

/// Opens the tokenizer among `files` as a library would, and refuses what could
/// not work there (A0801, A0802, A0804). One of a kind that the runtime does
/// not know is left out of `files` with a warning (A0803). Sets `hasText` and
/// `maxLength`, the tokens that a text may have: the smallest of `textLimit`
/// (0: none), the tokenizer's own limit and the bound of `seq`.
llvm::Error checkTokenizer(mlir::MLIRContext &context,
                           LibraryDescription &library,
                           std::vector<ModelFile> &files, int64_t textLimit);

/// How the model's authors choose tokens, as the options of a library.
void setGenerateDefaults(LibraryDescription &library,
                         const GenerationDefaults &defaults);
/// Looks among `files` for the chat template of a library that generates text
/// (chat_template.jinja, else tokenizer_config.json) and sets `chat`. One that
/// the runtime does not know is left out with a warning (A0805).
llvm::Error findChatTemplate(mlir::MLIRContext &context,
                             LibraryDescription &library,
                             llvm::ArrayRef<ModelFile> files);

/// Refuses names of which C functions and parameters cannot be made (A0613).
llvm::Error checkNames(const LibraryDescription &library);

/// Writes the weights file at `path`: recipes are applied and layouts packed
/// tensor by tensor, on all cores; sets `description.contentDigest`.
llvm::Error writeWeights(LibraryDescription &description, mlir::ModuleOp module,
                         const WeightTable &table,
                         llvm::ArrayRef<ModelFile> files, llvm::StringRef path);

/// Keys of a weights file's padding begin with it.
inline constexpr llvm::StringLiteral kPaddingPrefix = "attn.padding.";
struct TensorDigest {
  std::string key, digest;
};
/// The digest of a tensor's bytes, in hexadecimal digits.
std::string digestBytes(llvm::ArrayRef<uint8_t> bytes);
/// The digest of a file's tensors, in their order: `attn.content`.
std::string digestContent(llvm::ArrayRef<TensorDigest> tensors);
/// Computes the content's digest of the weights file at `path` from its bytes
/// and refuses one that differs from `expected` (A0707).
llvm::Error checkContent(llvm::StringRef path, llvm::StringRef expected);

/// The text of NAME.h.
std::string emitHeader(const LibraryDescription &description);

/// The tables of abi.h and the NAME_* functions as LLVM IR. `embeddedWeights`
/// is the path of a weights file of `embeddedBytes` to put into the library, or
/// empty.
std::unique_ptr<llvm::Module> emitTables(const LibraryDescription &description,
                                         llvm::StringRef embeddedWeights,
                                         llvm::LLVMContext &context,
                                         uint64_t embeddedBytes = 0);

struct LinkInputs {
  std::vector<std::string> objects; ///< paths
  std::string name;
  bool openblas = false;
  Sanitizer sanitizer = Sanitizer::None;
};
/// Links libNAME.so; exports NAME_* alone.
llvm::Error linkShared(const LinkInputs &inputs, llvm::StringRef output);
/// Makes libNAME.a: one relocatable object with all but NAME_* localised.
llvm::Error linkStatic(const LinkInputs &inputs, llvm::StringRef output);

struct PackageOptions {
  std::string directory;
  bool embedWeights = false;
  Sanitizer sanitizer = Sanitizer::None;
  /// Of a weights file that stands elsewhere: libNAME.so alone is written.
  std::string knownContent;
};
/// Writes every file of the library, from the objects of its variants; returns
/// the paths. On failure nothing new is left behind.
llvm::Expected<std::vector<std::string>>
writePackage(LibraryDescription &library, const ImportedModel &model,
             llvm::ArrayRef<llvm::SmallString<0>> objects,
             const PackageOptions &options);

/// Contents built into the compiler: the runtime archive, plain or instrumented
/// as generated code is, and public headers.
llvm::StringRef getRuntimeArchive(Sanitizer sanitizer);
llvm::StringRef getPublicHeader(llvm::StringRef name); ///< "attn.h", "text.h"

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_PACKAGE_H
