#include "base/files.h"
#include "base/temporary_folder.h"
#include "jobs/generate.h"
#include "train/options.h"

namespace negativa {

namespace {

GenerateOptions asked(const Path& out) {
  GenerateOptions options;
  options.picture.prompt = "lion";
  options.picture.seed = 7;
  options.output.out = out;
  return options;
}

std::vector<std::string> files_of(const GeneratePlan& plan) {
  std::vector<std::string> files;
  for (const auto& request : plan.requests) files.push_back(request.file);
  return files;
}

using Names = std::vector<std::string>;

}  // namespace

TEST(TrainingConfig, HoldsEverySeed) {
  TrainLoraOptions options, again;
  options.step.seed = std::numeric_limits<uint64_t>::max();
  Fields fields = fields_of(again);
  const TemporaryFolder folder;
  write_atomically(folder / "config.toml", print_config(fields_of(options)));
  set_from_toml_file(fields, folder / "config.toml");
  EXPECT_EQ(again.step.seed, options.step.seed);
}

TEST(PlanGenerate, OnePictureHasTheNameGiven) {
  const auto plan = plan_generate(asked("cat.png"));
  EXPECT_EQ(files_of(plan), Names{"cat.png"});
  EXPECT_EQ(plan.requests[0].options.seed, 7u);
  EXPECT_FALSE(plan.is_set);
}

TEST(PlanGenerate, ABatchIsNumberedAndItsSeedsCountUp) {
  auto options = asked("dir/cat.png");
  options.output.batch_count = 3;
  const auto plan = plan_generate(options);
  EXPECT_EQ(files_of(plan), (Names{"dir/cat-0000.png", "dir/cat-0001.png", "dir/cat-0002.png"}));
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(plan.requests[i].options.seed, 7 + i);
}

TEST(PlanGenerate, AFolderTakesNumbers) {
  const TemporaryFolder folder;
  EXPECT_EQ(files_of(plan_generate(asked("new/"))), Names{"new/0000.png"});
  EXPECT_EQ(files_of(plan_generate(asked(folder.path()))), Names{folder / "0000.png"});
}

TEST(PlanGenerate, OtherPictureFormatsAreRefused) {
  EXPECT_EQ(error_of(ErrorKind::input, [] { plan_generate(asked("a.jpeg")); }),
            "[--out] got a.jpeg, expected a .png file; try -o a.png");
  plan_generate(asked("a.PNG"));
  plan_generate(asked("/dev/null"));
}

TEST(PlanGenerate, SeveralPicturesWithoutAPngsNameGoIntoAFolder) {
  const TemporaryFolder folder;
  write_atomically(folder / "p.jsonl", "{}\n{}\n");
  for (const bool is_set : {false, true}) {
    const auto files = [&](const char* out) {
      auto options = asked(out);
      if (is_set)
        options.output.prompts = folder / "p.jsonl";
      else
        options.output.batch_count = 2;
      const auto plan = plan_generate(options);
      EXPECT_EQ(plan.makes_folder, plan.folder == Path(out)) << out;
      return files_of(plan);
    };
    for (const std::string name : {"a", "a.folder", "v1.2", "a.jpg", "a.png.d", "./.hidden", "..b", "png"})
      EXPECT_EQ(files(name.c_str()), (Names{name + "/0000.png", name + "/0001.png"}));
    EXPECT_EQ(files("a.b.png"), (Names{"a.b-0000.png", "a.b-0001.png"}));
    EXPECT_EQ(files("d.x/A.PNG"), (Names{"d.x/A-0000.PNG", "d.x/A-0001.PNG"}));
    EXPECT_EQ(files("new.png/"), (Names{"new.png/0000.png", "new.png/0001.png"}));
  }
}

TEST(PlanGenerate, SeedsCountUpToTheLastAndNotBeyond) {
  constexpr auto last = std::numeric_limits<uint64_t>::max();
  const TemporaryFolder folder;
  write_atomically(folder / "p.jsonl", "{\"seed\": 18446744073709551615}\n{\"seed\": \"18446744073709551615\"}\n");
  auto options = asked("set");
  options.output.prompts = folder / "p.jsonl";
  for (const auto& request : plan_generate(options).requests) EXPECT_EQ(request.options.seed, last);
  options = asked("a.png");
  options.output.batch_count = 2;
  options.picture.seed = last - 1;
  EXPECT_EQ(plan_generate(options).requests[1].options.seed, last);
  options.picture.seed = last;
  EXPECT_TRUE(error_of(ErrorKind::input, [&] { plan_generate(options); }).starts_with("[--seed] got 18446744073709551615 "));
}

TEST(PlanGenerate, ASeedIsDrawnOnceForAllPictures) {
  auto options = asked("a.png");
  options.picture.seed.reset();
  options.output.batch_count = 2;
  const auto plan = plan_generate(options);
  EXPECT_EQ(*plan.requests[0].options.seed + 1, *plan.requests[1].options.seed);
}

TEST(PlanGenerate, LinesOfAPromptsFileStandOverTheFlags) {
  const TemporaryFolder folder;
  const Path file = folder / "p.jsonl";
  write_atomically(file, "{\"prompt\": \"owl\", \"cfg_scale\": 3.5}\r\n\n{\"negative_prompt\": \"\", \"seed\": 1}");
  auto options = asked("set");
  options.output.prompts = file;
  options.output.batch_count = 2;
  const auto plan = plan_generate(options);
  EXPECT_TRUE(plan.is_set);
  EXPECT_EQ(plan.folder, "set");
  EXPECT_EQ(files_of(plan), (Names{"set/0000.png", "set/0001.png", "set/0002.png", "set/0003.png"}));
  EXPECT_EQ(plan.requests[0].options.prompt, "owl");
  EXPECT_EQ(plan.requests[0].options.cfg_scale, 3.5);
  EXPECT_FALSE(plan.requests[0].options.negative_prompt.has_value());
  EXPECT_EQ(plan.requests[1].options.seed, 8u);
  EXPECT_EQ(plan.requests[2].options.prompt, "lion");
  EXPECT_EQ(plan.requests[2].options.negative_prompt, "");
  EXPECT_EQ(plan.requests[3].options.seed, 2u);
}

TEST(PlanGenerate, WrongLinesAreNamed) {
  const TemporaryFolder folder;
  auto options = asked("set");
  options.output.prompts = folder / "p.jsonl";
  for (const char* line :
       {"[]", "{\"prompt\": 3}", "{\"prompt\": \"a\", \"model\": \"x\"}", "{\"prompt\": \"a\", \"out\": \"x\"}", "{"}) {
    write_atomically(options.output.prompts, "{\"prompt\": \"a\"}\n" + std::string(line) + "\n");
    try {
      plan_generate(options);
      ADD_FAILURE() << line;
    } catch (const Error& error) {
      EXPECT_TRUE(contains(error.what(), "p.jsonl line 2")) << error.what();
    }
  }
}

}  // namespace negativa
