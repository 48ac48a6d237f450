// Whatever is wrong in a config file of a model: one line that names the file and the key.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/temporary_folder.h"
#include "experiment/calibration.h"
#include "golden_file.h"
#include "lora/adapter_config.h"
#include "model/models.h"
#include "text/tokenizer_files.h"
#include "vision/clip_config.h"
#include "vision/image_processor.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;
using Keys = std::set<std::string>;

struct ConfigFile {
  std::string name;  // in the source folder
  std::function<void(const std::string& text, const std::string& where)> read;
  Keys unread;  // keys of the file that decide nothing here
  Keys required;
};

// A reader of a folder, of which one file is `text`.
auto in_folder(const std::string& name, void (*read)(const fs::path& folder), const std::vector<std::string>& beside = {}) {
  return [=](const std::string& text, const std::string& where) {
    TemporaryFolder folder;
    const fs::path mine = folder / fs::path(where).parent_path().filename();
    fs::create_directories(mine);
    for (const auto& file : beside) fs::create_symlink(test::bundled_model() / "tokenizer" / file, mine / file);
    std::ofstream(mine / name) << text;
    read(mine);
  };
}

void read_tokenizer(const fs::path& folder) { read_tokenizer_files(folder); }
void read_adapter(const fs::path& folder) { AdapterConfigs("", folder / names::peft_config, "lora"); }
void read_index(const fs::path& folder) { open_model(folder); }

std::vector<ConfigFile> config_files() {
  const auto unet = [](const std::string& text, const std::string& where) { UNetConfig::from_json(text, where); };
  const auto vae = [](const std::string& text, const std::string& where) { VaeConfig::from_json(text, where); };
  const auto text = [](const std::string& text, const std::string& where) { CLIPTextConfig::parse(text, where); };
  const auto clip = [](const std::string& text, const std::string& where) { CLIPConfig::parse(text, where); };
  const auto pixels = [](const std::string& text, const std::string& where) { ImageProcessor::parse(text, where); };
  const auto noise = [](const std::string& text, const std::string& where) { scheduler_config_from_json(text, where); };
  const auto calibration = [](const std::string& text, const std::string& where) { Calibration::from_text(text, where); };
  const Keys of_unet = {"_class_name", "_diffusers_version", "addition_embed_type_num_heads", "dropout", "upcast_attention"};
  const Keys by_unet = {
      "addition_embed_type", "use_linear_projection", "addition_time_embed_dim", "projection_class_embeddings_input_dim",
      "block_out_channels",  "down_block_types",      "up_block_types"};
  const Keys of_text = {"attention_dropout", "bos_token_id", "dtype",        "initializer_factor",
                        "initializer_range", "model_type",   "pad_token_id", "transformers_version"};
  const Keys of_judge = {"architectures",
                         "dtype",
                         "initializer_factor",
                         "logit_scale_init_value",
                         "transformers_version",
                         "vision_config.projection_dim",
                         "vision_config.attention_dropout",
                         "vision_config.dtype",
                         "vision_config.initializer_factor",
                         "vision_config.initializer_range",
                         "vision_config.model_type",
                         "text_config.attention_dropout",
                         "text_config.bos_token_id",
                         "text_config.dtype",
                         "text_config.initializer_factor",
                         "text_config.initializer_range",
                         "text_config.model_type",
                         "text_config.pad_token_id"};
  const Keys of_tokenizer = {"add_prefix_space", "backend",          "do_lower_case",  "errors",
                             "is_local",         "local_files_only", "tokenizer_class"};
  Keys of_adapter;
  const Json adapter = read_json_file(test::source_folder() / "tests/golden/lora_peft/adapter_config.json");
  for (const auto& [key, value] : adapter.items())
    if (!Keys{"alpha_pattern", "lora_alpha", "peft_type", "use_dora", "use_rslora"}.contains(key)) of_adapter.insert(key);
  const std::string model = "models/emoji-xl/";
  return {
      {model + "unet/config.json", unet, of_unet, by_unet},
      {model + "refiner/unet/config.json", unet, of_unet, by_unet},
      {model + "vae/config.json",
       vae,
       {"_class_name", "_diffusers_version", "sample_size"},
       {"norm_num_groups"}},  // the default is none of its channels' divisors
      {model + "text_encoder/config.json", text, of_text, {}},
      {model + "text_encoder_2/config.json", text, of_text, {}},
      {model + "scheduler/scheduler_config.json", noise, {}, {}},
      {model + "model_index.json",
       in_folder("model_index.json", read_index),
       {"_diffusers_version", "force_zeros_for_empty_prompt", "add_watermarker"},
       {}},
      {model + "tokenizer/tokenizer_config.json",
       in_folder("tokenizer_config.json", read_tokenizer, {"merges.txt"}),
       of_tokenizer,
       {}},
      {model + "tokenizer/special_tokens_map.json", in_folder("special_tokens_map.json", read_tokenizer, {"merges.txt"}), {}, {}},
      {model + "judge/config.json", clip, of_judge, {}},
      {model + "judge/preprocessor_config.json", pixels, {"do_convert_rgb", "image_processor_type"}, {}},
      {model + "judge/calibration.json", calibration, {}, {"model", "model_sha256", "judge", "judge_sha256", "damages"}},
      {"tests/golden/lora_peft/adapter_config.json", in_folder("adapter_config.json", read_adapter), of_adapter, {}}};
}

