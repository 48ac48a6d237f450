// `--unet`: another UNet over a model, in the picture and in its recipe.
#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "image/image.h"
#include "jobs/generate.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

GenerateOptions drawing(const fs::path& out) {
  GenerateOptions options;
  options.model.device = "cpu";
  options.picture.prompt = "lion";
  options.picture.seed = 1;
  options.picture.steps = 2;
  options.picture.width = options.picture.height = 32;
  options.output.out = out;
  return options;
}

// The miniature's UNet, each weight times `factor`.
void write_unet(const fs::path& file, float factor, const Metadata& metadata = {}) {
  const auto own = SafetensorsFile::open(test::bundled_model() / "unet/diffusion_pytorch_model.safetensors");
  std::map<std::string, Tensor> tensors;
  for (const auto& entry : own->entries()) tensors[entry.name] = own->load(entry) * factor;
  write_safetensors(file, tensors, metadata);
}

}  // namespace

TEST(OtherUNet, DrawsInTheModelsPlaceAndIsPartOfTheRecipe) {
  const TemporaryFolder folder;
  write_unet(folder / "same.safetensors", 1);
  write_unet(folder / "other.safetensors", 0.98f);
  const auto draw = [&](const std::string& name, const fs::path& unet) {
    GenerateOptions options = drawing(folder / (name + ".png"));
    options.model.unet = unet;
    test::run(generate, options);
    return read_png(folder / (name + ".png")).image;
  };
  const auto plain = draw("plain", {}), other = draw("other", folder / "other.safetensors");
  EXPECT_EQ(draw("same", folder / "same.safetensors"), plain);
  EXPECT_NE(other, plain);

  GenerateOptions again;
  again.output.from = folder / "other.png";
  again.output.out = folder / "again.png";
  Fields fields = fields_of(again);
  EXPECT_NE(error_of(ErrorKind::input, [&] { set_from_picture(fields, again, test::engine()); })
                .find("[--from] the unet other.safetensors was not found; give it with --unet"),
            std::string::npos);
  again.model.unet = folder / "other.safetensors";
  set_from_picture(fields, again, test::engine());
  test::run(generate, again);
  EXPECT_EQ(read_file(folder / "again.png"), read_file(folder / "other.png"));
}

TEST(OtherUNet, OfAnotherModelIsRefusedAndADistilledOneIsNoticed) {
  const TemporaryFolder folder;
  GenerateOptions options = drawing(folder / "x.png");
  options.model.unet = test::bundled_model() / "refiner";
  EXPECT_NE(error_of(ErrorKind::input, [&] { test::run(generate, options); }).find("UNet that reads 96 elements a token"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "x.png"));

  write_unet(folder / "sdxl_lightning_4step_unet.safetensors", 1);
  options.model.unet = folder / "sdxl_lightning_4step_unet.safetensors";
  options.picture.steps = 50;
  const auto notices = test::session(options.model).notices(options.picture);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(
      notices[0],
      "sdxl_lightning_4step_unet.safetensors looks distilled to few steps (its name says lightning): 50 steps at cfg 7 overdo "
      "it; try --steps 4 --cfg-scale 1, or what its makers say");

  write_unet(folder / "x.safetensors", 1, {{"modelspec.title", "A Lightning"}, {"modelspec.usage_hint", "2 steps, no cfg"}});
  options.model.unet = folder / "x.safetensors";
  const auto by_metadata = test::session(options.model).notices(options.picture);
  ASSERT_EQ(by_metadata.size(), 1u);
  EXPECT_NE(by_metadata[0].find("(metadata modelspec.title says lightning)"), std::string::npos) << by_metadata[0];
  EXPECT_NE(by_metadata[0].find("--steps 2 --cfg-scale 1"), std::string::npos) << by_metadata[0];

  fs::rename(folder / "sdxl_lightning_4step_unet.safetensors", folder / "sdxl_lightning_1step_unet_x0.safetensors");
  options.model.unet = folder / "sdxl_lightning_1step_unet_x0.safetensors";
  options.picture.chose_steps_or_cfg = true;
  EXPECT_EQ(test::session(options.model).notices(options.picture).size(), 1u) << "that it predicts the sample";
  options.model.prediction_type = "sample";
  EXPECT_TRUE(test::session(options.model).notices(options.picture).empty());
}

}  // namespace negativa
