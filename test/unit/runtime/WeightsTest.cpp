//===- WeightsTest.cpp - weights, right and wrong -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files, memory, embedded and beside the library; and every damage that a file
// can have, each with a message of its own.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace toy;
using testing::HasSubstr;

namespace {

attn_status openBytes(const std::vector<unsigned char> &bytes,
                      const attn_abi_library &library = toy::library) {
  AlignedBytes aligned(bytes);
  attn_options options = rightOptions();
  options.weights_data = aligned.data();
  options.weights_size = aligned.size();
  return Opened(options, library).status;
}

/// Expects `writer`'s file to be refused with `message`.
void expectDamaged(const WeightsWriter &writer, const char *message) {
  EXPECT_EQ(openBytes(writer.bytes()), ATTN_ERROR_WEIGHTS);
  EXPECT_THAT(attnrt_last_error(), HasSubstr(message));
}

/// Expects the right file with `from` replaced by `to` in its header to be
/// refused with `message`.
void expectHeaderRefused(const std::string &from, const std::string &to,
                         const char *message) {
  WeightsWriter writer;
  std::string header = writer.header();
  size_t at = header.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  header.replace(at, from.size(), to);
  EXPECT_EQ(openBytes(writer.bytes(header)), ATTN_ERROR_WEIGHTS) << to;
  EXPECT_THAT(attnrt_last_error(), HasSubstr(message));
}

TEST(Weights, RightInMemory) {
  EXPECT_EQ(openBytes(WeightsWriter().bytes()), ATTN_OK) << attnrt_last_error();
}

TEST(Weights, ExtraTensorsAndEscapedNamesAreFine) {
  WeightsWriter writer;
  writer.items.push_back(
      {"t\\u00e9\\\"", "I64", "[1,2]", std::vector<unsigned char>(16)});
  writer.items.push_back({"empty", "F16", "[0,5]", {}});
  std::string header = writer.header();
  header.replace(header.find("\"table\""), 7, "\"\\u0074abl\\u0065\"");
  EXPECT_EQ(openBytes(writer.bytes(header)), ATTN_OK) << attnrt_last_error();
}

TEST(Weights, NamesOfAllLengths) {
  WeightsWriter writer;
  writer.metadata["format"] = "pt";
  writer.items.push_back({"", "U8", "[0]", {}});
  for (const char *name : {"a", "tab", "tables", "tablet"})
    writer.items.push_back({name, "U8", "[0]", {}});
  EXPECT_EQ(openBytes(writer.bytes()), ATTN_OK) << attnrt_last_error();
  std::string name(400, 'n');
  writer.items.push_back({name, "U9", "[0]", {}});
  expectDamaged(writer,
                ("tensor " + name.substr(0, 200) + " has dtype U9").c_str());
  writer = WeightsWriter();
  writer.metadata["attn.content"] = name;
  expectDamaged(writer,
                ("with digest " + name.substr(0, 80) + ", where").c_str());
}

TEST(Weights, MemoryForEscapedNames) {
  WeightsWriter writer;
  writer.items.push_back({"\\u00e9", "U8", "[0]", {}});
  AlignedBytes bytes(writer.bytes());
  attn_status status = ATTN_ERROR_OUT_OF_MEMORY;
  bool sawNames = false;
  for (int64_t failAt = 0; status != ATTN_OK; ++failAt) {
    ASSERT_LT(failAt, 100);
    Counter counter;
    counter.failAt = failAt;
    attn_options options = rightOptions();
    options.weights_data = bytes.data();
    options.weights_size = bytes.size();
    options.allocator = &counter.allocator;
    status = Opened(options).status;
    EXPECT_EQ(counter.live, 0);
    sawNames |= strstr(attnrt_last_error(), "the weights' names: ") != nullptr;
  }
  EXPECT_TRUE(sawNames);
}

TEST(Weights, EveryTruncationIsRefused) {
  std::vector<unsigned char> whole = WeightsWriter().bytes();
  for (size_t size = 1; size < whole.size(); ++size) {
    std::vector<unsigned char> part(whole.begin(), whole.begin() + size);
    ASSERT_EQ(openBytes(part), ATTN_ERROR_WEIGHTS) << size;
  }
  whole.resize(whole.size() - 1);
  openBytes(whole);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("truncated"));
  whole.resize(5);
  openBytes(whole);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("5 bytes are no safetensors"));
}