// "emoji-xl/unet/config.json"
std::string where_of(const ConfigFile& file) {
  const fs::path path = file.name;
  return file.name.starts_with("models/") ? file.name.substr(7) : (path.parent_path().filename() / path.filename()).string();
}

void expect_names_file_and_key(const ConfigFile& file, const Json& changed, const std::string& key) {
  SCOPED_TRACE(file.name + ": " + key);
  try {
    file.read(changed.dump(), where_of(file));
    ADD_FAILURE() << "was taken";
  } catch (const Error& error) {
    const std::string message = error.what(), name = fs::path(file.name).filename();
    EXPECT_TRUE(error.kind() == ErrorKind::file_format || error.kind() == ErrorKind::missing_key) << message;
    EXPECT_TRUE(message.starts_with("[") && message.find('\n') == std::string::npos) << message;
    EXPECT_TRUE(contains(message.substr(0, message.find(']')), name)) << message;
    EXPECT_TRUE(contains(message, "\"" + key)) << message;
  }
}

// Every value of the file once replaced by one of another type, those within objects and lists too. key: without the index of a
// scalar in a list.
void replace_each(const ConfigFile& file, const Json& whole, const Json::json_pointer& at, const std::string& key) {
  const Json& value = whole.at(at);
  Json changed = whole;
  if (!key.empty()) changed.at(at) = value.is_object() ? Json("words") : Json::object();
  if (file.unread.contains(key)) {
    EXPECT_NO_THROW(file.read(changed.dump(), where_of(file))) << file.name << ": " << key;
    return;
  }
  if (!key.empty()) expect_names_file_and_key(file, changed, key);
  if (value.is_object())
    for (const auto& [name, member] : value.items()) replace_each(file, whole, at / name, key.empty() ? name : key + "." + name);
  if (value.is_array())
    for (size_t i = 0; i < value.size(); ++i)
      replace_each(file, whole, at / i, value[i].is_object() ? fmt::format("{}[{}]", key, i) : key);
}

TEST(ConfigFiles, OfTheBundledModelNameFileAndKeyOfEveryValueOfAnotherType) {
  for (const auto& file : config_files()) {
    const Json whole = read_json_file(test::source_folder() / file.name);
    EXPECT_NO_THROW(file.read(whole.dump(), where_of(file))) << file.name;
    replace_each(file, whole, Json::json_pointer(), "");
  }
}

TEST(ConfigFiles, OfTheBundledModelNameFileAndKeyThatMustBeThere) {
  for (const auto& file : config_files()) {
    const Json whole = read_json_file(test::source_folder() / file.name);
    for (const auto& [key, value] : whole.items()) {
      Json changed = whole;
      changed.erase(key);
      if (file.required.contains(key)) {
        expect_names_file_and_key(file, changed, key);
      } else if (!(file.name.ends_with("vae/config.json") && key == "block_out_channels")) {  // the default has one block
        EXPECT_NO_THROW(file.read(changed.dump(), where_of(file))) << file.name << ": " << key;
      }
    }
  }
}

