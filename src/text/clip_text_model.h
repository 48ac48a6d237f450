#pragma once
// CLIP's text encoder (Radford et al. 2021, arXiv:2103.00020), pre-norm transformer with a causal mask. Member names are the keys
// of transformers' CLIPTextModel and CLIPTextModelWithProjection.
#include "text/clip_layers.h"

namespace negativa {

class ConfigReader;
inline constexpr int64_t most_clip_layers = 1000;  // of a tower; more is a broken config

// config.json of text_encoder; defaults are those of transformers' CLIPTextConfig for absent keys.
struct CLIPTextConfig {
  int64_t vocab_size = 49408, hidden_size = 512, intermediate_size = 2048, projection_dim = 512;
  int64_t num_hidden_layers = 12, num_attention_heads = 8, max_position_embeddings = 77;
  std::string hidden_act = "quick_gelu";
  double layer_norm_eps = 1e-5;
  int64_t eos_token_id = 49407;  // 2: files from before the id was known; then the row of the greatest id is the end
  bool with_projection = false;  // architectures names CLIPTextModelWithProjection

  // Unknown keys are ignored. Throws ErrorKind::file_format naming `where` and the key for values that cannot be.
  static CLIPTextConfig read(const ConfigReader& reader);
  static CLIPTextConfig parse(std::string_view json, std::string_view where);
  static CLIPTextConfig load(const std::filesystem::path& config_json);
};

struct CLIPEmbeddings {
  nn::Embedding token_embedding, position_embedding;

  static void visit(auto& self, auto& v) {
    v("token_embedding", self.token_embedding);
    v("position_embedding", self.position_embedding);
  }
};

struct CLIPTextTransformer {
  CLIPEmbeddings embeddings;
  CLIPEncoder encoder;
  nn::LayerNorm final_layer_norm;

  static void visit(auto& self, auto& v) {
    v("embeddings", self.embeddings);
    v("encoder", self.encoder);
    v("final_layer_norm", self.final_layer_norm);
  }
};

// What one request brings to the encoder.
struct TextForward {
  const nn::Adapters* adapters = &nn::Adapters::none();  // names as in the keys: "text_model.encoder.layers.0.self_attn.q_proj"
  std::optional<Tensor> attention_mask;                  // [B,T] int64: 0 hides a token from all others
  Tensor added_rows;  // [n,hidden_size]: embeddings of the ids from vocab_size on; undefined: none
  std::optional<int64_t>
      eos_id;  // absent: the end as transformers finds it; given: the first row of that id, right with added ids too
  DType compute = at::kFloat;
};

struct TextOutput {
  Tensor penultimate;  // [B,T,hidden_size]: output of the last layer but one, not normalised: SDXL's context
  Tensor last;         // [B,T,hidden_size]: behind the final layer norm
  Tensor pooled;       // [B,projection_dim]: the end token's row of `last`, projected; undefined without a projection
};

struct CLIPTextModel {
  CLIPTextConfig config;
  CLIPTextTransformer text_model;
  std::optional<nn::Linear> text_projection;

  CLIPTextModel() = default;
  explicit CLIPTextModel(const CLIPTextConfig& config);
  // `part` names the encoder in messages. Takes keys with and without "text_model.". Throws as nn::load does.
  static CLIPTextModel load(const std::string& part, const CLIPTextConfig& config, const Weights& weights,
                            const nn::LoadOptions& options = {});
  static void check_weights(const std::string& part, const CLIPTextConfig& config,
                            const Weights& weights);  // what load would refuse, from headers alone

  // ids [B,T] int64, T at most max_position_embeddings.
  TextOutput forward(const Tensor& ids, const TextForward& request = {}) const;

  static void visit(auto& self, auto& v) {
    v("text_model", self.text_model);
    v("text_projection", self.text_projection);
  }
};

// The keys as this model names them: "text_model." put in front where a file of transformers 5 lacks it, position_ids dropped,
// and text_projection dropped where the config asks for none.
Weights normalise_text_keys(const Weights& weights, const CLIPTextConfig& config);

}  // namespace negativa
