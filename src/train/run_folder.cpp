#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <cmath>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "io/safetensors.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

constexpr const char *losses_header = "step,loss,learning_rate,gradient_norm\n", *validation_header = "step,loss\n";

// The first free name of "wrong.run.1", "wrong.run.2" …
fs::path free_name(const fs::path& path) {
  for (int i = 1;; ++i)
    if (fs::path name = path.string() + "." + std::to_string(i); !fs::exists(name)) return name;
}

void add_differences(const Json& before, const Json& now, const std::string& prefix, std::vector<std::string>& found) {
  std::map<std::string, bool> keys;
  for (const auto& json : {before, now})
    for (const auto& [key, value] : json.items()) keys[key] = true;
  const auto shown = [](const Json& object, const std::string& key) { return object.contains(key) ? json_excerpt(object[key]) : std::string("not set"); };
  for (const auto& [key, unused] : keys)
    if (shown(before, key) != shown(now, key) || before.value(key, Json()) != now.value(key, Json()))
      found.push_back(fmt::format("{}{} was {}, is {}", prefix, key, shown(before, key), shown(now, key)));
}

Json by_role(const Json& inputs) {
  Json object = Json::object();
  for (const auto& input : inputs) object[input.value("role", "")] = input.value("name", "") + " " + input.value("sha256", "").substr(0, 10);
  return object;
}

// "rank was 4, is 8; data was …": what keeps two runs from being one.
std::string differences(const std::string& before_text, const Recipe& recipe, const std::string& where) {
  const Json before = parse_json(before_text, where), now = recipe.to_json();
  std::vector<std::string> found;
  add_differences(get_object(before, "settings", where), now.at("settings"), "", found);
  Json rest_before = before, rest_now = now;
  for (Json* json : {&rest_before, &rest_now}) {
    json->erase("settings");
    json->erase("inputs");
  }
  add_differences(rest_before, rest_now, "", found);
  add_differences(by_role(get_list(before, "inputs", where)), by_role(now.at("inputs")), "", found);
  return joined(found, "; ");
}

// The lines of a CSV file whose first number is at most `step`, after the header; a line that was not finished is dropped.
void cut_csv(const fs::path& path, const char* header, int64_t step) {
  std::string kept = header;
  const std::string text = fs::exists(path) ? read_file(path) : "";
  for (size_t begin = text.find('\n') + 1; begin > 0 && begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    int64_t of_line = 0;
    std::from_chars(text.data() + begin, text.data() + end, of_line);
    if (of_line >= 1 && of_line <= step) kept += text.substr(begin, end + 1 - begin);
    begin = end + 1;
  }
  if (kept != text) write_atomically(path, kept);
}

void append(const fs::path& path, const std::string& line) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  check(fd >= 0, ErrorKind::machine, "[{}] cannot be written any more: {}", path.string(), std::strerror(errno));
  try {
    write_all(fd, line, path.string());
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
}

}  // namespace

fs::path RunFolder::beside(const fs::path& out) {
  const fs::path whole = out.has_filename() ? out : out.parent_path();
  return whole.parent_path() / (whole.stem().string() + names::run_suffix);
}

