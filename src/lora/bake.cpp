#include "lora/bake.h"

#include <algorithm>

#include "base/json.h"
#include "base/names.h"
#include "io/file_kind.h"
#include "io/keys/diffusers_names.h"
#include "io/model_config.h"
#include "io/prediction_marks.h"
#include "io/stored_numbers.h"
#include "lora/merge_weights.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

constexpr const char* weight_parts[] = {names::unet, names::vae, names::text_encoder, names::text_encoder_2};

// What one LoRA does to a weight or a bias.
struct Addition {
  const LoraModule* module = nullptr;
  const LayerChange* change = nullptr;  // one of the two
  double weight = 1;
  bool is_bias = false;

  // Of the tensor as the model has it.
  Tensor of(const Tensor& original) const {
    if (module) return delta(*module, weight).view_as(original);
    const Tensor added = is_bias ? change->of_bias(original) : change->of_weight(original);
    return added.mul(weight);
  }
};

// One tensor of a file to be written.
struct BakedTensor {
  TensorSource source;
  std::vector<Addition> added;
  TensorPlan plan;  // as written
};

struct BakedFile {
  std::string part;
  fs::path name;  // in the new folder
  std::map<std::string, BakedTensor> tensors;
  Metadata metadata;
  fs::path original;  // of the same bytes when nothing is to be changed; empty: a part of a single file, or a pickle

  int changed() const {
    int count = 0;
    for (const auto& [key, tensor] : tensors) count += !tensor.added.empty();
    return count;
  }
  bool is_as_before() const {
    if (original.empty() || changed() > 0) return false;
    for (const auto& [key, tensor] : tensors)
      if (tensor.plan.dtype != tensor.source.dtype() || !tensor.source.scale_key.empty()) return false;
    return true;
  }
};

const char* file_name(const std::string& part) {
  return part == names::unet || part == names::vae ? names::diffusion_weights : names::text_weights;
}

// What a LoRA has of the layer that this tensor is the weight (or the bias) of; nullptr: nothing.
template <class Layer>
const Layer* find_layer(const std::map<std::string, std::map<std::string, Layer>>& layers, const std::string& part,
                        const std::string& tensor, const std::string& suffix) {
  if (!tensor.ends_with(suffix)) return nullptr;
  const auto of_part = layers.find(part);
  if (of_part == layers.end()) return nullptr;
  const auto found = of_part->second.find(tensor.substr(0, tensor.size() - suffix.size()));
  return found == of_part->second.end() ? nullptr : &found->second;
}

void check_shape(const std::string& part, const std::string& tensor, const Shape& got, const Shape& of_lora) {
  check(of_lora == got, ErrorKind::shape, "[{}] {} is {}, the LoRA's is {}; is it for this model?", part, tensor, to_string(got),
        to_string(of_lora));
}

void check_shape(const LoraModule& module, const std::string& part, const std::string& tensor, const Shape& got) {
  Shape shape{module.up.size(0), module.down.size(1)};
  if (const int64_t k = module.kernel; k > 0) shape = {shape[0], shape[1] / (k * k), k, k};
  check_shape(part, tensor, got, shape);
}

void check_shape(const LayerChange& change, const std::string& part, const std::string& tensor, const Shape& got) {
  check_shape(part, tensor, got, change.target.weight_shape());
}

// ours: the tensor's name within its part, "….to_q.weight".
BakedTensor baked_tensor(const BakeRequest& request, const std::string& part, const std::string& ours, TensorSource source) {
  BakedTensor tensor{std::move(source), {}, {}};
  tensor.plan = {tensor.source.plain_dtype(), tensor.source.shape()};
  tensor.plan.dtype = stored_dtype(request.storage, part, ours, tensor.plan.dtype, tensor.plan.shape.size());
  for (const auto& [lora, weights] : request.loras) {
    const double weight = weights.of(part);
    if (weight == 0) continue;
    if (const auto* module = find_layer(lora->modules, part, ours, ".weight")) {
      check_shape(*module, part, ours, tensor.plan.shape);
      tensor.added.push_back({.module = module, .weight = weight});
    }
    if (const auto* change = find_layer(lora->changes, part, ours, ".weight"); change && !(*change)->pieces.empty()) {
      check_shape(**change, part, ours, tensor.plan.shape);
      tensor.added.push_back({.change = change->get(), .weight = weight});
    }
    if (const auto* change = find_layer(lora->changes, part, ours, ".bias"); change && (*change)->bias.defined())
      tensor.added.push_back({.change = change->get(), .weight = weight, .is_bias = true});
  }
  return tensor;
}

