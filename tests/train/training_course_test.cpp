// Trainings of two steps on the bundled model, stopped in every way there is.
#include "train/training_course.h"

#include "base/files.h"
#include "base/names.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "lora/lora_writer.h"
#include "train/lora_trainer.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

// What may be thrown at a training, each with a part of the line that tells of it.
const std::vector<std::pair<std::function<void()>, std::string>>& all_faults() {
  static const std::vector<std::pair<std::function<void()>, std::string>> faults{
      {[] { fail(ErrorKind::machine, "[disk] is full"); }, "[disk] is full"},
      {[] { fail(ErrorKind::input, "[picture] is gone"); }, "[picture] is gone"},
      {[] { throw std::bad_alloc(); }, "out of memory"},
      {[] { TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"); }, "out of memory"},
      {[] { TORCH_CHECK(false, "sizes do not match\nand a second line"); }, "sizes do not match"},
      {[] { throw std::runtime_error("a library's error"); }, "a library's error"},
      {[] { throw 7; }, "unknown error"},
  };
  return faults;
}

struct TrainingCourse : testing::Test {
  TemporaryFolder folder;
  LoraTraining training;
  CancelToken cancel;
  std::vector<std::string> notices;
  TrainHooks hooks;
  std::function<void()> before_numbers = [] {};  // each time between clipping and AdamW
  std::function<void()> before_best = [] {};
  double learning_rate = 1e-3;

  // One cache for all tests of the process: pictures are encoded once.
  static void SetUpTestSuite() { cache = std::make_unique<TemporaryFolder>(); }
  static void TearDownTestSuite() { cache.reset(); }
  static inline std::unique_ptr<TemporaryFolder> cache;

  TrainingCourse() {
    make_folder(folder / "data");
    fs::copy_file(test::source_folder() / "tests/golden/dataset/tall.png", folder / "data/tall.png");
    TrainLoraOptions options;
    options.data.data = options.data.validation_data = folder / "data";
    options.data.prompt = "wrong";
    options.data.resolution = 32;
    options.rank = 1;
    options.step.steps = 2;
    options.run.out = folder / "a.safetensors";
    options.run.validate_every = 1;
    options.run.validation_prompt = "wrong";
    options.model.threads = 1;
    training = plan_lora_training(options, {test::places()});
    hooks.data.cache = cache->path();
    hooks.data.cancel = &cancel;
    hooks.data.on_notice = [this](const std::string& text) { notices.push_back(text); };
  }

  Recipe recipe() const {
    Recipe recipe;
    recipe.settings_json = fmt::format(R"({{"lr_scheduler":"constant","steps":{}}})", training.options.step.steps);
    return recipe;
  }
  // As train_lora, with its faults.
  TrainingResult run(const std::string& name, int64_t steps = 2) {
    training.options.step.steps = steps;
    const auto& options = training.options;
    LoraParameters parameters(training.modules, at::kFloat);
    parameters.initialise(options.step.seed);
    const auto groups = [&](double factor) {
      before_numbers();
      return std::vector<ParameterGroup>{{0, parameters.flat().numel(), learning_rate * factor, 0}};
    };
    const auto write = [&](const fs::path& path, const Trained& trained) {
      before_best();
      write_lora(path, trained.lora, {LoraDialect::diffusers, training.targets.layout, {}});
    };
    RunFolder run(folder / (name + ".safetensors"), recipe(), false);
    return run_course(training, options, {parameters, groups, write, false, {}}, run, hooks);
  }
  std::string error(const std::string& name) {
    try {
      run(name);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no Error was thrown";
    return "";
  }
  fs::path in(const std::string& name, const std::string& file) const { return folder / (name + ".run/" + file); }
  std::string checkpoint(const std::string& name, int64_t step) const {
    return text(in(name, fmt::format("checkpoint-{:08}.safetensors", step)));
  }
  static std::string text(const fs::path& file) { return fs::exists(file) ? read_file(file) : ""; }
};

// Calls f the second time.
std::function<void()> second(const std::function<void()>& f) {
  return [f, calls = 0]() mutable {
    if (++calls == 2) f();
  };
}

TEST_F(TrainingCourse, WhateverStopsAStepTheOneBeforeIsSavedAndTheRunGoesOn) {
  training.validation.reset();
  run("whole");
  run("one", 1);
  ASSERT_FALSE(checkpoint("one", 1).empty());
  for (size_t i = 0; i < all_faults().size(); ++i) {
    const auto& [fault, expected] = all_faults()[i];
    const std::string name = fmt::format("stopped-{}", i);
    before_numbers = second(fault);
    const std::string line = error(name);
    EXPECT_TRUE(contains(line, expected) && contains(line, "1 of 2 steps are saved")) << line;
    EXPECT_EQ(checkpoint(name, 1), checkpoint("one", 1)) << expected;
  }
  before_numbers = [] {};
  EXPECT_EQ(run("stopped-2").resumed_from, 1);
  EXPECT_EQ(checkpoint("stopped-2", 2), checkpoint("whole", 2));
  EXPECT_EQ(text(in("stopped-2", names::losses_csv)), text(in("whole", names::losses_csv)));

  hooks.on_step = [&](const StepReport&) {  // losses find the disk full from here on
    fs::rename(in("full", names::losses_csv), in("full", "kept.csv"));
    fs::create_symlink("/dev/full", in("full", names::losses_csv));
  };
  std::string line = error("full");
  EXPECT_TRUE(contains(line, "disk full") && contains(line, "1 of 2 steps are saved")) << line;
  EXPECT_EQ(checkpoint("full", 1), checkpoint("one", 1));

  hooks.on_step = [&](const StepReport&) {
    make_folder(in("unsaved", "checkpoint-00000001.safetensors"));  // in the checkpoint's place
    fail(ErrorKind::machine, "[step] failed");
  };
  line = error("unsaved");
  EXPECT_TRUE(contains(line, "[step] failed (0 of 2 steps are saved") && contains(line, "1 more cannot be saved: ")) << line;
}

TEST_F(TrainingCourse, AStepIsSavedBeforeItIsLookedAtAndALookThatFailsIsANotice) {
  bool saved = true;
  hooks.on_preview = [&](int64_t step, const std::shared_ptr<const UNet>&, const Trained&) {
    saved &= !checkpoint("whole", step).empty();
    write_atomically(in("whole", fmt::format("preview-{}", step)), "drawn");
  };
  before_best = [&] { saved &= !checkpoint("whole", 1).empty(); };
  run("whole");
  EXPECT_TRUE(saved);
  EXPECT_TRUE(fs::exists(in("whole", "preview-1")) && fs::exists(in("whole", "preview-2")));
  EXPECT_TRUE(notices.empty());
  const auto& faults = all_faults();
  for (const size_t i : {2, 4, 6}) {  // all of them are caught in one place, which the test above walks
    const std::string name = fmt::format("failing-{}", i);
    notices.clear();
    int previews = 0;
    hooks.on_preview = [&](int64_t, const std::shared_ptr<const UNet>&, const Trained&) {
      if (++previews == 1) faults[i].first();
    };
    before_best = second(faults[i].first);  // not of the first step, or a second one could not be better
    run(name);
    EXPECT_EQ(previews, 2);
    ASSERT_GE(notices.size(), 1u);
    EXPECT_TRUE(contains(notices.front(), "step 1 has no preview, and the training goes on: ") &&
                contains(notices.front(), faults[i].second))
        << notices.front();
    EXPECT_EQ(checkpoint(name, 2).size(), checkpoint("whole", 2).size());
    EXPECT_EQ(text(in(name, names::losses_csv)), text(in("whole", names::losses_csv)));
    if (notices.size() < 2) continue;  // the second step was no better
    EXPECT_TRUE(contains(notices.back(), "step 2 has no validation")) << notices.back();
    EXPECT_EQ(text(in(name, names::validation_csv)),
              text(in("whole", names::validation_csv)).substr(0, text(in(name, names::validation_csv)).size()));
  }
}

TEST_F(TrainingCourse, AValidationOrPreviewThatIsInterruptedIsMadeWhenTheRunGoesOn) {
  std::vector<int64_t> previews;
  hooks.on_preview = [&](int64_t step, const std::shared_ptr<const UNet>&, const Trained&) {
    cancel.throw_if_cancelled();
    previews.push_back(step);
  };
  run("whole");
  EXPECT_EQ(previews, (std::vector<int64_t>{1, 2}));
  CancelToken first, second_token, third;
  hooks.on_step = [&](const StepReport& step) {
    if (step.step == 2) first.cancel();
  };
  hooks.data.cancel = &first;
  EXPECT_TRUE(contains(error("stopped"), "interrupted (2 of 2 steps are saved"));
  EXPECT_EQ(text(in("stopped", names::validation_csv)),
            text(in("whole", names::validation_csv)).substr(0, text(in("stopped", names::validation_csv)).size()));
  EXPECT_FALSE(contains(text(in("stopped", names::validation_csv)), "\n2,"));
  hooks.data.cancel = &second_token;
  hooks.on_validation = [&](int64_t, double) { second_token.cancel(); };
  hooks.on_preview = [&](int64_t, const std::shared_ptr<const UNet>&, const Trained&) { second_token.throw_if_cancelled(); };
  EXPECT_TRUE(contains(error("stopped"), "interrupted"));
  hooks.data.cancel = &third;
  int validations = 0;
  previews.clear();
  hooks.on_validation = [&](int64_t, double) { ++validations; };
  hooks.on_preview = [&](int64_t step, const std::shared_ptr<const UNet>&, const Trained&) { previews.push_back(step); };
  run("stopped");
  EXPECT_EQ(validations, 0);  // was made and is not made twice
  EXPECT_EQ(previews, std::vector<int64_t>{2});
  for (const char* file : {names::losses_csv, names::validation_csv, names::best_file, "checkpoint-00000002.safetensors"})
    EXPECT_EQ(text(in("stopped", file)), text(in("whole", file))) << file;
}

TEST_F(TrainingCourse, AValidationLossThatIsNotFiniteIsWrittenDownAndNeverTheBest) {
  learning_rate = 1e30;  // of this step nothing finite comes
  const std::string line = error("a");
  EXPECT_TRUE(contains(line, "not finite") || contains(line, "the loss of")) << line;
  const std::string validation = text(in("a", names::validation_csv));
  EXPECT_TRUE(contains(validation, "\n1,")) << validation;
  EXPECT_TRUE(contains(validation, "nan") || contains(validation, "inf")) << validation;
  EXPECT_FALSE(fs::exists(in("a", names::best_file)));
}

TEST(Optimizer, AStepThatCannotBeDoneChangesNoNumber) {
  Tensor parameters = at::ones({6});
  AdamWState state(parameters);
  const Tensor gradient = at::ones({6});
  for (const auto& wrong : {ParameterGroup{4, 9, 1, 0}, {-20, 2, 1, 0}}) {
    EXPECT_ANY_THROW(adamw_step(parameters, gradient, state, {{0, 4, 1, 0}, wrong}, {}));
    EXPECT_TRUE(parameters.equal(at::ones({6})) && state.exp_avg.equal(at::zeros({6})) && state.exp_avg_sq.equal(at::zeros({6})));
    EXPECT_TRUE(state.step == 0 && state.is_whole);
  }
  EXPECT_ANY_THROW(adamw_step(parameters, at::ones({3}), state, {{0, 2, 1, 0}, {2, 6, 1, 0}}, {}));
  EXPECT_TRUE(parameters.equal(at::ones({6})));
  adamw_step(parameters, gradient, state, {{0, 4, 1, 0}, {6, 4, 1, 0}}, {});
  EXPECT_TRUE(state.step == 1 && parameters[4].item<float>() == 1 && parameters[0].item<float>() < 1);
}

}  // namespace
}  // namespace negativa
