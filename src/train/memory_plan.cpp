#include "train/memory_plan.h"

#include "core/memory.h"
#include "model/work.h"
#include "nn/module.h"
#include "text/text_models.h"
#include "unet/layers.h"

namespace negativa {

namespace {

constexpr int64_t prompt_tokens = 77;

// What the first step touches besides its tensors: pages of libtorch (21 MiB of RssFile on an EPYC), oneDNN's compiled kernels,
// stacks of threads.
constexpr int64_t first_use_bytes = 32 << 20;

// In tokens × width: LN1 in and out, q, k, v, attention's output twice (heads together, and as the output layer reads it), LN2 in
// and out, q, output twice, LN3 in, both halves of GEGLU (8); with feed-forward targets the outputs of LN3 and GEGLU (1 + 4) too.
// What magnitudes scale of a DoRA: of q, k, v and output, q and output; with feed-forward targets 8 and 1.
int64_t block_elements(int64_t tokens, int64_t width, const Adapted& adapted) {
  return tokens * width * ((adapted.feed_forward ? 26 : 21) + (adapted.dora ? adapted.feed_forward ? 15 : 6 : 0));
}

// Of one adapted convolution; in_elements: of what it reads, where nothing else keeps that.
void add_convolution(KeptElements& kept, int64_t in_elements, int64_t out_pixels, int64_t out, const Adapted& adapted) {
  if (!adapted.convolutions) return;
  kept.convolutions += in_elements + out_pixels * (adapted.conv_rank + (adapted.dora ? out : 0));
}

void add_resnet(KeptElements& kept, int64_t in, int64_t out, int64_t pixels, const Adapted& adapted) {
  kept.resnets += pixels * (in + out);
  kept.largest_map = std::max(kept.largest_map, pixels * std::max(in, out));
  add_convolution(kept, pixels * in, pixels, out, adapted);
  add_convolution(kept, pixels * out, pixels, out, adapted);
  if (in != out) add_convolution(kept, 0, pixels, out, adapted);  // reads what the first norm keeps
}

void add_transformer(KeptElements& kept, const UNetLayer& layer, int64_t pixels, const Adapted& adapted) {
  const int64_t one = block_elements(pixels, layer.out_channels, adapted);
  const int64_t not_run_again = adapted.dora ? adapted.feed_forward ? 3 : 2 : 0;  // what magnitudes scale of the outputs
  kept.resnets += 2 * pixels * layer.out_channels;                                // its norm's input, and its residual
  kept.blocks += layer.depth * one;
  kept.block_inputs += layer.depth * (3 + not_run_again) * pixels * layer.out_channels;
  kept.key_values += layer.depth * (adapted.dora ? 4 : 2) * prompt_tokens * layer.out_channels;
  kept.largest_section =
      std::max(kept.largest_section, 13 * pixels * layer.out_channels);  // LN3 in and out, both halves of GEGLU and its output
  kept.largest_map = std::max(kept.largest_map, 8 * pixels * layer.out_channels);
}

// As weights lie in memory: int8 for matrices with a scale a row, and fp16 for the rest, where int8 is asked for.
int64_t weight_bytes(const Weights& weights, const std::optional<DType>& storage) {
  if (storage != at::kChar) return bytes_of(weights, storage);
  int64_t bytes = 0;
  for (const auto& [key, source] : weights) {
    const Shape shape = source.shape();
    const int64_t count = c10::multiply_integers(shape);
    bytes += shape.size() >= 2 ? count + 4 * shape.front() : 2 * count;
  }
  return bytes;
}

// Both text encoders.
struct TextMemory {
  int64_t weight_bytes = 0;
  int64_t largest_weight = 0;  // elements
  int64_t kept = 0;            // elements of one prompt, where the encoders run in the steps
};

// Kept, in tokens × width a layer: LN1 in and out, q, k, v, attention's output twice, LN2 in; and what the activation is computed
// from, for quick_gelu its sigmoid too.
TextMemory text_memory(const Training& training) {
  TextMemory text;
  for (const char* part : {"text_encoder", "text_encoder_2"}) {
    if (!training.files().has(part)) continue;
    const auto weights = training.files().weights(part);
    text.weight_bytes += bytes_of(weights, storage_or_default({}, weights, training.compute));
    text.largest_weight = std::max(text.largest_weight, largest_weight(weights));
    const CLIPTextConfig config = text_config(training.files(), part);
    const int64_t hidden = config.hidden_act == "quick_gelu" ? 2 : 1;
    text.kept += config.num_hidden_layers * prompt_tokens * (8 * config.hidden_size + hidden * config.intermediate_size);
  }
  return text;
}

// Peak of encoding pictures and texts: the part's weights and its widest maps, some five of which live at once.
int64_t encoding_bytes(const Training& training, const TextMemory& text) {
  const auto vae = training.models->weights(Part::vae);
  const int64_t side = training.is_tiled() ? training.vae_tiling.side * training.vae_config().factor() : training.resolution_px;
  const int64_t pixels = side * side;
  const int64_t vae_bytes =
      bytes_of(vae, storage_or_default({}, vae, at::kFloat)) + 5 * 4 * pixels * training.vae_config().block_out_channels.front();
  return std::max(vae_bytes, text.weight_bytes + 4 * text.largest_weight);
}

}  // namespace

KeptElements kept_elements(const UNetConfig& config, int64_t latent_side, const Adapted& adapted) {
  KeptElements kept;
  for (const auto& layer : layers_of(config)) {
    const int64_t side = side_at(latent_side, layer.level), pixels = side * side;
    const int64_t in = layer.in_channels, out = layer.out_channels;
    using enum UNetLayer::Kind;
    if (layer.kind == resnet) add_resnet(kept, in, out, pixels, adapted);
    if (layer.kind == transformer) add_transformer(kept, layer, pixels, adapted);
    if (layer.kind == downsample) add_convolution(kept, 0, pixels, out, adapted);  // a resnet keeps what it reads
    if (layer.kind == upsample || layer.kind == conv_in || layer.kind == conv_out)
      add_convolution(kept, pixels * in, pixels, out, adapted);
  }
  return kept;
}

MemoryRequest memory_request(const LoraTraining& training) {
  const auto& options = training.options;
  MemoryRequest request{training, 0, {}, options.text_encoders, options.model.gradient_checkpointing};
  auto& adapted = request.adapted;
  for (const auto& module : training.modules) {
    request.parameters += module.size();
    adapted.dora = adapted.dora || module.has_magnitude;
    if (module.component != "unet") continue;
    adapted.feed_forward = adapted.feed_forward || module.name().find(".ff.net.") != std::string::npos;
    if (!module.is_convolution()) continue;
    adapted.convolutions = true;
    adapted.conv_rank = std::max(adapted.conv_rank, module.rank);
  }
  return request;
}

MemoryPlan plan_memory(const MemoryRequest& request) {
  const Training& training = request.training;
  const int64_t element = dtype_bytes(training.compute), parameter = dtype_bytes(training.parameter_dtype());
  const auto weights = training.files().weights("unet");
  const bool cast = training.storage.value_or(at::kHalf) != training.compute;
  MemoryPlan plan;
  plan.program = resident_bytes();
  plan.available = available_bytes();
  plan.program += first_use_bytes;
  plan.weights = weight_bytes(weights, training.storage);
  if (is_small_unet(training.unet()) && training.storage.value_or(at::kHalf) == at::kFloat)
    plan.weights += nn::packed_bytes(weights);
  plan.adapters =
      request.parameters * parameter * (4 + training.workers);  // values, their gradient, both moments; a gradient a worker
  const int64_t side = training.resolution_px / training.vae_config().factor();
  const KeptElements kept = kept_elements(training.unet(), side, request.adapted);
  int64_t row = kept.resnets + kept.convolutions + kept.key_values +
                (request.gradient_checkpointing ? kept.block_inputs + kept.largest_section : kept.blocks);
  const TextMemory text = text_memory(training);
  if (request.text_in_steps) row += text.kept;
  plan.activations = row * element * training.workers;
  // The optimiser makes two tensors of its own when the activations are gone.
  const int64_t transformed = unet_work(training.unet(), {1, side, side}).transformed_elements;
  plan.transient = std::max(2 * request.parameters * parameter - plan.activations,
                            ((4 * kept.largest_map + transformed) * training.workers + (cast ? 2 * largest_weight(weights) : 0) +
                             (request.adapted.dora ? largest_weight(weights) * training.workers : 0)) *
                                element);
  plan.encoding = plan.program + encoding_bytes(training, text);
  if (request.text_in_steps) plan.weights += text.weight_bytes;
  // No step's gradient is there meanwhile; the copy of the trained parameters that a preview draws with takes its place.
  if (request.preview_bytes > 0) plan.previews = plan.program + plan.weights + plan.adapters + request.preview_bytes;
  return plan;
}

std::vector<std::string> memory_advice(const MemoryRequest& request) {
  std::vector<std::pair<int64_t, std::string>> found;
  const int64_t now = plan_memory(request).peak();
  const auto consider = [&](const std::string& what, const MemoryRequest& changed) {
    const int64_t then = plan_memory(changed).peak();
    if (then < now) found.emplace_back(then, fmt::format("{}: {:.1f} GiB", what, static_cast<double>(then) / double(1 << 30)));
  };
  const bool checkpoints = request.gradient_checkpointing, is_int8 = request.training.storage == at::kChar;
  MemoryRequest changed = request;
  changed.gradient_checkpointing = true;
  if (!checkpoints) consider("--gradient-checkpointing", changed);
  changed.training.storage = at::kChar;
  if (!checkpoints && !is_int8) consider("--weights-dtype int8 --gradient-checkpointing", changed);
  changed.gradient_checkpointing = checkpoints;
  if (!is_int8) consider("--weights-dtype int8", changed);
  changed = request;
  const int64_t factor = request.training.vae_config().factor();
  changed.training.resolution_px = request.training.resolution_px / 2 / factor * factor;
  if (changed.training.resolution_px > 0) consider(fmt::format("--resolution {}", changed.training.resolution_px), changed);
  changed = request;
  changed.preview_bytes = 0;
  if (request.preview_bytes > 0) consider("no --validation-prompt", changed);
  std::sort(found.begin(), found.end());
  std::vector<std::string> advice;
  for (const auto& [bytes, text] : found) advice.push_back(text);
  return advice;
}

}  // namespace negativa
