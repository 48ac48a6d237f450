#include "file_fields.h"

#include <algorithm>
#include <map>

#include "base/file_names.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "image/image.h"
#include "io/file_kind.h"

namespace negativa::studio {

namespace fs = std::filesystem;

namespace {

// By the setting's name, which means the same in every verb.
const std::map<std::string, FileUse>& uses() {
  using enum FileUse;
  static const std::map<std::string, FileUse> known = {
      {"model", model},
      {"refiner", model},
      {"unet", model},
      {"vae", vae},
      {"lora", lora},
      {"loras", lora},
      {"network_weights", lora},
      {"embedding", embedding},
      {"from", input},
      {"data", input},
      {"class_data", input},
      {"validation_data", input},
      {"judge", input},
      {"reference", input},
      {"folder", input},
      {"out", output},
      {"sheet", output},
      {"save_tensors", output},
      {"save_trace", output},
      {"prompts", refused},  // its lines would name files of their own
      {"prompt", none},
      {"prompt_2", none},
      {"negative_prompt", none},
      {"negative_prompt_2", none},
      {"class_prompt", none},
      {"validation_prompt", none},
      {"negative_word", none},
      {"weights_dtype", none},
      {"guidance_interval", none},
      {"negative_interval", none},
      {"original_size", none},
      {"crop_top_left", none},
      {"target_size", none},
      {"metrics", none},
      {"run", input},
      {"toml", input},
      {"first", input},
      {"second", input},
      {"keep", output},
      {"name", none},
      {"initializer", none},
      {"word", none},
      {"texts", none},
      {"arms", none},  // names: check_compare_names
      {"axis", none},
  };
  return known;
}

bool makes_lora(const Verb& verb) {
  return verb.name == "train lora" || verb.name == "lora merge" || verb.name == "lora convert";
}
bool makes_embedding(const Verb& verb) { return verb.name == "train embedding"; }
bool makes_pictures(const Verb& verb) { return verb.name == "generate" || verb.name == "compare"; }

// Folders that are searched for a plain name.
std::vector<std::string> folders_for(FileUse use, const Roots& roots) {
  std::vector<std::string> own;
  if (use == FileUse::lora) own = {"lora"};
  if (use == FileUse::embedding) own = {"embeddings"};
  if (use == FileUse::model) own = {"files"};
  const std::vector<std::string> of_library = {"lora", "embeddings", "files", "pictures", "runs", "experiments"};
  for (const auto& root : roots.roots())
    if (std::find(of_library.begin(), of_library.end(), root.name) == of_library.end()) own.push_back(root.name);
  return own;
}

const char* noun(FileUse use) {
  return use == FileUse::lora ? "LoRA" : use == FileUse::embedding ? "embedding" : use == FileUse::vae ? "VAE" : "model";
}

std::vector<std::string> texts_of(const Field& field) {
  if (field.is_list()) return *std::get<std::vector<std::string>*>(field.value);
  return {field.value_text()};
}

// A file name of its own: no folder, no hidden file.
std::string plain_name(const std::string& text, const std::string& where) {
  const bool plain = !text.empty() && text.size() <= 200 && text.find('/') == std::string::npos && !text.starts_with('.') &&
                     std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  check(plain, ErrorKind::input, "[{}] got {}, expected a plain file name, as result.png", where, json_excerpt(text));
  return text;
}

fs::path folder_for_output(const Verb& verb, const Field& field, const JobPlace& place) {
  if (makes_run(verb)) return place.library.runs();    // one that is there goes on
  if (place.job == 0) return place.library.uploads();  // nothing is written there
  if (field.name == "out" && makes_lora(verb)) return place.library.loras();
  if (field.name == "out" && makes_embedding(verb)) return place.library.embeddings();
  if (field.name == "out" && makes_pictures(verb)) return place.library.pictures_of(place.job);
  return place.library.files_of(place.job);
}

fs::path output_path(const Verb& verb, const Field& field, const JobPlace& place, const std::string& where) {
  const bool given = field.source.rank > Source::standard && !field.value_text().empty();
  if (verb.name == "generate" && field.name == "out") {
    check(!given, ErrorKind::input, "[{}] is the studio's to choose: pictures go into the gallery", where);
    return folder_for_output(verb, field, place) / "";
  }
  if (verb.name == "compare" && field.name == "out") {
    check(!given, ErrorKind::input, "[{}] is the studio's to choose: the sheet goes into the gallery", where);
    return folder_for_output(verb, field, place) / "compare.png";
  }
  if (verb.name == "score" && field.name == "out" && !given) return folder_for_output(verb, field, place) / "metrics.csv";
  if (!given) return {};
  return folder_for_output(verb, field, place) / plain_name(field.value_text(), where);
}

void set_path(const Verb& verb, Field& field, const Names& names, const JobPlace& place) {
  const std::string where = field.name + " in request";
  const auto use = use_of(verb, field);
  check(use.has_value(), ErrorKind::input, "[{}] is not taken over HTTP; use the command line for it", where);
  if (*use == FileUse::none) return;
  if (*use == FileUse::output) {
    const fs::path path = output_path(verb, field, place, where);
    if (!path.empty()) set_from_text(field, path.string(), {Source::request, "studio"});
    return;
  }
  if (field.source.rank == Source::standard || field.value_text().empty()) return;
  check(*use != FileUse::refused, ErrorKind::input, "[{}] is not taken over HTTP; send a request for each of its lines", where);
  std::vector<std::string> paths;
  for (const auto& text : texts_of(field))
    paths.push_back(*use == FileUse::input ? names.roots.resolve(text, where).string() : names.with_path(*use, text, where));
  set_from_texts(field, paths, {Source::request, "request"});
}

// Arms may stand in a file and axes vary settings that name files; over HTTP neither names one.
void check_compare_names(const Verb& verb, const Fields& fields) {
  for (const auto& field : fields) {
    const std::string where = field.name + " in request";
    if (field.name == "arms")
      for (const char* of_file : {"/", ".toml"})
        check(field.value_text().find(of_file) == std::string::npos, ErrorKind::input,
              "[{}] got {}, expected names of arms; use the command line for those of a file", where,
              json_excerpt(field.value_text()));
    if (field.name != "axis") continue;
    for (const auto& text : texts_of(field)) {
      std::string option = text.substr(0, text.find('='));
      option.erase(0, option.find_first_not_of('-'));
      std::replace(option.begin(), option.end(), '-', '_');
      const auto varied = std::find_if(fields.begin(), fields.end(), [&](const Field& each) { return each.name == option; });
      const bool is_plain =
          varied != fields.end() && option != "arms" && option != "axis" && use_of(verb, *varied) == FileUse::none;
      check(is_plain && text.find('{') == std::string::npos, ErrorKind::input,
            "[{}] got {}, expected OPTION=V1,V2,… of an option that names no file", where, json_excerpt(text));
    }
  }
}

}  // namespace

std::optional<FileUse> use_of(const Verb& verb, const Field& field) {
  const std::string type = field.type_name();
  const bool is_text = type == "text" || type == "path";
  if (!is_text || !field.choices.empty()) return FileUse::none;
  if (field.name == "file") return verb.name.starts_with("lora ") ? FileUse::lora : FileUse::input;
  if (const auto found = uses().find(field.name); found != uses().end()) return found->second;
  return {};
}

fs::path Names::find(FileUse use, const std::string& name, const std::string& where) const {
  if (name.find('/') != std::string::npos) return roots.resolve(name, where);
  std::vector<std::string> there;
  for (const auto& folder : folders_for(use, roots)) {
    const auto root =
        std::find_if(roots.roots().begin(), roots.roots().end(), [&](const Root& each) { return each.name == folder; });
    if (root == roots.roots().end()) continue;
    std::vector<std::string> spellings = {name};
    for (const char* ending : weights_endings()) spellings.push_back(name + ending);
    for (const auto& tried : spellings)
      if (!name.empty() && name != "." && name != ".." && fs::exists(stored_path(root->folder / tried)))
        return roots.resolve(folder + "/" + tried, where);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root->folder, error)) there.push_back(entry.path().filename().string());
  }
  fail(ErrorKind::input, "[{}] there is no {} {} here{}", where, noun(use), json_excerpt(name), did_you_mean(name, there));
}

