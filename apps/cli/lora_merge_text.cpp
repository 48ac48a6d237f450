#include "lora_merge_text.h"

#include "base/json.h"

namespace negativa::cli {

namespace {

std::string cosine_text(const MergedLayer& layer) {
  std::string text;
  for (const auto& cosine : layer.cosines) text += fmt::format("{}{:.3f}", text.empty() ? ", cosine " : " ", cosine.value);
  return text;
}

}  // namespace

std::string text_of(const LoraMergeReport& report) {
  std::string text;
  for (const auto& layer : report.layers) {
    text += fmt::format("{} {}: rank {} of {}, norm {:.4g}{}", layer.component, layer.module, layer.rank, layer.full_rank,
                        layer.norm, cosine_text(layer));
    if (layer.rank < layer.full_rank)
      text += fmt::format(", error {:.3g} (least possible {:.3g})", layer.error, layer.best_error);
    text += "\n";
  }
  if (report.mean_cosine)
    text += fmt::format("interference: cosine {:.3f} on average, from {:.3f} to {:.3f}; energy kept {:.3f} of the parts'\n",
                        *report.mean_cosine, *report.least_cosine, *report.greatest_cosine, report.kept_energy);
  if (report.error > 0)
    text += fmt::format("error of the whole {:.3g} (least possible {:.3g})\n", report.error, report.best_error);
  return text + fmt::format("{} layers of {} LoRAs -> {} ({})\n", report.layers.size(), report.names.size(), report.out.string(),
                            report.format);
}

std::string json_of(const LoraMergeReport& report) {
  const auto optional = [](const std::optional<double>& number) { return number ? Json(*number) : Json(); };
  Json json = {{"file", report.out.string()},
               {"format", report.format},
               {"model", report.model},
               {"loras", report.names},
               {"mean_cosine", optional(report.mean_cosine)},
               {"least_cosine", optional(report.least_cosine)},
               {"greatest_cosine", optional(report.greatest_cosine)},
               {"kept_energy", report.kept_energy},
               {"error", report.error},
               {"best_error", report.best_error},
               {"layers", Json::array()}};
  for (const auto& layer : report.layers) {
    Json cosines = Json::array();
    for (const auto& cosine : layer.cosines)
      cosines.push_back({{"loras", {cosine.first, cosine.second}}, {"cosine", cosine.value}});
    json["layers"].push_back({{"component", layer.component},
                              {"module", layer.module},
                              {"rank", layer.rank},
                              {"full_rank", layer.full_rank},
                              {"norm", layer.norm},
                              {"kept_energy", layer.kept_energy()},
                              {"error", layer.error},
                              {"best_error", layer.best_error},
                              {"cosines", cosines}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace negativa::cli
