#include "jobs/without_effect.h"

#include <algorithm>

#include "base/file_names.h"
#include "base/names.h"
#include "base/text.h"
#include "pipeline/stages.h"
#include "text/text_models.h"
#include "text/unicode.h"
#include "text/webui_syntax.h"

namespace negativa {

namespace {

// What decides whether an option of one picture does anything.
struct Facts {
  const PictureOptions& options;
  bool has_refiner = false, base_draws = true, refiner_draws = false;
  bool base_guided = false, refiner_guided = false;      // in one step at the least, as are the next three
  bool base_negative = false, refiner_negative = false;  // the row of the negative prompt is run
  bool classifier_free = false;                          // guidance by --cfg-scale
  bool two_encoders = true;
  bool zero_negative = false;  // no negative prompt is an embedding of zeros
  bool takes_score = false;    // a model that draws is told an aesthetic score instead of a target size
  bool takes_target = true;
  bool has_words = false;  // an embedding has vectors for the second encoder, which gives the pooled vector

  bool guided() const { return base_guided || refiner_guided; }
  bool negative() const { return base_negative || refiner_negative; }
};

// What is the same for all pictures of a run.
struct Known {
  bool two_encoders = true;
  int64_t base_time_ids = 6,
          refiner_time_ids =
              0;  // entries of add_time_ids; 6: sizes with a target; 5: with an aesthetic score instead; 0: no refiner

