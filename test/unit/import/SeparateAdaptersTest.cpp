//===- SeparateAdaptersTest.cpp - adapters that sessions choose -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which weights there are, for every choice, and what is refused. That they
// compute what PEFT does is test/numerics/separate-adapters.test's.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/SeparateAdapters.h"
#include "ImportFixture.h"

using namespace attnc;

namespace {

class SeparateAdaptersTest : public ImportFixture {
protected:
  void SetUp() override {
    ImportFixture::SetUp();
    copy("tiny-bert");
    copy("adapters/tiny-bert-lora", "lora");
    copy("adapters/tiny-bert-dora", "dora");
    options.adapters = {path("lora"), path("dora")};
    options.joinsProjections = false; // queries, keys and values each by itself
  }

  static attn::WeightOp find(ImportedModel &model, llvm::StringRef name) {
    return model.module->lookupSymbol<attn::WeightOp>(name);
  }
  /// A weight's numbers in a choice.
  static std::vector<float> get(ImportedModel &model, llvm::StringRef name,
                                std::optional<unsigned> choice) {
    llvm::Expected<std::vector<float>> numbers =
        model.weights.materialize(find(model, name), choice);
    EXPECT_TRUE(bool(numbers)) << name.str();
    return numbers ? std::move(*numbers) : std::vector<float>();
  }
  static bool isAll(llvm::ArrayRef<float> numbers, float value) {
    return !numbers.empty() &&
           llvm::all_of(numbers, [&](float number) { return number == value; });
  }

  ImportOptions options;
  const std::string query = "layer.0.attention.self.query.weight";
  const std::string key = "layer.0.attention.self.key.weight";
};

TEST_F(SeparateAdaptersTest, WeightsOfEveryChoice) {
  std::unique_ptr<ImportedModel> model = import(options);
  ASSERT_TRUE(model) << messages;
  EXPECT_EQ(model->weights.choices(),
            llvm::ArrayRef<std::string>({"lora", "dora"}));
  // lora changes queries and values by rank 3, dora all others by rank 2.
  attn::WeightOp down = find(*model, query + ".adapter.down");
  ASSERT_TRUE(down);
  EXPECT_EQ(down.getType().getShape(), llvm::ArrayRef<int64_t>({3, 20}));
  EXPECT_TRUE(model->weights.differs(down, 0));
  EXPECT_FALSE(model->weights.differs(down, 1));
  EXPECT_FALSE(find(*model, query + ".adapter.factor"));
  EXPECT_FALSE(model->weights.differs(find(*model, query), 0));
  // Without an adapter, and with one that leaves this weight alone: nothing.
  for (std::optional<unsigned> choice : {std::optional<unsigned>(), {1u}}) {
    EXPECT_TRUE(isAll(get(*model, query + ".adapter.down", choice), 0));
    EXPECT_TRUE(isAll(get(*model, query + ".adapter.up", choice), 0));
  }
  EXPECT_FALSE(isAll(get(*model, query + ".adapter.down", 0), 0));
  EXPECT_TRUE(isAll(get(*model, key + ".adapter.factor", std::nullopt), 1));
  EXPECT_TRUE(isAll(get(*model, key + ".adapter.factor", 0), 1));
  EXPECT_FALSE(isAll(get(*model, key + ".adapter.factor", 1), 1));
}

TEST_F(SeparateAdaptersTest, ProjectionsShareTheModelsWeight) {
  options.joinsProjections = true;
  std::unique_ptr<ImportedModel> model = import(options);
  ASSERT_TRUE(model) << messages;
  const std::string joined = "layer.0.attention.self.qkv.weight";
  attn::WeightOp weight = find(*model, joined);
  ASSERT_TRUE(weight);
  EXPECT_EQ(weight.getType().getShape(), llvm::ArrayRef<int64_t>({60, 20}));
  // Ranks one after the other: 3, 2 and 3.
  attn::WeightOp down = find(*model, joined + ".adapter.down");
  ASSERT_TRUE(down);
  EXPECT_EQ(down.getType().getShape(), llvm::ArrayRef<int64_t>({8, 20}));
  EXPECT_TRUE(model->weights.differs(down, 0));
  EXPECT_TRUE(model->weights.differs(down, 1));
  EXPECT_FALSE(find(*model, query + ".adapter.down"));
}

/// The program of a library that keeps more adapters apart than one knows.
TEST_F(SeparateAdaptersTest, RanksAreThoseOfALibrary) {
  options.joinsProjections = true;
  std::unique_ptr<ImportedModel> library = import(options);
  ASSERT_TRUE(library) << messages;
  const std::string joined = "layer.0.attention.self.qkv.weight";
  const std::string value = "layer.0.attention.self.value.weight";
  const auto &ranks = library->weights.adapterRanks;
  EXPECT_EQ(
      ranks.at("encoder." + query + "|encoder." + key + "|encoder." + value),
      (std::vector<int64_t>{3, 2, 3}));

  options.adapters = {path("lora")};
  options.adapterRanks.emplace();
  for (const auto &[tensors, each] : ranks) {
    llvm::SmallVector<llvm::StringRef> names;
    llvm::StringRef(tensors).split(names, '|');
    for (auto [name, rank] : llvm::zip_equal(names, each))
      (*options.adapterRanks)[name.str()] = rank;
  }
  std::unique_ptr<ImportedModel> alone = import(options);
  ASSERT_TRUE(alone) << messages;
  for (const char *part : {".adapter.down", ".adapter.up"})
    EXPECT_EQ(get(*alone, joined + part, 0), get(*library, joined + part, 0));
  // What lora leaves alone has no products, whatever the ranks.
  const std::string other = "layer.0.intermediate.dense.weight.adapter.down";
  EXPECT_TRUE(find(*library, other));
  EXPECT_FALSE(find(*alone, other));
}

/// The text of an entry's body.
static std::string printBody(attn::EntryOp entry) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  for (mlir::Operation &op : entry.getBody().front())
    stream << op << "\n";
  return text;
}