std::string Names::with_path(FileUse use, const std::string& text, const std::string& where) const {
  const char separator = use == FileUse::embedding ? '=' : ':';
  const size_t most = use == FileUse::lora ? 2 : use == FileUse::embedding ? 1 : 0;
  size_t cut = text.size();
  for (size_t i = 0; i < most; ++i) {  // a name that is there as a whole wins
    try {
      return find(use, text.substr(0, cut), where).string() + text.substr(cut);
    } catch (const Error&) {
      const auto before = cut == 0 ? std::string::npos : text.rfind(separator, cut - 1);
      if (before == std::string::npos) throw;
      cut = before;
    }
  }
  return find(use, text.substr(0, cut), where).string() + text.substr(cut);
}

void set_paths(const Verb& verb, Fields& fields, const Names& names, const JobPlace& place) {
  if (verb.name == "compare") check_compare_names(verb, fields);
  for (auto& field : fields) set_path(verb, field, names, place);
}

bool makes_run(const Verb& verb) { return verb.name == "experiment run" || verb.name == "experiment tune"; }

void set_run_name(const Verb& verb, Json& options) {
  if (!makes_run(verb) || (options.contains("out") && !options["out"].is_null())) return;
  if (!options.contains("file") || !options["file"].is_string()) return;  // which is refused
  const std::string stem = fs::path(options["file"].get<std::string>()).stem().string();
  options["out"] = verb.name == "experiment tune" ? stem + "-tune" : stem;
}

void set_out_name(const Verb& verb, Json& options, uint64_t job) {
  if (options.contains("out") && !options["out"].is_null()) return;
  const std::string number = job_folder_name(job);
  if (makes_lora(verb)) options["out"] = "lora-" + number + ".safetensors";
  if (makes_embedding(verb)) options["out"] = "word-" + number + ".safetensors";
  if (verb.name == "lora bake") options["out"] = "model";
  if (verb.name == "model convert") options["out"] = "model-" + number + ".safetensors";
}

}  // namespace negativa::studio