  explicit Known(const Models& models) : two_encoders(models.files().has(names::text_encoder)) {
    const auto num_time_ids = [](const ModelFiles& files, const UNetConfig& unet) {
      return unet.num_time_ids(text_config(files, names::text_encoder_2).projection_dim);
    };
    base_time_ids = num_time_ids(models.files(), models.facts().unet);
    if (models.refiner_facts()) refiner_time_ids = num_time_ids(*models.refiner_files(), models.refiner_facts()->unet);
  }
};

void add_guidance(const AskedPicture& picture, const Course& course, Facts& facts) {
  const auto base = base_guidance(picture.plan), refiner = refiner_guidance(picture.plan);
  const auto runs = [&](const Guidance& guidance, int row, const StepRange& range) {
    return runs_row(guidance, row, range, course.grid.steps());
  };
  facts.base_guided = runs(base, reference_row, course.split.base);
  facts.refiner_guided = runs(refiner, reference_row, course.split.refiner);
  const auto row = negative_row_of(picture.options);
  if (row != NegativeRow::none) {
    const int number = row == NegativeRow::own ? negative_row : reference_row;
    facts.base_negative = runs(base, number, course.split.base);
    facts.refiner_negative = runs(refiner, number, course.split.refiner);
  }
  const auto by_cfg = [&](double scale, const StepRange& range) {
    return runs({classifier_free(scale, picture.plan.guidance_interval)}, reference_row, range);
  };
  facts.classifier_free =
      by_cfg(picture.plan.guidance_scale, course.split.base) || by_cfg(picture.plan.refiner_guidance_scale, course.split.refiner);
}

Facts facts_of(const Models& models, const Known& known, const AskedPicture& picture) {
  const Course course = make_course(models, picture.plan);
  Facts facts{picture.options};
  facts.has_refiner = models.refiner_facts().has_value();
  facts.base_draws = course.split.base.size() > 0;
  facts.refiner_draws = course.split.refiner.size() > 0;
  add_guidance(picture, course, facts);
  facts.two_encoders = known.two_encoders;
  facts.has_words = std::any_of(picture.plan.embeddings.begin(), picture.plan.embeddings.end(),
                                [](const Embedding& embedding) { return embedding.clip_g.defined(); });
  facts.zero_negative = models.facts().zero_negative;
  const auto takes = [&](int64_t count) {
    return (facts.base_draws && known.base_time_ids == count) || (facts.refiner_draws && known.refiner_time_ids == count);
  };
  facts.takes_score = takes(5);
  facts.takes_target = takes(6);
  return facts;
}

using Reason = std::string;  // empty: it has an effect

Reason unless(bool has_effect, const char* reason) { return has_effect ? "" : reason; }

constexpr const char* no_guidance = "there is no guidance (--cfg-scale 1 or less, or an empty --guidance-interval)";

constexpr const char* negative_scale_0 = "--negative-scale 0 leaves the negative prompt out";
constexpr const char* no_negative_prompt = "there is no negative prompt";
constexpr const char* no_negative_step = "no step begins within --negative-interval";

// Why the negative prompt is not drawn.
const char* no_negative(const Facts& f) {
  if (!f.options.negative_scale) return no_guidance;
  return *f.options.negative_scale == 0 ? negative_scale_0 : no_negative_step;
}

// Of --negative-scale and its interval: whether there is anything that they guide away from.
bool has_negative(const Facts& f) {
  PictureOptions scaled = f.options;
  scaled.negative_scale = 1;
  return negative_row_of(scaled) == NegativeRow::own;
}

struct Rule {
  const char* option;
  Reason (*reason)(const Facts&);
  bool picture_is_wrong = false;  // it is not the one asked for: an error
};

const Rule rules[] = {
    {"prompt_2",
     [](const Facts& f) { return unless(f.two_encoders && f.base_draws, "the model that draws has one text encoder"); }},
    {"negative_prompt", [](const Facts& f) { return unless(f.negative(), no_negative(f)); }},
    {"negative_prompt_2",
     [](const Facts& f) { return unless(f.two_encoders && f.base_draws, "the model that draws has one text encoder"); }},
    {"negative_prompt_2", [](const Facts& f) { return unless(f.base_negative, no_negative(f)); }},
    {"negative_prompt_2",
     [](const Facts& f) {
       return unless(f.options.negative_prompt || !f.zero_negative || f.options.negative_prompt_2.value_or("").empty(),
                     "without --negative-prompt this model takes zeros; add --negative-prompt, which may be empty");
     },
     true},
    {"cfg_scale",
     [](const Facts& f) {
       return unless(f.base_draws || !f.options.refiner_cfg_scale,
                     "the base draws no step, and --refiner-cfg-scale is the refiner's");
     }},
    {"guidance_rescale", [](const Facts& f) { return unless(f.guided(), no_guidance); }},
    {"guidance_interval", [](const Facts& f) { return unless(f.classifier_free || f.options.cfg_scale > 1, no_guidance); }},
    {"negative_scale", [](const Facts& f) { return unless(has_negative(f), no_negative_prompt); }},
    {"negative_scale", [](const Facts& f) { return unless(f.negative() || *f.options.negative_scale == 0, no_negative_step); }},
    {"negative_interval",
     [](const Facts& f) { return unless(f.options.negative_scale.has_value(), "there is no --negative-scale"); }},
    {"negative_interval", [](const Facts& f) { return unless(f.options.negative_scale != 0, "--negative-scale is 0"); }},
    {"negative_interval", [](const Facts& f) { return unless(has_negative(f), no_negative_prompt); }},
    {"refiner_start", [](const Facts& f) { return unless(f.has_refiner, "there is no --refiner"); }},
    {"refiner_cfg_scale",
     [](const Facts& f) {
       return unless(f.refiner_draws, f.has_refiner ? "the refiner draws no step" : "there is no --refiner");
     }},
    {"aesthetic_score",
     [](const Facts& f) { return unless(f.takes_score, "the model that draws is not told one, only refiners are"); }},
    {"negative_aesthetic_score",
     [](const Facts& f) { return unless(f.takes_score, "the model that draws is not told one, only refiners are"); }},
    {"negative_aesthetic_score", [](const Facts& f) { return unless(f.guided(), no_guidance); }},
    {"target_size", [](const Facts& f) { return unless(f.takes_target, "the model that draws is not told one"); }},
    {"pooled",
     [](const Facts& f) {
       return unless(f.options.weighting != "none", "with --weighting none the text is taken as it stands");
     }},
    {"pooled_row", [](const Facts& f) { return unless(f.has_words, "there is no embedding for the second text encoder"); }},
};

bool is_given(const Field& field, const std::set<std::string>& typed) {
  return typed.contains(field.name) || field.value_text() != field.default_text;
}

class Lines {
 public:
  void add(const std::string& what, const Reason& reason) {
    const std::string line = fmt::format("{} has no effect: {}", what, reason);
    if (!reason.empty() && std::find(lines_.begin(), lines_.end(), line) == lines_.end()) lines_.push_back(line);
  }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
};

void add_of_picture(const Facts& facts, const std::set<std::string>& typed, Lines& lines) {
  PictureOptions defaults, asked = facts.options;
  Fields fields = fields_of(defaults);  // remembers the defaults' texts
  defaults = asked;
  std::set<std::string> said;  // one reason an option
  for (const auto& rule : rules) {
    const Field& field = *find_field(fields, rule.option);
    const Reason reason = is_given(field, typed) && !said.contains(rule.option) ? rule.reason(facts) : "";
    if (reason.empty()) continue;
    check(!rule.picture_is_wrong, ErrorKind::input, "[{}] has no effect: {}", field.long_flag(), reason);
    said.insert(rule.option);
    lines.add(field.long_flag(), reason);
  }
}

// A word that stands in no text.
void add_of_embeddings(const Session& session, const std::vector<std::string>& texts, Lines& lines) {
  const auto plain = [](const std::string& text) { return lowercase(nfc(valid_utf8(text))); };
  const auto stands = [&](const std::string& name) {
    return !name.empty() && std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
      return plain(text).find(plain(name)) != std::string::npos;
    });
  };
  for (size_t i = 0; i < session.options().embedding.size(); ++i) {
    const auto words = session.words_of_embedding(i);
    if (words.empty()) continue;
    if (std::any_of(words.begin(), words.end(), [&](const auto& word) { return stands(word.name) || stands(word.also); }))
      continue;
    const auto& first = words.front();
    if (words.size() > 1)
      lines.add("--embedding", fmt::format("none of the words of {} is in a prompt", last_name(session.options().embedding[i])));
    else if (first.also.empty())
      lines.add("--embedding", "\"" + first.name + "\" is in no prompt");
    else
      lines.add("--embedding", fmt::format("neither \"{}\" nor \"{}\" is in a prompt", first.also, first.name));
  }
}

