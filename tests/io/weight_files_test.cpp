#include "io/weight_files.h"

#include "io/io_test.h"

namespace negativa {

namespace {
constexpr const char* stem = "diffusion_pytorch_model";

// Names of the files chosen from a folder that holds these (each with one tensor named after it).
std::string chosen_from(const std::vector<std::string>& names) {
  const TemporaryFolder folder;
  for (const auto& name : names) {
    const bool is_index = name.ends_with(".json");
    const std::string variant = name.find("fp16") != std::string::npos ? ".fp16" : "";
    write_bytes(folder / name, is_index ? R"({"weight_map":{"a":"diffusion_pytorch_model)" + variant +
                                              R"(-00001-of-00002.safetensors",)" + R"("b":"diffusion_pytorch_model)" + variant +
                                              R"(-00002-of-00002.safetensors"}})"
                                        : "");
  }
  const auto files = find_weight_files(folder.path(), stem);
  std::string result = files.index.filename().string();
  for (const auto& shard : files.shards) result += " " + shard.filename().string();
  return result;
}
const std::string full = "diffusion_pytorch_model.safetensors", fp16 = "diffusion_pytorch_model.fp16.safetensors";
const std::string index = "diffusion_pytorch_model.safetensors.index.json";
const std::string index_fp16 = "diffusion_pytorch_model.safetensors.index.fp16.json";
const std::string legacy_fp16 = "diffusion_pytorch_model.fp16.safetensors.index.json";
const std::string one = "diffusion_pytorch_model-00001-of-00002.safetensors",
                  two = "diffusion_pytorch_model-00002-of-00002.safetensors";
const std::string one_fp16 = "diffusion_pytorch_model.fp16-00001-of-00002.safetensors";
const std::string two_fp16 = "diffusion_pytorch_model.fp16-00002-of-00002.safetensors";
}  // namespace

TEST(WeightFiles, TakesFullPrecisionBeforeShardsBeforeFp16) {  // sdxl.md pitfall 61
  EXPECT_EQ(chosen_from({fp16, full, index, one, two}), " " + full);
  EXPECT_EQ(chosen_from({fp16, index, one, two}), index + " " + one + " " + two);
  EXPECT_EQ(chosen_from({fp16, "config.json", "model.safetensors"}), " " + fp16);
  EXPECT_EQ(chosen_from({index_fp16, one_fp16, two_fp16}), index_fp16 + " " + one_fp16 + " " + two_fp16);
  EXPECT_EQ(chosen_from({legacy_fp16, one_fp16, two_fp16}), legacy_fp16 + " " + one_fp16 + " " + two_fp16);
  EXPECT_EQ(chosen_from({"diffusion_pytorch_model.non_ema.safetensors"}), " diffusion_pytorch_model.non_ema.safetensors");
}

TEST(WeightFiles, PassesOverAnIndexWhoseShardsAreNotThere) {
  EXPECT_EQ(chosen_from({index, one, fp16}), " " + fp16);
  EXPECT_EQ(chosen_from({index, one_fp16, two_fp16, index_fp16}), index_fp16 + " " + one_fp16 + " " + two_fp16);
  const auto message = error_of(ErrorKind::missing_key, [] { chosen_from({index, one}); });
  EXPECT_NE(message.find(two), std::string::npos) << message;
}

TEST(WeightFiles, TakesWhatTorchSavedOnlyWhereNothingElseIsThere) {
  EXPECT_EQ(chosen_from({"diffusion_pytorch_model.bin", "diffusion_pytorch_model.fp16.bin"}), " diffusion_pytorch_model.bin");
  EXPECT_EQ(chosen_from({"diffusion_pytorch_model.fp16.bin"}), " diffusion_pytorch_model.fp16.bin");
  EXPECT_EQ(chosen_from({"diffusion_pytorch_model.bin", fp16}), " " + fp16);
}

TEST(WeightFiles, SaysWhatIsThereWhenNothingFits) {
  EXPECT_NE(error_of(ErrorKind::missing_key, [] { chosen_from({"diffusion_pytorch_model.bin.index.json"}); }).find("pickled"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::missing_key, [] { chosen_from({}); }).find(full), std::string::npos);
  const auto two_variants = [] {
    chosen_from({"diffusion_pytorch_model.a.safetensors", "diffusion_pytorch_model.b.safetensors"});
  };
  EXPECT_NE(error_of(ErrorKind::missing_key, two_variants).find("nothing tells"), std::string::npos);
}

TEST(WeightFiles, RefusesAnIndexThatPointsElsewhere) {
  const TemporaryFolder folder;
  for (const char* target : {"../x.safetensors", "/etc/x.safetensors", ""}) {
    write_bytes(folder / index, fmt::format(R"({{"weight_map":{{"a":"{}"}}}})", target));
    error_of(ErrorKind::file_format, [&] { find_weight_files(folder.path(), stem); });
  }
}

TEST(WeightFiles, ReadsShardsAsOnePartAndChecksTheIndex) {
  const TemporaryFolder folder;
  write_safetensors(folder / one, {{"a", at::ones({2})}});
  write_safetensors(folder / two, {{"b", at::zeros({3})}});
  const auto write_index = [&](const std::string& shard_of_b) {
    write_bytes(folder / index, fmt::format(R"({{"weight_map":{{"a":"{}","b":"{}"}}}})", one, shard_of_b));
  };
  write_index(two);
  const auto weights = read_part("unet", find_weight_files(folder.path(), stem));
  ASSERT_EQ(weights.size(), 2u);
  EXPECT_TRUE(at::equal(weights.at("a").load({}), at::ones({2})));
  EXPECT_EQ(weights.at("b").shape(), Shape{3});
  write_index(one);
  WeightFiles files{{folder / one, folder / two}, folder / index};
  EXPECT_NE(error_of(ErrorKind::file_format, [&] { read_part("unet", files); }).find("b is in"), std::string::npos);
  write_safetensors(folder / two, {{"a", at::zeros({3})}});
  error_of(ErrorKind::file_format, [&] { read_part("unet", files); });
}

TEST(PartFolder, FollowsLinksAndTextFilesThatHoldOne) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "base/vae");
  std::filesystem::create_directories(folder / "refiner");
  write_bytes(folder / "refiner/vae", "../base/vae\n");
  std::filesystem::create_symlink("../base/vae", folder / "refiner/linked");
  write_bytes(folder / "refiner/loop", "loop");
  write_bytes(folder / "refiner/outside", "/etc");
  EXPECT_TRUE(std::filesystem::equivalent(find_part_folder(folder / "refiner", "vae").value(), folder / "base/vae"));
  EXPECT_TRUE(find_part_folder(folder / "refiner", "linked"));
  for (const char* name : {"loop", "outside", "missing"}) EXPECT_FALSE(find_part_folder(folder / "refiner", name)) << name;
}

}  // namespace negativa
