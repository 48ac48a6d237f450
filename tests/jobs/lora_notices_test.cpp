// What is said of a LoRA that was given and does less than it seems to: one line each, in every verb, and the picture is right
// all the same.
#include <algorithm>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "core/generator.h"
#include "engine/test_engine.h"
#include "jobs/compare.h"
#include "jobs/generate.h"
#include "jobs/lora_bake.h"
#include "jobs/lora_convert.h"
#include "jobs/lora_layers.h"
#include "jobs/lora_merge.h"

namespace negativa {

namespace {

using Tensors = std::map<std::string, Tensor>;

const std::string acting = "unet.mid_block.attentions.0.proj_in", other = "unet.mid_block.attentions.0.proj_out";
const std::string unread = "text_encoder.text_model.encoder.layers.2.mlp.fc1";

void add_layer(Tensors& tensors, const std::string& stem, std::optional<double> alpha = {}) {
  const bool is_text = stem.starts_with("text_encoder");
  tensors[stem + ".lora_A.weight"] = Generator(1).randn({2, is_text ? 64 : 128});
  tensors[stem + ".lora_B.weight"] = Generator(2).randn({is_text ? 256 : 128, 2});
  if (alpha) tensors[stem + ".alpha"] = at::scalar_tensor(*alpha, at::kFloat);
}

struct Place : TemporaryFolder {
  std::string lora(const std::string& name, const std::vector<std::pair<std::string, std::optional<double>>>& layers,
                   const std::vector<std::string>& strangers = {}) const {
    Tensors tensors;
    for (const auto& [stem, alpha] : layers) add_layer(tensors, stem, alpha);
    for (const auto& key : strangers) tensors[key] = at::ones({2, 2});
    write_safetensors(*this / name, tensors);
    return (*this / name).string();
  }
};

GenerateOptions picture(const Place& place, const std::vector<std::string>& lora) {
  GenerateOptions options;
  options.model.device = "cpu";
  options.picture.prompt = "a big lion";
  options.picture.seed = 1;
  options.picture.steps = 1;
  options.picture.width = options.picture.height = 32;
  options.picture.lora = lora;
  options.output.out = place / "picture.png";
  options.output.save_tensors = place / "picture.safetensors";
  return options;
}

Tensor latents(const GenerateOptions& options) {
  test::run(generate, options);
  return SafetensorsFile::open(options.output.save_tensors)->load("latents");
}

// Notices of what f does.
template <class F>
std::vector<std::string> said(F f) {
  test::Heard heard;
  const test::Listening listening(heard);
  f();
  return heard.notices;
}

int count(const std::vector<std::string>& lines, const std::string& part) {
  return static_cast<int>(
      std::count_if(lines.begin(), lines.end(), [&](const std::string& line) { return contains(line, part); }));
}

LoraConvertOptions conversion(const Place& place, const std::string& file) {
  LoraConvertOptions options;
  options.file = file;
  options.out = place / "converted.safetensors";
  options.format = "kohya";
  options.allow_unmatched = true;
  return options;
}

LoraMergeOptions merging(const Place& place, const std::vector<std::string>& files) {
  LoraMergeOptions options;
  options.loras = files;
  options.out = place / "merged.safetensors";
  options.allow_unmatched = true;
  return options;
}

LoraBakeOptions baking(const Place& place, const std::string& file) {
  LoraBakeOptions options;
  options.lora = {file};
  options.out = place / "baked";
  options.weights_dtype = "fp32";
  options.allow_unmatched = true;
  return options;
}

}  // namespace

TEST(AllowUnmatched, ListsWhatItSkippedInEveryVerb) {
  const Place place;
  const std::string file =
      place.lora("half.safetensors", {{acting, {}}}, {"unet.nowhere.lora_A.weight", "unet.nowhere.lora_B.weight"});
  auto options = picture(place, {file});
  options.model.allow_unmatched = true;
  options.output.batch_count = 2;
  options.output.save_tensors.clear();
  CompareOptions comparison;
  comparison.picture = options.picture;
  comparison.model = options.model;
  comparison.out = place / "sheet.png";
  comparison.seeds = 1;
  const std::pair<const char*, std::function<void()>> verbs[] = {
      {"generate", [&] { test::run(generate, options); }},
      {"generate --dry-run", [&] { test::run(forecast_generate, options); }},
      {"compare", [&] { test::run(compare, comparison); }},
      {"lora convert", [&] { test::run(lora_convert, conversion(place, file)); }},
      {"lora convert --dry-run", [&] { test::run(plan_lora_convert, conversion(place, file)); }},
      {"lora merge",
       [&] {
         test::run(lora_merge, merging(place, {file, file}));
       }},
      {"lora merge --dry-run", [&] { test::run(plan_lora_merge, merging(place, {file})); }},
      {"lora bake", [&] { test::run(lora_bake, baking(place, file)); }},
      {"lora bake --dry-run",
       [&] {
         test::run(plan_lora_bake, [&] {
           auto again = baking(place, file);
           again.out = place / "again";
           return again;
         }());
       }},
  };
  for (const auto& [verb, run] : verbs) {
    const auto lines = said(run);
    for (const char* key : {"unet.nowhere.lora_A.weight", "unet.nowhere.lora_B.weight"})
      EXPECT_EQ(count(lines, std::string("half.safetensors: ") + key + " fits no layer and is skipped"), 1) << verb;
  }
}

TEST(AlphaZero, DrawsThePlainPictureWhereAllLayersAreOffAndOneLineSaysSo) {
  const Place place;
  const Tensor plain = latents(picture(place, {}));
  const std::string off = place.lora("off.safetensors", {{acting, 0}, {other, 0}}),
                    half = place.lora("half.safetensors", {{acting, {}}, {other, 0}}),
                    alone = place.lora("alone.safetensors", {{acting, {}}});
  Tensor drawn;
  const auto lines = said([&] { drawn = latents(picture(place, {off})); });
  EXPECT_TRUE(at::equal(drawn, plain));
  EXPECT_EQ(count(lines, "off.safetensors has no effect: it has 2 layers switched off by alpha 0"), 1);
  const auto of_half = said([&] { drawn = latents(picture(place, {half})); });
  EXPECT_EQ(count(of_half, "has no effect"), 0);
  EXPECT_FALSE(at::equal(drawn, plain));
  EXPECT_TRUE(at::equal(drawn, latents(picture(place, {alone}))));
}

TEST(AlphaZero, IsLeftOutOfWhatIsWrittenWithANoticeAndNothingIsWrittenOfNothing) {
  const Place place;
  const std::string off = place.lora("off.safetensors", {{acting, 0}}),
                    half = place.lora("half.safetensors", {{acting, {}}, {other, 0}}),
                    alone = place.lora("alone.safetensors", {{acting, {}}});
  const std::string left_out =
      "half.safetensors: 1 layer is switched off (alpha 0) and left out: unet mid_block.attentions.0.proj_out";
  EXPECT_EQ(count(said([&] { test::run(lora_convert, conversion(place, half)); }), left_out), 1);
  EXPECT_EQ(SafetensorsFile::open(place / "converted.safetensors")->entries().size(), 3u);
  EXPECT_EQ(count(said([&] { test::run(lora_merge, merging(place, {half, off})); }), left_out), 1);
  EXPECT_EQ(SafetensorsFile::open(place / "merged.safetensors")->entries().size(), 2u);
  EXPECT_EQ(count(said([&] { test::run(lora_bake, baking(place, half)); }), left_out), 1);
  auto baked = picture(place, {});
  baked.model.model = (place / "baked").string();
  const Tensor drawn = latents(baked), attached = latents(picture(place, {alone}));
  EXPECT_LT((drawn - attached).norm().item<double>(), 1e-4 * attached.norm().item<double>());

  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { test::run(lora_convert, conversion(place, off)); }),
                       "there is nothing to write"));
  EXPECT_TRUE(
      contains(error_of(ErrorKind::input, [&] { test::run(lora_merge, merging(place, {off})); }), "there is nothing to merge"));
  EXPECT_EQ(count(said([&] {
                    EXPECT_TRUE(test::run(plan_lora_bake,
                                          [&] {
                                            auto again = baking(place, off);
                                            again.out = place / "again";
                                            return again;
                                          }())
                                    .baked.changed.empty());
                  }),
                  "off.safetensors has no effect"),
            1);
}

