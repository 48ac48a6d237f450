// One engine with several callers.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "model/random_model.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

const fs::path goldens = test::source_folder() / "tests/golden";

// CHECK_PICTURES: as many as `make check` asks for.
size_t pictures_a_thread() {
  const char* given = std::getenv("CHECK_PICTURES");
  return given ? std::strtoul(given, nullptr, 10) : 2;
}

ModelOptions miniature(int threads = 2) {
  ModelOptions options;
  options.device = "cpu";
  options.threads = threads;
  return options;
}

std::vector<Plan> plans_of(Session& session, const std::string& prompt, const std::vector<std::string>& loras, size_t count) {
  std::vector<Plan> plans;
  for (size_t i = 0; i < count; ++i) {
    PictureOptions options;
    options.prompt = prompt;
    options.steps = 4;
    options.seed = i;
    options.lora = loras;
    plans.push_back(session.plan(options));
  }
  return plans;
}

using Pictures = std::map<size_t, Tensor>;

Pictures draw(Engine& engine, const std::string& prompt, const std::vector<std::string>& loras, size_t count) {
  Session session(engine, miniature(), test::nobody(), count);
  Pictures made;
  session.draw(plans_of(session, prompt, loras, count), "denoise",
               [&](size_t i, ImageResult&& result) { made[i] = result.image; });
  return made;
}

void expect_same(const Pictures& a, const Pictures& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [i, image] : a) EXPECT_TRUE(at::equal(image, b.at(i))) << i;
}

TEST(Engine, TwoThreadsDrawWithDifferentLorasWhatEachDrawsAlone) {
  const std::vector<std::string> first = {(goldens / "lora_kohya.safetensors:0.5").string()},
                                 second = {(goldens / "lora_diffusers.safetensors:0.7:negative").string()};
  const size_t count = pictures_a_thread();
  Engine engine({.places = test::places()});
  Pictures of_first, of_second;
  std::thread other([&] { of_second = draw(engine, "owl", second, count); });
  of_first = draw(engine, "a big lion", first, count);
  other.join();
  Engine alone({.places = test::places()});
  expect_same(of_first, draw(alone, "a big lion", first, count));
  expect_same(of_second, draw(alone, "owl", second, count));
  EXPECT_FALSE(at::equal(of_first.at(0), draw(alone, "a big lion", {}, 1).at(0))) << "the LoRA does nothing";
}

TEST(Engine, OpensAModelOnceAndAnewWhenItsFilesChange) {
  const TemporaryFolder folder;
  fs::copy(test::bundled_model(), folder / "m", fs::copy_options::recursive);
  Engine engine({.places = test::places()});
  ModelRequest request;
  request.model = folder / "m";
  const auto first = engine.open(request);
  EXPECT_EQ(engine.open(request).get(), first.get());
  ModelRequest other = request;
  other.storage = at::kHalf;
  EXPECT_NE(engine.open(other).get(), first.get()) << "another number format";
  write_atomically(folder / "m/unet/config.json", read_file(folder / "m/unet/config.json") + "\n");
  EXPECT_NE(engine.open(request).get(), first.get()) << "another file";
  EXPECT_NO_THROW(first->unet()) << "whoever holds the old one goes on with it";
}

TEST(Engine, KeepsModelsWithinItsBudgetAndLetsTheLeastRecentlyUsedGo) {
  ModelRequest base;
  base.model = test::bundled_model();
  ModelRequest half = base;
  half.storage = at::kHalf;
  const int64_t bytes = Models(base, test::places()).weight_bytes();
  Engine engine({.places = test::places(), .memory_budget_bytes = bytes + bytes / 4});
  const auto load = [&](const ModelRequest& request) {
    const auto models = engine.open(request);
    models->text(), models->unet(), models->vae();
    return models->loads().at("unet");
  };
  EXPECT_EQ(load(base), 1);
  EXPECT_EQ(engine.held_bytes(), bytes);
  EXPECT_EQ(load(base), 1) << "it was still there";
  EXPECT_EQ(load(half), 1);
  EXPECT_LE(engine.held_bytes(), engine.memory_budget_bytes());
  EXPECT_EQ(engine.held_bytes(), bytes / 2) << "fp32 had to go for fp16";
  EXPECT_EQ(load(half), 1) << "and fp16 stayed";

  Engine forgetful({.places = test::places(), .memory_budget_bytes = 0});
  forgetful.open(base)->unet();
  EXPECT_EQ(forgetful.held_bytes(), 0);
  const auto in_use = forgetful.open(base);
  in_use->unet();
  forgetful.open(half)->unet();
  EXPECT_GT(forgetful.held_bytes(), 0) << "what is at work stays, whatever the budget";
}

TEST(Engine, KnowsLorasAndEmbeddingsByContent) {
  const TemporaryFolder folder;
  const fs::path file = folder / "a.safetensors";
  fs::copy(goldens / "lora_kohya.safetensors", file);
  Engine engine({.places = test::places()});
  ModelRequest request;
  request.model = test::bundled_model();
  const auto models = engine.open(request);
  const auto read = [&] { return engine.lora(file, *models, false, nullptr); };
  const auto first = read();
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(5));
  EXPECT_EQ(read(), first) << "the same bytes";
  fs::copy(goldens / "lora_diffusers.safetensors", file, fs::copy_options::overwrite_existing);
  EXPECT_NE(read(), first) << "other bytes under the same name";
  fs::remove(file);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, read), "a.safetensors"));
}

// CHECK_WIDTH: of the first block of a large model, as `make check` sets it; 160 is half of SDXL's, 72 the least that is large.
TEST(EngineWithALargeModel, DrawsItBesideTheMiniatureAsAlone) {
  const char* width = std::getenv("CHECK_WIDTH");
  if (!width) GTEST_SKIP() << "CHECK_WIDTH is not set: part of make check, since a large model takes long to write and to read";
  const TemporaryFolder folder;
  test::write_model_of_width(folder / "large", std::strtol(width, nullptr, 10));
  ModelOptions large = miniature();
  large.model = folder / "large";
  const auto draw_large = [&](Engine& engine) {
    Session session(engine, large, test::nobody(), 1);
    EXPECT_FALSE(session.models().is_small());
    EXPECT_EQ(session.threads_a_picture(), 2);
    Pictures made;
    std::vector<Plan> plans = plans_of(session, "owl", {}, 1);
    for (auto& plan : plans) plan.steps = 2;
    session.draw(plans, "denoise", [&](size_t i, ImageResult&& result) { made[i] = result.image; });
    return made;
  };
  const size_t count = pictures_a_thread();
  Engine engine({.places = test::places()}), alone({.places = test::places()});
  Pictures of_large, of_miniature;
  std::thread other([&] { of_large = draw_large(engine); });
  of_miniature = draw(engine, "a big lion", {}, count);
  other.join();
  EXPECT_TRUE(of_large.at(0).isfinite().all().item<bool>());
  expect_same(of_large, draw_large(alone));
  expect_same(of_miniature, draw(alone, "a big lion", {}, count));
}

}  // namespace
}  // namespace negativa
