#include "io/weight_files.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "io/keys/diffusers_names.h"
#include "io/scaled_fp8.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {
constexpr const char* extension = ".safetensors";

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    names.push_back(entry->path().filename().string());
  check(!error, ErrorKind::input, "[{}] cannot be listed: {}", folder.string(), error.message());
  std::sort(names.begin(), names.end());
  return names;
}

std::map<std::string, std::string> weight_map(const fs::path& index) {
  const auto json = read_json_file(index);
  const auto found = json.is_object() ? json.find("weight_map") : json.end();
  check(found != json.end() && found->is_object(), ErrorKind::file_format, "[{}] has no object \"weight_map\"", index.string());
  std::map<std::string, std::string> result;
  for (const auto& [key, file] : found->items()) {
    // A shard lies beside its index; anything else would let a downloaded index read elsewhere.
    const bool plain = file.is_string() && fs::path(file.get<std::string>()).filename() == file.get<std::string>();
    check(plain && !file.get<std::string>().empty(), ErrorKind::file_format,
          "[{}] {}: got {}, expected the name of a file beside it", index.string(), key, json_excerpt(file));
    result.emplace(key, file.get<std::string>());
  }
  return result;
}

class Resolver {
 public:
  Resolver(const fs::path& folder, const std::string& stem) : folder_(folder), stem_(stem), names_(names_in(folder)) {}

  WeightFiles resolve() {
    for (const std::string variant : {"", ".fp16"}) {
      if (has(stem_ + variant + extension)) return {{folder_ / (stem_ + variant + extension)}, {}};
      for (const auto& index : {stem_ + extension + ".index" + variant + ".json", stem_ + variant + extension + ".index.json"})
        if (auto files = shards(index)) return *files;
    }
    const auto others = other_variants();
    if (const auto pickled = pickled_name(); others.empty() && incomplete_.empty() && pickled) return {{folder_ / *pickled}, {}};
    if (others.size() == 1) return {{folder_ / others[0]}, {}};
    check(others.empty(), ErrorKind::missing_key, "[{}] holds {}, and nothing tells which to take; rename one to {}{}",
          folder_.string(), joined(others, ", "), stem_, extension);
    check(incomplete_.empty(), ErrorKind::missing_key, "[{}] lists {}, which is not there; download it", incomplete_,
          missing_shard_);
    for (const auto& name : names_)
      check(!name.ends_with(".bin") && !name.ends_with(".bin.index.json"), ErrorKind::missing_key,
            "[{}] holds no {}{}, only {}, pickled in several files, which is not read; download the safetensors files",
            folder_.string(), stem_, extension, name);
    fail(ErrorKind::missing_key, "[{}] holds no weights, expected {}{}; is the download complete?", folder_.string(), stem_,
         extension);
  }

 private:
  // What torch.save wrote before safetensors; transformers calls it by another name.
  std::optional<std::string> pickled_name() const {
    const std::string stem = stem_ == "model" ? "pytorch_model" : stem_;
    for (const char* variant : {"", ".fp16"})
      if (has(stem + variant + ".bin")) return stem + variant + ".bin";
    return {};
  }

  bool has(const std::string& name) const { return std::binary_search(names_.begin(), names_.end(), name); }

  std::optional<WeightFiles> shards(const std::string& index) {
    if (!has(index)) return {};
    std::set<std::string> files;
    for (const auto& [key, file] : weight_map(folder_ / index)) files.insert(file);
    WeightFiles result{{}, folder_ / index};
    for (const auto& file : files) {
      if (!has(file)) {
        incomplete_ = result.index.string(), missing_shard_ = file;
        return {};
      }
      result.shards.push_back(folder_ / file);
    }
    return result;
  }

  // STEM.variant.safetensors; a dash in the variant is a shard's number.
  std::vector<std::string> other_variants() const {
    std::vector<std::string> others;
    for (const auto& name : names_)
      if (name.starts_with(stem_ + ".") && name.ends_with(extension) && name.find("-of-") == std::string::npos)
        others.push_back(name);
    return others;
  }

  fs::path folder_;
  std::string stem_;
  std::vector<std::string> names_;  // sorted
  std::string incomplete_, missing_shard_;
};
}  // namespace

WeightFiles find_weight_files(const fs::path& folder, const std::string& stem) { return Resolver(folder, stem).resolve(); }

std::optional<fs::path> find_part_folder(const fs::path& folder, const std::string& name) {
  constexpr int64_t longest_link = 4096, most_links = 8;
  auto path = folder / name;
  std::error_code error;
  for (int links = 0; links < most_links; ++links) {
    if (fs::is_directory(path, error)) return path;
    if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > longest_link) return {};
    auto target = read_file(path, longest_link);
    target.erase(target.find_last_not_of(" \r\n\t") + 1);
    if (target.empty() || target.find('\0') != std::string::npos || fs::path(target).is_absolute()) return {};
    path = (path.parent_path() / target).lexically_normal();
  }
  return {};
}

Weights read_part(const std::string& part, const WeightFiles& files) {
  Weights weights;
  for (const auto& path : files.shards) {
    const auto file = open_tensor_file(path);
    const Fp8Scales scales(*file);
    for (const auto& entry : file->entries()) {
      const auto name = from_diffusers_name(part, entry.name);
      if (!name || scales.takes(entry.name)) continue;
      TensorSource source{.file = file, .key = entry.name, .squeeze = name->squeeze, .scale_key = scales.of(entry.name)};
      const bool is_new = weights.emplace(name->ours, std::move(source)).second;
      check(is_new, ErrorKind::file_format, "[{}] holds {} a second time", path.string(), name->ours);
    }
  }
  if (files.index.empty()) return weights;
  for (const auto& [key, shard] : weight_map(files.index)) {
    const auto name = from_diffusers_name(part, key);
    if (!name) continue;
    const auto found = weights.find(name->ours);
    check(found != weights.end() && found->second.file->path().filename() == shard, ErrorKind::file_format,
          "[{}] says that {} is in {}, but it is not; download the shards again", files.index.string(), key, shard);
  }
  return weights;
}

}  // namespace negativa
