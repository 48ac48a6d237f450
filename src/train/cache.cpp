#include "train/cache.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/names.h"
#include "base/recipe.h"
#include "base/sha256.h"
#include "base/text.h"
#include "core/isa.h"
#include "io/weight_files.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

// Part of every key: raised when entries are laid out or computed in another way. Latents 2: colour profiles and raw EXIF
// profiles are heeded.
constexpr int latents_version = 2, embeds_version = 1;

using Tensors = std::map<std::string, Tensor>;

struct Entry {
  Tensors tensors;
  Metadata metadata;
};

// Of the data as write_safetensors lays it out; all tensors of an entry have one dtype, so that is their order here.
std::string data_sha256(const Tensors& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors)
    hash.update(std::span(static_cast<const uint8_t*>(tensor.const_data_ptr()), tensor.nbytes()));
  return hash.hex();
}

// One folder of the cache: file KEY.safetensors, KEY the hash of the canonical JSON of what decides its bytes. That JSON and the
// data's hash lie in the file too, so a renamed or damaged entry is told from a good one.
class CacheFolder {
 public:
  CacheFolder(const char* name, const DataHooks& hooks) : hooks_(hooks) {
    if (!hooks.cache.empty()) folder_ = hooks.cache / name;
  }

  std::optional<Entry> read(const Json& key) const {
    const auto path = file_of(key);
    std::error_code ignored;
    if (folder_.empty() || !fs::is_regular_file(path, ignored)) return {};
    try {
      const auto file = SafetensorsFile::open(path);
      Entry entry{{}, file->metadata()};
      if (entry.metadata["key"] != canonical_json(key) || entry.metadata["sha256"] != file->data_sha256()) return {};
      for (const auto& tensor : file->entries()) entry.tensors[tensor.name] = file->load(tensor);
      return entry;
    } catch (const Error&) {  // damaged: made again
      return {};
    }
  }

  void write(const Json& key, const Tensors& tensors, Metadata metadata) {
    if (folder_.empty() || failed_) return;
    metadata["key"] = canonical_json(key);
    metadata["sha256"] = data_sha256(tensors);
    try {
      make_folder(folder_);
      write_safetensors(file_of(key), tensors, metadata);
    } catch (const Error& error) {
      failed_ = true;
      if (hooks_.on_notice) hooks_.on_notice(fmt::format("nothing is kept for the next run: {}", error.what()));
    }
  }

 private:
  fs::path file_of(const Json& key) const { return folder_ / (sha256_hex(canonical_json(key)) + ".safetensors"); }

  const DataHooks& hooks_;
  fs::path folder_;  // empty: none is known
  bool failed_ = false;
};

Json key_of(const char* kind, int version, const ComputeFacts& facts) {
  return {{"kind", kind},
          {"version", version},
          {"model_sha256", facts.model_sha256},
          {"storage", facts.storage ? dtype_name(*facts.storage) : "file"},
          {"compute", dtype_name(facts.compute)},
          {"device", facts.device.str()},
          {"threads", at::get_num_threads()},
          {"processor", processor_name()},
          {"instructions", isa_name(active_isa())},
          {"libtorch", TORCH_VERSION},
          {"program_version", Recipe::default_program_version()}};
}

// On the CPU, contiguous; made outside inference mode, so that autograd may save it.
Tensor ordinary(const Tensor& tensor) { return tensor.to(at::kCPU).clone(at::MemoryFormat::Contiguous); }

bool is_shaped(const Tensors& tensors, const std::string& name, DType dtype, const Shape& shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.scalar_type() != dtype || found->second.dim() != static_cast<int64_t>(shape.size()))
    return false;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != -1 && shape[i] != found->second.size(static_cast<int64_t>(i))) return false;
  return true;
}

// Progress and cancelling of a loop.
class Steps {
 public:
  Steps(int64_t total, const DataHooks& hooks) : total_(total), hooks_(hooks) {}
  void begin() const {
    if (hooks_.cancel) hooks_.cancel->throw_if_cancelled();
  }
  void end() {
    if (hooks_.on_progress) hooks_.on_progress(++done_, total_);
  }

 private:
  const int64_t total_;
  const DataHooks& hooks_;
  int64_t done_ = 0;
};

Json latent_key(const Example& example, bool mirrored, const LatentRequest& request) {
  Json key = key_of("latents", latents_version, request.facts);
  key["compute"] = "fp32";
  key["picture_sha256"] = example.sha256;
  key["mirrored"] = mirrored;
  key["filter"] = "lanczos";
  const auto pair = [](const SizePx& size) { return Json::array({size.height, size.width}); };
  key["crop_top_left"] = pair(example.crop_top_left);
  key["target_size"] = pair(example.target_size);
  const int64_t factor = request.vae_config.factor();
  if (request.tiling.cuts(example.target_size.height / factor, example.target_size.width / factor)) {
    key["vae_tile"] = request.tiling.side * factor;
    key["vae_tile_overlap"] = request.tiling.overlap;
  }
  return key;
}

LatentStats encode(const Vae& vae, const Example& example, bool mirrored, const LatentRequest& request,
                   const CancelToken* cancel) {
  LatentDistribution distribution;
  {
    const c10::InferenceMode inference;
    distribution = vae.encode(read_pixels(example, mirrored).to(request.facts.device), request.tiling, cancel);
  }
  LatentStats stats{ordinary(distribution.mean), ordinary(distribution.std)};
  check(at::isfinite(stats.mean).all().item<bool>() && at::isfinite(stats.std).all().item<bool>(), ErrorKind::machine,
        "[{}] the VAE's latents of this picture are not finite; try the VAE's fp32 weights or another --vae",
        example.file.string());
  return stats;
}

