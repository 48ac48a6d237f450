#include "engine/other_picture.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "engine/options.h"
#include "lora/lora_tags.h"
#include "schedule/webui_names.h"
#include "text/webui_prompt.h"

namespace negativa {

namespace {

class Translator {
 public:
  Translator(OtherSettings given, const std::function<bool(const std::string&)>& is_lora)
      : given_(std::move(given)), is_lora_(is_lora) {}

  OtherPicture picture() {
    result_.program = given_.program;
    result_.not_honoured = given_.not_honoured;
    result_.model = given_.model, result_.model_hash = given_.model_hash;
    result_.vae = given_.vae, result_.refiner = given_.refiner;
    result_.embeddings = given_.embeddings;
    set_prompts();
    set_sampler();
    for (const auto& [name, text] : given_.settings) set(name, text);
    for (const auto& lora : given_.loras) add_lora({lora.name, {}, lora.negative}, lora.unet, lora.text);
    if (!result_.embeddings.empty()) settings_["pooled_row"] = "end";  // as all three programs have it
    result_.settings_json = canonical_json(settings_);
    return std::move(result_);
  }

 private:
  void leave_out(std::string_view name, std::string_view value, std::string_view why) {
    result_.not_honoured.push_back(not_honoured_line(name, value, why));
  }

  // What no setting of a picture takes is named, not set.
  void set(const std::string& name, const std::string& text) {
    PictureOptions scratch;
    Fields fields = fields_of(scratch);
    Field* field = find_field(fields, name);
    try {
      set_from_text(*field, text, {Source::file, "picture"});
      settings_[name] = to_json(fields)[name];
    } catch (const Error&) {
      leave_out(name, text, "expected " + field->expected());
    }
  }

  struct NamedLora {
    std::string name, tag;
    bool negative;
  };
  void add_lora(const NamedLora& lora, double unet, double text) {
    PartWeights weight;
    weight.unet = unet, weight.text = text;
    const std::string rest = ":" + weight.text_of() + (lora.negative ? ":negative" : "");
    result_.loras.push_back({lora.name, rest});
    if (lora.negative) leave_out("LoRA", lora.tag, "named in the negative prompt, here it acts on that branch alone");
  }

  std::string without_tags(const std::string& prompt, bool negative) {
    std::string rest = prompt;
    if (given_.dialect == PromptDialect::comfy) return rest;  // where they are words
    for (const auto& tag : take_lora_tags(rest)) try {
        const auto [name, weight] = read_lora_tag(tag, is_lora_, "picture");
        add_lora({plain_file_name(name), tag, negative}, weight.unet, weight.text);
      } catch (const Error&) {
        leave_out("LoRA", tag, "expected <lora:NAME:0.8>");
      }
    return rest;
  }

  // All prompts are weighted by one rule; where one cannot be said with weights, none is.
  void set_prompts() {
    struct Each {
      const char* name;
      std::optional<std::string>& given;
      bool negative;
      std::optional<TranslatedPrompt> translated;
    };
    Each all[] = {{"prompt", given_.prompt, false, {}},
                  {"negative_prompt", given_.negative_prompt, true, {}},
                  {"prompt_2", given_.prompt_2, false, {}},
                  {"negative_prompt_2", given_.negative_prompt_2, true, {}}};
    bool sayable = given_.dialect != PromptDialect::plain, weighted = false;
    for (auto& each : all) {
      if (!each.given) continue;
      each.translated = translate_prompt(without_tags(*each.given, each.negative), given_.dialect);
      auto& lines = each.translated->not_honoured;
      result_.not_honoured.insert(result_.not_honoured.end(), lines.begin(), lines.end());
      for (auto& name : each.translated->embeddings)
        if (std::find(result_.embeddings.begin(), result_.embeddings.end(), name) == result_.embeddings.end())
          result_.embeddings.push_back(name);
      sayable = sayable && each.translated->weighted;
      weighted = weighted || each.translated->has_weights;
    }
    for (const auto& each : all) {
      if (!each.translated) continue;
      settings_[each.name] = sayable ? *each.translated->weighted : each.translated->plain;
      if (!sayable && each.translated->has_weights)
        leave_out(each.name, *each.given, "its weights cannot be said here, it is taken without them");
    }
    result_.has_prompt = given_.prompt.has_value();
    if (!sayable) settings_["weighting"] = "none";
    if (!sayable || !weighted || given_.dialect == PromptDialect::compel) return;
    settings_["pooled"] = "clean";  // there as from the words alone
    leave_out("weights", "of words", "Compel's rule is used here, they act a little differently");
  }

  void set_sampler() {
    const bool is_comfy = given_.program != "webui";  // and Fooocus, which has its names
    std::optional<SamplerChoice> chosen;
    if (!given_.sampler.empty()) chosen = sampler_choice(given_.sampler);
    if (!given_.sampler.empty() && !chosen)
      leave_out("sampler", given_.sampler, "there is none like it here, the model's own is used");
    if (chosen && chosen->sampler) settings_["sampler"] = *chosen->sampler;
    std::optional<std::string> schedule = chosen ? chosen->schedule : std::nullopt;
    const std::string lower = ascii_lower(given_.scheduler);
    const bool automatic = lower == "automatic";
    if (is_comfy && !lower.empty())
      schedule = comfy_schedule(lower);
    else if (!lower.empty() && !automatic)
      schedule = schedule_choice(lower);
    else if (!schedule && chosen)
      schedule = webui_default_schedule(*chosen->sampler, automatic);
    if (schedule)
      settings_["schedule"] = *schedule;
    else if (!lower.empty() && !automatic)
      leave_out("scheduler", given_.scheduler, "there is none like it here, the model's own is used");
    if (is_comfy && lower == "simple") leave_out("scheduler", "simple", "trailing is used, at most a timestep of 1,000 apart");
  }

  OtherSettings given_;
  const std::function<bool(const std::string&)>& is_lora_;
  OtherPicture result_;
  Json settings_ = Json::object();
};

}  // namespace

std::optional<OtherPicture> other_picture(const TextChunks& text, const std::function<bool(const std::string&)>& is_lora) {
  auto given = other_settings(text);
  if (!given) return {};
  return Translator(std::move(*given), is_lora).picture();
}

}  // namespace negativa
