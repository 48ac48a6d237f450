#include "train/training.h"

#include "io/models_folder.h"
#include "text/text_models.h"

namespace negativa {

namespace {

void check_options(const TrainOptions& options) {
  check(!options.data.data.empty(), ErrorKind::input, "[--data] a folder of pictures is needed; try --data pictures/");
  check(!options.run.out.empty(), ErrorKind::input, "[--out] a name for the trained file is needed; try -o wrong.safetensors");
  check(options.data.class_data.empty() == options.data.class_prompt.empty(), ErrorKind::input,
        "[--class-data] and --class-prompt go together; give both or neither");
}

// Names, shapes and number formats of all weights, before the first of them is read.
void check_parts(const Training& training) {
  const auto& [files, unet] = std::tie(training.files, training.unet);
  unet.check_draws_from_text(files.path.string());
  UNet::check_weights(unet, files.weights("unet"));
  Vae::check_weights(training.vae_config, training.vae ? training.vae->weights : files.weights("vae"));
  for (const char* part : {"text_encoder", "text_encoder_2"})
    CLIPTextModel::check_weights(part, text_config(files, part), files.weights(part));
}

void open_files(const TrainOptions& options, const std::filesystem::path& model, Training& training) {
  training.files = open_model(model);
  const auto& files = training.files;
  if (!options.model.vae.empty()) training.vae = open_vae(find_vae(options.model.vae));
  training.unet = UNetConfig::from_json(files.config_json("unet"), files.config_name("unet"));
  training.vae_config = training.vae ? VaeConfig::from_json(training.vae->config_json, training.vae->config_name)
                                     : VaeConfig::from_json(files.config_json("vae"), files.config_name("vae"));
  training.scheduler = scheduler_config_from_json(files.config_json("scheduler"), files.config_name("scheduler"));
  const auto& scheduler = training.scheduler;
  check(!scheduler.edm, ErrorKind::input,
        "[{}] was trained with EDM's preconditioning ({}), expected a plain model that predicts epsilon: others cannot be "
        "trained yet",
        files.name, scheduler.prediction_source);
  check(scheduler.prediction_type == PredictionType::epsilon, ErrorKind::input,
        "[{}] predicts {} ({}), expected a model that predicts epsilon: others cannot be trained yet", files.name,
        scheduler.prediction_type == PredictionType::sample ? "the sample" : "v", scheduler.prediction_source);
  check_text_fits(files, {training.unet.cross_attention_dim(), training.unet.projection_class_embeddings_input_dim,
                          training.unet.addition_time_embed_dim});
  check(files.has("text_encoder") && training.unet.num_time_ids(text_config(files, "text_encoder_2").projection_dim) == 6,
        ErrorKind::input, "[{}] is a refiner, expected a base model: LoRAs and embeddings act on the base only", files.name);
  check_parts(training);
}

void resolve_compute(const TrainOptions& options, Training& training) {
  std::optional<DType> asked;
  if (options.model.weights_dtype != "auto") asked = dtype_from_name(options.model.weights_dtype);
  training.storage = storage_or_default(asked, training.files.weights("unet"), training.compute);
  const int cores = options.model.threads > 0 ? options.model.threads : hardware_threads();
  const int64_t rows = options.step.batch_size * options.step.gradient_accumulation * (options.data.class_data.empty() ? 1 : 2);
  const bool side_by_side = is_small_unet(training.unet) && training.device.is_cpu();
  training.workers = side_by_side ? static_cast<int>(std::min<int64_t>(cores, rows)) : 1;
  training.threads = side_by_side ? 1 : cores;
  set_threads(training.threads);
  training.resolution_px = options.data.resolution.value_or(training.unet.sample_size * training.vae_config.factor());
  check(training.resolution_px % training.vae_config.factor() == 0, ErrorKind::input,
        "[--resolution] got {}, expected a multiple of {}", training.resolution_px, training.vae_config.factor());
}

}  // namespace

Training open_training(const TrainOptions& options, const std::filesystem::path& model, const DataHooks& hooks) {
  check_options(options);
  Training training;
  training.device = device_from_name(options.model.device);
  training.compute = compute_from_name(options.model.dtype, training.device);
  open_files(options, model, training);
  resolve_compute(options, training);
  const auto& data = options.data;
  const auto open = [&](const std::filesystem::path& folder, const std::string& prompt, bool captions) {
    return open_dataset({folder, prompt, captions, training.resolution_px, data.skip_broken}, hooks);
  };
  training.pictures = open(data.data, data.prompt, data.captions);
  if (!data.class_data.empty()) training.class_pictures = open(data.class_data, data.class_prompt, false);
  if (!data.validation_data.empty()) training.validation = open(data.validation_data, data.prompt, data.captions);
  return training;
}

}  // namespace negativa
