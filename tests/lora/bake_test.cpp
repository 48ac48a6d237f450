// Baking, weight by weight.
#include "lora/bake.h"

#include <fstream>

#include "io/io_test.h"
#include "lora/merge_weights.h"
#include "nn/layers.h"
#include "small_lora.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

std::shared_ptr<const LoraFile> small() {
  auto lora = std::make_shared<LoraFile>();
  lora->modules = test::small_lora();
  return lora;
}

BakeRequest request_of(std::vector<WeightedLora> loras, std::optional<DType> storage = {}) {
  return {std::move(loras), storage, {{"negativa.baked", "[]"}}};
}

ModelFiles baked(const ModelFiles& model, const BakeRequest& request, const fs::path& folder) {
  const CancelToken cancel;
  fs::create_directories(folder);
  bake(model, request, folder, cancel, [] {});
  return open_model(folder);
}

// Every weight is the model's, plus what the LoRAs add to it, in that number format.
void expect_baked(const ModelFiles& got, const ModelFiles& model, const BakeRequest& request, std::optional<DType> storage = {}) {
  for (const char* part : {"unet", "vae", "text_encoder", "text_encoder_2"}) {
    const auto before = model.weights(part), after = got.weights(part);
    ASSERT_EQ(after.size(), before.size());
    for (const auto& [name, source] : before) {
      Tensor expected = source.load(at::kFloat);
      for (const auto& [lora, weight] : request.loras)
        if (const auto modules = lora->modules.find(part); modules != lora->modules.end())
          if (const auto found = modules->second.find(name.substr(0, name.size() - 7));
              name.ends_with(".weight") && found != modules->second.end())
            expected = expected + delta(found->second, weight.of(part));
      const Tensor tensor = after.at(name).load({});
      EXPECT_EQ(tensor.scalar_type(), storage.value_or(source.dtype())) << name;
      EXPECT_TRUE(at::equal(tensor, expected.to(tensor.scalar_type()))) << name;
    }
  }
}

// emoji-xl's UNet in two shards, the rest by links.
fs::path sharded_model(const fs::path& folder) {
  fs::create_directories(folder / "unet");
  for (const auto& entry : fs::directory_iterator(emoji_xl()))
    if (entry.path().filename() != "unet") fs::create_symlink(entry.path(), folder / entry.path().filename());
  fs::copy_file(emoji_xl() / "unet/config.json", folder / "unet/config.json");
  const auto file = SafetensorsFile::open(emoji_xl() / "unet/diffusion_pytorch_model.safetensors");
  std::map<std::string, Tensor> shards[2];
  std::string map;
  for (const auto& entry : file->entries()) {
    const int shard = entry.name.starts_with("up_blocks");
    shards[shard][entry.name] = file->load(entry);
    map += fmt::format("{}\"{}\": \"diffusion_pytorch_model-0000{}-of-00002.safetensors\"", map.empty() ? "" : ", ", entry.name,
                       shard + 1);
  }
  for (int i = 0; i < 2; ++i)
    write_safetensors(folder / fmt::format("unet/diffusion_pytorch_model-0000{}-of-00002.safetensors", i + 1), shards[i],
                      {{"format", "pt"}});
  std::ofstream(folder / "unet/diffusion_pytorch_model.safetensors.index.json")
      << "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {" << map << "}}";
  return folder;
}

}  // namespace

TEST(Bake, AddsTheDeltasAndKeepsTheRestAsItWas) {
  const TemporaryFolder folder;
  const auto model = open_model(emoji_xl());
  const auto request = request_of({{small(), 0.01}, {small(), -0.004}});
  const auto plan = plan_bake(model, request);
  EXPECT_EQ(plan.changed, (std::map<std::string, int>{{"unet", 3}, {"text_encoder", 2}, {"text_encoder_2", 1}}));
  const auto result = baked(model, request, folder / "baked");
  expect_baked(result, model, request);
  for (const char* same : {"vae/diffusion_pytorch_model.safetensors", "unet/config.json", "tokenizer/vocab.json",
                           "model_index.json", "scheduler/scheduler_config.json"})
    EXPECT_EQ(read_bytes(result.path / same), read_bytes(emoji_xl() / same)) << same;
  const auto changed = SafetensorsFile::open(result.path / "unet/diffusion_pytorch_model.safetensors");
  EXPECT_EQ(changed->metadata().at("negativa.baked"), "[]");
}

