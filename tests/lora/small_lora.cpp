#include "small_lora.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lora/merge_weights.h"

namespace negativa::test {

namespace {

const std::filesystem::path source = NEGATIVA_SOURCE_DIR;

LoraTarget target_of(const std::string& name, const Shape& shape) {
  using enum LoraTarget::Kind;
  const bool has_bias =
      !name.ends_with(".to_q") && !name.ends_with(".to_k") && !name.ends_with(".to_v") && name != "text_projection";
  if (shape.size() == 1) return {name, shape[0], shape[0], true, norm};
  if (shape.size() == 2) return {name, shape[1], shape[0], true, linear, 1, has_bias};
  return {name, shape[1], shape[0], true, convolution, shape[2]};
}

void add_layers(LoraTargets& targets, const std::string& component, const std::string& file_name) {
  const auto file = SafetensorsFile::open(source / "models/emoji-xl" / component / file_name);
  std::vector<std::string> keys;
  for (const auto& entry : file->entries()) {
    const bool flat = component != "unet" && !entry.name.starts_with("text_model.") && !entry.name.starts_with("text_projection");
    const std::string key = flat ? "text_model." + entry.name : entry.name;
    keys.push_back(key);
    if (!key.ends_with(".weight") || key.find("_embedding.weight") != std::string::npos) continue;
    targets.components[component].push_back(target_of(key.substr(0, key.size() - 7), entry.shape));
  }
  if (component == "unet") targets.layout = unet_layout(keys);
}

void add_transformer(std::vector<LoraTarget>& layers, const std::string& prefix, int depth, int64_t width) {
  layers.push_back({prefix + ".proj_in", width, width});
  layers.push_back({prefix + ".proj_out", width, width});
  for (int i = 0; i < depth; ++i) {
    const auto block = fmt::format("{}.transformer_blocks.{}", prefix, i);
    for (const char* attention : {".attn1", ".attn2"})
      for (const char* layer : {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
        const bool context =
            attention == std::string(".attn2") && (layer == std::string(".to_k") || layer == std::string(".to_v"));
        layers.push_back({block + attention + layer, context ? 2048 : width, width});
      }
    layers.push_back({block + ".ff.net.0.proj", width, 8 * width});
    layers.push_back({block + ".ff.net.2", 4 * width, width});
  }
}

}  // namespace

const LoraTargets& model_targets() {
  static const LoraTargets targets = [] {
    LoraTargets all;
    add_layers(all, "unet", "diffusion_pytorch_model.safetensors");
    add_layers(all, "text_encoder", "model.safetensors");
    add_layers(all, "text_encoder_2", "model.safetensors");
    return all;
  }();
  return targets;
}

LoraTargets full_size_unet_targets() {
  LoraTargets targets;
  auto& layers = targets.components["unet"];
  for (int i = 0; i < 2; ++i) {
    add_transformer(layers, fmt::format("down_blocks.1.attentions.{}", i), 2, 640);
    add_transformer(layers, fmt::format("down_blocks.2.attentions.{}", i), 10, 1280);
  }
  add_transformer(layers, "mid_block.attentions.0", 10, 1280);
  for (int i = 0; i < 3; ++i) {
    add_transformer(layers, fmt::format("up_blocks.0.attentions.{}", i), 10, 1280);
    add_transformer(layers, fmt::format("up_blocks.1.attentions.{}", i), 2, 640);
  }
  for (auto* blocks : {&targets.layout.down, &targets.layout.up}) {
    const size_t resnets = blocks == &targets.layout.down ? 2 : 3;
    const bool down = resnets == 2;
    for (int i = 0; i < 3; ++i) blocks->push_back({std::vector<bool>(resnets, down ? i > 0 : i < 2), i < 2});
  }
  return targets;
}

std::filesystem::path golden(const std::string& name) { return source / "tests/golden" / name; }

ScratchFolder::ScratchFolder() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  path_ = std::filesystem::temp_directory_path() / fmt::format("negativa-{}-{}", test ? test->name() : "lora", getpid());
  std::filesystem::create_directories(path_);
}

ScratchFolder::~ScratchFolder() { std::filesystem::remove_all(path_); }

Modules small_lora() {
  const std::map<std::string, std::vector<std::string>> names = {
      {"unet",
       {"down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", "mid_block.attentions.0.transformer_blocks.1.attn2.to_k",
        "up_blocks.1.attentions.2.transformer_blocks.0.attn1.to_out.0"}},
      {"text_encoder", {"text_model.encoder.layers.0.self_attn.q_proj", "text_model.encoder.layers.2.self_attn.out_proj"}},
      {"text_encoder_2", {"text_model.encoder.layers.1.self_attn.v_proj"}}};
  Generator generator(7);
  Modules modules;
  for (const auto& [component, layers] : names)
    for (const auto& target : model_targets().components.at(component))
      if (std::find(layers.begin(), layers.end(), target.name) != layers.end())
        modules[component][target.name] = {generator.randn({3, target.in_features}), generator.randn({target.out_features, 3}),
                                           1.5};
  return modules;
}

Tensors tensors_of(const Modules& modules, LoraDialect dialect, size_t spelling) {
  Tensors tensors;
  for (const auto& [component, layers] : modules) {
    for (const auto& [name, module] : layers) {
      const auto key = [&, &component = component, &name = name](LoraSide side) {
        const auto names = lora_names(dialect, component, name, side, model_targets().layout);
        return names[std::min(spelling, names.size() - 1)];
      };
      tensors[key(LoraSide::down)] = module.down;
      tensors[key(LoraSide::up)] = dialect == LoraDialect::kohya ? module.up : module.up * module.scale();
      if (dialect == LoraDialect::kohya) tensors[key(LoraSide::alpha)] = at::scalar_tensor(module.alpha, at::kFloat);
    }
  }
  return tensors;
}

LoraFile write_and_read(const Tensors& tensors, const Metadata& metadata, bool allow_unmatched) {
  const ScratchFolder folder;
  write_safetensors(folder / "lora.safetensors", tensors, metadata);
  return read_lora(folder / "lora.safetensors", model_targets(), allow_unmatched);
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

void expect_same_deltas(const Modules& got, const Modules& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [component, layers] : expected) {
    ASSERT_EQ(got.at(component).size(), layers.size()) << component;
    for (const auto& [name, module] : layers)
      EXPECT_TRUE(at::allclose(delta(got.at(component).at(name)), delta(module), 1e-5, 1e-6)) << component << " " << name;
  }
}

}  // namespace negativa::test
