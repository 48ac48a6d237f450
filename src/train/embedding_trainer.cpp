#include "train/embedding_trainer.h"

#include <algorithm>

#include "base/derived_seed.h"
#include "base/text.h"
#include "core/generator.h"
#include "text/prompt.h"
#include "text/text_models.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

constexpr const char* token_table = "text_model.embeddings.token_embedding.weight";

// Several, so that the name and not a sentence takes up what the pictures show (arXiv:2208.01618, section 4.1).
constexpr const char* object_captions[] = {
    "a picture of {}",    "a picture of a {}",    "a picture of the {}",     "a picture of one {}", "a drawing of a {}",
    "a close-up of a {}", "a good picture of {}", "a clear picture of a {}", "a small {}",          "{} on a plain background"};
constexpr const char* style_captions[] = {"a picture in the style of {}",       "a drawing in the style of {}",
                                          "a good picture in the style of {}",  "a close-up in the style of {}",
                                          "a clear picture in the style of {}", "a {} picture",
                                          "something in the style of {}"};

std::vector<std::string> captions_with(const std::string& name, const std::string& learnable) {
  std::vector<std::string> captions;
  const auto fill = [&](const auto& patterns) {
    for (const char* pattern : patterns) captions.push_back(fmt::format(fmt::runtime(pattern), name));
  };
  learnable == "style" ? fill(style_captions) : fill(object_captions);
  return captions;
}

// One encoder as far as the new name is concerned.
struct Vocabulary {
  std::string encoder, called;  // "text_encoder_2", "tokenizer_2"
  Tokenizer tokenizer, with_name;
  int64_t first = 0, vectors = 1;  // ids of the name

  Vocabulary(const ModelFiles& files, std::string encoder_name, std::string tokenizer_name, const TrainEmbeddingOptions& options)
      : encoder(std::move(encoder_name)),
        called(std::move(tokenizer_name)),
        tokenizer(Tokenizer::load(files.tokenizer_folder(called))),
        with_name(tokenizer),
        vectors(options.vectors) {
    const auto refuse = [&] {
      fail(ErrorKind::input, "[--name] got \"{}\", expected a word that {} does not have as a token; try \"{}-look\"",
           options.name, called, options.name);
    };
    if (tokenizer.encode(options.name).size() == 1) refuse();  // "lion</w>" is a token even where "lion" is none
    try {
      first = with_name.add_token(options.name, vectors);
    } catch (const Error&) {
      refuse();
    }
  }
};

// A prompt with the name in it must come out of the prompt grammar with the name whole: "zorb+" is "zorb" with a weight.
void check_name(const std::string& name) {
  const auto is_plain = [&] {
    const Prompt prompt = parse_prompt(name);
    const auto& texts = prompt.parts.front().texts;
    return prompt.parts.size() == 1 && texts.size() == 1 && texts.front().size() == 1 && texts.front().front().text == name &&
           texts.front().front().weight == 1;
  };
  bool plain = false;
  try {
    plain = is_plain();
  } catch (const Error&) {  // .swap() and the like
  }
  check(plain, ErrorKind::input, "[--name] got \"{}\", which prompts read as weights or other syntax; try letters and digits",
        name);
}

