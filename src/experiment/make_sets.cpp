#include "base/json.h"
#include "experiment/make_cells.h"

namespace negativa {

namespace {

// What made the picture, beside what training reads.
void add_settings(Json& line, const PictureCell& picture) {
  PictureOptions options = picture.picture;
  Json settings = to_json(fields_of(options));
  for (const char* key : {"prompt", "seed", "cfg_scale", "steps", "negative_prompt"})
    if (settings.contains(key)) line[key] = settings[key];
}

}  // namespace

void write_set(const MakerRun& run, size_t cell) {
  Lap lap;
  CellRecord record = begun_record(run, cell);
  const SetCell& set = run.plan.sets.at(cell);
  std::string lines;
  for (size_t i = 0; i < set.files.size(); ++i) {
    Json line = {{"file_name", set.files[i]}, {"text", set.captions[i]}};
    if (!set.pictures.empty()) add_settings(line, run.plan.pictures.at(set.pictures[i]));
    lines += line.dump() + "\n";
  }
  record.timings_s["total"] = lap.seconds();
  run.store.write(run.plan.run.cells[cell], lines, std::move(record));
}

}  // namespace negativa