Reason with_classes(const TrainOptions& options) { return unless(!options.data.class_data.empty(), "there is no --class-data"); }

struct TrainingRule {
  const char* option;
  Reason (*reason)(const TrainOptions&);
};

const TrainingRule training_rules[] = {
    {"prompt", [](const TrainOptions& o) { return unless(!o.data.captions, "with --captions each picture has its own"); }},
    {"class_count", with_classes},
    {"prior_weight", with_classes},
    {"validate_every",
     [](const TrainOptions& o) {
       return unless(!o.run.validation_prompt.empty() || !o.data.validation_data.empty(),
                     "there is no --validation-prompt and no --validation-data");
     }},
};

template <class Options>
void add_of_training(const Options& options, Lines& lines) {
  Options copy;
  Fields fields = fields_of(copy);
  copy = options;
  for (const auto& rule : training_rules)
    if (const Field* field = find_field(fields, rule.option); field && is_given(*field, {}))
      lines.add(field->long_flag(), rule.reason(options));
}

}  // namespace

namespace {

std::vector<std::string> texts_of(std::span<const AskedPicture> pictures) {
  std::vector<std::string> texts;
  for (const auto& picture : pictures) {
    const auto& options = picture.options;
    for (const auto* text : {&options.prompt, &options.negative_prompt, &options.prompt_2, &options.negative_prompt_2})
      if (*text) texts.push_back(**text);
  }
  return texts;
}

}  // namespace

