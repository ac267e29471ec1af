//===- ReaderTest.cpp - edges of the readers of a model's files -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files that are no files, far too large, or end in the midst of something;
// folders that lie otherwise than usual; names of libraries.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"
#include "compiler/import/Config.h"
#include "compiler/import/Folder.h"
#include "compiler/import/Json.h"
#include "compiler/import/LibraryName.h"
#include "dialects/attn/Attn.h"
#include <filesystem>

using namespace attnc;
using llvm::json::Array;
using llvm::json::Object;

namespace {
class Reader : public ImportFixture {
protected:
  /// Refused, with the scratch folder as it was before put back.
  void refuseFile(llvm::StringRef file, llvm::StringRef text,
                  llvm::StringRef code, std::vector<std::string> parts) {
    std::string before = read(file);
    write(file, text);
    expectRefused(code, std::move(parts));
    write(file, before);
  }
};
} // namespace

TEST_F(Reader, JsonThatEndsAnywhere) {
  for (llvm::StringRef text :
       {"", "\"", "\"a", "\"a\\", "{\"a\\", "{\"\\u12\": 1}", "]", "}", ",",
        "[1}", "{\"a\" 1}", "{\"\\q\": 1, \"\\q\": 2}", "nul", "1 2"}) {
    llvm::Expected<llvm::json::Value> value = parseJson(text);
    EXPECT_FALSE(bool(value)) << text.str();
    if (!value)
      llvm::consumeError(value.takeError());
  }
  llvm::Expected<llvm::json::Value> twice =
      parseJson(R"({"a": [{"b": 1, "b": 2}], "c": 1, "c": 2})");
  ASSERT_FALSE(bool(twice));
  EXPECT_EQ(llvm::toString(twice.takeError()),
            "the key 'b' stands twice in one object");
  llvm::Expected<llvm::json::Value> spelled =
      parseJson(R"({"\u0061": 1, "a": 2})");
  ASSERT_FALSE(bool(spelled));
  llvm::consumeError(spelled.takeError());
  EXPECT_EQ(describeKind(nullptr), "null");
  EXPECT_EQ(describeKind(true), "true or false");
  EXPECT_EQ(quote(std::string(200, 'a')), "'" + std::string(120, 'a') + "...'");
}

TEST_F(Reader, NamesOfLibraries) {
  for (llvm::StringRef name : {"a", "_", "_a", "a_1", "A", "a__b", "integer"})
    EXPECT_TRUE(isNameInC(name)) << name.str();
  for (llvm::StringRef name : {"", "1a", "a-b", "a b", "\xC3\xA9", "__a", "_A",
                               "int", "class", "attn_status", "xor"})
    EXPECT_FALSE(isNameInC(name)) << name.str();
  auto made = [&](llvm::StringRef path) {
    auto name = chooseLibraryName(context, "", path);
    return succeeded(name) ? *name : "none";
  };
  EXPECT_EQ(made("/"), "_");
  EXPECT_EQ(made("/x/model.mlir"), "model");
  EXPECT_EQ(made("/x/3-b.c/"), "_3_b_c");
}

TEST_F(Reader, PathsThatLeaveTheFolder) {
  for (llvm::StringRef path : {"a", "a/b", "./a", "a..b", ""})
    EXPECT_TRUE(staysInside(path)) << path.str();
  for (llvm::StringRef path :
       {llvm::StringRef("/a"), llvm::StringRef("../a"), llvm::StringRef("a/.."),
        llvm::StringRef("a\0b", 3)})
    EXPECT_FALSE(staysInside(path)) << path.str();
}

TEST_F(Reader, ConfigurationsThatAreNoFiles) {
  copy("tiny-bert");
  llvm::sys::fs::remove(path("config.json"));
  llvm::sys::fs::create_directories(path("config.json"));
  expectRefused("A0102", {"cannot read " + path("config.json")});
  llvm::sys::fs::remove(path("config.json"));
  // Larger than any configuration; it has no bytes on the disk.
  std::ofstream(path("config.json")).close();
  std::filesystem::resize_file(path("config.json"), 65 << 20);
  expectRefused("A0102", {"cannot read " + path("config.json"), "too large"});
}

