#include "experiment/calibrate.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "base/file_names.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "io/image_tensor.h"
#include "io/models_folder.h"
#include "model/recipe_inputs.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

constexpr int64_t steps = 25;
constexpr double guidance_scale = 5;
constexpr uint64_t first_seed = 48000;  // caption i has first_seed + i, with every damage the same noise

struct Shown {
  std::string caption;  // plain
  std::string damage;   // empty: none
  Image8 image;
};

// The reference pictures as the VAE gives them back.
std::vector<Shown> reference_pictures(const fs::path& model, const Session& session, int workers) {
  std::vector<Shown> shown;
  std::vector<fs::path> files;
  for (const char* name : {names::reference_folder, names::reference_damaged_folder}) {
    const fs::path folder = model / name, list = folder / names::metadata_jsonl;
    const std::string text = read_file(list);
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      const Json line = parse_json(std::string_view(text).substr(begin, end - begin), list.string());
      shown.push_back(
          {get<std::string>(line, "text", list.string()), get_or<std::string>(line, "damage", "", list.string()), {}});
      files.push_back(folder / get<std::string>(line, "file_name", list.string()));
      begin = end + 1;
    }
  }
  const Caller& caller = session.caller();
  const auto vae = session.models().vae(&caller.cancel);
  const double scale = session.models().vae_config().scaling_factor;
  Stage progress(caller.events, "reference pictures", static_cast<int64_t>(shown.size()));
  session.engine().workers().run({shown.size(), workers, 1}, caller.cancel, [&](size_t i) {
    const c10::InferenceMode inference;
    shown[i].image = tensor_to_images(vae->decode(vae->encode(image_to_tensor(read_image(files[i]))).mean.mul(scale))).front();
    progress.tick();
  });
  return shown;
}

std::vector<Shown> drawn_pictures(Session& session, const World& world) {
  std::vector<Shown> shown;
  std::vector<Plan> plans;
  std::vector<std::string> damages = world.damages;
  damages.insert(damages.begin(), "");
  for (size_t i = 0; i < world.calibration.size(); ++i)
    for (const auto& damage : damages) {
      PictureOptions options;
      options.prompt = damage.empty() ? world.calibration[i] : world.damaged(world.calibration[i], damage);
      options.weighting = "none";
      options.steps = steps;
      options.cfg_scale = guidance_scale;
      options.seed = first_seed + i;
      plans.push_back(session.plan(options));
      shown.push_back({world.calibration[i], damage, {}});
    }
  session.draw(plans, "calibration pictures",
               [&](size_t i, ImageResult&& result) { shown[i].image = tensor_to_images(result.image).front(); });
  return shown;
}

// [damages]: area under the curve of each damage's probability, pictures with it against those without any.
std::vector<double> areas(const Judging& judging, const std::vector<Shown>& pictures, const Session& session, int workers) {
  const Caller& caller = session.caller();
  const auto& damages = judging.world()->damages;
  std::vector<std::vector<double>> chances(pictures.size());  // of each damage
  Stage progress(caller.events, "judged by " + judging.judge().name(), static_cast<int64_t>(pictures.size()));
  session.engine().workers().run({pictures.size(), workers, 1}, caller.cancel, [&](size_t i) {
    const UnitVector seen = judging.judge().see(pictures[i].image);
    const MeasuredPicture picture{pictures[i].image, pictures[i].caption, &seen, nullptr};
    for (const auto& damage : damages)
      if (pictures[i].damage.empty() || pictures[i].damage == damage)
        chances[i].push_back(probability_of_damage(damage, picture, judging.room()));
    progress.tick();
  });
  std::vector<double> result;
  for (size_t d = 0; d < damages.size(); ++d) {
    std::vector<double> with, without;
    for (size_t i = 0; i < pictures.size(); ++i) {
      if (pictures[i].damage.empty()) without.push_back(chances[i][d]);
      if (pictures[i].damage == damages[d]) with.push_back(chances[i].front());
    }
    result.push_back(area_under_curve(with, without));
  }
  return result;
}

void check_worlds(const std::vector<const Judging*>& judges) {
  for (const Judging* one : judges)
    check(one->world() != nullptr, ErrorKind::input,
          "[calibration] {} has no {}, which names the damages and captions to calibrate with", one->judge().folder().string(),
          names::judge_world);
  const Judging& first = *judges.front();
  for (const Judging* other : judges)
    check(other->world()->damages == first.world()->damages && other->world()->calibration == first.world()->calibration,
          ErrorKind::input, "[calibration] the judges {} and {} have different damages or captions; calibrate them one by one",
          first.judge().name(), other->judge().name());
}

}  // namespace

RecipeInput bundled_model_input(const Places& places, const Hashing& hashing) {
  return model_input("model", open_model(default_model(places), places), hashing);
}

std::vector<RecipeInput> calibration_inputs(Engine& engine, const Judge& judge, const CancelToken& cancel) {
  const Hashing hashing = engine.hashing(&cancel);
  std::vector<fs::path> files;
  for (const char* name : {names::reference_folder, names::reference_damaged_folder})
    for (const auto& entry : fs::directory_iterator(default_model(engine.places()) / name)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::string listing;
  for (const auto& file : files)
    listing += fmt::format("{}/{} {}\n", last_name(file.parent_path()), last_name(file), cached_sha256_file(file, hashing));
  return {bundled_model_input(engine.places(), hashing),
          judge_input(judge, hashing),
          {"reference", names::reference_folder, sha256_hex(listing)}};
}

std::string calibration_recipe() {
  return canonical_json({{"steps", steps}, {"cfg_scale", guidance_scale}, {"first_seed", first_seed}});
}

std::vector<Calibration> calibrate(Engine& engine, const std::vector<const Judging*>& judges, int threads, const Caller& caller) {
  check_worlds(judges);
  const World& world = *judges.front()->world();
  ModelOptions options;
  options.threads = threads;
  options.device = "cpu";
  const RecipeInput model = bundled_model_input(engine.places(), engine.hashing(&caller.cancel));
  Session session(engine, options, caller, world.calibration.size() * (world.damages.size() + 1));
  const int workers = threads > 0 ? threads : hardware_threads();
  const auto reference = reference_pictures(default_model(engine.places()), session, workers);
  const auto drawn = drawn_pictures(session, world);
  std::vector<Calibration> calibrations;
  for (const Judging* judge : judges) {
    const RecipeInput input = judge_input(judge->judge(), engine.hashing(&caller.cancel));
    Calibration calibration{model.name, model.sha256, input.name, input.sha256, {}};
    const auto of_reference = areas(*judge, reference, session, workers), of_drawn = areas(*judge, drawn, session, workers);
    for (size_t d = 0; d < world.damages.size(); ++d)
      calibration.damages.push_back({world.damages[d], of_reference[d], of_drawn[d]});
    calibrations.push_back(std::move(calibration));
  }
  return calibrations;
}

}  // namespace negativa
