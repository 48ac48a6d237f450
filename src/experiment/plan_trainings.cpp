#include <algorithm>
#include <set>

#include "base/derived_seed.h"
#include "base/file_names.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "experiment/plan_cells.h"
#include "model/recipe_inputs.h"
#include "train/captions.h"
#include "train/lora_parameters.h"
#include "train/training_run.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

template <class Table>
const Table* find_table(const std::vector<Table>& tables, const std::string& name) {
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const Table& table) { return table.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

std::string replaced(std::string text, std::string_view from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

std::string emphasised(const SetOptions& options, const std::string& keyword) {
  return replaced(options.emphasis, "{}", keyword);
}

// One of the keywords emphasised, all joined.
std::string joined_keywords(const SetOptions& options, size_t in_turn) {
  std::string text;
  for (size_t i = 0; i < options.keywords.size(); ++i)
    text += (i ? ", " : "") + (i == in_turn ? emphasised(options, options.keywords[i]) : options.keywords[i]);
  return text;
}

struct SetPicture {
  std::string prompt, caption;
  std::optional<double> cfg_scale;
};

const std::string& subject_in_turn(const SetOptions& options, size_t number) {
  static const std::string none;
  return options.subjects.empty() ? none : options.subjects[number % options.subjects.size()];
}

// For each guidance scale and keyword so many pictures, then the plain ones.
std::vector<SetPicture> pictures_of(const SetSpec& spec) {
  const SetOptions& options = spec.options;
  std::vector<std::optional<double>> scales(spec.cfg_scales.begin(), spec.cfg_scales.end());
  if (scales.empty()) scales.emplace_back();
  std::vector<SetPicture> pictures;
  for (const auto& scale : scales)
    for (size_t k = 0; k < std::max<size_t>(options.keywords.size(), 1); ++k)
      for (int64_t n = 0; n < options.pictures; ++n) {
        const std::string subject = subject_in_turn(options, pictures.size());
        std::string prompt = options.template_text;
        if (!options.keywords.empty()) {
          prompt = replaced(prompt, "{keywords}", joined_keywords(options, k));
          prompt = replaced(prompt, "{keyword}", emphasised(options, options.keywords[k]));
        }
        pictures.push_back({replaced(prompt, "{subject}", subject), options.caption.empty() ? subject : options.caption, scale});
      }
  for (int64_t n = 0; n < options.plain; ++n) {
    const std::string& subject = subject_in_turn(options, pictures.size());
    pictures.push_back({subject, subject, scales[static_cast<size_t>(n) % scales.size()]});
  }
  return pictures;
}

size_t drawn_set(PlanInProgress& progress, const SetSpec& spec) {
  const auto pictures = pictures_of(spec);
  std::vector<PicturePrint> prints;
  std::vector<std::string> addresses;
  SetCell set;
  for (size_t i = 0; i < pictures.size(); ++i) {
    AskedCell asked{CellStage::set_picture, spec.draw.model, spec.draw.picture, 0};
    asked.picture.prompt = pictures[i].prompt;
    if (pictures[i].cfg_scale) asked.picture.cfg_scale = *pictures[i].cfg_scale;
    // Counted within the set: sets that are controls of each other have the same noise.
    asked.picture.seed = derived_seed(progress.plan.run.base_seeds.front(), "set", i);
    prints.push_back(picture_print(progress, asked));
    addresses.push_back(cell_address(prints.back().parts));
    set.captions.push_back(pictures[i].caption);
  }
  const AddressParts parts{CellStage::set, canonical_json({{"captions", set.captions}}), addresses};
  const std::string folder =
      fmt::format("{}/{}-{}", names::sets_folder, slug(spec.name), cell_address(parts).substr(0, short_address));
  PlannedCell cell;
  for (size_t i = 0; i < prints.size(); ++i) {
    PlannedCell picture;
    picture.name = spec.name;
    picture.inputs = prints[i].inputs;
    picture.file = fmt::format("{}/{:04}-{}", folder, i, slug(pictures[i].prompt, 24));
    // Two pictures of one address in different sets stand in two folders.
    progress.file_of_address.erase(addresses[i]);
    const size_t number = progress.add(picture, ".png", prints[i].parts, prints[i].outside);
    progress.plan.pictures[number] = prints[i].cell;
    set.pictures.push_back(number);
    set.files.push_back(fs::path(progress.plan.run.cells[number].file).filename().string());
    cell.inputs.push_back(number);
  }
  cell.name = spec.name;
  cell.file = folder + "/" + fs::path(names::metadata_jsonl).stem().string();
  const size_t number = progress.add(cell, ".jsonl", parts, {});
  // The manifest has the name that training reads.
  progress.plan.run.cells[number].file = folder + "/" + names::metadata_jsonl;
  progress.plan.sets[number] = std::move(set);
  return number;
}

void check_captions(const ExperimentFile& file, const std::string& set, const std::vector<std::string>& captions) {
  const std::set<std::string> all(captions.begin(), captions.end());
  for (const auto& [name, prompts] : file.prompts.lists)
    for (const auto& prompt : prompts)
      check(!all.contains(prompt.text), ErrorKind::input,
            "[sets.{}] the caption {} stands in the list {} too: what is trained on cannot be asked about", set,
            json_excerpt(prompt.text), name);
}

std::string own_caption(const SetSpec& spec, const std::string& name, const MetadataCaptions& listed, StoredNames& stored) {
  try {
    return caption_of(spec.options.folder, name, listed, stored);
  } catch (const Error& error) {
    fail(error.kind(), "[sets.{}] {}; one text for all of them would be caption = \"wrong\" there", spec.name, error.what());
  }
}

// Pictures and captions as they are now: others are another set.
size_t persons_set(PlanInProgress& progress, const SetSpec& spec) {
  SetCell set{spec.options.folder, {}, {}, {}};
  StoredNames stored;
  const auto listed = read_metadata_captions(set.folder, stored);
  std::set<std::string> found;
  if (spec.options.caption.empty())
    for (const auto& [name, text] : listed) {
      check(name.find('/') == std::string::npos, ErrorKind::input,
            "[sets.{}] metadata.jsonl names {}, expected pictures in {} itself; move them there", spec.name, name,
            set.folder.string());
      found.insert(name);
    }
  for (const auto& entry : fs::directory_iterator(set.folder))
    if (entry.is_regular_file() && has_picture_name(entry.path()) && !entry.path().filename().string().starts_with("."))
      found.insert(entry.path().filename().string());
  set.files.assign(found.begin(), found.end());
  check(!set.files.empty(), ErrorKind::input, "[sets.{}] {} has no pictures, expected PNG, JPEG or WebP files", spec.name,
        set.folder.string());
  std::vector<RecipeInput> outside;
  std::vector<std::string> hashes;
  for (const auto& name : set.files) {
    set.captions.push_back(spec.options.caption.empty() ? own_caption(spec, name, listed, stored) : spec.options.caption);
    outside.push_back(recipe_input("picture", set.folder / name, progress.hashing()));
    hashes.push_back(outside.back().sha256);
  }
  check_captions(progress.file, spec.name, set.captions);
  const AddressParts parts{CellStage::set, canonical_json({{"captions", set.captions}, {"names", set.files}}), hashes};
  PlannedCell cell;
  cell.name = spec.name;
  cell.file = fmt::format("{}/{}", names::sets_folder, slug(spec.name));
  const size_t number = progress.add(cell, ".jsonl", parts, outside);
  progress.plan.sets[number] = std::move(set);
  return number;
}

// What decides a training's bytes: its options without places, pictures by their set.
void drop_places(Json& settings) {
  for (const char* key :
       {"out", "model", "vae", "data", "class_data", "validation_data", "save_trace", "checkpoint_every", "validate_every",
        "validation_prompt", "resume", "force", "skip_broken", "class_count", "captions", "prompt", "class_prompt"})
    settings.erase(key);
}

// What decides a training whatever its steps: settings, set, model.
struct TrainingPrint {
  size_t set = 0;  // cell
  Json settings;
  std::vector<std::string> addresses;  // of the set, hashes of the model, of the LoRA that it goes on from
  std::vector<RecipeInput> outside;
  size_t goes_on_from = no_cell;
};

TrainingPrint training_print(PlanInProgress& progress, const std::string& set, const TrainOptions& options, Json settings) {
  TrainingPrint print{set_cell(progress, set), std::move(settings), {}, {}, no_cell};
  ModelOptions base = progress.file.defaults.model;
  base.refiner.clear();
  base.unet.clear();  // as LoRAs for Lightning are made: on the model's own
  const PlannedModel& model = progress.open(base);
  print.addresses = {progress.plan.run.cells[print.set].address};
  for (const auto& input : model.inputs) {
    print.addresses.push_back(input.sha256);
    print.outside.push_back(input);
  }
  drop_places(print.settings);
  if (!options.model.vae_tile) print.settings.erase("vae_tile");  // cells from before that option keep their addresses
  print.settings["device"] = model.models->request().device.is_cuda() ? "cuda" : "cpu";
  print.settings["threads"] = training_model(progress.file.defaults.model, options.model).threads;
  print.settings["isa"] = isa_of_record(progress.file.defaults.model.isa);
  if (print.settings["isa"] == "auto") print.settings.erase("isa");  // younger than some runs
  return print;
}

// `before`: the cell of an earlier step of the same training, which this one goes on from; no_cell: none.
size_t add_training(PlanInProgress& progress, PlannedCell cell, const TrainingPrint& print, TrainingCell training,
                    size_t before) {
  AddressParts parts{cell.stage, "", print.addresses};
  Json settings = print.settings;
  settings["seed"] = training.seed;
  training.work = fmt::format("{}/{}-t{}-{}", names::work_folder, slug(cell.name.substr(0, cell.name.find('@'))), cell.training,
                              cell_address({cell.stage, canonical_json(settings), parts.inputs}).substr(0, short_address));
  settings["steps"] = training.steps;
  parts.recipe_json = canonical_json(settings);
  cell.inputs = {print.set};
  for (const size_t input : {print.goes_on_from, before})
    if (input != no_cell) cell.inputs.push_back(input);
  training.goes_on_from = print.goes_on_from;
  const size_t number = progress.add(std::move(cell), ".safetensors", parts, print.outside);
  progress.plan.trainings[number] = std::move(training);
  return number;
}

PlannedCell lora_cell(const std::string& name, CellStage stage, int training) {
  PlannedCell cell;
  cell.stage = stage;
  cell.name = name;
  cell.training = training;
  cell.file = fmt::format("{}/{}-t{}", names::lora_folder, slug(name), training);
  return cell;
}

// The LoRA that a training begins with decides it like the pictures do; layers and ranks are that one's.
void go_on_from(PlanInProgress& progress, TrainingPrint& print, const std::string& lora, int training) {
  const UsedFile used = used_lora(progress, lora, training);
  print.addresses.push_back(used.address);
  print.goes_on_from = used.cell;
  if (used.cell == no_cell) print.outside.push_back(used.outside);
}

TrainingPrint lora_training_print(PlanInProgress& progress, const LoraTable& table, int training) {
  const bool is_new = table.train.network_weights.empty();
  TrainLoraOptions options = is_new ? resolved(table.train) : table.train;
  Json settings = to_json(fields_of(options));
  settings.erase("network_weights");
  if (!options.dora) settings.erase("dora");  // cells from before that option keep their addresses
  // Only a rate that changes on its way knows how long the way is.
  settings.erase("steps");
  if (options.step.lr_scheduler != "constant") settings["of_steps"] = options.step.steps;
  TrainingPrint print = training_print(progress, table.set, options, std::move(settings));
  if (!is_new) go_on_from(progress, print, table.train.network_weights.string(), training);
  return print;
}

// "wrong" and, of its checkpoints, "wrong@100": one training, each going on where the one before ended. The cell of `name`.
size_t trained_lora(PlanInProgress& progress, const LoraTable& table, const std::string& name, int training) {
  const int64_t last = table.train.step.steps;
  const TrainingPrint print = lora_training_print(progress, table, training);
  std::set<int64_t> stops(table.checkpoints.begin(), table.checkpoints.end());
  stops.insert(last);
  const size_t number = static_cast<size_t>(&table - progress.file.loras.data());
  size_t before = no_cell;
  for (const int64_t steps : stops) {
    const std::string stop = fmt::format("{}@{}", table.name, steps);
    const PlannedCell cell = lora_cell(steps == last ? table.name : stop, CellStage::lora, training);
    before = add_training(progress, cell, print,
                          {number, steps, table.train.step.seed + static_cast<uint64_t>(training), "", no_cell}, before);
    progress.made[fmt::format("lora {} {}", stop, training)] = before;
    if (steps == last) progress.made[fmt::format("lora {} {}", table.name, training)] = before;
  }
  const auto made = progress.made.find(fmt::format("lora {} {}", name, training));
  check(made != progress.made.end(), ErrorKind::input, "[loras.{}] has no checkpoint {}", table.name, name);
  return made->second;
}

size_t random_lora(PlanInProgress& progress, const LoraTable& table, int training) {
  const UsedFile of = used_lora(progress, table.random_of, training);
  PlannedCell cell = lora_cell(table.name, CellStage::random_lora, training);
  std::vector<RecipeInput> outside;
  if (of.cell == no_cell)
    outside.push_back(of.outside);
  else
    cell.inputs = {of.cell};
  const AddressParts parts{CellStage::random_lora, canonical_json({{"seed", training}}), {of.address}};
  const size_t number = progress.add(cell, ".safetensors", parts, std::move(outside));
  progress.plan.merges[number] = {{of.cell, of.path, 1}};
  return number;
}

size_t merged_lora(PlanInProgress& progress, const LoraTable& table, int training) {
  PlannedCell cell = lora_cell(table.name, CellStage::merged_lora, training);
  AddressParts parts{CellStage::merged_lora, "", {}};
  std::vector<RecipeInput> outside;
  Json weights = Json::array();
  std::vector<MergedPart> merged;
  for (const auto& text : table.merge) {
    const LoraSpec spec = parse_weighted_lora(text, "loras." + table.name);
    const UsedFile used = used_lora(progress, spec.path.string(), training);
    parts.inputs.push_back(used.address);
    weights.push_back(json_of(spec.weight));
    merged.push_back({used.cell, used.path, spec.weight});
    if (used.cell == no_cell)
      outside.push_back(used.outside);
    else
      cell.inputs.push_back(used.cell);
  }
  parts.recipe_json = canonical_json({{"weights", weights}});
  const size_t number = progress.add(cell, ".safetensors", parts, std::move(outside));
  progress.plan.merges[number] = std::move(merged);
  return number;
}

UsedFile outside_file(PlanInProgress& progress, const fs::path& path, bool is_lora) {
  const auto found = progress.files.find(path.string());
  if (found != progress.files.end()) return found->second;
  UsedFile used;
  used.outside = is_lora ? lora_input(path, progress.hashing()) : embedding_input(path, progress.hashing());
  used.address = used.outside.sha256;
  used.path = path;
  return progress.files[path.string()] = used;
}

template <class Make>
UsedFile used_cell(PlanInProgress& progress, const std::string& key, const Make& make) {
  const auto found = progress.made.find(key);
  const size_t cell = found != progress.made.end() ? found->second : make();
  progress.made[key] = cell;
  return {cell, progress.plan.run.cells[cell].address, {}, {}, {}};
}

UsedFile trained_embedding(PlanInProgress& progress, const EmbeddingTable& table, int training) {
  return used_cell(progress, fmt::format("embedding {} {}", table.name, training), [&] {
    TrainEmbeddingOptions options = table.train;
    options.name = word_of(table);
    PlannedCell cell;
    cell.stage = CellStage::embedding;
    cell.name = table.name;
    cell.training = training;
    cell.file = fmt::format("{}/{}-t{}", names::embedding_folder, slug(table.name), training);
    const TrainingCell of{static_cast<size_t>(&table - progress.file.embeddings.data()), options.step.steps,
                          options.step.seed + static_cast<uint64_t>(training), "", no_cell};
    const TrainingPrint print = training_print(progress, table.set, options, to_json(fields_of(options)));
    return add_training(progress, cell, print, of, no_cell);
  });
}

}  // namespace

size_t set_cell(PlanInProgress& progress, const std::string& name) {
  const auto found = progress.made.find("set " + name);
  if (found != progress.made.end()) return found->second;
  const SetSpec* spec = find_table(progress.file.sets, name);
  check(spec != nullptr, ErrorKind::input, "[sets] has no \"{}\"", name);
  const size_t cell = spec->options.folder.empty() ? drawn_set(progress, *spec) : persons_set(progress, *spec);
  return progress.made["set " + name] = cell;
}

UsedFile used_lora(PlanInProgress& progress, const std::string& name, int training) {
  const LoraTable* table = find_table(progress.file.loras, name.substr(0, name.find('@')));
  if (!table) return outside_file(progress, name, true);
  if (!table->file.empty()) return outside_file(progress, table->file, true);
  return used_cell(progress, fmt::format("lora {} {}", name, training), [&] {
    if (!table->random_of.empty()) return random_lora(progress, *table, training);
    if (!table->merge.empty()) return merged_lora(progress, *table, training);
    return trained_lora(progress, *table, name, training);
  });
}

UsedFile used_embedding(PlanInProgress& progress, const std::string& text, int training) {
  const EmbeddingTable* table = find_table(progress.file.embeddings, text);
  const EmbeddingSpec spec = table ? EmbeddingSpec{table->file, word_of(*table)} : parse_embedding_spec(text);
  UsedFile used = spec.path.empty() ? trained_embedding(progress, *table, training) : outside_file(progress, spec.path, false);
  used.word = spec.name.value_or(spec.path.stem().string());
  return used;
}

TrainModelOptions training_model(const ModelOptions& draw, TrainModelOptions own) {
  own.model = draw.model;
  own.vae = draw.vae;
  if (own.device == "auto") own.device = draw.device;
  if (own.threads == 0) own.threads = draw.threads;
  own.isa = draw.isa;  // one for a process
  return own;
}

std::string word_of(const EmbeddingTable& table) { return table.train.name.empty() ? "<" + table.name + ">" : table.train.name; }

}  // namespace negativa
