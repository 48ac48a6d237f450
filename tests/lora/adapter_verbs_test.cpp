// What is made of adapters of every kind: other files of them, baked models, merges, reports.
#include <cmath>

#include "io/io_test.h"
#include "lora/bake.h"
#include "lora/inspect.h"
#include "lora/lora_writer.h"
#include "lora/merge_weights.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

namespace fs = std::filesystem;

// tests/golden/adapters.safetensors: adapter_kinds_test.cpp.
const SafetensorsFile& adapters() {
  static const auto file = SafetensorsFile::open(test::golden("adapters.safetensors"));
  return *file;
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& [name, layer] : adapters().metadata())
    if (name != "format") names.push_back(name);
  return names;
}

LoraFile read_cases(const std::vector<std::string>& names) {
  Tensors tensors;
  for (const auto& name : names)
    for (const auto& entry : adapters().entries())
      if (const auto key = entry.name.substr(entry.name.find('|') + 1); entry.name.starts_with(name + "|") && key.size() > 1)
        tensors[key] = adapters().load(entry);
  return write_and_read(tensors);
}

std::shared_ptr<const LoraFile> shared(LoraFile lora) { return std::make_shared<const LoraFile>(std::move(lora)); }

const LoraTarget& target_of(const std::string& layer) {
  const auto& layers = model_targets().components.at("unet");
  return *std::find_if(layers.begin(), layers.end(), [&](const auto& target) { return target.name == layer; });
}

// W' - W, b' - b of a layer for that weight and bias; undefined: nothing.
std::pair<Tensor, Tensor> change_of(const LoraFile& lora, const std::string& layer, const Tensor& weight, const Tensor& bias) {
  std::pair<Tensor, Tensor> change;
  if (lora.modules.contains("unet") && lora.modules.at("unet").contains(layer))
    change.first = delta(lora.modules.at("unet").at(layer)).view(weight.sizes());
  if (!lora.changes.contains("unet") || !lora.changes.at("unet").contains(layer)) return change;
  const auto& other = *lora.changes.at("unet").at(layer);
  if (const Tensor added = other.of_weight(weight); added.defined()) change.first = added;
  if (bias.defined()) change.second = other.of_bias(bias);
  return change;
}

double apart(const Tensor& got, const Tensor& expected) { return ((got - expected).norm() / expected.norm()).item<double>(); }

void expect_same_change(const LoraFile& got, const LoraFile& expected, const std::string& layer, const std::string& what) {
  const Tensor weight = Generator(5).randn(target_of(layer).weight_shape()), bias = at::zeros({target_of(layer).out_features});
  const auto [weight_got, bias_got] = change_of(got, layer, weight, bias);
  const auto [weight_expected, bias_expected] = change_of(expected, layer, weight, bias);
  EXPECT_LT(apart(weight_got, weight_expected), 1e-6) << what;
  ASSERT_EQ(bias_got.defined(), bias_expected.defined()) << what;
  EXPECT_TRUE(!bias_got.defined() || at::equal(bias_got, bias_expected)) << what;
}

}  // namespace

TEST(AdapterWriter, KohyasDialectHoldsEveryKind) {
  const TemporaryFolder folder;
  for (const auto& name : case_names()) {
    const auto lora = read_cases({name});
    write_lora(folder / "a.safetensors", lora, {LoraDialect::kohya, model_targets().layout, {}});
    const auto again = read_lora(folder / "a.safetensors", model_targets());
    EXPECT_EQ(count_layers(again), 1) << name;
    expect_same_change(again, lora, adapters().metadata().at(name), name);
  }
}

TEST(AdapterWriter, DiffusersAndPeftHoldProductsAndDorasOfOutputsAndRefuseTheRestByName) {
  const TemporaryFolder folder;
  const std::set<std::string> held = {"dora", "dora wide", "dora conv", "peft dora", "peft dora square", "peft dora conv"};
  for (const auto& name : case_names()) {
    const auto lora = read_cases({name});
    const auto& layer = adapters().metadata().at(name);
    for (const auto& [dialect, file] : {std::pair{LoraDialect::diffusers, "a.safetensors"}, {LoraDialect::peft, "folder"}}) {
      const auto write = [&, dialect = dialect, file = file] {
        write_lora(folder / file, lora, {dialect, model_targets().layout, {}});
      };
      if (held.contains(name) || !lora.modules.empty()) {
        write();
        expect_same_change(read_lora(folder / file, model_targets()), lora, layer, name);
        continue;
      }
      const auto message = message_of(write);
      EXPECT_NE(message.find(layer), std::string::npos) << message;
      EXPECT_NE(message.find(lora.changes.at("unet").begin()->second->name()), std::string::npos) << message;
      EXPECT_NE(message.find("use --format kohya"), std::string::npos) << message;
    }
  }
}

