//===- DeviceWeightsTest.cpp - weights as a GPU gets them -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Libraries without kernels, whose tensors are looked at where the stub driver
// holds them: every form of panels to every type, numbers that rounding has to
// think about, pieces, adapters. Truths follow attn/abi_device.h, not the code.
//
//===----------------------------------------------------------------------===//
#include "Model.h"
#include "ToyParts.h"
#include "cuda/Gpu.h"
#include <cmath>
#include <cstring>
#include <gmock/gmock.h>
#include <memory>

using namespace toyparts;
using testing::HasSubstr;

namespace {

using DeviceWeights = OnStub;
using Bytes = std::vector<unsigned char>;

template <typename T> void append(Bytes &bytes, T value) {
  size_t at = bytes.size();
  bytes.resize(at + sizeof(T));
  memcpy(&bytes[at], &value, sizeof(T));
}

template <typename T> T read(const Bytes &bytes, size_t index) {
  T value;
  memcpy(&value, &bytes[index * sizeof(T)], sizeof(T));
  return value;
}

float floatOf(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

/// A library that holds tensors and does nothing.
class Holder {
public:
  void add(attn_abi_device_weight weight, attn_dtype fileType, Bytes bytes) {
    std::string name = std::string("t") += std::to_string(tensors.size());
    weight.weight = int32_t(tensors.size());
    bytes.resize((bytes.size() + 63) / 64 * 64);
    deviceWeights.push_back(weight);
    types.push_back(fileType);
    tensors.push_back(
        {name, fileType == ATTN_F32 ? "F32" : "U8",
         std::to_string(bytes.size() / (fileType == ATTN_F32 ? 4 : 1)),
         std::move(bytes)});
  }
  /// Opens it; `adapters` are the tensors that stand for the first ones.
  void open(const std::vector<std::vector<int32_t>> &adapters = {},
            size_t own = SIZE_MAX) {
    deviceWeights.resize(std::min(own, deviceWeights.size()));
    for (size_t i = 0; i < tensors.size(); ++i)
      weights.push_back(
          {tensors[i].name.c_str(), types[i], tensors[i].bytes.size()});
    for (const std::vector<int32_t> &adapter : adapters)
      adapterTable.push_back({"adapter", adapter.data()});
    image = readKernels("toy.ll");
    images[0] = {reinterpret_cast<const unsigned char *>(image.c_str()),
                 image.size() + 1, 80, ATTN_IMAGE_PTX};
    device.driver = &attnrt_cuda;
    device.chip = 80;
    device.images = images;
    device.image_count = 1;
    device.weights = deviceWeights.data();
    device.weight_count = int32_t(deviceWeights.size());
    variant = {"sm_80", 0, nullptr, &device};
    library.abi_version = ATTN_ABI_VERSION;
    library.name = "holder";
    library.description = "{}";
    library.variants = &variant;
    library.variant_count = 1;
    library.weights = weights.data();
    library.weight_count = int32_t(weights.size());
    library.layout_fingerprint = "layout03";
    library.content_digest = "content03";
    if (!adapters.empty()) {
      adapterTables = {adapterTable.data(), int32_t(adapterTable.size()),
                       int32_t(adapters[0].size())};
      library.adapters = &adapterTables;
    }
    file = std::make_unique<WeightsInMemory>("layout03", "content03", tensors);
    attn_options options = file->options();
    options.max_bytes = most;
    opened = std::make_unique<Opened>(library, options);
  }
  attnrt::cuda::Address addressOf(size_t index, size_t choice = 0) const {
    return opened->model->device
        ->weights[choice * deviceWeights.size() + index];
  }
  /// What the device holds of weight `index`.
  Bytes held(size_t index, size_t bytes, size_t choice = 0) const {
    Bytes result(bytes);
    stub_read(result.data(),
              reinterpret_cast<const void *>(addressOf(index, choice)), bytes);
    return result;
  }

  std::unique_ptr<Opened> opened;
  uint64_t most = 0; ///< bytes, if it is not 0

private:
  std::vector<attn_abi_device_weight> deviceWeights;
  std::vector<attn_dtype> types;
  std::vector<Tensor> tensors;
  std::vector<attn_abi_weight> weights;
  std::vector<attn_abi_adapter> adapterTable;
  std::string image;
  attn_abi_image images[1];
  attn_abi_device device{};
  attn_abi_variant variant{};
  attn_abi_adapters adapterTables{};
  attn_abi_library library{};
  std::unique_ptr<WeightsInMemory> file;
};

//===-- numbers -----------------------------------------------------------===//

struct Rounding {
  float value;
  uint16_t bfloat, half;
};

// Ties, the largest and the smallest, what is no number.
const Rounding roundings[] = {{1, 0x3f80, 0x3c00},
                              {-2, 0xc000, 0xc000},
                              {-0.0f, 0x8000, 0x8000},
                              {1 + 0x1p-8f, 0x3f80, 0x3c04},
                              {1 + 3 * 0x1p-8f, 0x3f82, 0x3c0c},
                              {1 + 0x1p-11f, 0x3f80, 0x3c00},
                              {1 + 3 * 0x1p-11f, 0x3f80, 0x3c02},
                              {65504, 0x4780, 0x7bff},
                              {65519, 0x4780, 0x7bff},
                              {65520, 0x4780, 0x7c00},
                              {-1e30f, 0xf14a, 0xfc00},
                              {floatOf(0x7f7fffff), 0x7f80, 0x7c00},
                              {-INFINITY, 0xff80, 0xfc00},
                              {floatOf(0x7fc00000), 0x7fc0, 0x7e00},
                              {floatOf(0xff800001), 0xffc0, 0xfe00},
                              {0x1p-14f, 0x3880, 0x0400},
                              {floatOf(0x387fffff), 0x3880, 0x0400},
                              {0x1p-24f, 0x3380, 0x0001},
                              {1.5f * 0x1p-24f, 0x33c0, 0x0002},
                              {2.5f * 0x1p-24f, 0x3420, 0x0002},
                              {-1.5f * 0x1p-25f, 0xb340, 0x8001},
                              {0x1p-25f, 0x3300, 0x0000},
                              {0x1p-26f, 0x3280, 0x0000}};

TEST_F(DeviceWeights, AreRoundedToNearest) {
  Bytes bytes;
  for (const Rounding &each : roundings)
    append(bytes, each.value);
  const int64_t count = std::size(roundings);
  Holder holder;
  holder.add({0, ATTN_BF16, 1, count, nullptr}, ATTN_F32, bytes);
  holder.add({0, ATTN_F16, count, 1, nullptr}, ATTN_F32, bytes);
  holder.add({0, ATTN_F32, 1, count, nullptr}, ATTN_F32, bytes);
  holder.open();
  ASSERT_EQ(holder.opened->status, ATTN_OK) << attnrt_last_error();
  Bytes bfloats = holder.held(0, 2 * count), halves = holder.held(1, 2 * count);
  for (int64_t i = 0; i < count; ++i) {
    EXPECT_EQ(read<uint16_t>(bfloats, i), roundings[i].bfloat) << i;
    EXPECT_EQ(read<uint16_t>(halves, i), roundings[i].half) << i;
  }
  EXPECT_EQ(holder.held(2, bytes.size()), bytes);
}

//===-- panels ------------------------------------------------------------===//

constexpr int64_t kPanel = 16;
/// f16 bits of 1, 1/2, 1/4, 1/8.
constexpr uint16_t kHalfScales[] = {0x3c00, 0x3800, 0x3400, 0x3000};

/// A tensor in panels, and what it says.
struct Panels {
  attn_abi_panels layout{};
  int64_t rows, columns;
  Bytes bytes;
  std::vector<int32_t> q;

  Panels(int64_t rows, int64_t columns, int32_t bits, int64_t group)
      : rows(rows), columns(columns), q(rows * columns) {
    const int64_t pack = 32 / bits, steps = (columns + pack - 1) / pack;
    layout.width = kPanel;
    layout.bits = bits;
    layout.group = group;
    layout.scales = 4 * kPanel * steps;
    layout.bytes = layout.scales;
    if (bits <= 8)
      layout.bytes += group ? 2 * kPanel * groups() : 4 * kPanel;
    bytes.assign((rows + kPanel - 1) / kPanel * layout.bytes, 0xee);
    const int32_t most = bits == 4 ? 7 : bits == 8 ? 127 : 255;
    uint32_t random = 99;
    for (int32_t &number : q) {
      random = random * 1664525 + 1013904223;
      number = int32_t((random >> 8) % uint32_t(2 * most + 1)) - most;
    }
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t step = 0; step < steps; ++step)
        put(row, step);
    if (bits <= 8)
      for (int64_t row = 0; row < rows; ++row)
        putScales(row);
  }
  int64_t groups() const {
    return layout.group ? (columns + layout.group - 1) / layout.group : 1;
  }
  int32_t at(int64_t row, int64_t column) const {
    return q[row * columns + column];
  }
  float scale(int64_t row, int64_t group) const {
    if (layout.group)
      return 1.0f / float(1 << (row + group) % 4);
    return 0.37f * float(row + 1);
  }
  float value(int64_t row, int64_t column) const {
    if (layout.bits > 8)
      return float(at(row, column)) / 8;
    return scale(row, layout.group ? column / layout.group : 0) *
           float(at(row, column));
  }

private:
  unsigned char *panelOf(int64_t row) {
    return bytes.data() + row / kPanel * layout.bytes;
  }
  void put(int64_t row, int64_t step) {
    const int32_t bits = layout.bits;
    uint32_t word = 0;
    for (int32_t k = 0; k < 32 / bits; ++k) {
      int64_t column = step * (32 / bits) + k;
      uint32_t number = 0;
      if (column < columns && bits > 8) {
        float exact = value(row, column);
        memcpy(&number, &exact, 4);
        number >>= 32 - bits; // eighths of eight bits fit bf16
      } else if (column < columns) {
        number = uint32_t(at(row, column)) & ((1u << bits) - 1);
      }
      word |= number << (bits % 32 * k);
    }
    memcpy(panelOf(row) + 4 * (step * kPanel + row % kPanel), &word, 4);
  }
  void putScales(int64_t row) {
    unsigned char *scales = panelOf(row) + layout.scales;
    for (int64_t group = 0; group < groups(); ++group) {
      int64_t place = group * kPanel + row % kPanel;
      float number = scale(row, group);
      if (layout.group)
        memcpy(scales + 2 * place, &kHalfScales[(row + group) % 4], 2);
      else
        memcpy(scales + 4 * place, &number, 4);
    }
  }
};

TEST_F(DeviceWeights, LeaveTheirPanels) {
  for (int32_t bits : {32, 16, 8, 4})
    for (int64_t group : {0, 32}) {
      if (group && bits > 8)
        continue;
      SCOPED_TRACE(std::to_string(bits) + " bits in groups of " +
                   std::to_string(group));
      Panels panels(37, 70, bits, group);
      const int64_t rows = panels.rows, columns = panels.columns;
      Holder holder;
      for (attn_dtype dtype : {ATTN_F32, ATTN_BF16})
        holder.add({0, dtype, rows, columns, &panels.layout}, ATTN_U8,
                   panels.bytes);
      holder.open();
      ASSERT_EQ(holder.opened->status, ATTN_OK) << attnrt_last_error();
      Bytes exact = holder.held(0, 4 * rows * columns),
            rounded = holder.held(1, 2 * rows * columns);
      for (int64_t i = 0; i < rows * columns; ++i) {
        float truth = panels.value(i / columns, i % columns);
        ASSERT_EQ(read<float>(exact, i), truth) << i;
        ASSERT_NEAR(floatOf(uint32_t(read<uint16_t>(rounded, i)) << 16), truth,
                    std::fabs(truth) / 256)
            << i;
      }
    }
}

/// Holds weight `index` of `holder` to the order of attn/abi_device.h.
void expectNarrow(const Holder &holder, size_t index, const Panels &panels) {
  const int32_t bits = panels.layout.bits, pack = 32 / bits;
  const int64_t padded = (panels.columns + 63) / 64 * 64;
  const int64_t rowBytes = padded * bits / 8;
  const int64_t scalesAt = (panels.rows * rowBytes + 255) / 256 * 256;
  const int64_t stride = (panels.rows + 15) / 16 * 16;
  const int64_t groups =
      panels.layout.group
          ? (padded + panels.layout.group - 1) / panels.layout.group
          : 1;
  Bytes held = holder.held(index, scalesAt + 4 * groups * stride);
  const int64_t step = std::max<int64_t>(1, panels.rows / 50);
  for (int64_t row = 0; row < panels.rows; row += step) {
    int64_t wrong = 0;
    for (int64_t column = 0; column < padded; ++column) {
      int64_t within = column % 64, word = within / pack, k = within % pack;
      int64_t part = word % 4, j = word / 4;
      int64_t place = part * (bits / 2) + j;
      uint32_t bitsHeld;
      memcpy(&bitsHeld,
             &held[row * rowBytes + column / 64 * 8 * bits + 4 * place], 4);
      int64_t shift = bits * (k / 2 + k % 2 * (pack / 2));
      int32_t q = int32_t(bitsHeld << (32 - bits - shift)) >> (32 - bits);
      wrong += q != (column < panels.columns ? panels.at(row, column) : 0);
    }
    ASSERT_EQ(wrong, 0) << "row " << row;
  }
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t row = 0; row < stride; ++row) {
      bool isThere = row < panels.rows && group < panels.groups();
      ASSERT_EQ(read<float>(held, scalesAt / 4 + group * stride + row),
                isThere ? panels.scale(row, group) : 0)
          << "group " << group << ", row " << row;
    }
}