RunFolder::RunFolder(fs::path out, const Recipe& recipe, bool move_aside) : out_(std::move(out)), folder_(beside(out_)), recipe_text_(recipe.to_text()), recipe_hash_(recipe.hash()) {
  if (move_aside && (fs::exists(folder_) || fs::exists(out_))) {
    if (fs::exists(folder_)) lock();  // never from under a run that is going on
    const fs::path aside = free_name(folder_);
    if (fs::exists(folder_)) fs::rename(folder_, aside);
    else make_folder(aside);
    if (fs::exists(out_)) fs::rename(out_, aside / out_.filename());
    if (lock_ >= 0) ::close(lock_);
    lock_ = -1;
  }
  const fs::path recipe_file = folder_ / names::run_recipe;
  check(fs::exists(recipe_file) || !fs::exists(out_), ErrorKind::input, "[--out] {} is there already and belongs to no run here; take another -o, or --resume never to move it aside",
        out_.string());
  make_folder(folder_);
  lock();
  if (!fs::exists(recipe_file)) {
    write_atomically(recipe_file, recipe_text_);
  } else if (const std::string before = read_file(recipe_file); before != recipe_text_) {
    fail(ErrorKind::input, "[--out] {} is a run of other settings: {}; take another -o, or --resume never to move it aside", folder_.string(),
         differences(before, recipe, recipe_file.string()));
  }
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

void RunFolder::lock() {
  const fs::path file = folder_ / names::run_lock;
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  check(lock_ >= 0, ErrorKind::input, "[--out] {} cannot be written: {}", file.string(), std::strerror(errno));
  check(::flock(lock_, LOCK_EX | LOCK_NB) == 0, ErrorKind::input, "[--out] another run is going on in {}; wait for it or take another -o", folder_.string());
}

bool RunFolder::is_finished() const { return fs::exists(folder_ / names::run_record) && fs::exists(out_); }

std::vector<std::pair<int64_t, fs::path>> RunFolder::checkpoints() const {
  std::vector<std::pair<int64_t, fs::path>> found;
  const std::string prefix = names::checkpoint_prefix;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || entry.path().extension() != ".safetensors") continue;
    int64_t step = 0;
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
    if (error == std::errc()) found.emplace_back(step, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<TrainingState> RunFolder::resume(TrainedParameters& parameters, AdamWState& optimizer) {
  TrainingState state;
  const auto there = checkpoints();
  if (!there.empty()) {
    const auto file = SafetensorsFile::open(there.back().second);
    const auto meta = [&](const char* key) {
      const auto found = file->metadata().find(key);
      return found == file->metadata().end() ? std::string() : found->second;
    };
    check(meta("recipe_hash") == recipe_hash_, ErrorKind::file_format, "[{}] is a checkpoint of another run; remove it, or --resume never", file->path().string());
    const auto take = [&](const char* key, Tensor& target) {
      const Tensor tensor = file->load(key);
      check(tensor.sizes() == target.sizes() && tensor.scalar_type() == target.scalar_type(), ErrorKind::file_format, "[{}] {} is {} {}, expected {} {}; remove it, or --resume never",
            file->path().string(), key, dtype_name(tensor.scalar_type()), to_string(shape_of(tensor)), dtype_name(target.scalar_type()), to_string(shape_of(target)));
      target.copy_(tensor);
    };
    take("parameters", parameters.flat());
    take("exp_avg", optimizer.exp_avg);
    take("exp_avg_sq", optimizer.exp_avg_sq);
    const Json json = parse_json(meta("state"), file->path().string());
    state.step = optimizer.step = get<int64_t>(json, "step", file->path().string());
    if (json.contains("best_step")) state.best_step = get<int64_t>(json, "best_step", file->path().string());
    if (json.contains("best_loss")) state.best_loss = get<double>(json, "best_loss", file->path().string());
  }
  cut_csv(folder_ / names::losses_csv, losses_header, state.step);
  cut_csv(folder_ / names::validation_csv, validation_header, state.step);
  return there.empty() ? std::nullopt : std::optional(state);
}

void RunFolder::save(const TrainingState& state, const TrainedParameters& parameters, const AdamWState& optimizer) {
  Json json = {{"step", state.step}};
  if (state.best_step) json["best_step"] = *state.best_step;
  if (state.best_loss) json["best_loss"] = *state.best_loss;
  write_safetensors(folder_ / fmt::format("{}{:08}.safetensors", names::checkpoint_prefix, state.step),
                    {{"parameters", parameters.flat()}, {"exp_avg", optimizer.exp_avg}, {"exp_avg_sq", optimizer.exp_avg_sq}},
                    {{"recipe_hash", recipe_hash_}, {"state", canonical_json(json)}});
  const auto there = checkpoints();
  for (size_t i = 0; i + 2 < there.size(); ++i) fs::remove(there[i].second);
}

void RunFolder::add_loss(int64_t step, double loss, double learning_rate, double gradient_norm) {
  append(folder_ / names::losses_csv, fmt::format("{},{},{},{}\n", step, loss, learning_rate, gradient_norm));
}

void RunFolder::add_validation(int64_t step, double loss) { append(folder_ / names::validation_csv, fmt::format("{},{}\n", step, loss)); }

void RunFolder::save_preview(int64_t step, const Image8& image, const TextChunks& text) {
  make_folder(folder_ / names::previews_folder);
  write_atomically(folder_ / names::previews_folder / fmt::format("{:08}.png", step), encode_png(image, text));
}

void RunFolder::save_config(const std::string& toml) { write_atomically(folder_ / names::run_config, toml); }

void RunFolder::finish(const RunRecord& record) { write_atomically(folder_ / names::run_record, record.to_text()); }

fs::path RunFolder::best_file() const { return folder_ / names::best_file; }

}  // namespace negativa
