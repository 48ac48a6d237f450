#include "lora/inspect.h"

#include <algorithm>
#include <limits>

#include "base/files.h"
#include "base/json.h"
#include "base/sha256.h"
#include "io/file_kind.h"
#include "lora/guess.h"
#include "lora/key_index.h"
#include "lora/merge_weights.h"

namespace negativa {

namespace {

void add_layer(LoraReport& report, const std::string& component, const std::string& name, const LoraModule& module) {
  const int64_t pixels = std::max<int64_t>(1, module.kernel * module.kernel);
  report.layers.push_back({component, name, module.rank(), module.down.size(1) / pixels, module.up.size(0), module.alpha,
                           delta_norm(module), module.kernel > 1 ? "LoCon" : "LoRA"});
}

void add_layer(LoraReport& report, const std::string& component, const LayerChange& change) {
  const auto& target = change.target;
  LoraReport::Layer layer{component,           target.name,  change.rank, target.in_features,
                          target.out_features, change.alpha, 0,           change.name()};
  if (change.pieces.empty()) {
    layer.kind = "bias";
    layer.norm = change.bias.norm().item<double>();
  } else {
    layer.norm = change.needs_weight() ? std::numeric_limits<double>::quiet_NaN()
                                       : change.of_weight(at::zeros(target.weight_shape())).norm().item<double>();
  }
  report.layers.push_back(std::move(layer));
}

void compare_with(const LoraTargets& targets, const std::filesystem::path& path, LoraReport& report) {
  const LoraFile lora = survey_lora(path, targets);
  report.compared = true;
  report.dialect = dialect_name(lora.dialect);
  report.guess = lora.coverage.guess;
  report.remark = lora.coverage.remark;
  for (const auto& off : lora.coverage.off) report.off.push_back(off.component + " " + off.module);
  for (const auto& [component, keys] : lora.coverage.matched) report.parts[component].matched = keys;
  for (const auto* keys : {&lora.coverage.unmatched, &lora.coverage.magnitudes})
    for (const auto& key : *keys) {
      ++report.parts[component_of_key(key)].unmatched;
      report.unmatched.push_back(key);
    }
  for (const auto& fault : lora.coverage.faults) {
    ++report.parts[fault.component].misshapen;
    report.faults.push_back(fault.text);
  }
  for (const auto& [component, modules] : lora.modules)
    for (const auto& [name, module] : modules) add_layer(report, component, name, module);
  for (const auto& [component, changes] : lora.changes)
    for (const auto& [name, change] : changes) add_layer(report, component, *change);
  report.superseded = lora.coverage.superseded;
  for (const auto& embedding : lora.embeddings) report.words.push_back(embedding.word);
}

struct RawPieces {
  const TensorEntry *down = nullptr, *up = nullptr, *alpha = nullptr;
};

bool is_pair(const RawPieces& pieces) {
  if (!pieces.down || !pieces.up) return false;
  const Shape down = matrix_shape(pieces.down->shape), up = matrix_shape(pieces.up->shape);
  return down.size() == 2 && up.size() == 2 && down[0] == up[1] && down[0] > 0 && at::isFloatingType(pieces.down->dtype) &&
         at::isFloatingType(pieces.up->dtype);
}

// Without a model the file's own spellings stand for the layers; an alpha kept in metadata is unknown here, so it counts as the
// rank.
void describe(const TensorFile& file, LoraReport& report) {
  std::map<std::string, RawPieces> pieces;
  std::map<LoraDialect, int> dialects;
  for (const auto& entry : file.entries()) {
    const auto parts = lora_key_parts(entry.name);
    if (!parts) continue;
    ++dialects[parts->dialect];
    auto& layer = pieces[parts->stem];
    (parts->side == LoraSide::down ? layer.down : parts->side == LoraSide::up ? layer.up : layer.alpha) = &entry;
  }
  for (const auto& [stem, found] : pieces) {
    if (!is_pair(found)) continue;
    LoraModule module{file.load(*found.down, at::kFloat).reshape(matrix_shape(found.down->shape)),
                      file.load(*found.up, at::kFloat).reshape(matrix_shape(found.up->shape)), 0};
    const bool has_alpha = found.alpha && c10::multiply_integers(found.alpha->shape) == 1;
    module.alpha = has_alpha ? file.load(*found.alpha, at::kDouble).item<double>() : static_cast<double>(module.rank());
    if (module.alpha == 0)
      report.off.push_back(component_of_key(stem) + " " + stem);
    else
      add_layer(report, component_of_key(stem), stem, module);
  }
  const auto most =
      std::max_element(dialects.begin(), dialects.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  report.dialect = most == dialects.end() ? "none" : dialect_name(most->first);
  if (report.layers.empty()) report.guess = guess_purpose(file, {});
}

// The tag that most training captions had: {"10_folder": {"tag": count}}. Foreign text: anything else is no tag.
std::string most_frequent_tag(const std::string& text) {
  Json folders;
  try {
    folders = parse_json(text, "ss_tag_frequency", DuplicateKeys::last_wins);
  } catch (const Error&) {
    return {};
  }
  std::map<std::string, int64_t> counts;
  if (!folders.is_object()) return {};
  for (const auto& tags : folders)
    if (tags.is_object())
      for (const auto& [tag, count] : tags.items())
        if (json_holds<int64_t>(count)) counts[tag] += count.get<int64_t>();
  const auto top =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return top == counts.end() ? "" : top->first;
}

void find_trigger(LoraReport& report) {
  for (const char* field : {"modelspec.trigger_phrase", "ss_tag_frequency", "ss_output_name"}) {
    const auto found = report.metadata.find(field);
    if (found == report.metadata.end()) continue;
    report.trigger = field == std::string_view("ss_tag_frequency") ? most_frequent_tag(found->second) : found->second;
    report.trigger_source = field;
    if (!report.trigger.empty()) return;
  }
  report.trigger_source.clear();
}

// Whatever else was given (a checkpoint of 7 GB) is told by its header alone.
constexpr uintmax_t hashed_if_no_lora_bytes = 256 << 20;

void hash(const std::filesystem::path& path, const TensorFile& file, LoraReport& report, const CancelToken* cancel) {
  report.size_bytes = std::filesystem::file_size(path);
  const bool is_lora = !report.layers.empty() || !report.words.empty() || !report.off.empty() || !report.faults.empty();
  if (!is_lora && report.size_bytes >= hashed_if_no_lora_bytes) return;
  report.sha256 = sha256_file(path, cancel);
  report.data_sha256 = may_be_pickle(path) ? report.sha256 : file.data_sha256(cancel);  // of a pickle the whole file
  const MappedFile mapped(path);
  const auto bytes = mapped.bytes();
  const size_t begin = std::min<size_t>(0x100000, bytes.size()), length = std::min<size_t>(0x10000, bytes.size() - begin);
  report.auto_v1 = sha256_hex(bytes.subspan(begin, length)).substr(0, 8);
}

}  // namespace

LoraReport inspect_lora(const std::filesystem::path& path, const LoraTargets* targets, const CancelToken* cancel) {
  LoraReport report;
  const auto files = lora_weights_paths(path);
  const auto& weights = files[0];
  check(files.size() == 1, ErrorKind::input, "[lora inspect] {} has several files; inspect one of them, as {}", path.string(),
        weights.parent_path().string());
  const auto file = open_tensor_file(weights);
  report.name = weights.filename().string();
  report.metadata = file->metadata();
  if (targets)
    compare_with(*targets, path, report);
  else
    describe(*file, report);
  find_trigger(report);
  hash(weights, *file, report, cancel);
  return report;
}

}  // namespace negativa
