// LoRAs and embeddings of somebody else, in tables of the TOML, are drawn with, merged and shuffled as trained ones are.
#include "base/files.h"
#include "core/generator.h"
#include "experiment/small_experiment.h"
#include "io/image_tensor.h"
#include "lora/lora_writer.h"
#include "lora/merge.h"
#include "lora/random_lora.h"
#include "model/lora_targets.h"
#include "train/embedding_trainer.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

LoraTargets targets() { return lora_targets(test::engine().open(model_request({}, test::engine().places()))->files()); }

// A LoRA of somebody else: half precision, alpha other than the rank.
void write_foreign_lora(const fs::path& path) {
  const LoraTargets all = targets();
  Generator generator(5);
  LoraFile lora;
  for (const auto& layer : all.components.at("unet"))
    if (layer.name.ends_with("attn1.to_q"))
      lora.modules["unet"][layer.name] = {generator.randn({3, layer.in_features}) / 4,
                                          generator.randn({layer.out_features, 3}) / 4, 1.5, at::kHalf};
  write_lora(path, lora, {LoraDialect::kohya, all.layout, {}});
}

// Text of two files in a folder of the test.
struct Files {
  TemporaryFolder place;
  const std::string lora = (place / "foreign.safetensors").string(), word = (place / "word.safetensors").string();

  Files() {
    write_foreign_lora(lora);
    Generator generator(7);
    Embedding embedding;
    embedding.clip_l = generator.randn({1, 64}) / 10;
    embedding.clip_g = generator.randn({1, 96}) / 10;
    write_embedding(word, embedding);
  }
  std::string toml() const {
    return "seed = 1\n[default]\nthreads = 1\nsteps = 2\ncfg_scale = 4\n[prompts]\ntest = [\"frog on a teal background\"]\n"
           "[loras.foreign]\nfile = \"" +
           lora +
           "\"\n[loras.random]\nrandom_of = \"foreign\"\n[loras.sum]\nmerge = [\"random:0.5\", "
           "\"foreign:-0.25\"]\n[embeddings.word]\nfile = \"" +
           word +
           "\"\n[analysis]\nmetrics = [\"sharpness\"]\nmetric = \"sharpness\"\n"
           "[arms.nothing]\n[arms.mixed]\nlora = [\"sum\", \"random:0.5:positive\", \"foreign:0.5:negative\"]\n"
           "[arms.word]\nnegative_prompt = \"<word>\"\nembedding = [\"word\"]\n";
  }
};

struct MakeFromFiles : testing::Test {
  Files files;
  test::SmallExperiment experiment{files.toml()};
  RunStore store{experiment.place / "run", experiment.silence};

  LoraFile lora(CellStage stage, const std::string& name) {
    return read_lora(experiment.path(store, experiment.cell(stage, name)), targets());
  }
  Image8 of_arm(const std::string& arm) {
    const size_t cell = experiment.cells(CellStage::picture, arm).front();
    experiment.make(store, cell);
    return read_image(experiment.path(store, cell));
  }
  // As Session draws it for somebody who asks for it in words.
  Image8 drawn(PictureOptions picture, const ModelOptions& model) {
    const auto& prompt = experiment.plan.run.prompts.front();
    picture.prompt = prompt.text;
    picture.seed = prompt.noise_seeds.at(0);
    picture.steps = 2;
    picture.cfg_scale = 4;
    Session session = test::session(model);
    Image8 image;
    session.draw({session.plan(picture)}, "picture",
                 [&](size_t, ImageResult&& result) { image = tensor_to_images(result.image).front(); });
    return image;
  }
};

TEST_F(MakeFromFiles, DrawsMergesAndShufflesThem) {
  const Image8 nothing = of_arm("nothing"), mixed = of_arm("mixed"), word = of_arm("word");
  const LoraFile source = read_lora(files.lora, targets()), random = lora(CellStage::random_lora, "random"),
                 sum = lora(CellStage::merged_lora, "sum");
  const auto expected = merge_loras(
      {{std::make_shared<const LoraFile>(random), 0.5}, {std::make_shared<const LoraFile>(source), -0.25}}, MergeMethod::concat);
  ASSERT_FALSE(source.modules.at("unet").empty());
  for (const auto& [name, module] : source.modules.at("unet")) {
    const Tensor values = singular_values(module), shuffled = singular_values(random.modules.at("unet").at(name));
    EXPECT_LT(((values - shuffled).abs().max() / values.max()).item<double>(), 1e-5) << name << ", though the source is in fp16";
    EXPECT_LT(delta_distance(sum.modules.at("unet").at(name), expected.modules.at("unet").at(name)), 1e-6) << name;
  }
  PictureOptions with_loras, with_word;
  with_loras.lora = {experiment.path(store, experiment.cell(CellStage::merged_lora, "sum")).string(),
                     experiment.path(store, experiment.cell(CellStage::random_lora, "random")).string() + ":0.5:positive",
                     files.lora + ":0.5:negative"};
  with_word.negative_prompt = "<word>";
  ModelOptions model, embedded;
  model.threads = embedded.threads = 1;
  embedded.embedding = {files.word + "=<word>"};
  EXPECT_EQ(mixed, drawn(with_loras, model));
  EXPECT_EQ(word, drawn(with_word, embedded));
  EXPECT_NE(mixed, nothing);
  EXPECT_NE(word, nothing);
  const CellRecord record = experiment.record(store, experiment.cell(CellStage::random_lora, "random"));
  ASSERT_EQ(record.inputs.size(), 1u);
  EXPECT_EQ(record.inputs.front().name, "foreign.safetensors");
}

}  // namespace
}  // namespace negativa