TEST_F(Reader, ShardsAndTheirIndex) {
  copy("tiny-masked");
  llvm::StringRef index = "model.safetensors.index.json";
  refuseFile(index, "{", "A0103", {index.str() + " is not valid JSON"});
  // A tensor that is in the other shard.
  llvm::json::Value root = llvm::cantFail(llvm::json::parse(read(index)));
  Object &map = *root.getAsObject()->getObject("weight_map");
  auto &[name, shard] = *map.begin();
  bool first = shard.getAsString()->contains("00001");
  std::string tensor = name.str();
  map[tensor] = first ? "model-00002-of-00002.safetensors"
                      : "model-00001-of-00002.safetensors";
  std::string text;
  llvm::raw_string_ostream(text) << root;
  refuseFile(index, text, "A0114", {"tensor '" + tensor + "' is said"});
  // Without the index each file counts, and each must be good.
  llvm::sys::fs::remove(path(index));
  refuseFile("model-00002-of-00002.safetensors", "", "A0202",
             {"model-00002-of-00002.safetensors"});
}

TEST_F(Reader, WeightsOfFlax) {
  copy("tiny-bert");
  llvm::sys::fs::remove(path("model.safetensors"));
  write("flax_model.msgpack", "");
  expectRefused("A0111", {"in flax_model.msgpack only", "from_flax=True"});
}

TEST_F(Reader, FilesThatTravel) {
  copy("tiny-sentence");
  write("Licence.txt", "text");
  write("NOTICE", "text");
  write("LICENSE-2", "text");
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  std::vector<std::string> names;
  for (const ModelFile &file : model->files)
    if (llvm::StringRef(file.name).starts_with("license/"))
      names.push_back(file.name);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "license/LICENSE", "license/LICENSE-2",
                       "license/Licence.txt", "license/NOTICE"}));
  refuseFile("tokenizer_config.json", "{", "A0103", {"tokenizer_config.json"});
}

TEST_F(Reader, ATransformerInAFolderOfItsOwn) {
  // Its tokenizer stands at the top, as in some sentence encoders.
  copy("tiny-sentence");
  for (llvm::StringRef file : {"config.json", "model.safetensors"}) {
    write("0_Transformer/" + file.str(), read(file));
    llvm::sys::fs::remove(path(file));
  }
  std::string modules = read("modules.json");
  size_t at = modules.find("\"path\": \"\"");
  ASSERT_NE(at, std::string::npos) << modules;
  modules.replace(at, 10, "\"path\": \"0_Transformer\"");
  write("modules.json", modules);
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(model->files.front().name, "tokenizer/vocab.txt");
  // Unless it has one beside it.
  write("0_Transformer/vocab.txt", read("vocab.txt"));
  model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(model->files.front().path, path("0_Transformer/vocab.txt"));
}

TEST_F(Reader, ModulesOfSentenceEncoders) {
  copy("tiny-sentence");
  const char *modules = "modules.json";
  refuseFile(modules, "[1]", "A0120", {"not an object with 'type' and 'path'"});
  refuseFile(modules, R"([{"path": ""}])", "A0120", {"not an object with"});
  refuseFile(modules, R"([{"type": "a"}])", "A0120", {"not an object with"});
  refuseFile(modules, "{", "A0103", {"modules.json is not valid JSON"});
  refuseFile("1_Pooling/config.json", "{", "A0103", {"1_Pooling"});
  refuseFile("2_Dense/config.json", "{", "A0103", {"2_Dense"});
  write("config_sentence_transformers.json", "{");
  expectRefused("A0103", {"config_sentence_transformers.json"});
  llvm::sys::fs::remove(path("config_sentence_transformers.json"));
  // Newer versions give the last module a configuration.
  std::string list = read(modules);
  size_t at = list.find("_Normalize");
  ASSERT_NE(at, std::string::npos) << list;
  std::string file = list.substr(at - 1, 11) + "/config.json";
  write(file, "{}");
  EXPECT_NE(import(), nullptr) << messages;
  write(file, R"({"module_input_name": "token_embeddings"})");
  expectRefused("A0122", {"'module_input_name' is 'token_embeddings'"});
  write(file, "{");
  expectRefused("A0103", {file});
  llvm::sys::fs::remove(path(file));
  edit("2_Dense/config.json", "activation_function", "");
  expectRefused("A0122", {"names '', which is not known"});
}