TEST(Weights, HeaderLength) {
  for (uint64_t length : {uint64_t(1) << 63, UINT64_MAX, UINT64_MAX - 7}) {
    std::vector<unsigned char> bytes = WeightsWriter().bytes();
    std::memcpy(bytes.data(), &length, 8);
    EXPECT_EQ(openBytes(bytes), ATTN_ERROR_WEIGHTS);
    EXPECT_THAT(attnrt_last_error(),
                HasSubstr("should have " + std::to_string(length)));
  }
}

TEST(Weights, HeaderThatIsNotJson) {
  expectHeaderRefused("{\"__m", "[\"__m", "JSON");
  expectHeaderRefused("\"dtype\":", "\"dtype\"", "JSON");
  expectHeaderRefused("[100]", "[-100]", "tensor table is ill-formed");
  expectHeaderRefused("[100]", "[1e2]", "tensor table is ill-formed");
  expectHeaderRefused("[100]", "100", "tensor table is ill-formed");
  expectHeaderRefused("\"attn.abi\":\"1\"", "\"attn.abi\":1", "ill-formed");
  expectHeaderRefused("\"__metadata__\":{", "\"__metadata__\":1,\"x\":{",
                      "ill-formed");
  expectHeaderRefused("\"table\":{", "\"table\":1,\"x\":{",
                      "tensor table is ill-formed");
  expectHeaderRefused("\"F32\"", "32", "tensor table is ill-formed");
  expectHeaderRefused("[0,400]", "400", "tensor table is ill-formed");
  expectHeaderRefused("[0,400]", "[0,-400]", "tensor table is ill-formed");
  EXPECT_EQ(openBytes(WeightsWriter().bytes("[]")), ATTN_ERROR_WEIGHTS);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("not valid JSON at its byte 0"));
  // Nothing but metadata: the data belong to none.
  EXPECT_EQ(openBytes(WeightsWriter().bytes("{\"__metadata__\":{}}")),
            ATTN_ERROR_WEIGHTS);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("464 bytes after the last"));
}

TEST(Weights, TensorsThatSayTooLittle) {
  expectHeaderRefused("\"dtype\"", "\"type\"", "must have a dtype");
  expectHeaderRefused("\"shape\"", "\"form\"", "must have a dtype");
  expectHeaderRefused("[0,400]", "[0]", "must have a dtype");
  expectHeaderRefused("[0,400]", "[0,400,400]", "must have a dtype");
  expectHeaderRefused("\"F32\"", "\"F31\"", "dtype F31");
}

TEST(Weights, OffsetsOutOfBounds) {
  expectHeaderRefused("[0,400]", "[400,0]", "tensor table lies at 400 to 0");
  expectHeaderRefused("[0,400]", "[0,4000]", "lies at 0 to 4000 of 464");
  expectHeaderRefused("[0,400]", "[9223372036854775808,9223372036854776208]",
                      "of 464 bytes of data");
}

TEST(Weights, ShapesThatDoNotFitTheirBytes) {
  expectHeaderRefused("[100]", "[99]", "tensor table has 400 bytes");
  expectHeaderRefused("[100]", "[4294967296,4294967296]", "more than");
  expectHeaderRefused("[100]", "[4611686018427387904,25]", "more than");
}

TEST(Weights, OverlapsAndGaps) {
  expectHeaderRefused("[48],\"data_offsets\":[400,448]",
                      "[48],\"data_offsets\":[396,444]",
                      "tensors table and padding overlap by 4");
  expectHeaderRefused("[48],\"data_offsets\":[400,448]",
                      "[47],\"data_offsets\":[401,448]",
                      "1 bytes before tensor padding belong to none");
  std::vector<unsigned char> longer = WeightsWriter().bytes();
  longer.push_back(0);
  EXPECT_EQ(openBytes(longer), ATTN_ERROR_WEIGHTS);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("1 bytes after the last tensor"));
}

TEST(Weights, NamesThatStandTwice) {
  expectHeaderRefused("\"padding\"", "\"table\"", "tensor table stands twice");
  expectHeaderRefused("\"padding\":{", "\"__metadata__\":{\"a\":\"b\"},\"p\":{",
                      "__metadata__ twice");
}

