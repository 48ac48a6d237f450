#include <algorithm>
#include <array>

#include "base/file_names.h"
#include "base/json.h"
#include "base/text.h"
#include "image/infotext.h"
#include "image/other_settings.h"

namespace negativa {

namespace {

constexpr size_t shown_bytes = 80, most_lines = 60;

struct Renamed {
  std::string_view theirs, ours;
};
constexpr Renamed taken[] = {
    {"Steps", "steps"}, {"CFG scale", "cfg_scale"}, {"Seed", "seed"}, {"Refiner switch at", "refiner_start"}};

// What says nothing of how the picture is made, or says again what stands elsewhere.
constexpr std::string_view inert[] = {
    "Version",     "VAE hash", "Hashes",      "User",     "App",          "Backend",  "Batch size",        "Batch pos",
    "Lora hashes", "Template", "TI hashes",   "TI",       "Created Date", "Date",     "Negative Template", "Civitai metadata",
    "Created by",  "Time",     "Performance", "Pipeline", "Refiner hash", "Lora hash"};

// Why settings whose names begin so are not done.
constexpr Renamed reasons[] = {{"Hires ", "there is no second, larger pass here"},
                               {"Denoising strength", "pictures are drawn from noise alone"},
                               {"ADetailer", "parts of a picture are not drawn again here"},
                               {"ControlNet", "there is no ControlNet here"},
                               {"Variation seed", "noise is of one seed here"},
                               {"Civitai resources", "they name no files"},
                               {"Clip skip", "SDXL's text encoders always give their last layer but one"},
                               {"Styles", "only what stands in the prompt is drawn"}};

std::string reason_for(std::string_view name) {
  for (const auto& [begin, why] : reasons)
    if (name.starts_with(begin)) return std::string(why);
  return "not known here";
}

bool is_inert(const std::string& name, const std::string& value) {
  if (std::find(std::begin(inert), std::end(inert), name) != std::end(inert)) return true;
  if (name == "Clip skip") return value == "1" || value == "2";  // both are the second to last for SDXL, there as here
  if (name == "Operations") return value == "txt2img";
  if (name == "Emphasis") return value == "Original";
  if (name == "Eta") return value == "1" || value == "1.0";
  return false;
}

bool means_none(const std::string& value) {
  const std::string lower = ascii_lower(value);
  return lower.empty() || lower == "none" || lower == "automatic" || lower == "default" || lower == "default (model)";
}

// "name [0123456789]" -> "name"
std::string without_hash(const std::string& name) {
  const auto hash = name.rfind(" [");
  return hash != std::string::npos && name.ends_with(']') ? name.substr(0, hash) : name;
}

void take_size(OtherSettings& found, const std::string& name, const std::string& value) {
  const auto cross = value.find('x');
  if (cross == std::string::npos) {
    found.not_honoured.push_back(not_honoured_line(name, value, "expected as 1024x1024"));
    return;
  }
  found.settings.emplace_back("width", value.substr(0, cross));
  found.settings.emplace_back("height", value.substr(cross + 1));
}

void take_parser(OtherSettings& found, const std::string& value) {  // SD.Next's
  const std::string lower = ascii_lower(value);
  if (lower.find("compel") != std::string::npos)
    found.dialect = PromptDialect::compel;
  else if (lower.find("fixed") != std::string::npos)
    found.dialect = PromptDialect::plain;
  else if (lower.find("full") == std::string::npos && lower.find("a1111") == std::string::npos &&
           lower.find("native") == std::string::npos)
    found.not_honoured.push_back(not_honoured_line("Parser", value, "the prompt is read as the webui does"));
}

// "easynegative: c74b4e810b03, other: …"
void take_embeddings(OtherSettings& found, const std::string& value) {
  for (const auto& part : split(value, ',')) {
    const auto begin = part.find_first_not_of(' ');
    const auto colon = part.rfind(':');
    if (begin == std::string::npos || colon == std::string::npos || colon <= begin) continue;
    const std::string name = part.substr(begin, colon - begin);
    if (std::find(found.embeddings.begin(), found.embeddings.end(), name) == found.embeddings.end())
      found.embeddings.push_back(name);
  }
}

void take(OtherSettings& found, const std::string& name, const std::string& value) {
  const auto renamed = std::find_if(std::begin(taken), std::end(taken), [&](const Renamed& each) { return each.theirs == name; });
  if (renamed != std::end(taken)) {
    found.settings.emplace_back(renamed->ours, value);
  } else if (name == "Size") {
    take_size(found, name, value);
  } else if (name == "Sampler") {
    found.sampler = value;
  } else if (name == "Schedule type") {
    found.scheduler = value;
  } else if (name == "Model") {
    found.model = plain_file_name(value);
  } else if (name == "Model hash") {
    if (value.size() == 10) found.model_hash = ascii_lower(value);  // older ones have another kind of eight digits
  } else if (name == "VAE") {
    if (!means_none(value)) found.vae = plain_file_name(value);
  } else if (name == "Refiner") {
    if (!means_none(value)) found.refiner = plain_file_name(without_hash(value));
  } else if (name == "Parser") {
    take_parser(found, value);
  } else if (!is_inert(name, value)) {
    found.not_honoured.push_back(not_honoured_line(name, value, reason_for(name)));
  }
  if (name == "TI hashes") take_embeddings(found, value);
}

// Which program wrote this: ours weights prompts as Compel does, and the noise of a seed depends on where it was drawn.
void note_program(OtherSettings& found, const Infotext& text) {
  const auto value_of = [&](std::string_view wanted) {
    for (const auto& [name, value] : text.settings)
      if (name == wanted) return value;
    return std::string();
  };
  const std::string version = value_of("Version"), rng = value_of("RNG");
  std::erase_if(found.not_honoured, [](const std::string& line) { return line.starts_with("RNG: "); });
  if (version.starts_with("negativa")) {
    found.dialect = PromptDialect::compel;
    if (const auto loras = value_of("Lora hashes"); !loras.empty())
      found.not_honoured.push_back(not_honoured_line("Lora hashes", loras, "their weights do not stand here"));
  } else if (!value_of("Seed").empty() && rng != "CPU" && !version.starts_with("Fooocus")) {
    found.not_honoured.push_back(not_honoured_line("RNG", rng.empty() ? "GPU" : rng,
                                                   "this seed's noise was not drawn on a CPU, so here it gives another picture"));
  }
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// "(1152, 896)" -> "1152x896"
std::string size_text(const std::string& tuple) {
  std::string size;
  for (const char c : tuple) {
    if (c >= '0' && c <= '9') size += c;
    if (c == ',') size += 'x';
  }
  return size;
}

// [["name.safetensors", 0.5, "hash"], …]
void take_fooocus_loras(OtherSettings& found, const Json& loras) {
  for (const auto& lora : loras) {
    const bool fits = lora.is_array() && lora.size() >= 2 && lora[0].is_string() && lora[1].is_number();
    if (!fits)
      found.not_honoured.push_back(not_honoured_line("loras", lora.dump(), "expected a name and a weight"));
    else
      found.loras.push_back({plain_file_name(lora[0].get<std::string>()), lora[1].get<double>(), lora[1].get<double>(), false});
  }
}

// Fooocus' names (modules/meta_parser.py) as the webui's; empty: of no effect.
constexpr Renamed fooocus_names[] = {{"steps", "Steps"},
                                     {"sampler", "Sampler"},
                                     {"scheduler", "Schedule type"},
                                     {"guidance_scale", "CFG scale"},
                                     {"seed", "Seed"},
                                     {"base_model", "Model"},
                                     {"base_model_hash", "Model hash"},
                                     {"vae", "VAE"},
                                     {"refiner_model", "Refiner"},
                                     {"clip_skip", "Clip skip"},
                                     {"refiner_model_hash", ""},
                                     {"refiner_switch", ""},  // goes with a refiner
                                     {"full_prompt", ""},
                                     {"full_negative_prompt", ""},
                                     {"metadata_scheme", ""},
                                     {"created_by", ""},
                                     {"performance", ""},
                                     {"version", ""}};

}  // namespace

std::string plain_file_name(std::string_view name) {
  if (const auto folder = name.find_last_of("/\\"); folder != std::string_view::npos) name.remove_prefix(folder + 1);
  for (const std::string_view ending : weights_endings())
    if (name.size() > ending.size() && name.ends_with(ending)) name.remove_suffix(ending.size());
  return std::string(name);
}

std::string not_honoured_line(std::string_view name, std::string_view value, std::string_view why) {
  const auto shown = [](std::string_view text) {
    size_t end = std::min(text.size(), shown_bytes);
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    std::string result(text.substr(0, end));
    std::replace_if(
        result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return end < text.size() ? result + "…" : result;
  };
  return valid_utf8(fmt::format("{}: {} ({})", shown(name), shown(value), why));
}

OtherSettings webui_settings(const std::string& infotext) {
  const Infotext text = read_infotext(infotext);
  OtherSettings found;
  found.program = "webui";
  found.prompt = text.prompt;
  if (!text.negative_prompt.empty()) found.negative_prompt = text.negative_prompt;  // none and an empty one are the same there
  for (const auto& [name, value] : text.settings) take(found, name, value);
  note_program(found, text);
  if (found.not_honoured.size() > most_lines) {
    const size_t more = found.not_honoured.size() - most_lines;
    found.not_honoured.resize(most_lines);
    found.not_honoured.push_back(fmt::format("and {} more settings that are not known here", more));
  }
  return found;
}

OtherSettings fooocus_settings(std::string_view json) {
  const Json object = parse_json(json, "Fooocus' parameters");
  OtherSettings found;
  found.program = "Fooocus";
  found.dialect = PromptDialect::comfy;
  for (const auto& [key, value] : object.items()) {
    const auto renamed =
        std::find_if(std::begin(fooocus_names), std::end(fooocus_names), [&](const Renamed& each) { return each.theirs == key; });
    if (key == "prompt")
      found.prompt = text_of(value);
    else if (key == "negative_prompt")
      found.negative_prompt = text_of(value);
    else if (key == "resolution")
      take_size(found, key, size_text(text_of(value)));
    else if (key == "loras" && value.is_array())
      take_fooocus_loras(found, value);
    else if (renamed == std::end(fooocus_names))
      found.not_honoured.push_back(not_honoured_line(key, text_of(value), "not known here"));
    else if (!renamed->ours.empty())
      take(found, std::string(renamed->ours), text_of(value));
  }
  if (!found.refiner.empty() && object.contains("refiner_switch"))
    found.settings.emplace_back("refiner_start", text_of(object["refiner_switch"]));
  return found;
}

std::optional<OtherSettings> other_settings(const TextChunks& text) {
  const auto find = [&](std::string_view key) {
    const auto found = std::find_if(text.begin(), text.end(), [&](const auto& chunk) { return chunk.first == key; });
    if (found == text.end()) return std::string_view();
    check(found->second.size() <= max_other_bytes, ErrorKind::file_format,
          "[picture] its text \"{}\" has {} bytes, expected at most {}", key, found->second.size(), max_other_bytes);
    return std::string_view(found->second);
  };
  if (const auto parameters = find("parameters"); !parameters.empty()) {
    if (!parameters.starts_with('{')) return webui_settings(std::string(parameters));
    if (parameters.find("\"base_model\"") != std::string_view::npos) return fooocus_settings(parameters);
    fail(ErrorKind::input, "[picture] its text \"parameters\" is JSON of a program that is not known here");
  }
  if (const auto graph = find("prompt"); !graph.empty()) return comfy_settings(graph);
  check(find("workflow").empty(), ErrorKind::input,
        "[picture] carries a workflow of ComfyUI without the \"prompt\" that was run; settings are not found in it");
  return {};
}

}  // namespace negativa
