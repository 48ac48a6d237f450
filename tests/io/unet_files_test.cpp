// A UNet that is given apart from its model, in every form that people have.
#include <gmock/gmock.h>

#include "base/json.h"
#include "io/io_test.h"
#include "io/keys/sgm_unet.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, Tensor>;

Tensors tensors_under(const fs::path& path, const std::string& prefix, const std::string& instead) {
  const auto file = SafetensorsFile::open(path);
  Tensors tensors;
  for (const auto& entry : file->entries())
    if (entry.name.starts_with(prefix)) tensors[instead + entry.name.substr(prefix.size())] = file->load(entry);
  return tensors;
}

class UNetAlone : public ::testing::Test {
 protected:
  fs::path write(const Tensors& tensors, const Metadata& metadata = {}) {
    write_safetensors(folder / "unet.safetensors", tensors, metadata);
    return folder / "unet.safetensors";
  }
  TemporaryFolder folder;
  const ModelFiles model = open_model(emoji_xl());
  const fs::path own = emoji_xl() / "unet/diffusion_pytorch_model.safetensors";
};

}  // namespace

TEST_F(UNetAlone, OpensUnderEverySpelling) {
  write_sgm_file(model, folder / "whole.safetensors", {});
  const std::string sgm = "model.diffusion_model.";
  std::vector<fs::path> files = {own, emoji_xl() / "unet", emoji_xl(), folder / "whole.safetensors"};
  int number = 0;
  const auto add = [&](const Tensors& tensors) {
    files.push_back(folder / (std::to_string(number++) + ".safetensors"));
    write_safetensors(files.back(), tensors);
  };
  for (const char* prefix : {"model.diffusion_model.", "diffusion_model.", ""})
    add(tensors_under(folder / "whole.safetensors", sgm, prefix));
  for (const char* prefix : {"unet.", "", "model.diffusion_model."}) add(tensors_under(own, "", prefix));
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    ModelFiles taken = model;
    taken.take_unet(open_unet(file));
    expect_same_weights(taken.weights("unet"), model.weights("unet"));
    EXPECT_EQ(parse_json(taken.config_json("unet"), ""), parse_json(model.config_json("unet"), "")) << "the same shapes";
    EXPECT_EQ(taken.files(), model.files()) << "those of the model alone";
  }
  EXPECT_EQ(open_unet(own).files, (std::vector{emoji_xl() / "unet/config.json", own})) << "config.json beside it counts";
}

TEST_F(UNetAlone, OfOtherShapesHasAConfigurationOfItsOwn) {
  Tensors tensors = tensors_under(own, "", "");
  const Tensor conv_in = tensors.at("conv_in.weight");
  tensors["conv_in.weight"] = at::cat({conv_in, conv_in.narrow(1, 0, 1)}, 1);
  ModelFiles taken = model;
  taken.take_unet(open_unet(write(tensors)));
  EXPECT_EQ(parse_json(taken.config_json("unet"), "").at("in_channels"), 5);
  EXPECT_EQ(taken.config_name("unet"), (folder / "unet.safetensors").string() + ", UNet");
}

// tools/goldens_pruned.py
TEST_F(UNetAlone, OfFewerBlocksIsReadUnderSgmsNames) {
  const auto file = SafetensorsFile::open(golden("unet_pruned.safetensors"));
  for (const std::string kind : {"ssd", "vega", "koala"}) {
    std::vector<std::string> names;
    Weights expected;
    for (const auto& entry : file->entries())
      if (const std::string prefix = kind + ".weights."; entry.name.starts_with(prefix)) {
        names.push_back(entry.name.substr(prefix.size()));
        expected[names.back()] = {.file = file, .key = entry.name};
      }
    const KeyMap to_sgm(sgm_unet_pairs(unet_layout(names)), KeyMap::to_theirs);
    Tensors tensors;
    for (const auto& [name, source] : expected)
      tensors["model.diffusion_model." + to_sgm.find(name).at(0).theirs] = source.load({});
    expect_same_weights(open_unet(write(tensors)).weights, expected);
  }
}

TEST_F(UNetAlone, SaysHowItWasTrainedWhereItsFileDoes) {
  Tensors tensors = tensors_under(own, "", "");
  ModelFiles taken = model;
  taken.take_unet(open_unet(write(tensors)));
  EXPECT_EQ(taken.config_json("scheduler"), model.config_json("scheduler")) << "nothing says: the model's";
  tensors["v_pred"] = at::zeros({0});
  taken.take_unet(open_unet(write(tensors)));
  EXPECT_EQ(parse_json(taken.config_json("scheduler"), "").at("prediction_type"), "v_prediction");
  tensors.erase("v_pred");
  tensors["edm_mean"] = tensors["edm_std"] = at::ones({1, 4, 1, 1});
  const fs::path playground = write(tensors);
  EXPECT_THAT(error_of(ErrorKind::input, [&] { open_unet(playground); }), ::testing::HasSubstr("give it whole, with -m"));
}

TEST_F(UNetAlone, RefusesWhatIsNone) {
  const auto refusal = [&](const fs::path& path) { return error_of(ErrorKind::input, [&] { open_unet(path); }); };
  EXPECT_THAT(refusal(emoji_xl() / "vae/diffusion_pytorch_model.safetensors"),
              ::testing::HasSubstr("holds no UNet of SDXL: it looks like a VAE; give it with --vae"));
  EXPECT_THAT(refusal(golden("lora_kohya.safetensors")), ::testing::HasSubstr("a LoRA; give it with --lora"));
  EXPECT_THAT(refusal(emoji_xl() / "vae"), ::testing::HasSubstr("is a AutoencoderKL, expected a UNet2DConditionModel"));
  EXPECT_THAT(refusal(emoji_xl() / "tokenizer"), ::testing::HasSubstr("is no UNet"));
  EXPECT_THAT(refusal(folder / "nowhere"), ::testing::HasSubstr("is not there, expected a UNet's file or folder"));
  write_sgm_file(model, folder / "whole.safetensors", {});
  Tensors tensors = tensors_under(folder / "whole.safetensors", "model.diffusion_model.", "");
  tensors["input_blocks.77.0.op.weight"] = at::ones({1});
  const fs::path strange = write(tensors);
  EXPECT_THAT(error_of(ErrorKind::file_format, [&] { open_unet(strange); }), ::testing::HasSubstr("input_blocks.77.0.op.weight"));
}

}  // namespace negativa