TEST_F(DeviceWeights, OfFewBitsStayWhatTheyAre) {
  for (int32_t bits : {8, 4})
    for (int64_t group : {0, 16, 32, 128})
      for (int64_t columns : {64, 72, 200}) {
        SCOPED_TRACE(std::to_string(bits) + " bits in groups of " +
                     std::to_string(group) + " of " + std::to_string(columns));
        Panels panels(21, columns, bits, group);
        Holder holder;
        holder.add({0, ATTN_I8, 21, columns, &panels.layout}, ATTN_U8,
                   panels.bytes);
        holder.open();
        ASSERT_EQ(holder.opened->status, ATTN_OK) << attnrt_last_error();
        expectNarrow(holder, 0, panels);
      }
}

TEST_F(DeviceWeights, GoPieceByPiece) {
  // Pieces of 4 MiB begin in the middle of a row.
  Panels wide(1030, 1100, 32, 0), narrow(4500, 1000, 8, 0);
  Bytes plain;
  for (int32_t i = 0; i < 1500 * 1000; ++i)
    append(plain, float(i));
  Holder holder;
  holder.add({0, ATTN_F32, 1030, 1100, &wide.layout}, ATTN_U8, wide.bytes);
  holder.add({0, ATTN_I8, 4500, 1000, &narrow.layout}, ATTN_U8, narrow.bytes);
  holder.add({0, ATTN_F32, 1500, 1000, nullptr}, ATTN_F32, plain);
  holder.open();
  ASSERT_EQ(holder.opened->status, ATTN_OK) << attnrt_last_error();
  Bytes held = holder.held(0, 4 * 1030 * 1100);
  int64_t wrong = 0;
  for (int64_t i = 0; i < 1030 * 1100; ++i)
    wrong += read<float>(held, i) != wide.value(i / 1100, i % 1100);
  EXPECT_EQ(wrong, 0);
  expectNarrow(holder, 1, narrow);
  plain.resize(4 * 1500 * 1000);
  EXPECT_TRUE(holder.held(2, plain.size()) == plain);
  EXPECT_GT(stub_calls("cuMemcpyHtoDAsync_v2"), 5u);
}