std::vector<std::string> without_effect(const Session& session, std::span<const AskedPicture> pictures,
                                        const std::set<std::string>& typed) {
  const ModelOptions& model = session.options();
  Lines lines;
  const Known known(session.models());
  bool refiner_draws = false, has_loras = false;
  for (const auto& picture : pictures) {
    const Facts facts = facts_of(session.models(), known, picture);
    add_of_picture(facts, typed, lines);
    refiner_draws = refiner_draws || facts.refiner_draws;
    has_loras = has_loras || !picture.options.lora.empty();
  }
  if (!model.refiner.empty()) lines.add("--refiner", unless(refiner_draws, "it draws no step, --refiner-start is too large"));
  if (model.allow_unmatched) lines.add("--allow-unmatched", unless(has_loras, "there is no --lora"));
  add_of_embeddings(session, texts_of(pictures), lines);
  return lines.take();
}

std::vector<std::string> without_effect(const TrainLoraOptions& options) {
  Lines lines;
  add_of_training(options, lines);
  if (options.text_encoder_learning_rate)
    lines.add("--text-encoder-learning-rate",
              unless(options.text_encoders || !options.network_weights.empty(), "there is no --text-encoders"));
  const bool convolutions = options.targets == "attention+ff+conv" || !options.network_weights.empty();
  for (const auto& [flag, is_given] :
       {std::pair{"--conv-rank", options.conv_rank.has_value()}, {"--conv-alpha", options.conv_alpha.has_value()}})
    if (is_given) lines.add(flag, unless(convolutions, "there is no --targets attention+ff+conv"));
  return lines.take();
}

std::vector<std::string> without_effect(const TrainEmbeddingOptions& options) {
  Lines lines;
  add_of_training(options, lines);
  const bool has_texts = options.data.captions || !options.data.prompt.empty();
  if (options.learnable != TrainEmbeddingOptions().learnable)
    lines.add("--learnable", unless(!has_texts, "the sentences are those of --prompt or --captions"));
  return lines.take();
}

void note_asked(const Session& session, std::span<const AskedPicture> pictures, const std::set<std::string>& typed) {
  EventSink& events = session.caller().events;
  for (const auto& line : without_effect(session, pictures, typed)) events.on_notice(line);
  note_webui_syntax(session, pictures);
}

void note_webui_syntax(const Session& session, std::span<const AskedPicture> pictures) {
  std::vector<std::string> names;
  for (const auto& embedding : session.embeddings()) names.insert(names.end(), {embedding.name, embedding.also});
  const bool grammar = std::any_of(pictures.begin(), pictures.end(),
                                   [](const AskedPicture& picture) { return picture.plan.weighting != Weighting::none; });
  if (const auto line = webui_notice(texts_of(pictures), grammar, names); !line.empty()) session.caller().events.on_notice(line);
}

void note_training_texts(const Training& training, const TrainOptions& options, EventSink& events, const EmbeddingName& name) {
  std::set<std::string> texts = {options.run.validation_prompt};
  texts.insert(name.captions.begin(), name.captions.end());
  for (const auto* dataset : {&training.pictures, training.class_pictures ? &*training.class_pictures : nullptr,
                              training.validation ? &*training.validation : nullptr})
    if (dataset)
      for (const auto& example : dataset->examples) texts.insert(example.caption);
  const auto line = webui_notice(std::vector(texts.begin(), texts.end()), false, std::vector{name.name});
  if (!line.empty()) events.on_notice(line);
}

std::set<std::string> typed_names(const Fields& fields) {
  std::set<std::string> typed;
  for (const auto& field : fields)
    if (field.source.rank >= Source::flag) typed.insert(field.name);
  return typed;
}

}  // namespace negativa