TEST(NoEffect, OfTheLastLayerThatNoPictureReadsIsSaidUnlessTheFileHasOthers) {
  const Place place;
  const Tensor plain = latents(picture(place, {}));
  Tensor drawn;
  auto options = picture(place, {place.lora("last.safetensors", {{unread, {}}})});
  const auto lines = said([&] { drawn = latents(options); });
  EXPECT_TRUE(at::equal(drawn, plain));
  EXPECT_EQ(count(lines, "last.safetensors has no effect: it has 1 layer that no picture reads (the last of text_encoder)"), 1);
  options.picture.lora = {place.lora("both.safetensors", {{unread, {}}, {acting, {}}})};
  EXPECT_EQ(count(said([&] { drawn = latents(options); }), "has no effect"), 0);
  EXPECT_FALSE(at::equal(drawn, plain));
}

TEST(NoEffect, IsSaidOnceForAllPicturesOfARun) {
  const Place place;
  const std::string file = place.lora("lora.safetensors", {{acting, {}}});
  auto options = picture(place, {file + ":1:negative"});
  const auto described = [&] {
    return said([&] {
      RequestEvents events(*test::listener());
      Session session(test::engine(), options.model, {events, test::nobody().cancel}, 3);
      for (int i = 0; i < 3; ++i) session.plan(options.picture);
    });
  };
  EXPECT_EQ(count(described(), "has no effect"), 0);
  options.picture.cfg_scale = 1;
  EXPECT_EQ(count(described(), "lora.safetensors has no effect: it acts on the negative branch"), 1);
  options.picture.cfg_scale = 7;
  options.picture.guidance_interval = "0:0";
  EXPECT_EQ(count(described(), "lora.safetensors has no effect: it acts on the negative branch"), 1);
  options.picture.guidance_interval = "0:1";
  options.picture.lora = {file + ":0"};
  EXPECT_EQ(count(described(), "lora.safetensors has no effect: its weight is 0"), 1);
  options.picture.lora = {file + ":1:negative"};
  options.picture.cfg_scale = 1;
  options.picture.negative_scale = 1;
  EXPECT_EQ(count(described(), "has no effect"), 0) << "the negative row is drawn at any cfg";
  options.picture.negative_interval = "0:0";
  EXPECT_EQ(count(described(), "lora.safetensors has no effect: it acts on the negative branch, which is not drawn in any step"),
            1);
  options.picture.negative_scale = 0;
  EXPECT_EQ(
      count(described(), "lora.safetensors has no effect: it acts on the negative branch, which --negative-scale 0 leaves out"),
      1);
}

TEST(LoraLayers, AreThoseThatMoreOfTheKeysFit) {
  const Place place;
  Tensors tensors;
  for (int i = 0; i < 3; ++i) {  // full-size SDXL's, and keys that fit nothing
    const std::string stem = fmt::format("lora_unet_input_blocks_4_1_transformer_blocks_{}_attn2_to_k", i);
    tensors[stem + ".lora_down.weight"] = at::ones({2, 2048});
    tensors[stem + ".lora_up.weight"] = at::ones({640, 2});
  }
  write_safetensors(place / "sdxl.safetensors", tensors);
  EXPECT_EQ(lora_layers("", {place / "sdxl.safetensors"}, test::places()).model, "sdxl-layers");
  EXPECT_EQ(lora_layers("", {place.lora("mine.safetensors", {{acting, {}}}, {"x", "y", "z"})}, test::places()).model, "emoji-xl");
  EXPECT_EQ(lora_layers("", {place.lora("none.safetensors", {}, {"x"})}, test::places()).model, "emoji-xl");
}

}  // namespace negativa
