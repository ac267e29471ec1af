//===- WriteWeights.cpp - the weights file -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// NAME.weights is a valid safetensors file: an 8-byte header length, a JSON
// header padded with spaces, then tensors at offsets that are multiples of 64.
// Its __metadata__ holds the layout's fingerprint and the digest of the bytes.
//
// Recipes run here, once, several tensors at a time; memory holds only the
// tensors in work, and of large ones some rows.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/StoredWeights.h"
#include "compiler/package/HugePageWriter.h"
#include "compiler/package/PackWeights.h"
#include "compiler/package/Package.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ThreadPool.h"

using namespace llvm;

namespace attnc {
namespace {

constexpr uint64_t kAlignment = 64;
/// Numbers of a weight that are in memory at once, where its recipe allows:
/// with what they are packed into some 128 MB per thread.
constexpr int64_t kElementsAtOnce = int64_t(1) << 24;

/// A weight's type as the format spells it.
StringRef getSafetensorsName(attn_dtype dtype) {
  switch (dtype) {
  case ATTN_F32:
    return "F32";
  case ATTN_BF16:
    return "BF16";
  case ATTN_U8:
    return "U8";
  default:
    llvm_unreachable("weights are stored as one of these");
  }
}

/// A tensor of the file: from a recipe, or a file that travels along.
struct Item {
  std::string key;
  StringRef dtype;
  std::vector<int64_t> shape;
  uint64_t bytes = 0, offset = 0;
  const WeightDescription *weight = nullptr;
  const ModelFile *file = nullptr; ///< or a file that travels
};

class WeightsWriter {
public:
  WeightsWriter(LibraryDescription &library, mlir::ModuleOp module,
                const WeightTable &table, ArrayRef<ModelFile> files)
      : library(library), module(module), table(table), files(files) {}

  Error write(StringRef path) {
    if (Error error = plan())
      return error;
    return writeFile(path, [&](raw_fd_ostream &os) -> Error {
      // The whole length from the start: tensors come in any order.
      os.seek(byteCount - 1);
      os << '\0';
      os.flush();
      HugePageWriter writer(os, byteCount);
      if (Error error = writeItems(writer))
        return error;
      library.contentDigest = digestContent(digests);
      std::string header = makeHeader(library.contentDigest);
      assert(header.size() == headerSize && "digests have one length");
      writer.write(0, arrayRefFromStringRef(header));
      assert(writer.isComplete() && "tensors and gaps cover the file");
      return Error::success();
    });
  }

private:
  /// Lists the tensors with their offsets.
  Error plan() {
    for (const WeightDescription &weight : library.weights) {
      Item item;
      item.key = weight.key;
      item.dtype = getSafetensorsName(weight.dtype);
      item.shape = weight.shape;
      item.bytes = weight.bytes;
      item.weight = &weight;
      items.push_back(std::move(item));
    }
    for (const ModelFile &file : files) {
      Item item;
      item.key = file.name;
      item.dtype = "U8";
      item.file = &file;
      if (file.text)
        item.bytes = file.text->size();
      else if (std::error_code code = sys::fs::file_size(file.path, item.bytes))
        return unreadable(file.path, code);
      item.shape = {static_cast<int64_t>(item.bytes)};
      items.push_back(std::move(item));
    }
    uint64_t offset = 0;
    for (Item &item : items) {
      item.offset = offset;
      offset = alignTo(offset + item.bytes, kAlignment);
    }
    for (const Item &item : items)
      digests.push_back({item.key, ""});
    headerSize = makeHeader(std::string(32, '0')).size();
    byteCount = headerSize;
    if (!items.empty())
      byteCount += items.back().offset + items.back().bytes;
    return Error::success();
  }

  /// The length, the JSON and the padding that aligns the first tensor. Gaps
  /// between tensors are tensors of their own, since the format has no holes.
  std::string makeHeader(StringRef digest) {
    std::string text;
    raw_string_ostream os(text);
    json::OStream json(os);
    json.object([&] {
      json.attributeObject("__metadata__", [&] {
        json.attribute("attn.abi", std::to_string(ATTN_ABI_VERSION));
        json.attribute("attn.content", digest);
        json.attribute("attn.layout", library.layoutFingerprint);
        json.attribute("attn.library", library.name);
        json.attribute("format", "pt");
      });
      for (const Item &item : items) {
        writeEntry(json, item.key, item.dtype, item.shape, item.offset,
                   item.bytes);
        uint64_t end = item.offset + item.bytes;
        if (uint64_t gap = findGap(item))
          writeEntry(json, kPaddingPrefix.str() + utostr(end), "U8",
                     {static_cast<int64_t>(gap)}, end, gap);
      }
    });
    uint64_t length = alignTo(8 + text.size(), kAlignment) - 8;
    text.append(length - text.size(), ' ');
    std::string header(8, '\0');
    support::endian::write64le(header.data(), length);
    return header + text;
  }

