// Options of a picture: [default], and what is laid over it.
#include <algorithm>

#include "base/text.h"
#include "experiment/experiment_reader.h"
#include "experiment/references.h"

namespace negativa {

namespace {

const std::vector<RefusedKey> refused{
    {"seed", "the noise is that of `seed` at the top of the file, the same in every arm"},
    {"prompt", "prompts are those of [prompts], the same in every arm"},
    {"prompt_2", "prompts are those of [prompts], the same in every arm"},
};

// negative_prompt = { same_as = "prompt" }
void set_same_as(DrawSettings& drawing, const TomlSource& source, const TomlEntry& entry, bool allowed) {
  const bool good = entry.key == "negative_prompt" && entry.value->size() == 1 && entry.value->contains("same_as") &&
                    (*entry.value)["same_as"] == "prompt";
  check(good, ErrorKind::input, "[{}] {}: got {}, expected a value{}", source.where(entry.path), entry.path,
        json_excerpt(*entry.value), entry.key == "negative_prompt" ? ", or { same_as = \"prompt\" }" : "");
  check(allowed, ErrorKind::input, "[{}] {}: {{ same_as = \"prompt\" }} can stand in arms and sweeps alone",
        source.where(entry.path), entry.path);
  drawing.options.picture.negative_prompt.reset();
  drawing.negative_is_prompt = true;
  drawing.given[entry.key] = *entry.value;
}

std::string with_folder(const ExperimentReader& reader, const std::string& text) { return reader.beside(text).string(); }

std::string embedding_text(const ExperimentReader& reader, const std::string& text) {
  const auto& all = reader.file.embeddings;
  const bool named = std::any_of(all.begin(), all.end(), [&](const auto& embedding) { return embedding.name == text; });
  return named ? text : with_folder(reader, text);
}

}  // namespace

std::string resolved_lora(const ExperimentReader& reader, const std::string& text) {
  const std::string name = text.substr(0, text.find_first_of(":@"));
  const auto& loras = reader.file.loras;
  const bool named = std::any_of(loras.begin(), loras.end(), [&](const auto& lora) { return lora.name == name; });
  return named ? text : with_folder(reader, text);
}

Json DrawSettings::settings() const {
  DrawOptions copy = options;
  Json json = to_json(fields_of(copy));
  if (negative_is_prompt) json["negative_prompt"] = {{"same_as", "prompt"}};
  return json;
}

bool is_list_option(const std::string& key) {
  DrawOptions options;
  auto fields = fields_of(options);
  const Field* field = find_field(fields, key);
  return field && field->is_list();
}

void set_draw(DrawSettings& drawing, const TomlSource& source, const TomlEntry& entry, const DrawKeys& keys) {
  if (entry.value->is_object()) {
    DrawOptions known;
    auto fields = fields_of(known);
    if (find_field(fields, entry.key)) return set_same_as(drawing, source, entry, keys.same_as);
  }
  auto fields = fields_of(drawing.options);
  const Field& field = set_entry(fields, source, entry, refused, keys.others);
  remember_choices(fields, drawing.options.picture);
  drawing.given[field.name] = to_json({field}).at(field.name);
  if (field.name == "negative_prompt") drawing.negative_is_prompt = false;
}

void check_draw(ExperimentReader& reader, const DrawSettings& drawing, const std::string& path) {
  const auto where = [&](const char* key) { return reader.source.where_and_path(toml_path(path, key)); };
  for (const auto& text : drawing.options.picture.lora) {
    const auto reference = find_lora(reader.file, resolved_lora(reader, text), where("lora"));
    if (reference.table) reader.used_loras.insert(reference.table->name);
  }
  for (const auto& text : drawing.options.model.embedding) {
    const auto reference = find_embedding(reader.file, embedding_text(reader, text), where("embedding"));
    if (reference.table) reader.used_embeddings.insert(reference.table->name);
  }
}

void check_values(const TomlSource& source, const TomlEntry& entry) {
  const bool is_list = entry.value->is_array();
  check(!is_list || !entry.value->empty(), ErrorKind::input, "[{}] {} has no values", source.where(entry.path), entry.path);
  const Json list = is_list ? *entry.value : Json::array({*entry.value});
  for (size_t i = 0; i < list.size(); ++i) {
    DrawSettings scratch;
    set_draw(scratch, source, {entry.key, is_list ? toml_path(entry.path, i) : entry.path, &list[i]}, {});
  }
}

Json overrides_of(const ExperimentReader& reader, const DrawSettings& drawing) {
  Json overrides = Json::object();
  for (const auto& [key, value] : drawing.given) {
    const auto same = reader.defaults.given.find(key);
    if (same == reader.defaults.given.end() || same->second != value) overrides[key] = value;
  }
  return overrides;
}

void resolve_draw(const ExperimentReader& reader, DrawOptions& draw) {
  for (auto* model : {&draw.model.model, &draw.model.refiner, &draw.model.vae, &draw.model.unet}) {
    std::error_code ignored;
    if (!model->empty() && std::filesystem::exists(reader.beside(*model), ignored)) *model = with_folder(reader, *model);
  }
  for (auto& text : draw.picture.lora) text = resolved_lora(reader, text);
  for (auto& text : draw.model.embedding) text = embedding_text(reader, text);
}

}  // namespace negativa
