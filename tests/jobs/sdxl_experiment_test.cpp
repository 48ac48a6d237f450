// The experiment on the real SDXL, planned, and its files inspected, on folders whose weights have the published models' names,
// shapes and sizes, and hold nothing: holes in sparse files.
#include <sys/stat.h>

#include <fstream>

#include "base/json.h"
#include "base/names.h"
#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "jobs/experiment.h"
#include "jobs/inspect_model.h"
#include "jobs/lora_inspect.h"
#include "nn/module.h"
#include "text/clip_text_model.h"
#include "unet/unet.h"
#include "vae/vae.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

// stabilityai/stable-diffusion-xl-refiner-1.0, unet/config.json
constexpr const char* refiner_unet = R"({
  "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "attention_head_dim": [6, 12, 24, 24],
  "block_out_channels": [384, 768, 1536, 1536], "cross_attention_dim": 1280,
  "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
  "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "projection_class_embeddings_input_dim": 2560,
  "sample_size": 128, "transformer_layers_per_block": 4, "use_linear_projection": true})";

void write_holes(const fs::path& file, const nn::Walk& module) {
  Json header = Json::object();
  uint64_t end = 0;
  for (const auto& slot : module.slots) {
    const uint64_t begin = end;
    end += 2 * static_cast<uint64_t>(c10::multiply_integers(slot.shape));
    header[slot.name] = {{"dtype", "F16"}, {"shape", slot.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(&length), sizeof length) << text;
  fs::resize_file(file, sizeof length + length + end);
}

template <class Module, class Config>
void write_part(const fs::path& folder, const std::string& config, const char* weights) {
  fs::create_directories(folder);
  write_atomically(folder / names::config, config);
  Module module(Config::from_json(config, folder.string()));
  write_holes(folder / weights, nn::walk(module));
}

std::string published(const std::string& part) {
  return read_file(test::source_folder() / "models/sdxl-layers" / part / names::config);
}

// Hashing 13 GB of nothing takes a while, so the cache says what it would come to.
void know_hashes(const fs::path& models, const fs::path& cache) {
  Json known = Json::object();
  for (const auto& entry : fs::recursive_directory_iterator(models)) {
    struct stat status {};
    if (entry.path().extension() != ".safetensors" || ::stat(entry.path().c_str(), &status) != 0) continue;
    known[entry.path().string()] = {{"size", status.st_size},
                                    {"mtime_ns", status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec},
                                    {"inode", status.st_ino},
                                    {"sha256", sha256_hex(entry.path().string())}};
  }
  fs::create_directories(cache);
  write_atomically(cache / names::hash_cache, known.dump());
}

class Sdxl {
 public:
  Sdxl() {
    const auto like = test::bundled_model();  // what is the same in both
    for (const char* name : {"sdxl-base", "sdxl-refiner"}) {
      const fs::path folder = place_ / name;
      const bool is_base = std::string(name) == "sdxl-base";
      fs::create_directories(folder);
      fs::copy(is_base ? like / names::model_index : like / names::refiner / names::model_index, folder);
      for (const char* part : {names::scheduler, names::tokenizer, names::tokenizer_2})
        if (is_base || part != names::tokenizer) fs::copy(like / part, folder / part, fs::copy_options::recursive);
      write_part<UNet, UNetConfig>(folder / names::unet, is_base ? published("unet") : refiner_unet, names::diffusion_weights);
      write_part<Vae, VaeConfig>(folder / names::vae, published("vae"), names::diffusion_weights);
      write_text(folder, names::text_encoder_2);
      if (is_base) write_text(folder, names::text_encoder);
    }
    know_hashes(fs::canonical(place_.path()), place_ / "cache");
  }

  Places places() const {
    Places places = test::places();
    places.models = place_.path();
    places.cache = place_ / "cache";
    return places;
  }
  fs::path operator/(const std::string& name) const { return place_ / name; }

 private:
  static void write_text(const fs::path& folder, const std::string& part) {
    fs::create_directories(folder / part);
    write_atomically(folder / part / names::config, published(part));
    CLIPTextModel model(CLIPTextConfig::load(folder / part / names::config));
    write_holes(folder / part / names::text_weights, nn::walk(model));
  }

  TemporaryFolder place_;
};

TEST(SdxlExperiment, IsPlannedWithItsTimeAndMemoryOnFilesOfFullSize) {
  const Sdxl sdxl;
  const auto stock = test::source_folder() / "experiments/wrong";
  for (const char* list : {"prompts_test.jsonl", "prompts_tune.jsonl", "subjects.jsonl"}) fs::copy(stock / list, sdxl / list);
  std::string toml = read_file(stock / "sdxl.toml");
  write_atomically(sdxl / "sdxl.toml", toml);
  Engine engine({.places = sdxl.places()});
  const auto forecast = [&] {
    ExperimentRunOptions options;
    options.file = sdxl / "sdxl.toml";
    options.out = sdxl / "run";
    return forecast_experiment_run(engine, {options, {}}, *test::listener(), test::nobody().cancel);
  };
  EXPECT_NE(error_of(ErrorKind::input, forecast).find("give judge = FOLDER"), std::string::npos)
      << "the judge is to be filled in";
  const std::string hole = "judge = \"\"";
  toml.replace(toml.find(hole), hole.size(), "judge = \"" + (test::bundled_model() / names::judge_folder).string() + "\"");
  write_atomically(sdxl / "sdxl.toml", toml);

  const ExperimentForecast planned = forecast();
  std::map<CellStage, StageForecast> stages;
  for (const auto& stage : planned.stages) stages.emplace(stage.stage, stage);
  EXPECT_EQ(stages.at(CellStage::set_picture).cells, 3u * 78);
  EXPECT_EQ(stages.at(CellStage::lora).cells, 3u);
  EXPECT_EQ(stages.at(CellStage::random_lora).cells, 1u);
  EXPECT_EQ(stages.at(CellStage::embedding).cells, 1u);
  EXPECT_EQ(stages.at(CellStage::picture).cells, 96u * (22 + 5 * 4));
  // A guided picture of 50 steps takes 100 passes of 6 TFLOP and more: no machine does that in a second.
  EXPECT_GT(stages.at(CellStage::picture).seconds, static_cast<double>(stages.at(CellStage::picture).cells));
  EXPECT_GT(stages.at(CellStage::lora).seconds, 500);
  EXPECT_GT(planned.peak_bytes, int64_t{5} << 30) << "the base UNet in fp16 alone";
  EXPECT_LT(planned.peak_bytes, int64_t{64} << 30);
  EXPECT_FALSE(fs::exists(sdxl / "run"));
}

TEST(SdxlFiles, AreInspectedByTheirHeadersAloneUnlessHashesAreAskedFor) {
  const Sdxl sdxl;
  Places places = sdxl.places();
  const auto unet_hash = [&](bool hashes) {
    Engine engine({.places = places});
    const ModelInspectOptions options{(sdxl / "sdxl-base").string(), hashes};
    for (const auto& [name, hash] : model_inspect(engine, options, *test::listener(), test::nobody().cancel).files)
      if (name == std::string("unet/") + names::diffusion_weights) return hash;
    return std::string("no UNet");
  };
  const std::string known = unet_hash(false);
  EXPECT_EQ(known.size(), 64u) << "known: it costs nothing";
  EXPECT_EQ(unet_hash(true), known);
  places.cache = sdxl / "empty";
  EXPECT_EQ(unet_hash(false), "");

  Engine engine({.places = places});
  LoraInspectOptions options;
  options.file = sdxl / "sdxl-base" / names::unet / names::diffusion_weights;
  const LoraReport report = lora_inspect(engine, options, *test::listener(), test::nobody().cancel);
  EXPECT_EQ(report.sha256, "");
  EXPECT_NE(report.guess, "");
}

}  // namespace
}  // namespace negativa
