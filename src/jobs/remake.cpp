#include <set>

#include "base/file_names.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "engine/records.h"
#include "image/picture_kind.h"
#include "io/models_folder.h"
#include "jobs/remake_other.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

std::string hash_of(const std::string& role, const fs::path& path, const Places& places, const CancelToken* cancel) {
  const Hashing hashing{places.cache, cancel};
  if (role == "model" || role == "refiner") return model_input(role, open_model(path, places), hashing).sha256;
  if (role == "vae") return vae_input(open_vae(path), hashing).sha256;
  if (role == "unet") return unet_input(open_unet(path), hashing).sha256;
  return (role == "embedding" ? embedding_input : lora_input)(path, hashing).sha256;
}

// Looks for the file or folder a recipe names.
class Search {
 public:
  Search(const GenerateOptions& given, const Places& places, const CancelToken* cancel) : places_(places), cancel_(cancel) {
    for (const auto& spec : given.picture.lora) given_.add(parse_lora_spec(spec).path);
    for (const auto& spec : given.model.embedding) given_.add(parse_embedding_spec(spec).path);
    for (const auto& model : {given.model.model, given.model.refiner})
      if (!model.empty()) given_.add(find_model(model, places));
    if (!given.model.vae.empty()) given_.add(find_vae(given.model.vae, places));
    if (!given.model.unet.empty()) given_.add(find_unet(given.model.unet, places));
    for (const auto& folder : models_folders(places)) given_.folders.push_back(folder);
  }

  void look_in(const fs::path& folder) { given_.folders.insert(given_.folders.begin(), folder); }

  bool was_given(const std::string& name) const {
    return std::any_of(given_.files.begin(), given_.files.end(),
                       [&](const fs::path& file) { return same_name(file.filename().native(), name); });
  }

  fs::path find(const RecipeInput& wanted) const {
    const fs::path name = wanted.name;
    check(!name.empty() && name.filename() == name && name != "." && name != "..", ErrorKind::input,
          "[--from] the recipe names the {} \"{}\", expected a plain file name", wanted.role, wanted.name);
    bool other = false;
    for (const auto& path : places(name)) {
      if (!fs::exists(path)) continue;
      if (hash_of(wanted.role, path, places_, cancel_) == wanted.sha256) return path;
      other = true;
    }
    const std::string option = wanted.role == "model" ? "-m" : "--" + wanted.role;
    check(!other, ErrorKind::input,
          "[--from] the {} {} found here is another file than the picture was made with, whose SHA-256 is {}…; give that one "
          "with {}",
          wanted.role, wanted.name, wanted.sha256.substr(0, 10), option);
    fail(ErrorKind::input, "[--from] the {} {} was not found; give it with {} or put it into ${}", wanted.role, wanted.name,
         option, names::models_variable);
  }

 private:
  std::vector<fs::path> places(const fs::path& name) const {
    std::vector<fs::path> paths;
    for (const auto& file : given_.files)
      if (same_name(file.filename().native(), name.native())) paths.push_back(file);
    if (paths.empty())  // a file that was given is meant, fit or not
      for (const auto& folder : given_.folders) paths.push_back(stored_path(folder / name));
    return paths;
  }

  const Places& places_;
  const CancelToken* cancel_;
  GivenFiles given_;
};

TextChunks text_of(const fs::path& png) {
  const std::string bytes = read_file(png);
  if (picture_format(bytes) != PictureFormat::png)
    fail(ErrorKind::input, "[--from] {} is {}, expected a PNG: other formats carry no recipe", png.filename().string(),
         what_it_is(bytes));
  return read_png_text(png);
}

const std::string* recipe_text(const TextChunks& chunks) {
  const auto chunk = std::find_if(chunks.begin(), chunks.end(), [](const auto& c) { return c.first == names::png_recipe; });
  return chunk == chunks.end() ? nullptr : &chunk->second;
}

Recipe read_recipe(const std::string& text, const std::string& where) {
  Recipe recipe = Recipe::from_text(text, where);
  check(recipe.verb == "generate", ErrorKind::input, "[--from] {} was made by \"{}\", expected \"generate\"", where, recipe.verb);
  static const std::set<std::string> roles = {"model", "refiner", "vae", "unet", "lora", "embedding"};
  for (const auto& [role, name, hash] : recipe.inputs)
    check(roles.contains(role), ErrorKind::file_format, "[--from] the recipe of {} has an input of the unknown role \"{}\"",
          where, role);
  return recipe;
}

