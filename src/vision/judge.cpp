#include "vision/judge.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "base/names.h"
#include "io/weight_files.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

void check_is_judge(const fs::path& folder) {
  check(fs::exists(folder), ErrorKind::input, "[--judge] {} does not exist; expected the folder of a CLIP model",
        folder.string());
  check(fs::is_directory(folder), ErrorKind::input,
        "[--judge] {} is a file, expected the folder of a CLIP model with its config.json", folder.string());
  check(!fs::exists(folder / names::model_index), ErrorKind::input,
        "[--judge] {} is a model that draws, expected the folder of a CLIP model; its judge may be {}", folder.string(),
        (folder / names::judge_folder).string());
  check(fs::exists(folder / names::config), ErrorKind::missing_key, "[--judge] {} has no {}, expected the folder of a CLIP model",
        folder.string(), names::config);
}

std::vector<fs::path> files_of(const fs::path& folder, const WeightFiles& weights) {
  std::vector<fs::path> files = weights.shards;
  if (!weights.index.empty()) files.push_back(weights.index);
  for (const char* name :
       {names::config, names::preprocessor_config, names::processor_config, names::vocabulary, names::merges,
        names::tokenizer_config, "tokenizer.json", "special_tokens_map.json", "added_tokens.json", names::judge_world})
    if (fs::exists(folder / name)) files.push_back(folder / name);
  std::sort(files.begin(), files.end());
  return files;
}

void check_fit(const fs::path& folder, const CLIPConfig& config, const ImageProcessor& processor, const Tokenizer& tokenizer) {
  const auto output = processor.output_size();
  const int64_t side = config.vision.image_size;
  check(!output || (output->height == side && output->width == side), ErrorKind::file_format,
        "[{}] {} gives pictures of {}x{}, but {} expects {}x{}; are they files of one model?", folder.string(),
        names::preprocessor_config, output ? output->width : 0, output ? output->height : 0, names::config, side, side);
  check(tokenizer.size() <= config.text.vocab_size, ErrorKind::file_format,
        "[{}] the tokenizer has {} tokens, but {} expects {}; are they files of one model?", folder.string(), tokenizer.size(),
        names::config, config.text.vocab_size);
  const int64_t end = config.text.eos_token_id;
  check(end == 2 || end == tokenizer.eos(), ErrorKind::file_format,
        "[{}] the tokenizer's end token is {}, but {} says {}; are they files of one model?", folder.string(), tokenizer.eos(),
        names::config, end);
}

UnitVector normalised(const Tensor& embeds) {
  const Tensor row = embeds.flatten().to(at::kFloat).contiguous();
  const Tensor unit = row / row.norm();
  const float* data = unit.const_data_ptr<float>();
  UnitVector vector(data, data + unit.numel());
  check(std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); }), ErrorKind::file_format,
        "[judge] an embedding holds NaN or has no length; its weights are damaged or of another model");
  return vector;
}

}  // namespace

double cosine(const UnitVector& a, const UnitVector& b) {
  check(a.size() == b.size(), ErrorKind::shape, "[judge] got embeddings of {} and {} numbers; are they of one judge?", a.size(),
        b.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

Judge::Judge(const fs::path& folder, Tokenizer tokenizer, ImageProcessor processor)
    : folder_(folder),
      name_(fs::absolute(folder / ".").lexically_normal().parent_path().filename().string()),
      tokenizer_(std::move(tokenizer)),
      processor_(std::move(processor)) {}

Judge Judge::load(const fs::path& folder, const CancelToken* cancel) {
  check_is_judge(folder);
  const c10::InferenceMode inference;
  const CLIPConfig config = CLIPConfig::load(folder / names::config);
  Judge judge(folder, Tokenizer::load(folder), ImageProcessor::load(folder));
  check_fit(folder, config, judge.processor_, judge.tokenizer_);
  const WeightFiles files = find_weight_files(folder, "model");
  const Weights weights = read_part("judge", files);
  nn::LoadOptions options;
  options.storage = storage_or_default({}, weights, at::kFloat);
  options.pack_small = true;
  options.cancel = cancel;
  judge.model_ = CLIPModel::load("judge " + judge.name_, config, weights, options);
  judge.logit_scale_ = std::exp(judge.model_.logit_scale.to(at::kDouble).item<double>());
  judge.files_ = files_of(folder, files);
  return judge;
}

UnitVector Judge::see(const Image8& image) const {
  const c10::InferenceMode inference;
  const Tensor pixels = processor_.pixels(image);
  const int64_t side = model_.config.vision.image_size;
  check(pixels.size(2) == side && pixels.size(3) == side, ErrorKind::input,
        "[judge] a picture of {}x{} becomes {}x{}, but {} reads {}x{}, and its {} crops nothing; make the picture square",
        image.width, image.height, pixels.size(3), pixels.size(2), name_, side, side, names::preprocessor_config);
  return normalised(model_.image_embeds(pixels));
}

SeenText Judge::read(std::string_view text) const {
  const c10::InferenceMode inference;
  const std::vector<int64_t> words = tokenizer_.encode(text);
  const int64_t room = std::min(tokenizer_.max_length(), model_.config.text.max_position_embeddings) - 2;
  const int64_t kept = std::min(static_cast<int64_t>(words.size()), room);
  std::vector<int64_t> row{tokenizer_.bos()};
  row.insert(row.end(), words.begin(), words.begin() + kept);
  row.push_back(tokenizer_.eos());  // no padding: the mask is causal, so nothing behind the end is seen
  const Tensor ids = at::tensor(row, at::kLong).unsqueeze(0);
  return {normalised(model_.text_embeds(ids)), static_cast<int64_t>(words.size()) - kept};
}

std::vector<double> Judge::probabilities(const UnitVector& image, std::span<const UnitVector* const> texts) const {
  check(!texts.empty(), ErrorKind::input, "[judge] got no texts to choose from");
  std::vector<double> values;
  for (const UnitVector* text : texts) values.push_back(logit_scale_ * cosine(image, *text));
  const double highest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value - highest);
  for (double& value : values) value /= sum;
  return values;
}

}  // namespace negativa
