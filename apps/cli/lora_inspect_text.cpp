#include "lora_inspect_text.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/json.h"
#include "base/text.h"

namespace negativa::cli {

namespace {

// Foreign text on one line of a terminal: no control characters.
std::string one_line(const std::string& text) {
  std::string line = valid_utf8(text);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return line;
}

// "4" or "4, 8" in order
std::string distinct(const LoraReport& report, const std::string& component, auto number) {
  std::set<double> values;
  for (const auto& layer : report.layers)
    if (layer.component == component && layer.rank > 0) values.insert(number(layer));
  return values.empty() ? "none" : fmt::format("{}", fmt::join(values, ", "));
}

// " (2 DoRA, 5 LoHa)"; empty: all are plain LoRAs.
std::string kinds_text(const LoraReport& report, const std::string& component) {
  std::map<std::string, int> kinds;
  for (const auto& layer : report.layers)
    if (layer.component == component) ++kinds[layer.kind];
  if (kinds.size() == 1 && kinds.begin()->first == "LoRA") return {};
  std::string text;
  for (const auto& [kind, count] : kinds) text += fmt::format("{}{} {}", text.empty() ? " (" : ", ", count, kind);
  return text + ")";
}

std::string layer_text(const LoraReport::Layer& layer) {
  std::string text = fmt::format("{} {}: ", layer.component, one_line(layer.module));
  if (layer.kind != "LoRA") text += layer.kind + ", ";
  if (layer.rank > 0) text += fmt::format("rank {}, alpha {}, ", layer.rank, layer.alpha);
  return text + (std::isnan(layer.norm) ? "norm by the model's weight\n" : fmt::format("norm {:.6g}\n", layer.norm));
}

void append_parts(const LoraReport& report, std::string& text) {
  std::set<std::string> components;
  for (const auto& layer : report.layers) components.insert(layer.component);
  for (const auto& component : components)
    text += fmt::format("{}: {} layers{}, rank {}, alpha {}\n", component,
                        std::count_if(report.layers.begin(), report.layers.end(),
                                      [&](const auto& layer) { return layer.component == component; }),
                        kinds_text(report, component),
                        distinct(report, component, [](const auto& layer) { return static_cast<double>(layer.rank); }),
                        distinct(report, component, [](const auto& layer) { return layer.alpha; }));
  if (!report.compared) {
    text += "keys: not compared with a model; -m MODEL does\n";
    return;
  }
  if (!report.model.empty()) text += fmt::format("compared with the layers of {}\n", report.model);
  for (const auto& [component, part] : report.parts)
    text += fmt::format("keys of {}: {} matched, {} unmatched; {} layers misshapen\n", component, part.matched, part.unmatched,
                        part.misshapen);
  for (const auto& key : report.unmatched) text += fmt::format("  unmatched {}\n", one_line(key));
  for (const auto& fault : report.faults) text += fmt::format("  misshapen {}\n", fault);
}

}  // namespace

std::string text_of(const LoraReport& report) {
  std::string text = fmt::format("{}: {} keys, {} bytes\n", report.name, report.dialect, report.size_bytes);
  append_parts(report, text);
  for (const auto& layer : report.off) text += fmt::format("  off (alpha 0) {}\n", one_line(layer));
  if (report.layers.empty() && !report.off.empty()) text += "it has no effect: all its layers are switched off by alpha 0\n";
  for (const auto& layer : report.superseded)
    text += fmt::format("  named twice, as SGM's and as diffusers', which counts {}\n", one_line(layer));
  for (const auto& word : report.words) text += fmt::format("brings along the word \"{}\"\n", one_line(word));
  if (!report.remark.empty()) text += fmt::format("it {}\n", report.remark);
  if (!report.guess.empty()) text += fmt::format("it seems to be {}\n", report.guess);
  text += report.trigger.empty() ? "trigger word: not recorded\n"
                                 : fmt::format("trigger word: {} ({})\n", one_line(report.trigger), report.trigger_source);
  text += report.sha256.empty() ? "not hashed: large, and no LoRA\n"
                                : fmt::format("sha256 {}\nAutoV1 {}, AutoV2 {}, AutoV3 {}\n", report.sha256, report.auto_v1,
                                              report.auto_v2(), report.auto_v3());
  for (const char* field : {"sshs_model_hash", "sshs_legacy_hash"})
    if (const auto found = report.metadata.find(field); found != report.metadata.end())
      text += fmt::format("recorded {} {}\n", field, one_line(found->second));
  if (const auto found = report.metadata.find("sshs_model_hash");
      found != report.metadata.end() && !report.sha256.empty() && found->second != report.data_sha256)
    text += "the tensors were changed after sshs_model_hash was recorded\n";
  for (const auto& [key, value] : report.metadata)
    if (!key.starts_with("sshs_")) text += fmt::format("metadata {} = {}\n", one_line(key), one_line(value));
  for (const auto& layer : report.layers) text += layer_text(layer);
  return text;
}

std::string json_of(const LoraReport& report) {
  Json json = {{"name", report.name},         {"size_bytes", report.size_bytes},   {"dialect", report.dialect},
               {"compared", report.compared}, {"unmatched", report.unmatched},     {"faults", report.faults},
               {"guess", report.guess},       {"metadata", report.metadata},       {"model", report.model},
               {"off", report.off},           {"remark", report.remark},           {"superseded", report.superseded},
               {"words", report.words},       {"trigger", report.trigger},         {"trigger_source", report.trigger_source},
               {"sha256", report.sha256},     {"data_sha256", report.data_sha256}, {"auto_v1", report.auto_v1},
               {"auto_v2", report.auto_v2()}, {"auto_v3", report.auto_v3()},       {"parts", Json::object()},
               {"layers", Json::array()}};
  for (const auto& [component, part] : report.parts)
    json["parts"][component] = {{"matched", part.matched}, {"unmatched", part.unmatched}, {"misshapen", part.misshapen}};
  for (const auto& layer : report.layers)
    json["layers"].push_back({{"component", layer.component},
                              {"module", layer.module},
                              {"kind", layer.kind},
                              {"rank", layer.rank},
                              {"alpha", layer.alpha},
                              {"in_features", layer.in_features},
                              {"out_features", layer.out_features},
                              {"norm", layer.norm}});
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace negativa::cli