TEST(AdapterBake, AddsWhatTheWeightMakesOfEachChange) {
  const TemporaryFolder folder;
  const auto model = open_model(emoji_xl());
  const std::vector<std::string> files[] = {
      {"locon tucker", "dora", "loha", "difference", "locon 1x1", "locon stride", "group norm", "layer norm", "dora conv inputs"},
      {"lokr tucker", "dora inputs", "glora"},
      {"glora tucker", "lokr dora", "ia3 inputs", "locon tucker stride"}};
  for (size_t i = 0; i < std::size(files); ++i) {
    const auto& names = files[i];
    const auto lora = shared(read_cases(names));
    const BakeRequest request{{{lora, 0.7}}, at::kFloat, {}};
    const fs::path out = folder / std::to_string(i);
    fs::create_directories(out);
    bake(model, request, out, {}, [] {});
    const auto before = model.weights("unet"), after = open_model(out).weights("unet");
    std::set<std::string> changed;
    for (const auto& name : names) {
      const std::string layer = adapters().metadata().at(name), weight = layer + ".weight", bias = layer + ".bias";
      const auto load = [](const auto& weights, const std::string& key) {
        return weights.contains(key) ? weights.at(key).load(at::kFloat) : Tensor();
      };
      const auto [of_weight, of_bias] = change_of(*lora, layer, load(before, weight), load(before, bias));
      EXPECT_TRUE(at::allclose(load(after, weight), load(before, weight) + 0.7 * of_weight, 1e-6, 1e-7)) << name;
      if (of_bias.defined()) {
        EXPECT_TRUE(at::allclose(load(after, bias), load(before, bias) + 0.7 * of_bias, 1e-6, 1e-7)) << name;
      }
      changed.insert({weight, of_bias.defined() ? bias : weight});
    }
    for (const auto& [key, source] : before)
      EXPECT_EQ(at::equal(after.at(key).load(at::kFloat), source.load(at::kFloat)), !changed.contains(key)) << key;
  }
}

TEST(AdapterBake, APartOfWeightZeroStaysByteForByte) {
  const TemporaryFolder folder;
  const auto model = open_model(emoji_xl());
  auto lora = read_cases({"dora", "group norm"});
  lora.modules["text_encoder"] = small_lora().at("text_encoder");
  PartWeights text_alone;
  text_alone.unet = 0;
  fs::create_directories(folder / "baked");
  const auto report = bake(model, {{{shared(lora), text_alone}}, {}, {}}, folder / "baked", {}, [] {});
  EXPECT_EQ(report.changed, (std::map<std::string, int>{{"text_encoder", 2}}));
  const char* unet = "unet/diffusion_pytorch_model.safetensors";
  EXPECT_EQ(read_bytes(folder / "baked" / unet), read_bytes(emoji_xl() / unet));
}

TEST(AdapterBake, RefusesAnAdapterOfLayersTheModelLacks) {
  auto lora = read_cases({"loha"});
  lora.changes["unet"]["nowhere"] = lora.changes["unet"].begin()->second;
  const auto plan = [&] { plan_bake(open_model(emoji_xl()), {{{shared(lora), 1}}, {}, {}}); };
  EXPECT_NE(error_of(ErrorKind::missing_key, plan).find("1 layers"), std::string::npos);
}

TEST(AdapterMerge, OfKindsThatAreSumsIsTheSum) {
  const auto conv = shared(read_cases({"locon conv"})), tucker = shared(read_cases({"locon tucker"})),
             lokr = shared(read_cases({"lokr tucker"}));
  const auto merged = merge_loras({{conv, 0.5}, {tucker, -1}, {lokr, 2}}, MergeMethod::concat);
  const std::string layer = adapters().metadata().at("locon conv");
  const Tensor weight = at::zeros(target_of(layer).weight_shape());
  const Tensor sum = 0.5 * change_of(*conv, layer, weight, {}).first - change_of(*tucker, layer, weight, {}).first +
                     2 * change_of(*lokr, layer, weight, {}).first;
  const auto& module = merged.modules.at("unet").at(layer);
  EXPECT_EQ(module.kernel, 3);
  EXPECT_LT(apart(delta(module).view(weight.sizes()), sum), 1e-5);
  EXPECT_EQ(merged.layers.at(0).error, 0) << "nothing had to be left out";
}

