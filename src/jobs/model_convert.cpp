#include "jobs/model_convert.h"

#include "base/file_names.h"
#include "base/files.h"
#include "base/text.h"
#include "io/models_folder.h"
#include "io/safetensors.h"
#include "jobs/job.h"
#include "jobs/lora_layers.h"
#include "lora/bake.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

struct Conversion {
  std::shared_ptr<const TensorFile> file;  // null: into a folder
  TensorPlans plans;
  ModelFiles model;
  BakeRequest request;
  ModelConvertReport report;
};

bool is_file_name(const Path& out) { return out.extension() == ".safetensors"; }

// Names and numbers as they stand, whatever they are for.
void plan_file(const ModelConvertOptions& options, const std::optional<DType>& storage, const Places& places, Conversion& made) {
  const fs::path path = find_model(options.file.string(), places);
  check(!fs::is_directory(path), ErrorKind::input,
        "[--out] got {}, expected a folder for {}, which is one; a model's folder has more than one file", options.out.string(),
        last_name(path));
  check_can_write(options.out);
  made.file = open_tensor_file(path);
  made.report.left_out = made.file->left_out();
  for (const auto& entry : made.file->entries()) {
    const DType dtype = storage && at::isFloatingType(entry.dtype) ? *storage : entry.dtype;
    made.plans[entry.name] = {dtype, entry.shape};
    made.report.bytes += c10::multiply_integers(entry.shape) * dtype_bytes(dtype);
  }
  made.report.tensors = static_cast<int>(made.plans.size());
}

void plan_folder(const ModelConvertOptions& options, const std::optional<DType>& storage, const Places& places,
                 Conversion& made) {
  check(!fs::is_directory(options.out) || fs::is_empty(options.out), ErrorKind::input,
        "[--out] {} holds files already, expected a new folder; choose another name or empty it", options.out.string());
  check_can_write_folder(options.out);
  made.model = open_model(find_model(options.file.string(), places), places);
  made.request.storage = storage;
  made.report.left_out = made.model.unused_keys();
  const BakeReport report = plan_bake(made.model, made.request);
  made.report.tensors = report.tensors;
  made.report.bytes = report.bytes;
}

Conversion prepare(const Engine& engine, const ModelConvertOptions& options, const Caller& caller) {
  check(!options.file.empty(), ErrorKind::input,
        "[model convert] a model is needed, as in negativa model convert MODEL -o FILE.safetensors");
  check(!options.out.empty(), ErrorKind::input, "[--out] is needed: the file or folder to write");
  check_not_an_input(options.out, {options.file});
  std::optional<DType> storage;
  if (options.dtype != "auto") storage = dtype_from_name(options.dtype);
  Conversion made;
  (is_file_name(options.out) ? plan_file : plan_folder)(options, storage, engine.places(), made);
  made.report.out = options.out;
  made.report.model = last_name(options.file);
  const auto& left_out = made.report.left_out;
  if (!left_out.empty())
    caller.events.on_notice(fmt::format("{}: {} keys that are no part of the model are left out, {} the first", made.report.model,
                                        left_out.size(), valid_utf8(left_out.front())));
  return made;
}

Tensor converted(const Conversion& made, const std::string& name) {
  const DType wanted = made.plans.at(name).dtype;
  const auto& entry = *made.file->find(name);
  Tensor tensor = made.file->load(entry);
  if (entry.dtype == wanted) return tensor;
  const Tensor stored = tensor.to(wanted);
  check(at::isfinite(stored).all().item<bool>() || !at::isfinite(tensor).all().item<bool>(), ErrorKind::input,
        "[--dtype] {} has values that {} cannot hold; try --dtype fp32 or bf16", name, dtype_name(wanted));
  return stored;
}

ModelConvertReport convert_now(const Engine& engine, const ModelConvertOptions& options, const Caller& caller) {
  Conversion made = prepare(engine, options, caller);
  Stage progress(caller.events, "convert", made.report.tensors);
  if (!made.file) {
    write_folder_atomically(options.out, [&](const fs::path& folder) {
      bake(made.model, made.request, folder, caller.cancel, [&] { progress.tick(); });
    });
    return made.report;
  }
  const auto load = [&](const std::string& name) {
    caller.cancel.throw_if_cancelled();
    progress.tick();
    return converted(made, name);
  };
  Metadata metadata = made.file->metadata();
  metadata.emplace("format", "pt");
  write_safetensors(options.out, made.plans, load, metadata);
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
