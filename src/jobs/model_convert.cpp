#include "jobs/model_convert.h"

#include "base/file_names.h"
#include "base/files.h"
#include "base/names.h"
#include "base/text.h"
#include "io/models_folder.h"
#include "io/safetensors.h"
#include "io/scaled_fp8.h"
#include "io/sgm_file.h"
#include "io/single_file.h"
#include "io/stored_numbers.h"
#include "jobs/job.h"
#include "jobs/lora_layers.h"
#include "lora/bake.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

// What one tensor of the new file is made of.
using Loader = std::function<Tensor()>;

struct Conversion {
  bool into_folder = false;
  std::shared_ptr<const TensorFile> file;  // file to file
  TensorPlans plans;                       // of the new file
  std::map<std::string, Loader> loaders;
  Metadata metadata;
  ModelFiles model;
  BakeRequest request;
  ModelConvertReport report;
};

bool is_file_name(const Path& out) { return out.extension() == ".safetensors"; }

std::string part_of(const std::string& name) {
  return name.starts_with("first_stage_model.") || name.starts_with("vae.") ? names::vae : names::unet;
}

void plan_tensor(Conversion& made, const std::string& name, const TensorPlan& now, DType dtype, Loader load) {
  made.plans[name] = {dtype, now.shape};
  made.loaders[name] = std::move(load);
  made.report.bytes += c10::multiply_integers(now.shape) * dtype_bytes(dtype);
  made.report.kept += made.request.storage && at::isFloatingType(dtype) && dtype != *made.request.storage;
  made.report.tensors = static_cast<int>(made.plans.size());
}

// Names and numbers as they stand, whatever they are for.
void plan_file(const fs::path& path, Conversion& made) {
  made.file = open_tensor_file(path);
  made.report.left_out = made.file->left_out();
  const auto& storage = made.request.storage;
  check(storage != at::kFloat8_e4m3fn || holds_sdxl(*made.file), ErrorKind::input,
        "[--dtype] fp8 is for a whole SDXL model, {} is none; try fp16", made.report.model);
  made.metadata = made.file->metadata();
  made.metadata.emplace("format", "pt");
  const Fp8Scales scales(*made.file);
  for (const auto& entry : made.file->entries()) {
    if (storage && scales.takes(entry.name)) continue;  // another format holds the product
    TensorSource source{.file = made.file, .key = entry.name};
    if (storage) source.scale_key = scales.of(entry.name);
    const auto whole = source.scale_key.empty() ? std::nullopt : std::optional(at::kFloat);
    plan_tensor(made, entry.name, {source.plain_dtype(), entry.shape},
                stored_dtype(storage, part_of(entry.name), entry.name, source.plain_dtype(), entry.shape.size()),
                [source, whole] { return source.load(whole); });
  }
}

// A single file carries no vocabulary: what is drawn with then is looked for elsewhere (ModelFiles::tokenizer_folder).
void tell_of_vocabulary(const ModelConvertOptions& options, const Conversion& made, const Caller& caller) {
  ModelFiles single{ModelFiles::single_file, options.out, last_name(options.out), nullptr, {}, made.model.places};
  for (const char* part : {names::tokenizer, names::tokenizer_2}) {
    if (!made.model.has(part)) continue;
    const auto own = made.model.tokenizer_folder(part) / names::vocabulary;
    std::optional<fs::path> found;
    try {
      found = single.tokenizer_folder(part) / names::vocabulary;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::missing_key) throw;
    }
    if (!fs::exists(own) || (found && fs::exists(*found) && read_file(own) == read_file(*found))) continue;
    return caller.events.on_notice(
        fmt::format("{}: one file carries no vocabulary, and this model has its own: put its folders {} and {} beside the file",
                    last_name(options.out), names::tokenizer, names::tokenizer_2));
  }
}

// A folder's parts under SGM's names.
void plan_single_file(const ModelConvertOptions& options, const fs::path& path, const Places& places, const Caller& caller,
                      Conversion& made) {
  made.model = open_model(path, places);
  made.metadata = sgm_metadata(made.model);
  for (auto& [name, tensor] : sgm_tensors(made.model)) {
    const auto dtype = stored_dtype(made.request.storage, tensor.part, tensor.name, tensor.dtype, tensor.shape.size());
    plan_tensor(made, name, {tensor.dtype, tensor.shape}, dtype, [tensor] { return tensor.load(); });
  }
  for (auto& [name, mark] : sgm_marks(made.model))
    plan_tensor(made, name, {mark.scalar_type(), shape_of(mark)}, mark.scalar_type(), [mark] { return mark; });
  tell_of_vocabulary(options, made, caller);
}

