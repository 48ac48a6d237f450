#include "base/json.h"
#include "base/names.h"
#include "io/models_folder.h"
#include "jobs/records.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

// Looks for the file or folder a recipe names. A hit with another hash is remembered, to say so if nothing better is found.
class Search {
 public:
  Search(const GenerateOptions& given) {
    for (const auto& spec : given.picture.lora) add_file(parse_lora_spec(spec).path);
    for (const auto& spec : given.model.embedding) add_file(parse_embedding_spec(spec).first);
    for (const auto& model : {given.model.model, given.model.refiner, given.model.vae})
      if (!model.empty()) add_file(fs::exists(model) ? fs::path(model) : find_model(model));
    for (const auto& folder : models_folders()) folders_.push_back(folder);
  }

  void look_in(const fs::path& folder) { folders_.insert(folders_.begin(), folder); }

  template <class HashOf>
  fs::path find(const RecipeInput& wanted, const HashOf& hash_of) const {
    const fs::path name = wanted.name;
    check(!name.empty() && name.filename() == name && name != "." && name != "..", ErrorKind::input, "[--from] the recipe names the {} \"{}\", expected a plain file name",
          wanted.role, wanted.name);
    fs::path other;
    const auto fits = [&](const fs::path& path) {
      if (!fs::exists(path)) return false;
      if (hash_of(path) == wanted.sha256) return true;
      if (other.empty()) other = path;
      return false;
    };
    for (const auto& file : files_)
      if (file.filename() == name && fits(file)) return file;
    for (const auto& folder : folders_)
      if (fits(folder / name)) return folder / name;
    check(other.empty(), ErrorKind::input, "[--from] the {} {} found here is another file than the picture was made with (SHA-256 {}… expected)",
          wanted.role, name.string(), wanted.sha256.substr(0, 10));
    fail(ErrorKind::input, "[--from] the {} {} was not found; give it with {} or put it into ${}", wanted.role, name.string(),
         wanted.role == "model" ? "-m" : "--" + wanted.role, names::models_variable);
  }

 private:
  void add_file(const fs::path& path) {
    const fs::path whole = fs::absolute(path).lexically_normal();
    files_.push_back(whole.has_filename() ? whole : whole.parent_path());
    folders_.push_back(files_.back().parent_path());
  }

  std::vector<fs::path> files_, folders_;
};

std::string hash_of_model(const fs::path& path) { return model_input("", open_model(path)).sha256; }
std::string hash_of_file(const fs::path& path) { return recipe_input("", lora_weights_path(path)).sha256; }

// "name:weight:branch" of the record, with the path found for the name.
std::string with_path(const std::string& record, const std::map<std::string, fs::path>& found) {
  const auto branch = record.rfind(':');
  const auto weight = branch == std::string::npos ? branch : record.rfind(':', branch - 1);
  check(weight != std::string::npos && found.contains(record.substr(0, weight)), ErrorKind::file_format, "[--from] the recipe's LoRA \"{}\" is not among its inputs",
        record);
  return found.at(record.substr(0, weight)).string() + record.substr(weight);
}

}  // namespace

Json read_settings(const fs::path& png, const GenerateOptions& given) {
  const std::string where = png.filename().string();
  const auto chunks = read_png_text(png);
  const auto chunk = std::find_if(chunks.begin(), chunks.end(), [](const auto& c) { return c.first == names::png_recipe; });
  check(chunk != chunks.end(), ErrorKind::input, "[--from] {} carries no recipe; it was not made by negativa, or another program saved it again", where);
  const Recipe recipe = Recipe::from_text(chunk->second, where);
  check(recipe.verb == "generate", ErrorKind::input, "[--from] {} was made by \"{}\", expected \"generate\"", where, recipe.verb);

  Json settings = parse_json(recipe.settings_json, where);
  settings["device"] = recipe.device;
  settings["dtype"] = recipe.dtype;
  if (recipe.threads > 1) settings["threads"] = recipe.threads;
  Search search(given);
  std::map<std::string, fs::path> loras, embeddings;
  for (const auto& input : recipe.inputs) {
    if (input.role == "model") {
      const auto path = search.find(input, hash_of_model);
      settings["model"] = path.string();
      search.look_in(path.parent_path());
      search.look_in(path);  // a refiner may lie inside
    } else if (input.role == "refiner") {
      settings["refiner"] = search.find(input, hash_of_model).string();
    } else if (input.role == "vae") {
      settings["vae"] = search.find(input, [](const fs::path& path) { return vae_input(path).sha256; }).string();
    } else if (input.role == "lora") {
      loras[input.name] = search.find(input, hash_of_file);
    } else if (input.role == "embedding") {
      embeddings[input.name] = search.find(input, hash_of_file);
    } else {
      fail(ErrorKind::file_format, "[--from] {}'s recipe has an input of the unknown role \"{}\"", where, input.role);
    }
  }
  Json lora = Json::array(), embedding = Json::array();
  for (const auto& record : get_or<std::vector<std::string>>(settings, "lora", {}, where)) lora.push_back(with_path(record, loras));
  for (const auto& record : get_or<std::vector<std::string>>(settings, "embedding", {}, where)) {
    const auto equals = record.rfind('=');
    const std::string name = record.substr(0, equals);
    check(equals != std::string::npos && embeddings.contains(name), ErrorKind::file_format, "[--from] the recipe's embedding \"{}\" is not among its inputs", record);
    embedding.push_back(embeddings.at(name).string() + record.substr(equals));
  }
  settings["lora"] = lora;
  settings["embedding"] = embedding;
  return settings;
}

}  // namespace negativa
