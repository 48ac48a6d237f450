#pragma once
// CLIP with both towers: Radford et al. 2021, arXiv:2103.00020. Member names are the keys of transformers' CLIPModel.
#include "vision/clip_config.h"

namespace negativa {

struct CLIPPatchEmbedding {
  int64_t width = 0, patch = 0;
  Tensor weight;  // [width,3,patch,patch], no bias

  // pixels [B,3,S,S] -> [B, patches, width], row by row from the top
  Tensor forward(const Tensor& pixels) const;

  static void visit(auto& self, auto& v) { v.param("weight", self.weight, {self.width, 3, self.patch, self.patch}); }
};

struct CLIPVisionEmbeddings {
  Tensor class_embedding;  // [width]
  CLIPPatchEmbedding patch_embedding;
  nn::Embedding position_embedding;  // the class token's, then a row a patch

  static void visit(auto& self, auto& v) {
    v.param("class_embedding", self.class_embedding, {self.patch_embedding.width});
    v("patch_embedding", self.patch_embedding);
    v("position_embedding", self.position_embedding);
  }
};

struct CLIPVisionTransformer {
  CLIPVisionConfig config;
  CLIPVisionEmbeddings embeddings;
  nn::LayerNorm pre_norm, post_norm;
  CLIPEncoder encoder;

  CLIPVisionTransformer() = default;
  explicit CLIPVisionTransformer(const CLIPVisionConfig& config);
  // pixels [B,3,S,S], S the config's image_size, as the image processor gives them -> [B,hidden_size]: the class token,
  // normalised
  Tensor forward(const Tensor& pixels) const;

  static void visit(auto& self, auto& v) {
    v("embeddings", self.embeddings);
    v("pre_layrnorm", self.pre_norm);  // spelt so in every file
    v("encoder", self.encoder);
    v("post_layernorm", self.post_norm);
  }
};

struct CLIPModel {
  CLIPConfig config;
  CLIPTextModel text;
  CLIPVisionTransformer vision_model;
  nn::Linear visual_projection;  // text.text_projection is the other one
  Tensor logit_scale;            // []: natural logarithm of what cosines are multiplied by

  CLIPModel() = default;
  explicit CLIPModel(const CLIPConfig& config);
  // Throws as nn::load does, and ErrorKind::file_format where a weight is NaN or infinite.
  static CLIPModel load(const std::string& part, const CLIPConfig& config, const Weights& weights,
                        const nn::LoadOptions& options = {});

  Tensor image_embeds(const Tensor& pixels) const;  // [B,3,S,S] -> [B,projection_dim], not normalised
  Tensor text_embeds(const Tensor& ids) const;      // int64 [B,T] -> [B,projection_dim], not normalised

  static void visit(auto& self, auto& v) {
    CLIPTextModel::visit(self.text, v);
    v("vision_model", self.vision_model);
    v("visual_projection", self.visual_projection);
    v.param("logit_scale", self.logit_scale, {});
  }
};

}  // namespace negativa
