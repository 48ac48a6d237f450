#include "model_text.h"

#include "base/json.h"

namespace negativa::cli {

constexpr const char* unknown_hash = "not known yet; --hashes reads the whole file";

std::string text_of(const ModelReport& report) {
  std::string text = fmt::format("{}: {}, {}\n\n{:<16} {:>7} {:>14} {:>10}  {}\n", report.name, report.layout, report.scheduler,
                                 "part", "tensors", "parameters", "MiB", "stored as");
  for (const auto& part : report.parts) {
    std::string dtypes;
    for (const auto& [dtype, count] : part.dtypes)
      dtypes +=
          fmt::format("{}{}", dtypes.empty() ? "" : ", ", part.dtypes.size() > 1 ? fmt::format("{} {}", count, dtype) : dtype);
    text += fmt::format("{:<16} {:>7} {:>14} {:>10.1f}  {}\n{:<16} {}\n", part.name, part.tensors, part.parameters,
                        static_cast<double>(part.bytes) / double(1 << 20), dtypes, "", part.facts);
  }
  text += "\nSHA-256\n";
  for (const auto& [name, hash] : report.files) text += fmt::format("{:<64}  {}\n", hash.empty() ? unknown_hash : hash, name);
  text += "\n";
  if (!report.prediction.empty()) text += fmt::format("predicts {} ({})\n", report.prediction, report.prediction_source);
  if (report.zero_snr) text += fmt::format("zero terminal SNR ({})\n", report.zero_snr_source);
  for (const auto& remark : report.remarks) text += remark + "\n";
  if (!report.unused_keys.empty())
    text += fmt::format("\n{} keys belong to no part, as {}\n", report.unused_keys.size(), report.unused_keys.front());
  return text;
}

std::string json_of(const ModelReport& report) {
  Json parts = Json::object(), files = Json::object();
  for (const auto& part : report.parts)
    parts[part.name] = {{"tensors", part.tensors},
                        {"parameters", part.parameters},
                        {"bytes", part.bytes},
                        {"dtypes", part.dtypes},
                        {"facts", part.facts}};
  for (const auto& [name, hash] : report.files) files[name] = hash.empty() ? Json() : Json(hash);
  const Json prediction = {{"type", report.prediction.empty() ? Json() : Json(report.prediction)},
                           {"source", report.prediction_source},
                           {"zero_snr", report.zero_snr},
                           {"zero_snr_source", report.zero_snr_source}};
  return Json({{"name", report.name},
               {"layout", report.layout},
               {"scheduler", report.scheduler},
               {"prediction", prediction},
               {"remarks", report.remarks},
               {"parts", parts},
               {"sha256", files},
               {"unused_keys", report.unused_keys}})
      .dump(2);
}

}  // namespace negativa::cli
