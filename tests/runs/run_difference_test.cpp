#include "runs/run_difference.h"

#include <algorithm>

#include "small_run.h"

namespace negativa {
namespace {

RunDifference difference(const SmallRun& first, const SmallRun& second) {
  const CancelToken cancel;
  return compare_runs(first.store, second.store, cancel);
}

// Makes a cell again as something else.
void remake(SmallRun& run, size_t number, const std::string& bytes, CellRecord record) {
  fs::remove(run.file(number));
  fs::remove(run.record_file(number));
  run.store.write(run.cell(number), bytes, std::move(record));
}

TEST(CompareRuns, TimesHardwareAndVersionsAreExempt) {
  const SmallRun first;
  SmallRun second;
  CellRecord record = record_of(second.store, second.cell(first_picture));
  record.timings_s = {{"total", 100}};
  record.processor = "another processor";
  record.threads = 64;
  remake(second, first_picture, bytes_of(second.cell(first_picture)), record);
  const RunDifference found = difference(first, second);
  EXPECT_TRUE(found.equal());
  EXPECT_EQ(found.same, small_cells);
  EXPECT_TRUE(found.lines.empty());
}

TEST(CompareRuns, NamesALoraBeforeThePicturesThatDifferBecauseOfIt) {
  RunPlan plan = small_plan();
  plan.cells.push_back(small_cell(plan, CellStage::lora, "lora/late", ".safetensors"));
  const SmallRun first(true, plan);
  SmallRun second(true, plan);
  remake(second, first_picture + 2, "another picture", {});
  CellRecord record;
  record.processor = "another processor";
  remake(second, small_cells, "another LoRA", record);
  const RunDifference found = difference(first, second);
  EXPECT_FALSE(found.equal());
  EXPECT_EQ(found.different, 2u);
  EXPECT_EQ(found.only_first, 1u) << "the metrics of the picture, which are of another in the second run";
  ASSERT_EQ(found.lines.size(), 3u);
  EXPECT_TRUE(found.lines[0].starts_with(first.cell(small_cells).file + ": ")) << found.lines[0];
  EXPECT_TRUE(contains(found.lines[0], sha256_hex("another LoRA").substr(0, 8))) << found.lines[0];
  EXPECT_TRUE(contains(found.lines[0], "another processor")) << found.lines[0];
  EXPECT_TRUE(found.lines[1].starts_with(first.cell(first_picture + 2).file + ": ")) << found.lines[1];
  EXPECT_TRUE(found.lines[2].starts_with(first.cell(first_row + 2).file + ": ")) << found.lines[2];
}

TEST(CompareRuns, MetricsDifferByTheirNumbersAlone) {
  const SmallRun first;
  SmallRun second;
  CellRecord record = record_of(second.store, second.cell(first_row));
  record.metrics = {{"damage", 0.1}, {"right_object", 1}};
  remake(second, first_row, "", record);
  const RunDifference found = difference(first, second);
  EXPECT_EQ(found.different, 1u);
  ASSERT_EQ(found.lines.size(), 1u);
  EXPECT_EQ(found.lines[0], first.cell(first_row).file + ": right_object is nothing in " + first.folder.path().string() +
                                ", 1 in " + second.folder.path().string());
}

TEST(CompareRuns, ACellThatOneRunLacksOrHasDamagedIsInTheOtherAlone) {
  const SmallRun first, second;
  fs::remove(first.file(first_row));
  fs::remove(second.file(first_row + 1));
  replace_file(second.file(first_picture), "x");
  fs::remove(first.file(lora));
  fs::remove(second.file(lora));
  const RunDifference found = difference(first, second);
  EXPECT_EQ(found.only_first, 2u);
  EXPECT_EQ(found.only_second, 1u);
  EXPECT_EQ(found.missing, 1u);
  EXPECT_EQ(found.same, small_cells - 4);
  EXPECT_FALSE(found.equal());
  ASSERT_EQ(found.lines.size(), 4u);
  EXPECT_TRUE(contains(found.lines[0], "missing")) << found.lines[0];
  EXPECT_TRUE(contains(found.lines[1], "alone") && contains(found.lines[1], "damaged: [")) << found.lines[1];
}

TEST(CompareRuns, ALargeFileOfTheRightSizeIsReadToTheEnd) {
  const SmallRun first(false);
  SmallRun second(false);
  std::string bytes(RunStore::hashed_up_to_bytes + 1, 'x');
  for (const SmallRun* run : {&first, static_cast<const SmallRun*>(&second)})
    const_cast<RunStore&>(run->store).write(run->cell(lora), bytes, {});
  EXPECT_EQ(difference(first, second).same, 1u);
  bytes.back() = 'y';
  replace_file(second.file(lora), bytes);
  EXPECT_EQ(difference(first, second).only_first, 1u);
}

TEST(CompareRuns, SaysInWhatThePlansDifferCausesFirst) {
  const SmallRun first;
  RunPlan plan = small_plan();
  plan.config_json = R"({"arms":{"article":{"lora":["wrong:0.5"]},"plain":{}},"default":{"steps":2},"seed":1})";
  plan.base_seeds = {1};
  plan.inputs[1].sha256 = sha256_hex("another judge");
  plan.cells.pop_back();
  const SmallRun second(true, plan);
  const RunDifference found = difference(first, second);
  EXPECT_EQ(found.only_first, 1u);
  EXPECT_EQ(found.same, small_cells - 1);
  ASSERT_EQ(found.lines.size(), 5u);
  const std::string a = first.folder.path().string(), b = second.folder.path().string();
  EXPECT_EQ(found.lines[0], "plan: config.arms.article.lora[0] is \"wrong\" in " + a + ", \"wrong:0.5\" in " + b);
  EXPECT_EQ(found.lines[1], "plan: config.seed is absent in " + a + ", 1 in " + b);
  EXPECT_TRUE(found.lines[2].starts_with("plan: base_seeds[0] is 18446744073709551615")) << found.lines[2];
  EXPECT_TRUE(found.lines[3].starts_with("plan: inputs.judge judge is")) << found.lines[3];
  EXPECT_TRUE(contains(found.lines[4], "not planned")) << found.lines[4];
}

TEST(CompareRuns, KnowsACellByItsAddressWhateverTheFileIsCalled) {
  const SmallRun first;
  RunPlan plan = small_plan();
  plan.cells[first_picture].file = "pictures/nothing-frog-" + plan.cells[first_picture].address.substr(0, short_address) + ".png";
  plan.cells.push_back(plan.cells[first_picture]);
  plan.cells.back().arm = 1;
  SmallRun second(false, plan);
  for (size_t i = 0; i < small_cells; ++i)
    second.store.write(second.cell(i), i < first_row ? bytes_of(first.cell(i)) : "", record_of(second.store, second.cell(i)));
  const RunDifference found = difference(first, second);
  EXPECT_TRUE(found.equal());
  EXPECT_EQ(found.same, small_cells) << "the shared one once";
  ASSERT_EQ(found.lines.size(), 1u);
  EXPECT_TRUE(contains(found.lines[0], "differ in their cells")) << found.lines[0];
}

TEST(CompareRuns, OfOneAddressInTwoFilesEachIsCompared) {
  RunPlan plan = small_plan();
  plan.cells.push_back(plan.cells[set_picture]);
  plan.cells.back().file = "sets/other/" + fs::path(plan.cells[set_picture].file).filename().string();
  const SmallRun first(true, plan);
  SmallRun second(true, plan);
  EXPECT_EQ(difference(first, second).same, small_cells + 1);
  remake(second, small_cells, "another picture", {});
  const RunDifference found = difference(first, second);
  EXPECT_EQ(found.same, small_cells);
  ASSERT_EQ(found.lines.size(), 1u);
  EXPECT_TRUE(found.lines[0].starts_with("sets/other/")) << found.lines[0];
  const SmallRun without;
  EXPECT_EQ(difference(first, without).only_first, 1u);
  EXPECT_EQ(difference(without, first).only_second, 1u);
}

TEST(CompareRuns, OfManyDifferencesThereAreTheFirstAndACount) {
  RunPlan plan = small_plan();
  for (size_t i = 0; i < 30; ++i)
    plan.cells.push_back(small_cell(plan, CellStage::set_picture, "sets/wrong/" + std::to_string(i), ".png"));
  const SmallRun first(false, plan), second(false, plan);
  const RunDifference found = difference(first, second);
  EXPECT_EQ(found.missing, plan.cells.size());
  ASSERT_EQ(found.lines.size(), RunDifference::most_lines + 1);
  EXPECT_EQ(found.lines.back(), "… and 21 more cells");
}

TEST(CompareRuns, CanBeStoppedAndNeedsTwoRunsThatWereBegun) {
  const SmallRun run;
  CancelToken cancel;
  const TemporaryFolder folder;
  EventSink events;
  const RunStore empty(folder.path(), events);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { compare_runs(run.store, empty, cancel); }), folder.path().string()));
  cancel.cancel();
  error_of(ErrorKind::cancelled, [&] { compare_runs(run.store, run.store, cancel); });
}

}  // namespace
}  // namespace negativa