std::vector<BakedFile> folder_part(const ModelFiles& model, const BakeRequest& request, const std::string& part) {
  const auto files = model.weight_files(part);
  std::vector<BakedFile> result;
  for (const auto& shard : files.shards) {
    const auto file = open_tensor_file(shard);
    auto& baked = result.emplace_back();
    baked.part = part;
    baked.name = fs::path(part) / (files.shards.size() == 1 ? fs::path(file_name(part)) : shard.filename());
    if (!may_be_pickle(shard)) baked.original = shard;
    baked.metadata = file->metadata();
    for (const auto& entry : file->entries()) {
      const auto name = from_diffusers_name(part, entry.name);
      baked.tensors.emplace(entry.name, baked_tensor(request, part, name ? name->ours : "", {.file = file, .key = entry.name}));
    }
  }
  return result;
}

BakedFile single_file_part(const ModelFiles& model, const BakeRequest& request, const std::string& part) {
  BakedFile baked{part, fs::path(part) / file_name(part), {}, {{"format", "pt"}}, {}};
  for (auto& [ours, source] : model.weights(part)) baked.tensors.emplace(ours, baked_tensor(request, part, ours, source));
  return baked;
}

// A module that meets no weight would be dropped in silence.
void check_all_found(const std::vector<BakedFile>& files, const BakeRequest& request) {
  std::map<std::string, int> found;
  for (const auto& file : files)
    for (const auto& [key, tensor] : file.tensors) found[file.part] += static_cast<int>(tensor.added.size());
  for (const auto& [lora, weight] : request.loras) {
    for (const auto& [part, modules] : lora->modules) found[part] -= weight.of(part) == 0 ? 0 : static_cast<int>(modules.size());
    for (const auto& [part, changes] : lora->changes)
      for (const auto& [name, change] : changes)
        found[part] -= weight.of(part) == 0 ? 0 : !change->pieces.empty() + change->bias.defined();
  }
  for (const auto& [part, surplus] : found)
    check(surplus == 0, ErrorKind::missing_key,
          "[lora bake] {} layers of the LoRA have no weight in the model's {}; is it for this model?", -surplus, part);
}

std::vector<BakedFile> baked_files(const ModelFiles& model, const BakeRequest& request) {
  std::vector<BakedFile> files;
  for (const char* part : weight_parts) {
    if (!model.has(part)) continue;
    if (model.layout == ModelFiles::single_file) {
      files.push_back(single_file_part(model, request, part));
      continue;
    }
    for (auto& file : folder_part(model, request, part)) files.push_back(std::move(file));
  }
  check_all_found(files, request);
  return files;
}

int64_t bytes_of(const BakedFile& file) {
  int64_t bytes = 0;
  for (const auto& [key, tensor] : file.tensors)
    bytes += c10::multiply_integers(tensor.plan.shape) * dtype_bytes(tensor.plan.dtype);
  return bytes;
}

BakeReport report_of(const std::vector<BakedFile>& files, const std::optional<DType>& storage) {
  BakeReport report;
  for (const auto& file : files) {
    for (const auto& [key, tensor] : file.tensors)
      report.kept += storage && at::isFloatingType(tensor.plan.dtype) && tensor.plan.dtype != *storage;
    if (const int changed = file.changed()) report.changed[file.part] += changed;
    report.tensors += static_cast<int>(file.tensors.size());
    report.bytes += bytes_of(file);
  }
  return report;
}

Tensor baked(const std::string& part, const std::string& key, const BakedTensor& tensor, int64_t* saturated) {
  if (tensor.added.empty() && tensor.plan.dtype == tensor.source.plain_dtype()) return tensor.source.load({});
  const Tensor original = tensor.source.load(at::kFloat);
  Tensor weight = original.clone();
  for (const auto& addition : tensor.added)
    if (const Tensor change = addition.of(original); change.defined()) weight.add_(change);
  if (tensor.plan.dtype == at::kFloat8_e4m3fn)
    return as_stored(weight, tensor.plan.dtype, fmt::format("{}: {}", part, key), saturated);
  const Tensor stored = weight.to(tensor.plan.dtype);
  check(!at::isFloatingType(tensor.plan.dtype) || at::isfinite(stored.to(at::kFloat)).all().item<bool>(), ErrorKind::input,
        "[{}] {} has values that {} cannot hold; try --weights-dtype fp32 or bf16, or a smaller weight", part, key,
        dtype_name(tensor.plan.dtype));
  return stored;
}