TEST_F(SeparateAdaptersTest, TheModelsOwnEntriesStay) {
  std::unique_ptr<ImportedModel> plain = import({});
  std::unique_ptr<ImportedModel> model = import(options);
  ASSERT_TRUE(plain && model) << messages;
  auto own = plain->module->getOps<attn::EntryOp>();
  auto both = llvm::to_vector(model->module->getOps<attn::EntryOp>());
  const size_t count = llvm::range_size(own);
  ASSERT_EQ(both.size(), 2 * count);
  for (auto [index, entry] : llvm::enumerate(own)) {
    EXPECT_EQ(both[index].getSymName(), entry.getSymName());
    EXPECT_EQ(printBody(both[index]), printBody(entry));
    EXPECT_EQ(both[count + index].getSymName().str(),
              entry.getSymName().str() + "_adapted");
    EXPECT_NE(printBody(both[count + index]), printBody(entry));
  }
}

TEST_F(SeparateAdaptersTest, RanksAreFilledUp) {
  copy("adapters/tiny-bert-lora", "narrow");
  edit("narrow/adapter_config.json", "lora_alpha", 9);
  options.adapters = {"a=" + path("lora"), "b=" + path("narrow")};
  std::unique_ptr<ImportedModel> model = import(options);
  ASSERT_TRUE(model) << messages;
  std::vector<float> a = get(*model, query + ".adapter.up", 0),
                     b = get(*model, query + ".adapter.up", 1);
  // The same matrices; only the scale is another: 9 / 3 to 7 / 3.
  EXPECT_EQ(get(*model, query + ".adapter.down", 0),
            get(*model, query + ".adapter.down", 1));
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_FLOAT_EQ(b[i], a[i] * 9 / 7);
}

TEST_F(SeparateAdaptersTest, Names) {
  options.adapters = {path("lora"), path("lora")};
  expectRefused("A0245", {"two adapters have the name 'lora'", "NAME=DIR"},
                options);
  for (std::string name : {"", "a b", "ä", "a/b"}) {
    options.adapters = {name + "=" + path("lora")};
    messages.clear();
    EXPECT_EQ(import(options), nullptr) << name;
    EXPECT_NE(messages.find("A0245"), std::string::npos) << messages;
  }
  options.adapters = {path("lora") + "/", "other.one-2=" + path("lora")};
  std::unique_ptr<ImportedModel> model = import(options);
  ASSERT_TRUE(model) << messages;
  EXPECT_EQ(model->weights.choices(),
            llvm::ArrayRef<std::string>({"lora", "other.one-2"}));
}

TEST_F(SeparateAdaptersTest, WhatCannotBeApart) {
  // An embedding is looked up.
  copy("adapters/tiny-bert-ranks", "ranks");
  options.adapters = {path("ranks")};
  expectRefused("A0244", {"'attn.embedding' uses", "--adapter=DIR"}, options);
  // A tensor that only the adapter has.
  edit("lora/adapter_config.json", "modules_to_save",
       llvm::json::Array{"word_embeddings"});
  options.adapters = {path("lora")};
  EXPECT_NE(import(options), nullptr) << messages;
  // Folders of another kind are refused as they are when merged.
  edit("dora/adapter_config.json", "bias", "all");
  options.adapters = {path("dora")};
  expectRefused("A0241", {"known is 'none'"}, options);
  options.adapters = {path("nowhere")};
  EXPECT_EQ(import(options), nullptr);
}

TEST_F(SeparateAdaptersTest, MatricesTheOtherWayRound) {
  edit("lora/adapter_config.json", "fan_in_fan_out", true);
  options.adapters = {path("lora")};
  expectRefused("A0243", {"'fan_in_fan_out' is true"}, options);
}