void check_caption(const Vocabulary& vocabulary, const std::string& name, const std::string& where, const std::string& text) {
  const auto has = [&](const std::vector<int64_t>& ids, int64_t id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  check(has(vocabulary.with_name.encode(text), vocabulary.first), ErrorKind::input,
        "[{}] got \"{}\", expected a text with the name \"{}\" in it", where, text, name);
  check(has(vocabulary.with_name.tokenize(text).ids.front(), vocabulary.first + vocabulary.vectors - 1), ErrorKind::input,
        "[{}] \"{}\" has more than 75 tokens, and the name \"{}\" is cut; try a shorter text or fewer --vectors", where, text,
        name);
}

void check_captions(const Vocabulary& vocabulary, const EmbeddingTraining& training) {
  const auto& [options, start, captions] = std::tie(training.options, training.start, training.captions);
  for (const auto& caption : captions)
    check_caption(vocabulary, options.name, options.data.prompt.empty() ? "--vectors" : "--prompt", caption);
  const auto check_dataset = [&](const Dataset& dataset) {
    for (const auto& example : dataset.examples) check_caption(vocabulary, options.name, example.name, example.caption);
  };
  if (captions.empty()) check_dataset(training.pictures);
  if (captions.empty() && training.validation) check_dataset(*training.validation);
  if (!options.run.validation_prompt.empty())
    check_caption(vocabulary, options.name, "--validation-prompt", options.run.validation_prompt);
}

int64_t initializer_id(const Vocabulary& vocabulary, const std::string& word) {
  const auto ids = vocabulary.tokenizer.encode(word);
  std::vector<std::string> pieces;
  for (const int64_t id : ids) pieces.push_back("\"" + vocabulary.tokenizer.piece(id) + "\"");
  check(ids.size() == 1, ErrorKind::input,
        "[--initializer] got \"{}\", {} tokens of {} ({}), expected one; try a shorter or more common word", word, ids.size(),
        vocabulary.called, joined(pieces, ", "));
  return ids.front();
}

// [vectors,width]: the initializer's row for each, as in the script; without one N(0, s), s the deviation of the whole table, as
// in diffusers' advanced dreambooth script (TokenEmbeddingsHandler.initialize_new_tokens).
Tensor first_vectors(const ModelFiles& files, const Vocabulary& vocabulary, const TrainEmbeddingOptions& options) {
  const auto config = text_config(files, vocabulary.encoder);
  const auto weights = normalise_text_keys(files.weights(vocabulary.encoder), config);
  const auto found = weights.find(token_table);
  check(found != weights.end(), ErrorKind::missing_key, "[{}] has no {}; is it an SDXL model?", vocabulary.encoder, token_table);
  TensorSource table = found->second;
  if (options.initializer.empty()) {
    Generator generator(derived_seed(options.step.seed, "vectors of " + vocabulary.encoder, 0));
    return generator.randn({options.vectors, config.hidden_size}) * table.load(at::kFloat).std();
  }
  table.row_begin = initializer_id(vocabulary, options.initializer);
  table.row_end = table.row_begin + 1;
  return table.load(at::kFloat).expand({options.vectors, -1}).clone();
}

}  // namespace

EmbeddingTraining plan_embedding_training(const TrainEmbeddingOptions& given, const TrainingHost& host, const DataHooks& hooks) {
  TrainEmbeddingOptions options = given;
  if (options.name.empty()) options.name = options.run.out.stem().string();
  check_name(options.name);
  check(!options.data.captions || options.data.prompt.empty(), ErrorKind::input,
        "[--captions] and --prompt are two ways to the same thing; give one of them");
  EmbeddingTraining training{open_training(options, host, hooks), options, {options.name, {}, {}}, {}};
  if (!options.data.captions)
    training.captions =
        options.data.prompt.empty() ? captions_with(options.name, options.learnable) : std::vector{options.data.prompt};
  for (const auto& [encoder, tokenizer, vectors] :
       {std::tuple{"text_encoder", "tokenizer", &Embedding::clip_l}, {"text_encoder_2", "tokenizer_2", &Embedding::clip_g}}) {
    const Vocabulary vocabulary(training.files(), encoder, tokenizer, options);
    check_captions(vocabulary, training);
    training.start.*vectors = first_vectors(training.files(), vocabulary, options);
  }
  return training;
}

MemoryRequest memory_request(const EmbeddingTraining& training) {
  return {training, training.start.clip_l.numel() + training.start.clip_g.numel(), false, true,
          training.options.model.gradient_checkpointing};
}

// The script gives the optimiser both token tables and puts every row but the new ones back after each step, since weight decay
// and moments move them. AdamW works number by number and nothing is clipped, so what happens to the other rows never reaches the
// new ones: training these alone is the same.
TrainingResult train_embedding(const EmbeddingTraining& training, RunFolder& run, const TrainHooks& hooks) {
  const auto& step = training.options.step;
  EmbeddingParameters parameters(training.start, training.parameter_dtype());
  const auto groups = [&](double lr_factor) {
    return std::vector<ParameterGroup>{{0, parameters.flat().numel(), step.learning_rate * lr_factor, step.weight_decay}};
  };
  const auto write = [](const fs::path& path, const Trained& trained) { write_embedding(path, trained.embeddings.front()); };
  return run_course(training, training.options, {parameters, groups, write, true, training.captions}, run, hooks);
}

void write_embedding(const fs::path& path, const Embedding& embedding, const Metadata& metadata) {
  write_safetensors(path, {{"clip_l", embedding.clip_l}, {"clip_g", embedding.clip_g}}, metadata);
}

}  // namespace negativa
