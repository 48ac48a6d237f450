#include "train/training.h"

#include "base/names.h"
#include "core/isa.h"
#include "core/memory.h"
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

ModelRequest model_request(const TrainOptions& options, const Training& training) {
  const auto& places = training.host.places;
  ModelRequest request;
  request.model = model_or_default(options.model.model, places);
  if (!options.model.vae.empty()) request.vae = find_vae(options.model.vae, places);
  request.compute = training.compute;
  request.vae_compute = at::kFloat;  // fp16 overflows in SDXL's
  request.device = training.device;
  if (options.model.weights_dtype != "auto") request.part_storage[Part::unet] = dtype_from_name(options.model.weights_dtype);
  request.keep_parts = false;
  request.pack_large_unet = false;  // the memory is needed for activations
  request.while_loading = training.host.while_loading;
  return request;
}

void check_can_be_trained(const Models& models) {
  const auto& scheduler = models.facts().scheduler;
  const auto& files = models.files();
  check(
      !scheduler.edm, ErrorKind::input,
      "[{}] was trained with EDM's preconditioning ({}), expected a plain model that predicts epsilon: others cannot be trained "
      "yet",
      files.name, scheduler.prediction_source);
  check(scheduler.prediction_type == PredictionType::epsilon, ErrorKind::input,
        "[{}] predicts {} ({}), expected a model that predicts epsilon: others cannot be trained yet", files.name,
        scheduler.prediction_type == PredictionType::sample ? "the sample" : "v", scheduler.prediction_source);
  const auto& unet = models.facts().unet;
  check(files.has(names::text_encoder) && unet.num_time_ids(text_config(files, names::text_encoder_2).projection_dim) == 6,
        ErrorKind::input, "[{}] is a refiner, expected a base model: LoRAs and embeddings act on the base only", files.name);
}

// Whole, unless the widest maps of a picture, some five of which live at once, leave no memory for the rest.
Tiling encoding_tiling(const TrainOptions& options, const Training& training) {
  const VaeConfig& vae = training.vae_config();
  const int64_t pixels = training.resolution_px * training.resolution_px;
  const int64_t bytes = 5 * dtype_bytes(at::kFloat) * pixels * vae.block_out_channels.front();
  const bool fits = bytes <= available_bytes() - resident_bytes();
  return tiling_of(options.model.vae_tile.value_or(fits ? 0 : usual_tile_px), vae.factor());
}

void resolve_compute(const TrainOptions& options, Training& training) {
  training.storage = training.models->storage_of(Part::unet, training.models->weights(Part::unet));
  const int cores = options.model.threads > 0 ? options.model.threads : hardware_threads();
  const int64_t rows = options.step.batch_size * options.step.gradient_accumulation * (options.data.class_data.empty() ? 1 : 2);
  const bool side_by_side = training.models->is_small() && training.device.is_cpu();
  training.workers = side_by_side ? static_cast<int>(std::min<int64_t>(cores, rows)) : 1;
  training.threads = side_by_side ? 1 : cores;
  set_threads(training.threads);
  const int64_t factor = training.vae_config().factor();
  training.resolution_px = options.data.resolution.value_or(training.unet().sample_size * factor);
  check(training.resolution_px % factor == 0, ErrorKind::input, "[--resolution] got {}, expected a multiple of {}",
        training.resolution_px, factor);
  training.vae_tiling = encoding_tiling(options, training);
  check(training.vae_config().has_encoder(), ErrorKind::input,
        "[--vae] {} has a decoder alone, expected an encoder too, with which pictures become latents; of a TAESD put its "
        "taesdxl_encoder beside it",
        training.models->vae_files() ? training.models->vae_files()->name : training.files().name);
}

void tell_tiling(const TrainOptions& options, const Training& training, const DataHooks& hooks) {
  if (!hooks.on_notice) return;
  const int64_t tile = training.vae_tiling.side * training.vae_config().factor();
  if (training.is_tiled() && !options.model.vae_tile)
    hooks.on_notice(
        fmt::format("the VAE encodes in squares of {0} px, since {1}x{1} at once would not fit into memory (--vae-tile {0})",
                    tile, training.resolution_px));
  if (tile > 0 && !training.is_tiled())
    hooks.on_notice(fmt::format("--vae-tile {0} has no effect: pictures are {1}x{1}", tile, training.resolution_px));
}

}  // namespace

Training open_training_model(const TrainOptions& options, const TrainingHost& host) {
  Training training;
  training.host = host;
  check_isa(options.model.isa);
  training.device = device_from_name(options.model.device, host.places.libtorch);
  training.compute = compute_from_name(options.model.dtype, training.device);
  training.models = std::make_shared<Models>(model_request(options, training), host.places);
  check_can_be_trained(*training.models);
  resolve_compute(options, training);
  return training;
}

Training open_training(const TrainOptions& options, const TrainingHost& host, const DataHooks& hooks) {
  check_options(options);
  Training training = open_training_model(options, host);
  tell_tiling(options, training, hooks);
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