TEST(Bake, OfWeightZeroIsTheModelByteForByte) {
  const TemporaryFolder folder;
  const auto result = baked(open_model(emoji_xl()), request_of({{small(), 0}}), folder / "baked");
  for (const auto& file : result.files())
    EXPECT_EQ(read_bytes(file), read_bytes(emoji_xl() / fs::relative(file, result.path))) << file;
}

TEST(Bake, StoresWeightsInTheFormatAskedFor) {
  const TemporaryFolder folder;
  const auto model = open_model(emoji_xl());
  for (const auto storage : {at::kFloat, at::kBFloat16}) {
    const auto request = request_of({{small(), 0.01}}, storage);
    expect_baked(baked(model, request, folder / dtype_name(storage)), model, request, storage);
  }
}

TEST(Bake, OfASingleFileIsAFolder) {
  const TemporaryFolder folder;
  const auto original = open_model(emoji_xl());
  write_sgm_file(original, folder / "model.safetensors", {{"negativa.config", configs_of(original)}});
  for (const char* tokenizer : {"tokenizer", "tokenizer_2"})
    fs::create_directory_symlink(emoji_xl() / tokenizer, folder / tokenizer);
  const auto request = request_of({{small(), 0.01}});
  const auto result = baked(open_model(folder / "model.safetensors"), request, folder / "baked");
  expect_baked(result, original, request);
  EXPECT_EQ(result.layout, ModelFiles::folder);
  EXPECT_EQ(read_bytes(result.tokenizer_folder("tokenizer_2") / "merges.txt"), read_bytes(emoji_xl() / "tokenizer_2/merges.txt"));
}

TEST(Bake, KeepsShards) {
  const TemporaryFolder folder;
  const auto model = open_model(sharded_model(folder / "model"));
  const auto request = request_of({{small(), 0.01}});
  const auto result = baked(model, request, folder / "baked");
  expect_baked(result, open_model(emoji_xl()), request);
  const auto files = result.weight_files("unet");
  ASSERT_EQ(files.shards.size(), 2u);
  EXPECT_NE(read_bytes(files.index).find("\"total_size\": 16743560"), std::string::npos)
      << read_bytes(files.index).substr(0, 100);
}

TEST(Bake, RefusesALoraOfLayersTheModelLacks) {
  auto lora = std::make_shared<LoraFile>();
  lora->modules = test::small_lora();
  lora->modules["unet"]["nowhere"] = lora->modules["unet"].begin()->second;
  EXPECT_NE(error_of(ErrorKind::missing_key,
                     [&] {
                       plan_bake(open_model(emoji_xl()), request_of({{lora, 1}}));
                     })
                .find("1 layers"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::missing_key,
                     [&] {
                       plan_bake(open_model(emoji_xl() / "refiner"), request_of({{small(), 1}}));
                     })
                .find("text_encoder"),
            std::string::npos);
}

TEST(Bake, RefusesNumbersThatTheStorageCannotHold) {
  const TemporaryFolder folder;
  const auto message = error_of(ErrorKind::input, [&] {
    baked(open_model(emoji_xl()), request_of({{small(), 1e6}}), folder / "baked");
  });
  EXPECT_NE(message.find("fp16 cannot hold"), std::string::npos) << message;
}

TEST(Bake, CanBeCancelled) {
  const TemporaryFolder folder;
  CancelToken cancel;
  int tensors = 0;
  error_of(ErrorKind::cancelled, [&] {
    bake(open_model(emoji_xl()), request_of({{small(), 1}}), folder.path(), cancel, [&] {
      if (++tensors == 10) cancel.cancel();
    });
  });
  EXPECT_EQ(tensors, 10);
}

}  // namespace negativa
