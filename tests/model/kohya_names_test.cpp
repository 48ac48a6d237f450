// kohya's names of full-size SDXL, by sd-scripts' own rules: tools/goldens_kohya.py.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "golden_file.h"
#include "model/lora_targets.h"

namespace negativa::test {

namespace {

struct KohyaName {
  std::string component, ours, theirs;
};

std::vector<KohyaName> golden_names() {
  std::ifstream lines(source_folder() / "tests/golden/kohya_names.txt");
  std::vector<KohyaName> names;
  for (KohyaName name; lines >> name.component >> name.ours >> name.theirs;) names.push_back(name);
  return names;
}

// What sd-scripts trains by default: everything inside the transformers, of text encoders all but the projection.
bool is_trained(const std::string& component, const std::string& layer) {
  return component == "unet" ? layer.find(".attentions.") != std::string::npos : layer.find(".layers.") != std::string::npos;
}

}  // namespace

TEST(KohyaNames, OfFullSizeSdxlAreThoseOfSdScripts) {
  const LoraTargets targets = lora_targets(open_model(source_folder() / "models/sdxl-layers"));
  std::set<std::string> layers;
  for (const auto& [component, list] : targets.components)
    for (const auto& layer : list)
      if (layer.kind == LoraTarget::Kind::linear && is_trained(component, layer.name))
        layers.insert(component + " " + layer.name);
  std::map<std::string, int> counts;
  for (const auto& [component, ours, theirs] : golden_names()) {
    EXPECT_EQ(layers.erase(component + " " + ours), 1u) << ours;
    EXPECT_EQ(lora_names(LoraDialect::kohya, component, ours, LoraSide::alpha, targets.layout).front(), theirs + ".alpha");
    ++counts[component];
  }
  EXPECT_TRUE(layers.empty()) << *layers.begin();
  EXPECT_EQ(counts, (std::map<std::string, int>{{"unet", 722}, {"text_encoder", 72}, {"text_encoder_2", 192}}));
}

}  // namespace negativa::test