  static void writeEntry(json::OStream &json, StringRef key, StringRef dtype,
                         ArrayRef<int64_t> shape, uint64_t begin,
                         uint64_t bytes) {
    json.attributeObject(key, [&] {
      json.attribute("dtype", dtype);
      json.attributeArray("shape", [&] {
        for (int64_t dim : shape)
          json.value(dim);
      });
      json.attributeArray("data_offsets", [&] {
        json.value(static_cast<int64_t>(begin));
        json.value(static_cast<int64_t>(begin + bytes));
      });
    });
  }

  /// The bytes between an item and the next one.
  uint64_t findGap(const Item &item) const {
    return &item == &items.back()
               ? 0
               : offsetToAlignment(item.bytes, Align(kAlignment));
  }

  Error writeItems(HugePageWriter &writer) {
    Error errors = Error::success();
    std::mutex mutex;
    DefaultThreadPool pool;
    for (size_t index = 0; index < items.size(); ++index)
      pool.async([&, index] {
        if (Error error = writeItem(index, writer)) {
          std::lock_guard<std::mutex> lock(mutex);
          errors = joinErrors(std::move(errors), std::move(error));
        }
      });
    pool.wait();
    return errors;
  }

  Error writeItem(size_t index, HugePageWriter &writer) {
    const Item &item = items[index];
    const uint8_t zeros[kAlignment] = {};
    writer.write(headerSize + item.offset + item.bytes,
                 ArrayRef(zeros).take_front(findGap(item)));
    auto emit = [&](ArrayRef<uint8_t> bytes) -> Error {
      if (bytes.size() != item.bytes)
        return createStringError("error[A0604]: '%s' has %zu bytes, not the "
                                 "%llu that were planned\nnote: did a file of "
                                 "the model change meanwhile? compile again",
                                 item.key.c_str(), bytes.size(),
                                 static_cast<unsigned long long>(item.bytes));
      digests[index].digest = digestBytes(bytes);
      writer.write(headerSize + item.offset, bytes);
      return Error::success();
    };
    if (!item.weight) {
      ErrorOr<std::unique_ptr<MemoryBuffer>> file = item.file->read();
      if (!file)
        return unreadable(item.file->path, file.getError());
      return emit(arrayRefFromStringRef((*file)->getBuffer()));
    }
    auto op = module.lookupSymbol<attn::WeightOp>(item.weight->symbol);
    assert(op && "a weight that the program uses is declared");
    if (!item.weight->choice && table.hasPlainRows(op) &&
        op.getType().getNumElements() > kElementsAtOnce)
      return writeRows(index, op, writer);
    Expected<std::vector<float>> values =
        table.materialize(op, item.weight->choice);
    if (!values)
      return values.takeError();
    Expected<std::vector<uint8_t>> bytes = pack(item, op, *values, 0);
    return bytes ? emit(*bytes) : bytes.takeError();
  }

  /// The bytes of rows from `first` on: `values` in the item's layout. The
  /// numbers of rows are whole panels, but for the last ones.
  Expected<std::vector<uint8_t>> pack(const Item &item, attn::WeightOp op,
                                      ArrayRef<float> values, int64_t first) {
    kernel::PanelsAttr panels = item.weight->panels;
    if (!panels) {
      auto *bytes = reinterpret_cast<const uint8_t *>(values.data());
      return std::vector<uint8_t>(bytes, bytes + values.size() * sizeof(float));
    }
    const int64_t depth =
        cast<mlir::RankedTensorType>(op.getType()).getDimSize(1);
    const int64_t rows = values.size() / depth;
    if (hasBlocksOf(op, panels))
      return packBlocks(
          readStoredBlocks(table, op, first, first + rows, panels.getGroup()),
          rows, depth, panels);
    if (panels.getScales() != kernel::Scales::f16)
      return noBlocks(item, panels.getScales());
    std::vector<uint8_t> packed = packPanels(values, rows, depth, panels);
    if (auto lost = findLostGroup(values, rows, depth, panels, packed))
      return tooLarge(item, panels.getFormat(), first, *lost);
    return packed;
  }