PromptEmbeds encode(const TextModels& text_models, const std::string& text, DType compute) {
  PromptRequest request;
  request.prompt = text;
  request.weighting = Weighting::none;
  request.compute = compute;
  PromptEmbeds embeds;
  {
    const c10::InferenceMode inference;
    embeds = encode_prompt(text_models, request);
  }
  return {ordinary(embeds.prompt_embeds), ordinary(embeds.pooled_prompt_embeds), valid_utf8(embeds.cut), ""};
}

std::vector<fs::path> sorted_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void note_cut(const std::map<std::string, PromptEmbeds>& embeds, const DataHooks& hooks) {
  const auto is_cut = [](const auto& one) { return !one.second.cut.empty(); };
  const auto first = std::find_if(embeds.begin(), embeds.end(), is_cut);
  if (first == embeds.end() || !hooks.on_notice) return;
  hooks.on_notice(fmt::format("{} of {} texts are longer than 77 tokens and are cut; the first loses \"{}\"",
                              std::count_if(embeds.begin(), embeds.end(), is_cut), embeds.size(), first->second.cut));
}

}  // namespace

std::vector<PictureLatents> cached_latents(const LatentRequest& request, const std::function<const Vae&()>& vae,
                                           const DataHooks& hooks) {
  const c10::InferenceMode off(false);  // whatever the caller is in
  CacheFolder cache(names::latent_cache, hooks);
  Steps steps(static_cast<int64_t>(request.examples.size()) * (request.flip ? 2 : 1), hooks);
  const auto latents_of = [&](const Example& example, bool mirrored) {
    steps.begin();
    const auto side = example.target_size.width / request.vae_config.factor();
    const Shape shape{1, request.vae_config.latent_channels, side, side};
    const Json key = latent_key(example, mirrored, request);
    LatentStats stats;
    const auto entry = cache.read(key);
    if (entry && is_shaped(entry->tensors, "mean", at::kFloat, shape) && is_shaped(entry->tensors, "std", at::kFloat, shape)) {
      stats = {entry->tensors.at("mean"), entry->tensors.at("std")};
    } else {
      stats = encode(vae(), example, mirrored, request, hooks.cancel);
      cache.write(key, {{"mean", stats.mean}, {"std", stats.std}}, {});
    }
    steps.end();
    return stats;
  };
  std::vector<PictureLatents> result;
  for (const auto& example : request.examples) {
    auto& latents = result.emplace_back(PictureLatents{latents_of(example, false), {}});
    if (request.flip) latents.mirrored = latents_of(example, true);
  }
  return result;
}

std::map<std::string, PromptEmbeds> cached_prompt_embeds(std::span<const std::string> texts, const ComputeFacts& facts,
                                                         const std::function<const TextModels&()>& text_models,
                                                         const DataHooks& hooks) {
  const c10::InferenceMode off(false);  // whatever the caller is in
  CacheFolder cache(names::embed_cache, hooks);
  const std::set<std::string> distinct(texts.begin(), texts.end());
  Steps steps(static_cast<int64_t>(distinct.size()), hooks);
  std::map<std::string, PromptEmbeds> result;
  for (const auto& text : distinct) {
    steps.begin();
    Json key = key_of("embeds", embeds_version, facts);
    key["text_sha256"] = sha256_hex(text);
    const auto entry = cache.read(key);
    auto& embeds = result[text];
    if (entry && is_shaped(entry->tensors, "prompt_embeds", facts.compute, {1, -1, -1}) &&
        is_shaped(entry->tensors, "pooled_prompt_embeds", facts.compute, {1, -1}) && entry->metadata.contains("cut")) {
      embeds = {entry->tensors.at("prompt_embeds"), entry->tensors.at("pooled_prompt_embeds"), entry->metadata.at("cut"), ""};
    } else {
      embeds = encode(text_models(), text, facts.compute);
      cache.write(key, {{"prompt_embeds", embeds.prompt_embeds}, {"pooled_prompt_embeds", embeds.pooled_prompt_embeds}},
                  {{"cut", embeds.cut}});
    }
    steps.end();
  }
  note_cut(result, hooks);
  return result;
}

std::string parts_sha256(const ModelFiles& files, std::span<const std::string> parts, const Hashing& hashing) {
  const bool single = files.layout == ModelFiles::single_file;
  std::string listing = single ? cached_sha256_file(files.path, hashing) + "\n" : "";
  const auto all = files.files();
  for (const auto& part : parts) {
    if (!files.has(part)) continue;
    // A single file carries no vocabulary; that lies in a folder elsewhere.
    const bool apart = single && part.starts_with(names::tokenizer);
    if (single && !apart) continue;
    const auto folder = apart ? std::optional(files.tokenizer_folder(part)) : find_part_folder(files.path, part);
    for (const auto& file : apart ? sorted_files(*folder) : all)
      if (folder && file.parent_path() == *folder)
        listing += part + "/" + file.filename().string() + " " + cached_sha256_file(file, hashing) + "\n";
  }
  return sha256_hex(listing);
}

std::string vae_sha256(const ModelFiles& files, const Hashing& hashing) {
  return parts_sha256(files, std::array<std::string, 1>{names::vae}, hashing);
}

std::string text_sha256(const ModelFiles& files, const Hashing& hashing) {
  return parts_sha256(
      files, std::array<std::string, 4>{names::text_encoder, names::text_encoder_2, names::tokenizer, names::tokenizer_2},
      hashing);
}

}  // namespace negativa
