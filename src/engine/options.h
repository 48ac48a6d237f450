#pragma once
// What a person sets, in three groups: the model (one for a whole run), a picture (may differ from line to line of a prompts
// file), and where results go. Names are those of the command line (docs: `negativa generate --help`).
#include <optional>

#include "base/config.h"
#include "model/models.h"
#include "schedule/guidance.h"
#include "schedule/names.h"
#include "unet/size_cond.h"

namespace negativa {

struct ModelOptions {
  std::string model;  // empty: the bundled model
  std::string refiner, vae, unet;
  bool allow_unmatched = false;
  std::vector<std::string> embedding;
  std::string dtype = "auto", weights_dtype = "auto", device = "auto", rng = "cpu", isa = "auto";
  std::string prediction_type = "auto";
  bool zero_snr = false;
  int threads = 0;

  static void visit(auto& self, auto& v) {
    v("model", self.model, flag("-m,--model"),
      "diffusers folder, SGM .safetensors file or a name in $NEGATIVA_MODELS; default: the bundled emoji-xl");
    v("refiner", self.refiner, "refiner model that draws the last steps");
    v("vae", self.vae, "VAE instead of the model's own: file, folder or a name in $NEGATIVA_MODELS");
    v("unet", self.unet,
      "UNet instead of the model's own, as Lightning, Hyper and DMD2 are given away: file, folder or a name in $NEGATIVA_MODELS");
    v("prediction_type", self.prediction_type, choices({"auto", "epsilon", "v_prediction", "sample"}),
      "what the model was trained to predict; auto: what its files say (negativa model inspect shows it)");
    v("zero_snr", self.zero_snr,
      "the noise schedule is stretched to zero terminal SNR (arXiv:2305.08891), whatever the model's files say");
    v("embedding", self.embedding,
      "textual inversion FILE[=NAME]; used by writing its name in a prompt: NAME, or the file's stem or the token it stores; may "
      "be repeated");
    v("allow_unmatched", self.allow_unmatched, "LoRA keys that fit no layer are skipped and listed instead of refused");
    v("dtype", self.dtype, choices({"auto", "fp32", "bf16", "fp16"}),
      "number format of the computation; auto: fp32 on a CPU, bf16 on a GPU");
    v("weights_dtype", self.weights_dtype,
      "auto, fp32, bf16, fp16 or int8: number format the weights are kept in, cast layer by layer when it is not --dtype; auto: "
      "as in the file, parts under 1 GiB as --dtype; by part: unet:fp16,vae:fp32");
    v("device", self.device, choices({"auto", "cpu", "cuda"}), "where to compute; auto: a GPU if there is one");
    v("rng", self.rng, choices({"cpu"}), "random stream: torch's CPU generator");
    v("threads", self.threads, range(0, 1024), "CPU threads; 0: all cores");
    v("isa", self.isa, choices({"auto", "baseline", "avx2", "avx512"}),
      "instructions of the CPU to compute with, on which a picture's last bits depend; auto: all that this machine has");
  }
};

struct PictureOptions {
  std::optional<std::string> prompt;  // "" is a prompt
  std::optional<std::string> negative_prompt, prompt_2, negative_prompt_2;
  int64_t steps = 50;
  double cfg_scale = 7;
  std::optional<uint64_t> seed;
  std::optional<int64_t> width, height;
  double refiner_start = 0.8;
  std::optional<double> refiner_cfg_scale;
  std::optional<std::string> sampler, schedule;
  std::vector<std::string> lora;
  std::string weighting = "compel", pooled = "raw", pooled_row = "diffusers";
  double guidance_rescale = 0;
  std::string guidance_interval = "0:1";
  std::optional<double> negative_scale;
  std::string negative_interval = "0:1";
  double aesthetic_score = 6, negative_aesthetic_score = 2.5;
  std::optional<std::string> original_size, crop_top_left, target_size;
  std::optional<int64_t> vae_tile;
  bool chose_steps_or_cfg = false;  // no setting: whether steps or cfg_scale are a person's choice; remember_choices() sets it