TEST(ConfigFiles, OfTheBundledModelNameFileAndKeyOfValuesThatCannotBe) {
  struct Case {
    const char *file, *key;
    std::vector<Json> values;
  };
  const Case cases[] = {{"emoji-xl/unet", "in_channels", {0, -4, 1 << 30}},
                        {"emoji-xl/unet", "out_channels", {0}},
                        {"emoji-xl/unet", "sample_size", {0, {16, 8}}},
                        {"emoji-xl/unet", "norm_num_groups", {0, 7}},
                        {"emoji-xl/unet", "norm_eps", {0, -1e-5}},
                        {"emoji-xl/unet", "freq_shift", {16}},
                        {"emoji-xl/unet", "addition_time_embed_dim", {0, 33}},
                        {"emoji-xl/unet", "projection_class_embeddings_input_dim", {0}},
                        {"emoji-xl/unet", "block_out_channels", {{32, 0, 128}, Json::array()}},
                        {"emoji-xl/unet", "attention_head_dim", {3, 0, {2, 4}, {2, -4, 8}, {2, 4, 7}}},
                        {"emoji-xl/unet", "num_attention_heads", {3, {2, 4, 7}}},
                        {"emoji-xl/unet", "cross_attention_dim", {0, {160, 160}}},
                        {"emoji-xl/unet", "layers_per_block", {0, 1001, {1, 1}}},
                        {"emoji-xl/unet", "transformer_layers_per_block", {-1, {1, 1}}},
                        {"emoji-xl/unet", "down_block_types", {{"DownBlock2D"}, {"DownBlock2D", "X", "DownBlock2D"}}},
                        {"emoji-xl/unet", "mid_block_only_cross_attention", {true}},
                        {"emoji-xl/unet", "encoder_hid_dim", {64}},
                        {"emoji-xl/vae", "block_out_channels", {Json::array(), {24, -48, 96}}},
                        {"emoji-xl/vae", "norm_num_groups", {0, 7}},
                        {"emoji-xl/vae", "layers_per_block", {0}},
                        {"emoji-xl/vae", "in_channels", {0, 4}},
                        {"emoji-xl/vae", "out_channels", {1}},
                        {"emoji-xl/vae", "latent_channels", {0}},
                        {"emoji-xl/vae", "scaling_factor", {0, -1}},
                        {"emoji-xl/vae", "latents_mean", {{1, 2}}},
                        {"emoji-xl/vae", "latents_std", {{1, 1, 0, 1}}},
                        {"emoji-xl/vae", "up_block_types", {{"UpDecoderBlock2D"}}},
                        {"emoji-xl/text_encoder/", "hidden_size", {0}},
                        {"emoji-xl/text_encoder/", "num_attention_heads", {0, 7}},
                        {"emoji-xl/text_encoder/", "num_hidden_layers", {0, 1001}},
                        {"emoji-xl/text_encoder/", "layer_norm_eps", {0}},
                        {"emoji-xl/text_encoder/", "hidden_act", {"tanh"}},
                        {"emoji-xl/text_encoder/", "eos_token_id", {-1}},
                        {"emoji-xl/scheduler", "num_train_timesteps", {1, -1}},
                        {"emoji-xl/scheduler", "beta_start", {0, 1}},
                        {"emoji-xl/scheduler", "beta_end", {0.00085, 1}},
                        {"emoji-xl/scheduler", "timestep_spacing", {"wide"}},
                        {"emoji-xl/tokenizer/tokenizer_config", "model_max_length", {2, -1}},
                        {"judge/config", "text_config.num_attention_heads", {7}},
                        {"judge/config", "vision_config.num_attention_heads", {7}},
                        {"judge/config", "vision_config.patch_size", {0, 65, {8, 4}}},
                        {"judge/config", "vision_config.num_channels", {1}},
                        {"judge/preprocessor", "image_std", {0, {1, 1, 0}, {1, 1}}},
                        {"judge/preprocessor", "crop_size.height", {0, 1 << 20}},
                        {"judge/preprocessor", "resample", {0}},
                        {"judge/calibration", "damages[0].auc_drawn", {-0.1, 1.1}}};
  const auto files = config_files();
  for (const auto& [name, key, values] : cases) {
    const auto file = std::find_if(files.begin(), files.end(), [&](const auto& one) { return contains(one.name, name); });
    ASSERT_NE(file, files.end()) << name;
    const Json whole = read_json_file(test::source_folder() / file->name);
    std::string pointer = "/" + std::string(key);
    for (const auto& [from, to] : {std::pair{".", "/"}, {"[", "/"}, {"]", ""}})
      while (contains(pointer, from)) pointer.replace(pointer.find(from), 1, to);
    const auto with = [&](const Json& value) {
      Json changed = whole;
      changed[Json::json_pointer(pointer)] = value;
      return changed;
    };
    for (const auto& value : values) {
      SCOPED_TRACE(value.dump());
      expect_names_file_and_key(*file, with(value), key);
    }
    if (!whole.at(Json::json_pointer(pointer)).is_number()) continue;
    std::string text = with("NaN").dump();
    text.replace(text.find("\"NaN\""), 5, "NaN");
    EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { file->read(text, where_of(*file)); }), key)) << name;
  }
}

TEST(ConfigFiles, AreNamedWithTheirModelWhereItIsOpened) {
  const std::tuple<std::string, std::string, const char*, Json> cases[] = {
      {"unet", "unet/config.json", "norm_eps", 0},
      {"vae", "vae/config.json", "scaling_factor", 0},
      {"scheduler", "scheduler/scheduler_config.json", "beta_start", 0},
      {"text_encoder", "text_encoder/config.json", "hidden_act", "tanh"},
      {"text_encoder_2", "text_encoder_2/config.json", "layer_norm_eps", 0},
      {"model_index.json", "model_index.json", "force_zeros_for_empty_prompt", "no"},
      {"model_index.json", "model_index.json", "unet", "UNet2DConditionModel"}};
  for (const auto& [entry, name, key, value] : cases) {
    TemporaryFolder folder;
    const fs::path broken = folder / "broken";
    fs::create_directories((broken / name).parent_path());
    const auto link = [](const fs::path& from, const fs::path& to, const std::string& without) {
      for (const auto& one : fs::directory_iterator(from))
        if (one.path().filename() != without) fs::create_symlink(one.path(), to / one.path().filename());
    };
    link(test::bundled_model(), broken, entry);
    if (entry != name) link(test::bundled_model() / entry, broken / entry, fs::path(name).filename());
    Json config = read_json_file(test::bundled_model() / name);
    config[key] = value;
    write_atomically(broken / name, config.dump());
    ModelRequest request;
    request.model = broken;
    const std::string message = error_of(ErrorKind::file_format, [&] { Models models(request); });
    EXPECT_TRUE(message.starts_with(fmt::format("[broken/{}] \"{}\": got {}", name, key, value.dump()))) << message;
  }
}

}  // namespace
}  // namespace negativa
