#include "base/file_names.h"
#include "engine/records.h"
#include "experiment/make_cells.h"
#include "experiment/plan_cells.h"
#include "image/image.h"
#include "io/image_tensor.h"

namespace negativa {

namespace {

struct DrawnCell {
  size_t cell;
  PictureOptions options;
  CellRecord record;
};

// Pictures of one model and its embeddings are drawn together, whatever their LoRAs.
struct DrawnTogether {
  ModelOptions model;
  std::vector<DrawnCell> drawings;
};

// What the experiment made comes from the run folder.
PictureOptions picture_options(const MakerRun& run, const PictureCell& picture) {
  PictureOptions options = picture.picture;
  for (size_t i = 0; i < options.lora.size(); ++i) {
    if (picture.lora_cells[i] == no_cell) continue;
    const LoraSpec spec = parse_lora_spec(options.lora[i]);
    const auto file = run.store.path(run.plan.run.cells[picture.lora_cells[i]]);
    options.lora[i] = fmt::format("{}:{}:{}", file.string(), spec.weight, branch_name(spec.branch));
  }
  return options;
}

ModelOptions model_options(const MakerRun& run, const PictureCell& picture) {
  ModelOptions options = picture.model;
  for (size_t i = 0; i < options.embedding.size(); ++i) {
    if (picture.embedding_cells[i] == no_cell) continue;
    for (const auto& table : run.plan.file.embeddings)
      if (table.name == options.embedding[i]) {
        const auto file = run.store.path(run.plan.run.cells[picture.embedding_cells[i]]);
        options.embedding[i] = fmt::format("{}={}", file.string(), word_of(table));
        break;
      }
  }
  return options;
}

std::vector<DrawnTogether> grouped(const MakerRun& run, const std::vector<size_t>& cells) {
  std::vector<DrawnTogether> groups;
  std::map<std::string, size_t> by_model;
  for (const size_t cell : cells) {
    const PictureCell& picture = run.plan.pictures.at(cell);
    ModelOptions model = model_options(run, picture);
    const auto [found, is_new] = by_model.try_emplace(print_config(fields_of(model)), groups.size());
    if (is_new) groups.push_back({std::move(model), {}});
    groups[found->second].drawings.push_back({cell, picture_options(run, picture), begun_record(run, cell)});
  }
  return groups;
}

void draw_together(const MakerRun& run, DrawnTogether& group) {
  Session session(run.engine, group.model, run.caller, group.drawings.size());
  std::vector<Plan> plans;
  std::vector<PictureOptions> pictures;
  for (const auto& drawing : group.drawings) {
    plans.push_back(session.plan(drawing.options));
    pictures.push_back(session.resolved(drawing.options));
  }
  const RunInputs inputs = run_inputs(session, pictures);
  Lap lap;
  session.draw(plans, "pictures", [&](size_t i, ImageResult&& result) {
    DrawnCell& drawing = group.drawings[i];
    const PlannedCell& cell = run.plan.run.cells[drawing.cell];
    const Image8 image = tensor_to_images(result.image).front();
    const std::string png = encode_png(image, picture_text(pictures[i], picture_recipe(session, pictures[i], inputs)));
    drawing.record.threads = session.threads_a_picture();
    drawing.record.timings_s["total"] = lap.seconds();
    run.store.write(cell, png, std::move(drawing.record));
    run.caller.events.on_picture({drawing.cell, run.store.path(cell), image});
  });
}

}  // namespace

void draw_pictures(const MakerRun& run, const std::vector<size_t>& cells) {
  for (auto& group : grouped(run, cells)) draw_together(run, group);
}

}  // namespace negativa