TEST(Weights, MissingOrOtherTensors) {
  WeightsWriter writer;
  writer.item("scale").name = "scales";
  expectDamaged(writer, "tensor scale is missing");
  writer = WeightsWriter();
  writer.item("scale").dtype = "I32";
  expectDamaged(writer, "tensor scale is I32, but toy reads F32");
  writer = WeightsWriter();
  writer.item("scale").shape = "[5]";
  writer.item("scale").data.resize(20);
  expectDamaged(writer, "tensor scale has 20 bytes, but toy reads 16");
  writer = WeightsWriter();
  writer.item("padding").shape = "[16]";
  writer.item("padding").data.resize(16);
  expectDamaged(writer, "not a multiple of 64");
}

TEST(Weights, OfAnotherModel) {
  WeightsWriter writer;
  writer.metadata["attn.layout"] = "layout02";
  expectDamaged(writer, "of another layout, layout02");
  writer = WeightsWriter();
  writer.metadata["attn.content"] = "content02";
  expectDamaged(writer, "of another model, with digest content02");
  for (const char *key : {"attn.abi", "attn.layout", "attn.content"}) {
    writer = WeightsWriter();
    writer.metadata.erase(key);
    expectDamaged(writer, key);
  }
  writer = WeightsWriter();
  writer.metadata["attn.abi"] = "2";
  EXPECT_EQ(openBytes(writer.bytes()), ATTN_ERROR_ABI);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("ABI version 2"));
}

TEST(Weights, FromFiles) {
  TemporaryFolder folder;
  std::string path = folder / "some.weights";
  writeFile(path, WeightsWriter().bytes());
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 1;
  options.weights_path = path.c_str();
  Opened opened(options);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_THAT(info(opened.model), HasSubstr("\"mapped\":true"));
  EXPECT_THAT(info(opened.model), HasSubstr(path));
  Call call(3, 5);
  EXPECT_EQ(call.run(opened.session), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

TEST(Weights, FilesThatCannotBeRead) {
  TemporaryFolder folder;
  std::string path = folder / "none.weights";
  attn_options options = ATTN_OPTIONS_INIT;
  options.weights_path = path.c_str();
  EXPECT_EQ(Opened(options).status, ATTN_ERROR_IO);
  EXPECT_THAT(attnrt_last_error(), HasSubstr(path + ": No such file"));
  options.weights_path = folder.path.c_str();
  EXPECT_EQ(Opened(options).status, ATTN_ERROR_IO);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("not a regular file"));
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  options.weights_path = path.c_str();
  EXPECT_EQ(Opened(options).status, ATTN_ERROR_IO);
  std::string empty = folder / "empty.weights";
  writeFile(empty, {});
  options.weights_path = empty.c_str();
  EXPECT_EQ(Opened(options).status, ATTN_ERROR_WEIGHTS);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("0 bytes are no safetensors"));
}

TEST(Weights, Embedded) {
  attn_abi_library embedded = library;
  embedded.embedded_weights =
      static_cast<const unsigned char *>(rightWeights().data());
  embedded.embedded_weights_size = rightWeights().size();
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 1;
  Opened opened(options, embedded);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_THAT(info(opened.model), HasSubstr("embedded in the library"));
  embedded.embedded_weights += 8;
  EXPECT_EQ(Opened(options, embedded).status, ATTN_ERROR_WEIGHTS);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("not a multiple of 64"));
}

TEST(Weights, BesideTheProgram) {
  // This test links the toy statically: its weights lie beside the program.
  attn_abi_library named = library;
  std::string name = "toy-" + std::to_string(getpid());
  named.name = name.c_str();
  std::filesystem::path path =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() /
      (name + ".weights");
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 1;
  static attn_abi_library inProgram;
  inProgram = named;
  EXPECT_EQ(Opened(options, inProgram).status, ATTN_ERROR_IO);
  EXPECT_THAT(attnrt_last_error(), HasSubstr(path.string()));
  writeFile(path, WeightsWriter().bytes());
  EXPECT_EQ(Opened(options, inProgram).status, ATTN_OK) << attnrt_last_error();
  // Tables that lie in no file at all count as the program's.
  EXPECT_EQ(Opened(options, named).status, ATTN_OK) << attnrt_last_error();
  std::filesystem::remove(path);
}