TEST(AdapterMerge, SaysWhatASmallerRankLeavesOut) {
  const auto loha = shared(read_cases({"loha"}));
  const auto merged = merge_loras({{loha, 1}}, MergeMethod::svd, 3);
  const auto& layer = merged.layers.at(0);
  const std::string name = adapters().metadata().at("loha");
  const Tensor whole = change_of(*loha, name, at::zeros({64, 160}), {}).first;
  const auto values = std::get<1>(at::linalg_svd(whole.to(at::kDouble), false));
  EXPECT_EQ(layer.full_rank, 16) << "a LoHa of rank 4 has rank 4 x 4";
  EXPECT_NEAR(layer.error, (values.narrow(0, 3, values.size(0) - 3).norm() / values.norm()).item<double>(), 1e-5);
  EXPECT_NEAR(apart(delta(merged.modules.at("unet").at(name)), whole), layer.error, 1e-5);
}

TEST(AdapterMerge, AddsDifferencesOfNormsAndBiases) {
  const auto file = shared(read_cases({"group norm", "difference"}));
  const auto merged = merge_loras({{file, 0.5}, {file, 0.25}}, MergeMethod::concat);
  for (const char* name : {"group norm", "difference"}) {
    const std::string layer = adapters().metadata().at(name);
    const auto& change = *merged.changes.at("unet").at(layer);
    const auto& original = *file->changes.at("unet").at(layer);
    EXPECT_LT(apart(change.of_bias(at::zeros({64})), 0.75 * original.bias), 1e-6) << name;
  }
  const std::string norm = adapters().metadata().at("group norm");
  EXPECT_LT(apart(merged.changes.at("unet").at(norm)->of_weight(at::zeros({64})),
                  0.75 * file->changes.at("unet").at(norm)->pieces.at("diff")),
            1e-6);
}

TEST(AdapterMerge, RefusesByNameWhatDependsOnTheWeight) {
  for (const auto& [name, kind] :
       {std::pair{"dora", "DoRA"}, {"ia3", "(IA)3"}, {"glora", "GLoRA"}, {"lokr dora", "LoKr with DoRA"}}) {
    const auto file = shared(read_cases({name}));
    const auto message = message_of([&] { merge_loras({{file, 1}}, MergeMethod::concat); });
    EXPECT_NE(message.find(adapters().metadata().at(name)), std::string::npos) << message;
    EXPECT_NE(message.find(std::string("is a ") + kind), std::string::npos) << message;
    EXPECT_NE(message.find("lora bake"), std::string::npos) << message;
  }
}

TEST(AdapterReport, NamesTheKindAndMeasuresWhatItDoes) {
  const TemporaryFolder folder;
  write_lora(folder / "a.safetensors", read_cases({"locon tucker", "dora", "loha", "difference", "group norm"}),
             {LoraDialect::kohya, model_targets().layout, {}});
  const auto report = inspect_lora(folder / "a.safetensors", &model_targets());
  ASSERT_EQ(report.layers.size(), 5u);
  EXPECT_TRUE(report.faults.empty() && report.unmatched.empty());
  std::map<std::string, LoraReport::Layer> layers;
  for (const auto& layer : report.layers) layers[layer.module] = layer;
  const auto of = [&](const char* name) { return layers.at(adapters().metadata().at(name)); };
  EXPECT_EQ(of("locon tucker").kind, "LoCon");
  EXPECT_EQ(of("locon tucker").in_features, 32);
  EXPECT_EQ(of("dora").kind, "DoRA");
  EXPECT_EQ(of("dora").rank, 4);
  EXPECT_TRUE(std::isnan(of("dora").norm));
  EXPECT_EQ(of("loha").kind, "LoHa");
  const auto loha = read_cases({"loha"});
  const double norm = loha.changes.at("unet").begin()->second->of_weight(at::zeros({64, 160})).norm().item<double>();
  EXPECT_NEAR(of("loha").norm, norm, 1e-4 * norm);
  EXPECT_EQ(of("difference").kind, "difference");
}

}  // namespace negativa
