#pragma once
// Latents and prompt embeddings of training, computed once and kept between runs, so that a second run loads neither VAE nor text
// encoders. docs/formats.md, "Cache". A file that is not whole or not the one expected is made again; a folder that cannot be
// written costs time only.
#include <map>
#include <span>

#include "base/sha256.h"
#include "io/model_files.h"
#include "text/prompt_encoder.h"
#include "train/dataset.h"
#include "vae/vae.h"

namespace negativa {

// Of q(z | picture), not scaled: a step's latents are vae.scale(mean + std * noise). [1,C,h,w] fp32 each, on the CPU.
struct LatentStats {
  Tensor mean, std;
};

struct PictureLatents {
  LatentStats plain;
  std::optional<LatentStats> mirrored;  // with `flip` only
};

// What, besides the input, decides a result's bytes: part of an entry's key. Threads, processor, and the versions of program and
// libtorch are added by the cache.
struct ComputeFacts {
  std::string model_sha256;      // parts_sha256, or the hash of another VAE's file
  std::optional<DType> storage;  // of the weights; absent: as in the files
  DType compute = at::kFloat;    // of text encoders; a VAE encodes in fp32 always, since fp16 overflows in SDXL's
  at::Device device = at::kCPU;
};

struct LatentRequest {
  std::span<const Example> examples;
  bool flip = false;  // mirror images too
  VaeConfig vae_config;
  ComputeFacts facts;
  Tiling tiling = {};  // latents of a picture in squares are others than those of the whole: part of the key
};

// One for each example, in their order. vae is called outside inference mode, and only when something is missing. Tensors are
// ordinary ones, which autograd may save. Throws ErrorKind::machine naming the picture when its latents are not finite; what
// read_pixels throws.
std::vector<PictureLatents> cached_latents(const LatentRequest& request, const std::function<const Vae&()>& vae,
                                           const DataHooks& hooks = {});

// For each distinct text, as plain words (Weighting::none), in the compute dtype, on the CPU; otherwise as cached_latents.
std::map<std::string, PromptEmbeds> cached_prompt_embeds(std::span<const std::string> texts, const ComputeFacts& facts,
                                                         const std::function<const TextModels&()>& text,
                                                         const DataHooks& hooks = {});

// Of the files that make up these parts of a model ("vae"; "text_encoder", "tokenizer", …); parts the model does without are
// passed over.
std::string parts_sha256(const ModelFiles& files, std::span<const std::string> parts, const Hashing& hashing);
std::string vae_sha256(const ModelFiles& files, const Hashing& hashing);
std::string text_sha256(const ModelFiles& files, const Hashing& hashing);  // of encoders and tokenizers

}  // namespace negativa
