#include "train/run_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/sha256.h"
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
  const auto shown = [](const Json& object, const std::string& key) {
    return object.contains(key) ? json_excerpt(object[key]) : std::string("not set");
  };
  for (const auto& [key, unused] : keys)
    if (shown(before, key) != shown(now, key) || before.value(key, Json()) != now.value(key, Json()))
      found.push_back(fmt::format("{}{} was {}, is {}", prefix, key, shown(before, key), shown(now, key)));
}

Json by_role(const Json& inputs) {
  Json object = Json::object();
  for (const auto& input : inputs)
    object[input.value("role", "")] = input.value("name", "") + " " + input.value("sha256", "").substr(0, 10);
  return object;
}

// "rank was 4, is 8; data was …": what keeps two runs from being one.
std::string differences(const Json& before, const Json& now, const std::string& where) {
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

Json without_steps(Json recipe) {
  recipe.at("settings").erase("steps");
  return recipe;
}

// Of a recipe what determines every step's weights, and not how many steps there are: what a run and a longer one have in common.
std::string run_text(const Json& recipe, const std::string& where) {
  const auto scheduler = get_or<std::string>(get_object(recipe, "settings", where), "lr_scheduler", "constant", where);
  return canonical_json(depends_on_steps(lr_scheduler_from_name(scheduler)) ? recipe : without_steps(recipe));
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

// The first two numbers of each line.
std::vector<std::pair<int64_t, double>> read_csv(const fs::path& path) {
  std::vector<std::pair<int64_t, double>> lines;
  if (!fs::exists(path)) return lines;
  const std::string text = read_file(path);
  for (size_t begin = text.find('\n') + 1; begin > 0 && begin < text.size(); begin = text.find('\n', begin) + 1) {
    int64_t step = 0;
    double loss = 0;
    const char* end = text.data() + text.size();
    const auto first = std::from_chars(text.data() + begin, end, step);
    if (first.ec == std::errc() && first.ptr != end && std::from_chars(first.ptr + 1, end, loss).ec == std::errc())
      lines.emplace_back(step, loss);
    if (text.find('\n', begin) == std::string::npos) break;
  }
  return lines;
}

class OpenFile {
 public:
  OpenFile(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Whole or not at all, as far as the disk lets go of what it took.
void append(const fs::path& path, const std::string& line) {
  const OpenFile file(path, O_WRONLY | O_APPEND);
  check(file.fd() >= 0, ErrorKind::machine, "[{}] cannot be written any more: {}", path.string(), std::strerror(errno));
  const off_t before = ::lseek(file.fd(), 0, SEEK_END);
  try {
    write_all(file.fd(), line, path.string());
  } catch (...) {
    if (before < 0 || ::ftruncate(file.fd(), before) != 0) {  // a resumed run drops what has no end of line
    }
    throw;
  }
}

void sync_file(const fs::path& path) {
  const OpenFile file(path, O_RDONLY);
  if (file.fd() >= 0) ::fsync(file.fd());
}

// "lora" of "lora/"
fs::path last_part(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

}  // namespace

fs::path RunFolder::beside(const fs::path& out) {
  const fs::path whole = last_part(out);
  return whole.parent_path() / (whole.stem().string() + names::run_suffix);
}

bool TrainingState::is_better(double validation_loss) const {
  return std::isfinite(validation_loss) && !(best_loss && validation_loss >= *best_loss);
}

RunFolder::RunFolder(fs::path out, const Recipe& recipe, bool aside)
    : out_(std::move(out)),
      folder_(beside(out_)),
      recipe_text_(recipe.to_text()),
      run_hash_(sha256_hex(run_text(recipe.to_json(), "recipe"))) {
  if (aside) move_aside();
  const fs::path recipe_file = folder_ / names::run_recipe;
  check(fs::exists(recipe_file) || !fs::exists(out_), ErrorKind::input,
        "[--out] {} is there already and belongs to no run here; take another -o, or --resume never to move it aside",
        out_.string());
  make_folder(folder_);
  lock_ = lock();
  remove_unfinished();
  if (!fs::exists(recipe_file)) write_atomically(recipe_file, recipe_text_);
  found_recipe_ = read_file(recipe_file);
  check_same_run(recipe);
}

FileLock RunFolder::lock() const {
  return {folder_ / names::run_lock,
          fmt::format("[--out] another run is going on in {}; wait for it or take another -o", folder_.string())};
}

void RunFolder::move_aside() const {
  if (!fs::exists(folder_) && !fs::exists(out_)) return;
  FileLock held;
  if (fs::exists(folder_)) held = lock();  // never from under a run that is going on
  const fs::path aside = free_name(folder_);
  if (fs::exists(folder_))
    fs::rename(folder_, aside);
  else
    make_folder(aside);
  if (fs::exists(out_)) fs::rename(out_, aside / out_.filename());
}

// What a process that was killed had begun to write. The lock says that no other one writes here.
void RunFolder::remove_unfinished() const {
  const auto remove_in = [](const fs::path& folder, const std::string& beginning) {
    std::error_code ignored;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder, ignored))
      if (const auto name = entry.path().filename().string();
          name.starts_with(beginning) && name.find(names::temporary_infix) != std::string::npos)
        found.push_back(entry.path());
    for (const auto& path : found) fs::remove_all(path, ignored);
  };
  remove_in(folder_, ".");
  remove_in(folder_ / names::previews_folder, ".");
  remove_in(out_.has_parent_path() ? out_.parent_path() : fs::path("."),
            "." + last_part(out_).filename().string().substr(0, 200) + names::temporary_infix);
}

void RunFolder::check_same_run(const Recipe& recipe) const {
  const std::string where = (folder_ / names::run_recipe).string();
  const Json before = parse_json(found_recipe_, where), now = recipe.to_json();
  const auto steps_of = [&](const Json& json) { return get_or<int64_t>(get_object(json, "settings", where), "steps", 0, where); };
  const int64_t steps = steps_of(now);
  if (run_text(before, where) != run_text(now, where)) {
    check(without_steps(before) != without_steps(now), ErrorKind::input,
          "[--steps] was {}, is {}: with --lr-scheduler cosine every step's learning rate follows from the number of steps, so "
          "this is another run; take another -o, or --resume "
          "never to move {} aside",
          steps_of(before), steps, folder_.string());
    fail(ErrorKind::input, "[--out] {} is a run of other settings: {}; take another -o, or --resume never to move it aside",
         folder_.string(), differences(before, now, where));
  }
  check(
      steps_done() <= steps, ErrorKind::input,
      "[--steps] got {}, but {} steps of this run are done; give {} or more, take another -o, or --resume never to move {} aside",
      steps, steps_done(), steps_done(), folder_.string());
}

bool RunFolder::is_finished() const {
  const fs::path record = folder_ / names::run_record;
  if (!fs::exists(record) || !fs::exists(out_)) return false;
  try {
    return RunRecord::from_text(read_file(record), record.string()).recipe.to_text() == recipe_text_;
  } catch (const Error&) {  // damaged: the run's last checkpoint makes it again
    return false;
  }
}

int64_t RunFolder::steps_done(const fs::path& out) {
  const auto there = checkpoints(beside(out));
  return there.empty() ? 0 : there.back().first;
}

std::vector<std::pair<int64_t, fs::path>> RunFolder::checkpoints(const fs::path& folder) {
  std::vector<std::pair<int64_t, fs::path>> found;
  const std::string prefix = names::checkpoint_prefix;
  if (!fs::exists(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    int64_t step = 0;
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
    if (error == std::errc() && std::string_view(end) == ".safetensors") found.emplace_back(step, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

TrainingState RunFolder::read_checkpoint(const fs::path& path, TrainedParameters& parameters, AdamWState& optimizer) const {
  const auto file = SafetensorsFile::open(path);
  const auto meta = [&](const char* key) {
    const auto found = file->metadata().find(key);
    return found == file->metadata().end() ? std::string() : found->second;
  };
  // Version 0.1.0 wrote the hash of the whole recipe, steps included.
  check(meta("recipe_hash") == run_hash_ || meta("recipe_hash") == sha256_hex(found_recipe_), ErrorKind::file_format,
        "[{}] is a checkpoint of another run; remove it, or --resume never", path.string());
  const auto take = [&](const char* key, Tensor& target) {
    const Tensor tensor = file->load(key);
    check(tensor.sizes() == target.sizes() && tensor.scalar_type() == target.scalar_type(), ErrorKind::file_format,
          "[{}] {} is {} {}, expected {} {}; remove it, or --resume never", path.string(), key, dtype_name(tensor.scalar_type()),
          to_string(shape_of(tensor)), dtype_name(target.scalar_type()), to_string(shape_of(target)));
    target.copy_(tensor);
  };
  take("parameters", parameters.flat());
  take("exp_avg", optimizer.exp_avg);
  take("exp_avg_sq", optimizer.exp_avg_sq);
  const Json json = parse_json(meta("state"), path.string());
  TrainingState state;
  state.step = optimizer.step = get<int64_t>(json, "step", path.string());
  if (const auto loss = json.find("best_loss");
      loss != json.end() && loss->is_number()) {  // null: version 0.1.0 took NaN as the best
    state.best_step = get<int64_t>(json, "best_step", path.string());
    state.best_loss = get<double>(json, "best_loss", path.string());
  }
  return state;
}

std::optional<TrainingState> RunFolder::resume(TrainedParameters& parameters, AdamWState& optimizer) {
  TrainingState state;
  const auto there = checkpoints(folder_);
  if (!there.empty()) state = read_checkpoint(there.back().second, parameters, optimizer);
  cut_csv(folder_ / names::losses_csv, losses_header, state.step);
  cut_csv(folder_ / names::validation_csv, validation_header, state.step);
  remove_later_previews(state.step);
  for (const auto& [step, loss] : read_csv(folder_ / names::losses_csv)) state.last_loss = loss;
  for (const auto& [step, loss] : read_csv(folder_ / names::validation_csv)) {  // a step is saved before it is validated
    if (!state.is_better(loss)) continue;
    state.best_loss = loss;
    state.best_step = step;
  }
  if (found_recipe_ != recipe_text_) {  // other steps: from here on the checkpoint is known by what both have in common
    if (!there.empty()) save(state, parameters, optimizer);
    write_atomically(folder_ / names::run_recipe, recipe_text_);
    found_recipe_ = recipe_text_;
  }
  return there.empty() ? std::nullopt : std::optional(state);
}

void RunFolder::save(const TrainingState& state, const TrainedParameters& parameters, const AdamWState& optimizer) {
  for (const char* csv : {names::losses_csv, names::validation_csv})
    sync_file(folder_ / csv);  // no checkpoint is to outlive the lines before it
  Json json = {{"step", state.step}};
  if (state.best_step) json["best_step"] = *state.best_step;
  if (state.best_loss) json["best_loss"] = *state.best_loss;
  write_safetensors(folder_ / fmt::format("{}{:08}.safetensors", names::checkpoint_prefix, state.step),
                    {{"parameters", parameters.flat()}, {"exp_avg", optimizer.exp_avg}, {"exp_avg_sq", optimizer.exp_avg_sq}},
                    {{"recipe_hash", run_hash_}, {"state", canonical_json(json)}});
  const auto there = checkpoints(folder_);
  for (size_t i = 0; i + 2 < there.size(); ++i) fs::remove(there[i].second);
}

void RunFolder::add_loss(int64_t step, double loss, double learning_rate, double gradient_norm) {
  append(folder_ / names::losses_csv, fmt::format("{},{},{},{}\n", step, loss, learning_rate, gradient_norm));
}

void RunFolder::add_validation(int64_t step, double loss) {
  append(folder_ / names::validation_csv, fmt::format("{},{}\n", step, loss));
}

bool RunFolder::has_validation(int64_t step) const {
  const auto lines = read_csv(folder_ / names::validation_csv);
  return std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.first == step; });
}

fs::path RunFolder::preview_file(int64_t step) const { return folder_ / names::previews_folder / fmt::format("{:08}.png", step); }

void RunFolder::save_preview(int64_t step, const Image8& image, const TextChunks& text) {
  make_folder(folder_ / names::previews_folder);
  write_atomically(preview_file(step), encode_png(image, text));
}

bool RunFolder::has_preview(int64_t step) const { return fs::exists(preview_file(step)); }

void RunFolder::remove_later_previews(int64_t step) const {
  std::error_code none;
  std::vector<fs::path> later;
  for (const auto& entry : fs::directory_iterator(folder_ / names::previews_folder, none))
    if (entry.path().filename() > preview_file(step).filename()) later.push_back(entry.path());
  for (const auto& path : later) fs::remove(path);
}

void RunFolder::save_config(const std::string& toml) { write_atomically(folder_ / names::run_config, toml); }

void RunFolder::finish(const RunRecord& record) { write_atomically(folder_ / names::run_record, record.to_text()); }

fs::path RunFolder::best_file() const { return folder_ / names::best_file; }

}  // namespace negativa