  static void visit(auto& self, auto& v) {
    v("prompt", self.prompt, flag("-p,--prompt"), "what to draw; weights as in (word)1.3, (word)++, word-");
    v("negative_prompt", self.negative_prompt, flag("-n,--negative-prompt"),
      "what to avoid; absent and \"\" differ: absent follows the model's force_zeros_for_empty_prompt");
    v("prompt_2", self.prompt_2, "prompt of the second text encoder; default: the prompt");
    v("negative_prompt_2", self.negative_prompt_2, "negative prompt of the second text encoder; default: the negative prompt");
    v("steps", self.steps, range(1, 1000), "denoising steps, base and refiner together");
    v("cfg_scale", self.cfg_scale, range(0.0, 100.0), "classifier-free guidance; 1 or less: none");
    v("seed", self.seed, flag("-s,--seed"), "initial noise; picture i uses seed + i; default: drawn once and recorded");
    v("width", self.width, flag("-W,--width"), range(8, 16384), unit("px"), "default: the model's training size");
    v("height", self.height, flag("-H,--height"), range(8, 16384), unit("px"), "default: the model's training size");
    v("refiner_start", self.refiner_start, range(0.0, 1.0), "share of the schedule after which the refiner takes over");
    v("refiner_cfg_scale", self.refiner_cfg_scale, range(0.0, 100.0), "guidance of the refiner; default: --cfg-scale");
    v("sampler", self.sampler, choices(sampler_names()), "default: the model's scheduler_config.json");
    v("schedule", self.schedule, choices(grid_names()), "sigma grid; default: the model's scheduler_config.json");
    v("lora", self.lora,
      "FILE[:WEIGHT[:BRANCH]], WEIGHT a number or unet=0.8,text=0.2, BRANCH both, negative or positive; may be repeated");
    v("weighting", self.weighting, choices({"compel", "none"}), "prompt weighting; none: the text as it stands");
    v("pooled", self.pooled, choices({"raw", "clean"}),
      "pooled vector from the raw text, as Compel does it, or from the words without the syntax");
    v("pooled_row", self.pooled_row, choices({"diffusers", "end"}),
      "row of the pooled vector in a prompt with an embedding's word: at the word, as diffusers takes it, or at the text's end, "
      "as the webui and ComfyUI do");
    v("guidance_rescale", self.guidance_rescale, range(0.0, 1.0),
      "mixes in guidance rescaled to the unguided standard deviation (arXiv:2305.08891)");
    v("guidance_interval", self.guidance_interval, "BEGIN:END, shares of the schedule with guidance (arXiv:2404.07724)");
    v("negative_scale", self.negative_scale, range(0.0, 100.0),
      "gives the negative prompt a row of its own: no prompt + cfg (prompt - no prompt) - this (negative - no prompt); 0: the "
      "negative prompt is left out; default: cfg leads away from the negative prompt");
    v("negative_interval", self.negative_interval, "BEGIN:END, shares of the schedule with --negative-scale");
    v("aesthetic_score", self.aesthetic_score, range(0.0, 10.0), "for a model that is told one: the refiner");
    v("negative_aesthetic_score", self.negative_aesthetic_score, range(0.0, 10.0), "the same for the negative prompt");
    v("original_size", self.original_size, unit("px"), "HxW the model is told the picture had; default: its size");
    v("crop_top_left", self.crop_top_left, unit("px"), "Y,X the model is told it was cropped at; default: 0,0");
    v("target_size", self.target_size, unit("px"), "HxW the model is told to aim at; default: its size");
    v("vae_tile", self.vae_tile, range(0, 16384), unit("px"),
      "the VAE decodes in squares of this side, overlapping by a quarter, so that it takes memory for one; 0: the picture at "
      "once; default: 512 where the picture at once would not fit into memory");
  }
};

// `fields`: of a struct that holds `picture`, after the sources have written.
void remember_choices(Fields& fields, PictureOptions& picture);

struct EmbeddingSpec {
  std::filesystem::path path;
  std::optional<std::string> name;  // absent: the file's stem, and the token that the file stores

  bool operator==(const EmbeddingSpec&) const = default;
};

// FILE[=NAME]; an existing file of the whole text wins.
EmbeddingSpec parse_embedding_spec(const std::string& text);

// "768x1024" -> {768, 1024}; separator 'x' or ','. Throws ErrorKind::input naming the flag.
SizePx parse_size(const std::string& text, char separator, std::string_view flag);
// "0.2:0.6". Throws ErrorKind::input naming the flag.
GuidanceInterval parse_interval(const std::string& text, std::string_view flag = "--guidance-interval");

// What is opened for these options: every "auto" answered. Throws ErrorKind::input, device.
ModelRequest model_request(const ModelOptions& options, const Places& places);

}  // namespace negativa