TEST_F(Reader, TextOfPrograms) {
  write("folder.mlir/file", "");
  EXPECT_EQ(importModel(context, path("folder.mlir"), {}), nullptr);
  copy("tiny-bert");
  auto import = [&](llvm::StringRef sizes, llvm::StringRef name = "") {
    write("program.mlir",
          "module attributes {attn.files = [\"model.safetensors\"]} {" +
              sizes.str() + "}");
    ImportOptions options;
    options.name = name.str();
    messages.clear();
    return importModel(context, path("program.mlir"), options);
  };
  std::unique_ptr<ImportedModel> model = import("");
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_TRUE(model->files.empty());
  model = import("attn.size @seq min 1 max 30");
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(model->maxLength, 30);
  EXPECT_FALSE(model->files.empty());
  EXPECT_EQ(import("attn.size @seq min 1 max 30", "a-b"), nullptr);
  expectSaid("A0613", {"'a-b'"});
  write("tokenizer_config.json", "{");
  EXPECT_EQ(import("attn.size @seq min 1 max 30"), nullptr);
  expectSaid("A0103", {"tokenizer_config.json"});
}

TEST_F(Reader, ListsInConfigurations) {
  ConfigFile file{"config.json", Object{{"both", Array{1, 2}},
                                        {"few", Array{1}},
                                        {"text", Array{"a", 1}},
                                        {"large", Array{1, 99}},
                                        {"small", Array{0, 1}},
                                        {"one", 3},
                                        {"none", nullptr},
                                        {"words", "A | b"},
                                        {"list", Array{"a", "b"}},
                                        {"half", 1.5}}};
  using Integers = std::vector<int64_t>;
  using Strings = std::vector<std::string>;
  ConfigReader good(&context, file);
  EXPECT_EQ(good.getIntegers("both", 2, 1, 9), (Integers{1, 2}));
  EXPECT_EQ(good.getIntegers("one", 2, 1, 9), (Integers{3, 3}));
  EXPECT_EQ(good.getStrings("list"), (Strings{"a", "b"}));
  EXPECT_EQ(good.getStrings("none"), Strings());
  EXPECT_EQ(good.getWords("words"), (Strings{"a", "b"}));
  EXPECT_EQ(good.getWords("list"), (Strings{"a", "b"}));
  EXPECT_EQ(good.getWords("absent"), Strings());
  EXPECT_EQ(good.getString("none", "b"), "b");
  EXPECT_FALSE(good.failed()) << messages;
  auto refused = [&](llvm::StringRef message, auto read) {
    ConfigReader config(&context, file);
    messages.clear();
    read(config);
    EXPECT_TRUE(config.failed());
    EXPECT_NE(messages.find(message.str()), std::string::npos) << messages;
  };
  for (llvm::StringRef key : {"few", "text", "large", "small"})
    refused("is an array; expected 2 whole numbers from 1 to 9",
            [&](ConfigReader &config) { config.getIntegers(key, 2, 1, 9); });
  refused("[A0105]", [](ConfigReader &c) { c.getStrings("one"); });
  refused("[A0105]", [](ConfigReader &c) { c.getStrings("text"); });
  refused("[A0105]", [](ConfigReader &c) { c.getString("one"); });
  refused("[A0105]", [](ConfigReader &c) { c.getInteger("half", 1, 9); });
  refused("[A0104]", [](ConfigReader &c) { c.getIntegers("absent", 2, 1, 9); });
  refused("[A0106]", [](ConfigReader &c) { c.getInteger("one", 4, 9); });
  refused("[A0106]", [](ConfigReader &c) { c.getNumber("one", 0, 2); });
  refused("[A0109]", [](ConfigReader &c) { c.refuseIfSet("list", "a list"); });
}