TEST_F(DeviceWeights, StopAtThePieceThatDoesNotArrive) {
  Panels wide(1100, 1000, 32, 0), narrow(300, 70, 4, 32);
  // Two pieces of one tensor; of the other its rows, then scales of four
  // groups.
  for (uint64_t nth = 0; nth < 7; ++nth) {
    stub_reset();
    stub_fail("cuMemcpyHtoDAsync_v2", nth, 998);
    Holder holder;
    holder.add({0, ATTN_F32, 1100, 1000, &wide.layout}, ATTN_U8, wide.bytes);
    holder.add({0, ATTN_I8, 300, 70, &narrow.layout}, ATTN_U8, narrow.bytes);
    holder.open();
    EXPECT_EQ(holder.opened->status, ATTN_ERROR_DEVICE) << nth;
    EXPECT_THAT(attnrt_last_error(), HasSubstr("uploading the weights")) << nth;
    EXPECT_EQ(stub_calls("cuMemcpyHtoDAsync_v2"), nth + 1);
    EXPECT_STREQ(stub_report(), "") << nth;
  }
}

TEST_F(DeviceWeights, CountWhatTheyPin) {
  Bytes bytes(64 * 1000);
  Holder holder;
  holder.add({0, ATTN_F32, 16, 1000, nullptr}, ATTN_F32, bytes);
  // The weights on the device, but not what they travel through.
  holder.most = 64 * 1000 + 64 * 600;
  holder.open();
  EXPECT_EQ(holder.opened->status, ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("pinned memory to upload the weights"));
}