  /// Whether the groups of the layout are those of the weight's own file.
  static bool hasBlocksOf(attn::WeightOp op, kernel::PanelsAttr panels) {
    auto stored =
        op->getAttrOfType<mlir::StringAttr>(attn::AttnDialect::kStoredAttr);
    return stored && panels.getGroup() != 0 &&
           kernel::PrecisionAttr::getStored(op.getContext(), stored.getValue(),
                                            kernel::Format::f32)
                   .getPanels(panels.getWidth()) == panels;
  }

  static Error noBlocks(const Item &item, kernel::Scales scales) {
    return createStringError(
        "error[A0223]: the program keeps the weight '%s' in groups with scales "
        "of %s, which only the blocks of a model's files have; it does not say "
        "that these files have them\nnote: keep 'attn.stored' on the weight, "
        "or "
        "start from an earlier stage",
        item.weight->symbol.c_str(),
        kernel::stringifyScales(scales).str().c_str());
  }

  static Error tooLarge(const Item &item, kernel::Format format, int64_t first,
                        const LostGroup &lost) {
    const bool isByte = format == kernel::Format::i8;
    return createStringError(
        "error[A0608]: the weight '%s' has %g in row %lld, columns %lld to "
        "%lld; what shares a scale of f16 in %s reaches %d\nnote: give "
        "--weights=f32 or bf16, or int8 without groups",
        item.weight->symbol.c_str(), lost.largest,
        static_cast<long long>(first + lost.column),
        static_cast<long long>(lost.first),
        static_cast<long long>(lost.first + lost.count - 1),
        isByte ? "int8" : "int4", (isByte ? 127 : 8) * 65504);
  }

  /// A large weight, some rows at a time.
  Error writeRows(size_t index, attn::WeightOp op, HugePageWriter &writer) {
    const Item &item = items[index];
    if (Error error = table.check(op))
      return error;
    auto type = cast<mlir::RankedTensorType>(op.getType());
    const int64_t rows = type.getDimSize(0), depth = type.getDimSize(1);
    const int64_t panel =
        item.weight->panels ? item.weight->panels.getWidth() : 1;
    const int64_t step =
        std::max<int64_t>(kElementsAtOnce / depth / panel, 1) * panel;
    BLAKE3 hasher;
    uint64_t written = 0;
    for (int64_t first = 0; first < rows; first += step) {
      Expected<std::vector<float>> values =
          table.materializeRows(op, first, std::min(first + step, rows));
      if (!values)
        return values.takeError();
      Expected<std::vector<uint8_t>> bytes = pack(item, op, *values, first);
      if (!bytes)
        return bytes.takeError();
      hasher.update(*bytes);
      writer.write(headerSize + item.offset + written, *bytes);
      written += bytes->size();
    }
    assert(written == item.bytes && "panels are planned as they are packed");
    digests[index].digest = toHex(hasher.final<16>(), /*LowerCase=*/true);
    return Error::success();
  }

  LibraryDescription &library;
  mlir::ModuleOp module;
  const WeightTable &table;
  ArrayRef<ModelFile> files;
  std::vector<Item> items;
  std::vector<TensorDigest> digests;
  uint64_t headerSize = 0, byteCount = 0;
};

} // namespace

std::string digestBytes(ArrayRef<uint8_t> bytes) {
  return toHex(BLAKE3::hash<16>(bytes), /*LowerCase=*/true);
}

std::string digestContent(ArrayRef<TensorDigest> tensors) {
  std::string text;
  for (const TensorDigest &tensor : tensors)
    text += tensor.key + " " + tensor.digest + "\n";
  return digestBytes(arrayRefFromStringRef(text));
}

/// Counts changes of what the bytes of a weight mean where its name, type and
/// shape stay. 2: scales of groups are f16, sums of i8 columns have no factor.
static constexpr unsigned kLayoutRevision = 2;

std::string fingerprintLayout(ArrayRef<WeightDescription> weights) {
  std::string text = ("attn weights, abi " + Twine(ATTN_ABI_VERSION) +
                      ", layouts " + Twine(kLayoutRevision) + "\n")
                         .str();
  raw_string_ostream os(text);
  for (const WeightDescription &weight : weights) {
    os << weight.key << " " << getName(weight.dtype);
    for (int64_t dim : weight.shape)
      os << " " << dim;
    os << "\n";
  }
  return digestBytes(arrayRefFromStringRef(text));
}

Error writeWeights(LibraryDescription &description, mlir::ModuleOp module,
                   const WeightTable &table, ArrayRef<ModelFile> files,
                   StringRef path) {
  return WeightsWriter(description, module, table, files).write(path);
}

} // namespace attnc