// A picture comes from anywhere: nothing but what recipes of our own set is taken from it, least of all a path to write to.
Json checked_settings(const Recipe& recipe, const std::string& where) {
  Json settings = parse_json(recipe.settings_json, where);
  PictureOptions picture;
  Fields fields = fields_of(picture);
  for (const auto& [key, value] : settings.items()) {
    const auto& of_model = recipe_model_settings;
    check(find_field(fields, key) || std::find(of_model.begin(), of_model.end(), key) != of_model.end(), ErrorKind::file_format,
          "[--from] the recipe of {} sets \"{}\", which is no setting of a picture", where, key);
  }
  settings["device"] = recipe.device;
  settings["dtype"] = recipe.dtype;
  if (recipe.threads > 1) settings["threads"] = recipe.threads;
  if (!recipe.isa.empty()) settings["isa"] = recipe.isa;
  return settings;
}

// Whether --lora or --embedding says more than where files of the recipe lie.
bool replaces(Fields& fields, const std::string& role, const std::vector<std::string>& texts, const Recipe& recipe) {
  const auto is_place = [&](const std::string& text) {  // no weight, no name
    const fs::path path = role == "lora" ? parse_lora_spec(text).path : parse_embedding_spec(text).path;
    return path == stored_path(text) && std::any_of(recipe.inputs.begin(), recipe.inputs.end(), [&](const RecipeInput& input) {
             return input.role == role && same_name(input.name, last_name(path));
           });
  };
  return is_typed(fields, role) && !std::all_of(texts.begin(), texts.end(), is_place);
}

using Found = std::map<std::pair<std::string, std::string>, fs::path>;  // role and name -> path

// "name:weight:branch", "name=NAME" or "name" of the recipe with the path that was found for the name.
std::string with_path(const std::string& role, const std::string& record, const Found& found) {
  if (const auto place = found.find({role, record}); place != found.end()) return place->second.string();
  auto end = record.rfind(role == "lora" ? ':' : '=');
  if (role == "lora" && end != std::string::npos && end > 0) end = record.rfind(':', end - 1);
  const auto place = end == std::string::npos ? found.end() : found.find({role, record.substr(0, end)});
  check(place != found.end(), ErrorKind::file_format, "[--from] the recipe's {} \"{}\" is not among its inputs", role, record);
  return place->second.string() + record.substr(end);
}

void set_from_recipe(Fields& fields, const GenerateOptions& options, const Engine& engine, const Recipe& recipe,
                     const CancelToken* cancel) {
  const std::string where = options.output.from.filename().string();
  Json settings = checked_settings(recipe, where);
  const bool new_loras = replaces(fields, "lora", options.picture.lora, recipe);
  const bool new_embeddings = replaces(fields, "embedding", options.model.embedding, recipe);

  Search search(options, engine.places(), cancel);
  Found found;
  for (const auto& input : recipe.inputs) {
    const bool replaced = input.role == "lora"        ? new_loras
                          : input.role == "embedding" ? new_embeddings
                                                      : is_typed(fields, input.role);
    if (replaced && !search.was_given(input.name)) continue;
    const fs::path path = found[{input.role, input.name}] = search.find(input);
    if (input.role == "model") {
      search.look_in(path.parent_path());
      search.look_in(path);  // a refiner may lie inside
    }
    if (input.role != "lora" && input.role != "embedding") settings[input.role] = path.string();
  }
  for (const auto& [role, replaced] : {std::pair<std::string, bool>{"lora", new_loras}, {"embedding", new_embeddings}}) {
    Json texts = Json::array();
    if (!replaced)
      for (const auto& record : get_or<std::vector<std::string>>(settings, role, {}, where))
        texts.push_back(with_path(role, record, found));
    settings[role] = texts;
    if (!replaced) find_field(fields, role)->source = {};
  }
  set_from_json(fields, settings, {Source::file, where});
}

}  // namespace

bool is_typed(Fields& fields, const std::string& name) { return find_field(fields, name)->source.rank >= Source::flag; }

void GivenFiles::add(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  files.push_back(whole.has_filename() ? whole : whole.parent_path());
  folders.push_back(files.back().parent_path());
}

std::vector<std::string> set_from_picture(Fields& fields, const GenerateOptions& options, const Engine& engine,
                                          const CancelToken* cancel) {
  const std::string where = options.output.from.filename().string();
  const TextChunks chunks = text_of(options.output.from);
  std::vector<std::string> notices;
  if (const std::string* text = recipe_text(chunks))
    set_from_recipe(fields, options, engine, read_recipe(*text, where), cancel);
  else
    check(set_from_other_picture(fields, options, engine, chunks, notices), ErrorKind::input,
          "[--from] {} carries no recipe; neither negativa, the webui nor ComfyUI made it, or another program saved it again",
          where);
  return notices;
}

}  // namespace negativa