TEST_F(SeparateAdaptersTest, OtherModels) {
  copy("adapters/qwen2-lora", "qwen");
  options.adapters = {path("lora"), path("qwen")};
  expectRefused("A0242", {"qwen", "has no tensor in the model"}, options);
  // A head that the model lacks, and one of another shape.
  copy("adapters/bert-sequence-head", "head");
  options.adapters = {path("head")};
  copy("families/bert-masked");
  expectRefused("A0244", {"no tensor 'classifier", "sessions without"},
                options);
  copy("families/bert-sequence");
  std::string bytes = read("head/adapter_model.safetensors");
  size_t at = bytes.find("[3,12]");
  ASSERT_NE(at, std::string::npos);
  write("head/adapter_model.safetensors", bytes.replace(at, 6, "[4, 9]"));
  expectRefused("A0243", {"the tensor 'classifier", "the model's is"}, options);
}

/// A program with a product by a tensor that lora changes; `fused` is its
/// region.
static std::string makeProgram(llvm::StringRef attributes,
                               llvm::StringRef fused) {
  return ("module attributes {attn.files = [\"model.safetensors\"]" +
          attributes +
          R"(} {
  attn.weight @w from ["encoder.layer.0.attention.self.query.weight"] : tensor<20x20xf32>
  attn.entry @main(%x: tensor<3x20xf32> {attn.name = "x"}) -> (tensor<3x20xf32> {attn.name = "y"}) sizes [] {
    %w = attn.get_weight @w : tensor<20x20xf32>
    %y = attn.linear %x, %w )" +
          fused + R"( : tensor<3x20xf32>, tensor<20x20xf32> -> tensor<3x20xf32>
    attn.return %y : tensor<3x20xf32>
  }
}
)")
      .str();
}

TEST_F(SeparateAdaptersTest, EntriesThatNoAdapterChanges) {
  options.adapters = {path("lora")};
  std::string program = makeProgram("", "");
  const std::string other =
      R"(attn.entry @other(%x: tensor<3xf32> {attn.name = "x"}) -> () sizes [] {
    attn.return
  }
)";
  write("program.mlir", program.insert(program.rfind('}'), other));
  std::unique_ptr<ImportedModel> model =
      importModel(context, path("program.mlir"), options);
  ASSERT_TRUE(model) << messages;
  EXPECT_TRUE(model->module->lookupSymbol("main_adapted"));
  EXPECT_FALSE(model->module->lookupSymbol("other_adapted"));
}

TEST_F(SeparateAdaptersTest, Programs) {
  // The file's other products are none of this program's: an adapter of all of
  // them leaves them out.
  options.adapters = {path("lora")};
  write("program.mlir", makeProgram("", ""));
  std::unique_ptr<ImportedModel> model =
      importModel(context, path("program.mlir"), options);
  ASSERT_TRUE(model) << messages;
  EXPECT_TRUE(find(*model, "w.adapter.up"));
  // Taken up again it has its products, and finds its adapters by itself.
  std::string dumped = print(*model->module);
  write("dumped.mlir", dumped);
  model = importModel(context, path("dumped.mlir"), {});
  ASSERT_TRUE(model) << messages;
  EXPECT_EQ(print(*model->module), dumped);
  EXPECT_EQ(model->weights.choices().size(), 1u);
  // But others it has no products for.
  options.adapters = {path("dora")};
  messages.clear();
  EXPECT_EQ(importModel(context, path("dumped.mlir"), options), nullptr);
  expectSaid("A0244", {"no adapter changes 'encoder.layer.0."});

  // Nor can it name what no product is of.
  for (auto [name, part] :
       {std::pair<llvm::StringRef, llvm::StringRef>(
            "encoder.layer.0.attention.self.query.bias", "' is [20]"),
        {"encoder.layer.0.attention.self.query.weight|encoder.layer.0.output."
         "dense.weight",
         "dense.weight' is [20, 36]"},
        {"nobody", "'nobody' is in no weights file"},
        {"", "'' is in no weights file"}}) {
    std::string changed = dumped;
    for (size_t at = 0; (at = changed.find(".down:enc", at)) != changed.npos;) {
      at += 6;
      changed.replace(at, changed.find('"', at) - at, name.str());
    }
    messages.clear();
    write("changed.mlir", changed);
    EXPECT_EQ(importModel(context, path("changed.mlir"), {}), nullptr);
    expectSaid("A0244", {part.str()});
  }

  options.adapters = {path("lora")};
  messages.clear();
  write("program.mlir", makeProgram("", R"(element() {
    ^bb0(%acc: f32):
      %twice = arith.addf %acc, %acc : f32
      attn.yield %twice : f32
    })"));
  EXPECT_EQ(importModel(context, path("program.mlir"), options), nullptr);
  expectSaid("A0244", {"before what is fused already"});
  messages.clear();
  write("program.mlir", makeProgram(", attn.stage = \"fuse-qkv\"", ""));
  EXPECT_EQ(importModel(context, path("program.mlir"), options), nullptr);
  expectSaid("A0244", {"one of a later stage"});
}

} // namespace