TEST_F(DeviceWeights, LongRowsGoWhole) {
  // One row of more than a piece, and more rows than a piece has scales.
  Panels row(1, (int64_t(4) << 20) + 64, 8, 0), column(1050000, 2, 4, 0);
  Holder holder;
  holder.add({0, ATTN_I8, 1, row.columns, &row.layout}, ATTN_U8, row.bytes);
  holder.open();
  ASSERT_EQ(holder.opened->status, ATTN_OK) << attnrt_last_error();
  expectNarrow(holder, 0, row);
  Holder other;
  other.add({0, ATTN_I8, column.rows, 2, &column.layout}, ATTN_U8,
            column.bytes);
  other.open();
  ASSERT_EQ(other.opened->status, ATTN_OK) << attnrt_last_error();
  expectNarrow(other, 0, column);
}

//===-- adapters ----------------------------------------------------------===//

TEST_F(DeviceWeights, AdaptersStandForSomeOfThem) {
  auto filled = [](float value) {
    Bytes bytes;
    for (int32_t i = 0; i < 8; ++i)
      append(bytes, value + float(i));
    return bytes;
  };
  Holder holder;
  // Two weights of the model; one for each of two adapters.
  for (float first : {10, 20, 30, 40})
    holder.add({0, ATTN_F32, 2, 4, nullptr}, ATTN_F32, filled(first));
  holder.open({{2, 1}, {0, 3}}, 2);
  ASSERT_EQ(holder.opened->status, ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(holder.held(0, 32, 0), filled(10));
  EXPECT_EQ(holder.held(0, 32, 1), filled(30));
  EXPECT_EQ(holder.held(1, 32, 2), filled(40));
  EXPECT_EQ(holder.addressOf(1, 1), holder.addressOf(1));
  EXPECT_EQ(holder.addressOf(0, 2), holder.addressOf(0));
}

TEST_F(DeviceWeights, AdaptersCoverTheFirstTensorsOnly) {
  Holder holder;
  for (int32_t i = 0; i < 3; ++i) {
    Bytes bytes;
    append(bytes, float(i));
    holder.add({0, ATTN_F32, 1, 1, nullptr}, ATTN_F32, bytes);
  }
  holder.open({{2}}, 2);
  ASSERT_EQ(holder.opened->status, ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(read<float>(holder.held(0, 4, 1), 0), 2);
  EXPECT_EQ(holder.addressOf(1, 1), holder.addressOf(1));
}

TEST_F(DeviceWeights, NeedMemoryThatIsThere) {
  stub_machine(-1, 0, 4096, 0);
  Panels panels(2000, 64, 8, 0);
  Holder holder;
  holder.add({0, ATTN_I8, 2000, 64, &panels.layout}, ATTN_U8, panels.bytes);
  holder.open();
  EXPECT_EQ(holder.opened->status, ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(),
              HasSubstr("taking the GPU's memory for the weights: "
                        "CUDA_ERROR_OUT_OF_MEMORY"));
}

} // namespace