/// The toy as a shared library in a folder of its own, loaded anew.
struct LoadedToy {
  explicit LoadedToy(const TemporaryFolder &folder) {
    std::string path = folder / "libtoy.so";
    std::filesystem::copy_file(TOY_LIBRARY, path,
                               std::filesystem::copy_options::skip_existing);
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      ADD_FAILURE() << dlerror();
    else
      library = reinterpret_cast<const attn_library *(*)()>(
          dlsym(handle, "toy_library"))();
  }
  ~LoadedToy() { dlclose(handle); }
  void *handle;
  const attn_library *library = nullptr;
};

size_t threadsOfProcess() {
  size_t count = 0;
  for (const auto &entry :
       std::filesystem::directory_iterator("/proc/self/task")) {
    (void)entry;
    ++count;
  }
  return count;
}

TEST(Weights, BesideTheSharedLibraryWhichUnloads) {
  TemporaryFolder folder;
  size_t threads = threadsOfProcess();
  {
    LoadedToy toy(folder);
    attn_options options = ATTN_OPTIONS_INIT;
    options.threads = 3;
    attn_model *model = nullptr;
    EXPECT_EQ(toy.library->open(&options, &model), ATTN_ERROR_IO);
    EXPECT_THAT(toy.library->last_error(), HasSubstr(folder / "toy.weights"));
  }
  writeFile(folder / "toy.weights", WeightsWriter().bytes());
  for (int round = 0; round < 20; ++round) {
    LoadedToy toy(folder);
    attn_options options = ATTN_OPTIONS_INIT;
    options.threads = 3;
    attn_model *model = nullptr;
    attn_session *session = nullptr;
    ASSERT_EQ(toy.library->open(&options, &model), ATTN_OK)
        << toy.library->last_error();
    ASSERT_EQ(toy.library->session_open(model, &session), ATTN_OK);
    Call call(4, 9, round);
    attn_buffer inputs[] = {{call.arguments[0], 144}, {call.arguments[1], 144}};
    attn_buffer outputs[] = {{call.arguments[2], 64}, {call.arguments[3], 16}};
    EXPECT_EQ(toy.library->call(session, "scale", call.sizes, 2, inputs, 2,
                                outputs, 2),
              ATTN_OK)
        << toy.library->last_error();
    EXPECT_TRUE(call.isRight());
    toy.library->session_close(session);
    toy.library->close(model);
  }
  EXPECT_EQ(threadsOfProcess(), threads);
}

/// A relative path is of the folder that was the working one at that time.
TEST(Weights, BesideALibraryThatWasLoadedByARelativePath) {
  TemporaryFolder folder, elsewhere;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::copy_file(TOY_LIBRARY, folder / "libtoy.so");
  // More mappings than are read at once, some of them with long names.
  const std::string name = folder / std::string(200, 'x');
  writeFile(name, std::vector<unsigned char>(4096));
  std::vector<void *> mappings;
  const int file = open(name.c_str(), O_RDONLY);
  for (int i = 0; i < 100; ++i)
    mappings.push_back(mmap(nullptr, 4096, i % 2 ? PROT_READ : PROT_NONE,
                            MAP_PRIVATE, file, 0));
  close(file);
  std::filesystem::current_path(folder.path);
  void *handle = dlopen("./libtoy.so", RTLD_NOW | RTLD_LOCAL);
  std::filesystem::current_path(elsewhere.path);
  ASSERT_NE(handle, nullptr) << dlerror();
  const attn_library *toy = reinterpret_cast<const attn_library *(*)()>(
      dlsym(handle, "toy_library"))();
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 1;
  attn_model *model = nullptr;
  EXPECT_EQ(toy->open(&options, &model), ATTN_ERROR_IO);
  EXPECT_THAT(toy->last_error(), HasSubstr(folder / "toy.weights"));
  writeFile(folder / "toy.weights", WeightsWriter().bytes());
  EXPECT_EQ(toy->open(&options, &model), ATTN_OK) << toy->last_error();
  toy->close(model);
  // The folder of that name comes first: weights may lie beside a link.
  writeFile(elsewhere / "toy.weights", {1, 2, 3});
  EXPECT_EQ(toy->open(&options, &model), ATTN_ERROR_WEIGHTS);
  EXPECT_THAT(toy->last_error(), HasSubstr("./toy.weights"));
  std::filesystem::current_path(before);
  dlclose(handle);
  for (void *mapping : mappings)
    munmap(mapping, 4096);
}

} // namespace
