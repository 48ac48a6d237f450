// Files of every kind for SDXL at its full size, under the names of every trainer: no key is left over. Their tensors are holes
// in the file, of which nothing is read.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "lora/key_index.h"
#include "model/lora_targets.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

using Shapes = std::map<std::string, Shape>;

const LoraTargets& full_size() {
  static const LoraTargets targets = lora_targets(open_model(test::source_folder() / "models/sdxl-layers"));
  return targets;
}

void write_holes(const fs::path& file, const Shapes& tensors) {
  Json header = Json::object();
  int64_t end = 0;
  for (const auto& [name, shape] : tensors) {
    const int64_t begin = end;
    end += 4 * c10::multiply_integers(shape);
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, end}}};
  }
  const std::string text = header.dump();
  const uint64_t size = text.size();
  write_atomically(file, std::string(reinterpret_cast<const char*>(&size), 8) + text);
  fs::resize_file(file, 8 + size + static_cast<uint64_t>(end));
}

// A kind's tensors for a layer, of rank 16; empty: it does not act on such layers.
struct Kind {
  const char* name;
  Shapes (*pieces)(const LoraTarget&);
};

bool is_norm(const LoraTarget& t) { return t.kind == LoraTarget::Kind::norm; }

Shapes lora(const LoraTarget& t) {
  if (is_norm(t)) return {};
  if (t.kind == LoraTarget::Kind::linear)
    return {{"lora_down.weight", {16, t.in_features}}, {"lora_up.weight", {t.out_features, 16}}, {"alpha", {}}};
  return {{"lora_down.weight", {16, t.in_features, t.kernel, t.kernel}},
          {"lora_up.weight", {t.out_features, 16, 1, 1}},
          {"dora_scale", {t.out_features, 1, 1, 1}},
          {"alpha", {}}};
}

Shapes loha(const LoraTarget& t) {
  if (is_norm(t)) return {};
  return {{"hada_w1_a", {t.out_features, 16}},
          {"hada_w1_b", {16, t.fan_in()}},
          {"hada_w2_a", {t.out_features, 16}},
          {"hada_w2_b", {16, t.fan_in()}},
          {"alpha", {}}};
}

Shapes lokr(const LoraTarget& t) {
  if (is_norm(t)) return {};
  return {{"lokr_w1", {4, 4}}, {"lokr_w2_a", {t.out_features / 4, 16}}, {"lokr_w2_b", {16, t.fan_in() / 4}}, {"alpha", {}}};
}

Shapes glora(const LoraTarget& t) {
  if (is_norm(t)) return {};
  return {{"a1.weight", {t.in_features, 16}},
          {"a2.weight", {16, t.in_features}},
          {"b1.weight", {t.out_features, 16}},
          {"b2.weight", {16, t.fan_in()}}};
}

Shapes ia3(const LoraTarget& t) { return is_norm(t) ? Shapes() : Shapes{{"weight", {t.out_features}}, {"on_input", {}}}; }

Shapes difference(const LoraTarget& t) {
  if (is_norm(t)) return {{"w_norm", {t.out_features}}, {"b_norm", {t.out_features}}};
  Shapes pieces = {{"diff", t.weight_shape()}};
  if (t.has_bias) pieces["diff_b"] = {t.out_features};
  return pieces;
}

constexpr Kind kinds[] = {{"LoRA and DoRA", lora}, {"LoHa", loha}, {"LoKr", lokr},
                          {"GLoRA", glora},        {"(IA)3", ia3}, {"differences", difference}};

}  // namespace

TEST(AdapterKeys, OfEveryKindAndTrainerAreAllMatchedAtFullSize) {
  const TemporaryFolder folder;
  const LayerNames names(full_size().layout);
  const LoraKeyIndex index(full_size());
  const char* prefixes[][3] = {{"lora_unet_", "lora_te1_", "lora_te2_"},
                               {"unet.", "text_encoder.", "text_encoder_2."},
                               {"diffusion_model.", "text_encoders.clip_l.transformer.", "text_encoders.clip_g.transformer."},
                               {"unet.", "clip_l.", "clip_g."},
                               {"lora_unet.", "lora_te1.", "lora_te2."},
                               {"lycoris_unet_", "lycoris_te1_", "lycoris_te2_"}};
  size_t file = 0;
  for (const auto& kind : kinds)
    for (size_t style = 0; style < 4; ++style, ++file) {
      const auto& prefix = prefixes[file % std::size(prefixes)];
      Shapes tensors;
      size_t part = 0;
      for (const char* component : {"unet", "text_encoder", "text_encoder_2"}) {
        for (const auto& target : full_size().components.at(component)) {
          const auto spellings = names.of(component, target.name);
          const auto& spelling = spellings[std::min(style, spellings.size() - 1)].text;
          for (const auto& [piece, shape] : kind.pieces(target)) tensors[prefix[part] + spelling + "." + piece] = shape;
        }
        ++part;
      }
      write_holes(folder / "adapter.safetensors", tensors);
      const auto opened = SafetensorsFile::open(folder / "adapter.safetensors");
      EXPECT_GT(opened->entries().size(), 2000u);
      EXPECT_EQ(count_unfit_keys(*opened, index), 0) << kind.name << " as " << prefix[0] << ", spelling " << style;
    }
}

}  // namespace negativa
