#include "text/weighting.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace negativa {

namespace {

// Weighted sum of equal shapes, in fp32.
Tensor weighted_sum(const std::vector<Tensor>& tensors, std::vector<double> weights, bool normalize) {
  auto scale = at::tensor(weights, at::kDouble).to(at::kFloat);
  if (normalize) scale = scale / scale.sum();
  Tensor sum;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto term = tensors[i].to(at::kFloat) * scale[static_cast<int64_t>(i)].to(tensors[i].device());
    sum = i == 0 ? term : sum + term;
  }
  return sum;
}

Tensor as_row(const std::vector<int64_t>& ids) { return at::tensor(ids, at::kLong).unsqueeze(0); }

}  // namespace

WeightedTokens weighted_tokens(const Tokenizer& tokenizer, const Fragments& fragments) {
  const int64_t room = tokenizer.max_length() - 2, row_end = tokenizer.max_length() - 1;
  std::vector<int64_t> ids;
  std::vector<double> weights;
  WeightedTokens result;
  int64_t begin = 1;  // behind BOS
  for (const auto& fragment : fragments) {
    const auto own = tokenizer.encode(fragment.text);
    ids.insert(ids.end(), own.begin(), own.end());
    weights.resize(ids.size(), fragment.weight);
    // Compel truncates each fragment by itself first: only one that is cut by those before it covers EOS.
    const auto count = std::min<int64_t>(static_cast<int64_t>(own.size()), room);
    if (count > 0 && begin < row_end) {
      const bool cut = begin + count > row_end;
      result.fragments.push_back({begin, cut ? row_end + 1 : begin + count, fragment.weight});
    }
    begin += count;
  }
  result.tokens = tokenizer.fit(ids, weights);
  return result;
}

Tokens prompt_tokens(const Tokenizer& tokenizer, const std::string& prompt, Weighting weighting) {
  if (weighting == Weighting::none) return tokenizer.tokenize(prompt);
  Tokens all;
  for (const auto& part : parse_prompt(prompt).parts)
    for (const auto& text : part.texts) {
      const auto tokens = weighted_tokens(tokenizer, text).tokens;
      all.ids.push_back(tokens.ids.front());
      all.weights.push_back(tokens.weights.front());
      all.cut += tokens.cut;
      if (!all.cut_text.empty() && !tokens.cut_text.empty()) all.cut_text += ' ';
      all.cut_text += tokens.cut_text;
    }
  return all;
}

const TextOutput& PromptEncoding::encode(const std::vector<int64_t>& ids) {
  const auto found = outputs_.find(ids);
  if (found != outputs_.end()) return found->second;
  const auto device = model_.text_model.final_layer_norm.weight.device();
  return outputs_.emplace(ids, model_.forward(as_row(ids).to(device), request_)).first->second;
}

void PromptEncoding::note_cut(const Tokens& tokens) {
  if (!cut_.empty() && !tokens.cut_text.empty()) cut_ += ' ';
  cut_ += tokens.cut_text;
}

Tensor PromptEncoding::plain(const std::string& text) {
  const auto tokens = tokenizer_.tokenize(text);
  note_cut(tokens);
  return encode(tokens.ids.front()).penultimate;
}

Tensor PromptEncoding::pooled(const std::string& text) {
  const auto& pooled = encode(tokenizer_.tokenize(text).ids.front()).pooled;
  check(pooled.defined(), ErrorKind::input,
        "[text encoder] has no text_projection, expected CLIPTextModelWithProjection as second encoder");
  return pooled;
}

Tensor PromptEncoding::empty() { return encode(tokenizer_.fit({}, {}).ids.front()).penultimate; }

// e + w (z - e) in each row; rows of weight 1 keep their bytes.
Tensor PromptEncoding::lerp(const Tensor& hidden, const std::vector<double>& weights) {
  if (std::all_of(weights.begin(), weights.end(), [](double w) { return w == 1.0; })) return hidden;
  const auto scale = at::tensor(weights, at::kDouble).to(at::kFloat).to(hidden.device()).view({1, -1, 1});
  const auto base = empty().to(at::kFloat), full = hidden.to(at::kFloat);
  return at::where(scale.eq(1), full, base + (full - base) * scale);
}

// Fragments of weight < 1 count twice: in the lerp, and as a blend with the encoding in which they are masked out.
Tensor PromptEncoding::fragments(const Fragments& fragments) {
  const auto weighted = weighted_tokens(tokenizer_, fragments);
  note_cut(weighted.tokens);
  const auto& ids = weighted.tokens.ids.front();
  const auto& weights = weighted.tokens.weights.front();
  std::vector<Tensor> encodings{lerp(encode(ids).penultimate, weights)};
  std::vector<double> shares{1.0};
  const auto device = encodings.front().device();
  for (const auto& fragment : weighted.fragments) {
    if (fragment.weight >= 1) continue;
    auto request = request_;
    request.attention_mask = at::ones({1, static_cast<int64_t>(ids.size())}, at::kLong);
    request.attention_mask->slice(1, fragment.begin, fragment.end).zero_();
    request.attention_mask = request.attention_mask->to(device);
    encodings.push_back(lerp(model_.forward(as_row(ids).to(device), request).penultimate, weights));
    shares.push_back(std::tan((1.0 - std::max(1e-5, fragment.weight)) * std::numbers::pi / 2));
  }
  const auto result = encodings.size() == 1 ? encodings.front() : weighted_sum(encodings, shares, true);
  return result.to(request_.compute);
}

Tensor PromptEncoding::part(const PromptPart& part) {
  std::vector<Tensor> encodings;
  for (const auto& text : part.texts) encodings.push_back(fragments(text));
  const bool blend = encodings.size() > 1 || part.blend_weights.front() != 1;
  Tensor result = blend ? weighted_sum(encodings, part.blend_weights, part.normalize_blend) : encodings.front();
  if (part.weight != 1) {
    const auto base = empty().to(at::kFloat);
    result = base + (result.to(at::kFloat) - base) * part.weight;
  }
  return result.to(request_.compute);
}

Tensor PromptEncoding::weighted(const Prompt& prompt) {
  std::vector<Tensor> parts;
  for (const auto& each : prompt.parts) parts.push_back(part(each));
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

}  // namespace negativa
