#include "experiment/judging.h"
#include "experiment/make_cells.h"
#include "image/image.h"
#include "text/prompt.h"

namespace negativa {

namespace {

Image8 picture_at(const MakerRun& run, size_t cell) { return read_image(run.store.path(run.plan.run.cells[cell])); }

// The words alone, as `negativa score` takes a caption from a recipe.
std::string caption_of(const PictureOptions& picture) {
  const std::string prompt = picture.prompt.value_or("");
  return picture.weighting == "compel" ? clean_text(parse_prompt(prompt)) : prompt;
}

CellRecord measured(const MakerRun& run, const Judging& judging, std::span<const Metric> metrics, size_t cell) {
  CellRecord record = begun_record(run, cell);
  const auto& inputs = run.plan.run.cells[cell].inputs;
  const std::string caption = caption_of(run.plan.pictures.at(inputs.front()).picture);
  const Image8 image = picture_at(run, inputs.front());
  std::optional<Image8> baseline;
  if (inputs.size() > 1) baseline = picture_at(run, inputs[1]);
  const auto values = judging.measure({image, caption, nullptr, baseline ? &*baseline : nullptr}, metrics);
  for (size_t i = 0; i < metrics.size(); ++i) record.metrics[metrics[i].name] = values[i];
  return record;
}

}  // namespace

void measure_pictures(const MakerRun& run, const std::vector<size_t>& cells) {
  Judging judging(run.plan.judge, &run.caller.cancel);
  if (judging.world()) judging.set_basis({run.plan.run.damages, {}, run.plan.run.uncalibrated});
  const auto metrics = judging.metrics(run.plan.run.metric_names, "analysis.metrics");
  Stage progress(run.caller.events, "measured", static_cast<int64_t>(cells.size()));
  const int workers = run.plan.file.defaults.model.threads > 0 ? run.plan.file.defaults.model.threads : hardware_threads();
  run.engine.workers().run({cells.size(), workers, 1}, run.caller.cancel, [&](size_t i) {
    Lap lap;
    CellRecord record = measured(run, judging, metrics, cells[i]);
    record.threads = 1;
    record.timings_s["total"] = lap.seconds() / workers;  // of the machine, as pictures are timed
    run.store.write(run.plan.run.cells[cells[i]], {}, std::move(record));
    progress.tick();
  });
}

}  // namespace negativa