// In pieces whose pages are given back, so that a file of gigabytes does not count as memory.
void copy_whole(const fs::path& from, const fs::path& to) {
  constexpr uint64_t piece = 16 << 20;
  const MappedFile file(from);
  write_atomically(to, [&](int fd) {
    for (uint64_t begin = 0; begin < file.size(); begin += piece) {
      const uint64_t end = std::min(begin + piece, file.size());
      write_all(fd, {reinterpret_cast<const char*>(file.data()) + begin, end - begin}, to.string());
      file.drop_pages(begin, end);
    }
  });
}

// Gives how many numbers became fp8's largest.
int64_t write_weights(const BakedFile& file, const BakeRequest& request, const fs::path& folder,
                      const std::function<void()>& after_each) {
  if (file.is_as_before()) {
    copy_whole(file.original, folder / file.name);
    for (size_t i = 0; i < file.tensors.size(); ++i) after_each();
    return 0;
  }
  int64_t saturated = 0;
  TensorPlans plans;
  for (const auto& [key, tensor] : file.tensors) plans[key] = tensor.plan;
  Metadata metadata = file.metadata;
  if (file.changed() > 0)
    for (const auto& [key, value] : request.metadata) metadata[key] = value;
  const auto load = [&](const std::string& key) {
    Tensor tensor = baked(file.part, key, file.tensors.at(key), &saturated);
    after_each();
    return tensor;
  };
  write_safetensors(folder / file.name, plans, load, metadata);
  return saturated;
}

// Which shard holds what stays; the sum of their sizes may be another.
void write_index(const fs::path& from, const fs::path& to, int64_t bytes) {
  Json index = read_json_file(from);
  index["metadata"]["total_size"] = bytes;
  write_atomically(to, index.dump(2) + "\n");
}

int64_t bytes_of_part(const std::vector<BakedFile>& files, const std::string& part) {
  int64_t bytes = 0;
  for (const auto& file : files)
    if (file.part == part) bytes += bytes_of(file);
  return bytes;
}

std::string scheduler_text(const ModelFiles& model) {
  const auto text = model.config_json(names::scheduler);
  return model.layout == ModelFiles::single_file ? plain_scheduler_config(text) : text;
}

// Everything of a model but weights: configurations, vocabularies, the scheduler, the index of shards, licences.
void write_the_rest(const ModelFiles& model, const std::vector<BakedFile>& files, const fs::path& folder) {
  for (const char* part : {names::unet, names::vae, names::text_encoder, names::text_encoder_2}) {
    if (!model.has(part)) continue;
    write_atomically(folder / part / names::config, model.config_json(part));
    if (model.layout == ModelFiles::single_file) continue;
    if (const auto index = model.weight_files(part).index; !index.empty())
      write_index(index, folder / part / (std::string(file_name(part)) + ".index.json"), bytes_of_part(files, part));
  }
  for (const char* part : {names::tokenizer, names::tokenizer_2}) {
    if (!model.has(part)) continue;
    make_folder(folder / part);
    for (const auto& entry : fs::directory_iterator(model.tokenizer_folder(part)))
      if (entry.is_regular_file()) copy_whole(entry.path(), folder / part / entry.path().filename());
  }
  make_folder(folder / names::scheduler);
  write_atomically(folder / names::scheduler / names::scheduler_config, scheduler_text(model));
  const bool has_index = model.has("model_index");
  write_atomically(folder / names::model_index,
                   has_index ? model.config_json("model_index") : model_index_json(!model.has(names::text_encoder)));
  if (model.layout == ModelFiles::single_file) return;
  for (const auto& entry : fs::directory_iterator(model.path))
    if (entry.is_regular_file() && entry.path().filename().string().starts_with("LICENSE"))
      copy_whole(entry.path(), folder / entry.path().filename());
}

}  // namespace

BakeReport plan_bake(const ModelFiles& model, const BakeRequest& request) {
  const auto files = baked_files(model, request);
  scheduler_text(model);
  return report_of(files, request.storage);
}

BakeReport bake(const ModelFiles& model, const BakeRequest& request, const fs::path& folder, const CancelToken& cancel,
                const std::function<void()>& on_tensor) {
  const auto files = baked_files(model, request);
  scheduler_text(model);  // a model that is not understood is refused before anything is written
  BakeReport report = report_of(files, request.storage);
  for (const auto& file : files) {
    make_folder(folder / file.part);
    report.saturated += write_weights(file, request, folder, [&] {
      cancel.throw_if_cancelled();
      on_tensor();
    });
  }
  write_the_rest(model, files, folder);
  return report;
}

}  // namespace negativa