void plan_folder(const ModelConvertOptions& options, const fs::path& path, const Places& places, Conversion& made) {
  check(!fs::is_directory(options.out) || fs::is_empty(options.out), ErrorKind::input,
        "[--out] {} holds files already, expected a new folder; choose another name or empty it", options.out.string());
  check_can_write_folder(options.out);
  made.into_folder = true;
  made.model = open_model(path, places);
  made.report.left_out = made.model.unused_keys();
  const BakeReport report = plan_bake(made.model, made.request);
  made.report.tensors = report.tensors;
  made.report.bytes = report.bytes;
  made.report.kept = report.kept;
}

void tell(const Conversion& made, const Caller& caller) {
  const auto& left_out = made.report.left_out;
  if (!left_out.empty())
    caller.events.on_notice(fmt::format("{}: {} keys that are no part of the model are left out, {} the first", made.report.model,
                                        left_out.size(), valid_utf8(left_out.front())));
  if (made.report.kept > 0 && made.request.storage == at::kFloat8_e4m3fn)
    caller.events.on_notice(
        fmt::format("{}: {} of {} tensors stay as they are: norms, biases, embeddings, the text projection and the VAE",
                    made.report.model, made.report.kept, made.report.tensors));
}

void tell_saturated(const Conversion& made, const Caller& caller) {
  if (made.report.saturated > 0)
    caller.events.on_notice(
        fmt::format("{}: {} numbers beyond fp8's largest became 448 or -448", made.report.model, made.report.saturated));
}

Conversion prepare(const Engine& engine, const ModelConvertOptions& options, const Caller& caller) {
  check(!options.file.empty(), ErrorKind::input,
        "[model convert] a model is needed, as in negativa model convert MODEL -o FILE.safetensors");
  check(!options.out.empty(), ErrorKind::input, "[--out] is needed: the file or folder to write");
  check_not_an_input(options.out, {options.file});
  Conversion made;
  if (options.dtype != "auto")
    made.request.storage = options.dtype == "fp8" ? at::kFloat8_e4m3fn : dtype_from_name(options.dtype);
  made.report.out = options.out;
  made.report.model = last_name(options.file);
  const auto& places = engine.places();
  const fs::path path = find_model(options.file.string(), places);
  if (is_file_name(options.out)) {
    check_can_write(options.out);
    fs::is_directory(path) ? plan_single_file(options, path, places, caller, made) : plan_file(path, made);
  } else {
    plan_folder(options, path, places, made);
  }
  tell(made, caller);
  return made;
}

ModelConvertReport convert_now(const Engine& engine, const ModelConvertOptions& options, const Caller& caller) {
  Conversion made = prepare(engine, options, caller);
  Stage progress(caller.events, "convert", made.report.tensors);
  if (made.into_folder) {
    write_folder_atomically(options.out, [&](const fs::path& folder) {
      made.report.saturated = bake(made.model, made.request, folder, caller.cancel, [&] { progress.tick(); }).saturated;
    });
  } else {
    const auto load = [&](const std::string& name) {
      caller.cancel.throw_if_cancelled();
      progress.tick();
      return as_stored(made.loaders.at(name)(), made.plans.at(name).dtype, "--dtype: " + name, &made.report.saturated);
    };
    write_safetensors(options.out, made.plans, load, made.metadata);
  }
  tell_saturated(made, caller);
  return made.report;
}

}  // namespace

ModelConvertReport plan_model_convert(Engine& engine, const ModelConvertOptions& options, EventSink& events,
                                      const CancelToken& cancel) {
  return as_job(events, cancel, [&](const Caller& caller) { return prepare(engine, options, caller).report; });
}

ModelConvertReport model_convert(Engine& engine, const ModelConvertOptions& options, EventSink& events,
                                 const CancelToken& cancel) {
  return as_job(events, cancel, [&](const Caller& caller) { return convert_now(engine, options, caller); });
}

}  // namespace negativa
