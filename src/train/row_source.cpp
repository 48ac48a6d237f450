#include "train/row_source.h"

#include "base/derived_seed.h"

namespace negativa {

namespace {

constexpr const char *instance_stream = "instance", *class_stream = "class", *validation_stream = "validation";
constexpr int64_t validation_timesteps = 4;

}  // namespace

RowSource::RowSource(const EncodedDataset& pictures, const EncodedDataset* class_pictures, const Vae& scaling,
                     const NoiseSchedule& schedule, RowOptions options)
    : pictures_(pictures), class_pictures_(class_pictures), scaling_(scaling), schedule_(schedule), options_(options) {}

DataOrder RowSource::order(const EncodedDataset& pictures, const char* stream) const {
  DataOrder order;
  order.seed = options_.seed;
  order.stream = stream;
  order.examples = static_cast<int64_t>(pictures.examples.size());
  order.rows_per_step = options_.batch_size * options_.gradient_accumulation;
  order.flip = options_.flip;
  return order;
}

// Random numbers belong to a row's number in its stream, not to a step or batch: a batch of 2 draws what two batches of 1 draw.
TrainingRow RowSource::row(const EncodedDataset& pictures, const RowChoice& choice, const char* stream, int64_t number) const {
  const Example& example = pictures.examples[choice.example];
  const PictureLatents& latents = pictures.latents[choice.example];
  const LatentStats& stats = choice.mirrored ? *latents.mirrored : latents.plain;
  const Shape shape = shape_of(stats.mean);
  Generator generator(derived_seed(options_.seed, std::string("noise of ") + stream, static_cast<uint64_t>(number)));
  TrainingRow row;
  row.picture = example.name;
  row.caption = example.caption;
  if (const auto& captions = options_.captions; !captions.empty())
    row.caption = captions[derived_seed(options_.seed, std::string("caption of ") + stream, static_cast<uint64_t>(number)) %
                           captions.size()];
  row.latents = scaling_.scale(stats.mean + stats.std * generator.randn(shape)).to(options_.dtype);
  row.noise = generator.randn(shape);
  row.timestep = generator.randint(schedule_.config.num_train_timesteps, {1}).item<int64_t>();
  if (options_.noise_offset > 0) row.noise = row.noise + options_.noise_offset * generator.randn({1, shape[1], 1, 1});
  row.noise = row.noise.to(options_.dtype);
  if (const auto found = pictures.embeds.find(row.caption); found != pictures.embeds.end()) {
    row.prompt_embeds = found->second.prompt_embeds;
    row.pooled_prompt_embeds = found->second.pooled_prompt_embeds;
  }
  row.time_ids = time_ids(example.size_cond()).unsqueeze(0);
  return row;
}

std::vector<TrainingRow> RowSource::rows(int64_t step) const {
  const int64_t batch = options_.batch_size, per_step = batch * options_.gradient_accumulation;
  const auto instances = rows_of_step(order(pictures_, instance_stream), step);
  const auto classes = class_pictures_ ? rows_of_step(order(*class_pictures_, class_stream), step) : std::vector<RowChoice>();
  std::vector<TrainingRow> rows;
  for (int64_t first = 0; first < per_step; first += batch) {
    for (int64_t i = first; i < first + batch; ++i) {
      rows.push_back(row(pictures_, instances[i], instance_stream, (step - 1) * per_step + i));
      rows.back().weight = min_snr_weight(schedule_, rows.back().timestep, options_.snr_gamma) / static_cast<double>(per_step);
    }
    for (int64_t i = first; class_pictures_ && i < first + batch; ++i) {
      rows.push_back(row(*class_pictures_, classes[i], class_stream, (step - 1) * per_step + i));
      rows.back().weight = options_.prior_weight / static_cast<double>(per_step);
    }
  }
  return rows;
}

std::vector<TrainingRow> RowSource::validation_rows(const EncodedDataset& pictures) const {
  std::vector<TrainingRow> rows;
  for (size_t i = 0; i < pictures.examples.size(); ++i)
    for (int64_t k = 0; k < validation_timesteps; ++k) {
      rows.push_back(
          row(pictures, {static_cast<int64_t>(i), false}, validation_stream, static_cast<int64_t>(i) * validation_timesteps + k));
      rows.back().latents = scaling_.scale(pictures.latents[i].plain.mean).to(options_.dtype);
      rows.back().timestep = schedule_.config.num_train_timesteps * (2 * k + 1) / (2 * validation_timesteps);
    }
  return rows;
}

int64_t RowSource::epoch(int64_t step) const { return epoch_of_step(order(pictures_, instance_stream), step); }

}  // namespace negativa
