#include "runs/run_plan.h"

#include <functional>
#include <limits>

#include "small_run.h"

namespace negativa {
namespace {

std::string refusal_of(const std::function<void(RunPlan&)>& change) {
  RunPlan plan = small_plan();
  change(plan);
  const std::string error = error_of(ErrorKind::file_format, [&] { plan.check_whole("plan.json"); });
  EXPECT_TRUE(error.starts_with("[plan.json]")) << error;
  return error;
}

CellRecord some_record() {
  CellRecord record;
  record.address = sha256_hex("x");
  record.recipe_json = R"({"steps":2})";
  record.inputs = {{"lora", "wrong-t0-1a2b3c4d.safetensors", sha256_hex("l")}};
  record.sha256 = sha256_hex("bytes");
  record.bytes = 5;
  record.timings_s = {{"total", 0.5}, {"denoise", 0.25}};
  record.processor = "a processor";
  record.program_version = "1.2.3";
  record.threads = 4;
  return record;
}

TEST(RunPlan, ReadsBackAsItWasWrittenWithALineForEachCell) {
  RunPlan plan = small_plan();
  plan.toml += "# ä \"quoted\"\n";
  plan.counts_test_run = true;
  plan.uncalibrated = "no calibration";
  plan.analysis.level = 0.1 + 0.2;
  const std::string text = plan.to_text();
  const RunPlan read = RunPlan::from_text(text, "plan.json");
  EXPECT_EQ(read.to_text(), text);
  EXPECT_EQ(read.hash(), plan.hash());
  EXPECT_EQ(read.toml, plan.toml);
  EXPECT_EQ(read.base_seeds, plan.base_seeds) << "the largest seed too";
  for (const auto& cell : plan.cells) {
    const auto begin = text.find("\n{\"address\":\"" + cell.address);
    EXPECT_NE(begin, std::string::npos) << cell.file;
  }
}

TEST(RunPlan, ItsHashLeavesTheTomlsTextOutAndHasAllElse) {
  const std::string hash = small_plan().hash();
  const auto changed = [](const auto& change) {
    RunPlan plan = small_plan();
    change(plan);
    return plan.hash();
  };
  EXPECT_EQ(changed([](RunPlan& plan) { plan.toml += "# a comment\n"; }), hash);
  const std::vector<std::function<void(RunPlan&)>> changes = {
      [](RunPlan& plan) { plan.name = "other"; },
      [](RunPlan& plan) { plan.config_json = "{}"; },
      [](RunPlan& plan) { --plan.base_seeds[0]; },
      [](RunPlan& plan) { plan.inputs[0].sha256 = sha256_hex("another model"); },
      [](RunPlan& plan) { plan.damages.clear(); },
      [](RunPlan& plan) { plan.uncalibrated = "why"; },
      [](RunPlan& plan) { plan.prompts[1].group = "other"; },
      [](RunPlan& plan) { ++plan.prompts[1].noise_seeds[0]; },
      [](RunPlan& plan) { plan.arms[1].settings_json = R"({"steps":3})"; },
      [](RunPlan& plan) { plan.arms[1].axes[0].second = "1"; },
      [](RunPlan& plan) { plan.analysis.primary = "plain - article"; },
      [](RunPlan& plan) { plan.analysis.level = 0.9; },
      [](RunPlan& plan) { plan.metric_names.pop_back(); },
      [](RunPlan& plan) { plan.cells.pop_back(); },
      [](RunPlan& plan) { plan.cells[lora].name = "other"; },
      [](RunPlan& plan) { plan.counts_test_run = true; },
  };
  std::set<std::string> hashes = {hash};
  for (const auto& change : changes) hashes.insert(changed(change));
  EXPECT_EQ(hashes.size(), changes.size() + 1);
}

TEST(RunPlan, SeesThatItsTextWasCutOrChanged) {
  const std::string text = small_plan().to_text();
  for (size_t length = 0; length + 3 < text.size(); length += 97)
    error_of(ErrorKind::file_format, [&] { RunPlan::from_text(text.substr(0, length), "plan.json"); });
  std::string edited = text;
  edited.replace(edited.find("\"pizza\""), 7, "\"bread\"");
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { RunPlan::from_text(edited, "plan.json"); }),
                       "[plan.json] is damaged or was edited"));
  std::string without = text;
  without.replace(without.find("\"damages\""), 9, "\"damaged\"");
  EXPECT_TRUE(contains(error_of(ErrorKind::missing_key, [&] { RunPlan::from_text(without, "plan.json"); }), "\"damages\""));
  std::string newer = text;
  newer.replace(newer.find("\"plan_format\": 1"), 16, "\"plan_format\": 2");
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { RunPlan::from_text(newer, "plan.json"); }), "another version"));
}

TEST(RunPlan, OfBytesChangedAnywhereItIsTheSameOrAnError) {
  const std::string text = small_plan().to_text(), hash = small_plan().hash();
  size_t errors = 0;
  for (size_t at = 0; at < text.size(); at += 7) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 5);
    try {
      EXPECT_EQ(RunPlan::from_text(changed, "plan.json").hash(), hash) << at;  // the TOML's text, white space
    } catch (const Error&) {
      ++errors;
    }
  }
  EXPECT_GT(errors, text.size() / 7 / 2);
}

TEST(RunPlan, RefusesNumbersThatPointNowhere) {
  EXPECT_TRUE(contains(refusal_of([](RunPlan& plan) { plan.cells[lora].inputs = {lora}; }), "expected earlier cells"));
  EXPECT_TRUE(contains(refusal_of([](RunPlan& plan) { plan.cells[first_picture].arm = 2; }), "arm 2"));
  EXPECT_TRUE(contains(refusal_of([](RunPlan& plan) { plan.cells[first_picture].prompt = 2; }), "prompt 2"));
  EXPECT_TRUE(contains(refusal_of([](RunPlan& plan) { plan.cells[first_picture].prompt = -2; }), "prompt -2"));
  EXPECT_TRUE(contains(refusal_of([](RunPlan& plan) { plan.cells[first_picture].replicate = 1; }), "replicate 1"));
  EXPECT_TRUE(contains(refusal_of([](RunPlan& plan) { plan.cells[first_picture].arm = -1; }), "no arm, prompt or replicate"));
  EXPECT_TRUE(contains(refusal_of([](RunPlan& plan) { plan.cells[first_row].inputs.clear(); }), "expected the picture first"));
  EXPECT_TRUE(contains(refusal_of([](RunPlan& plan) { plan.cells[lora].address.pop_back(); }), "64 hexadecimal digits"));
}

TEST(RunPlan, RefusesFilesOutsideTheFoldersOfCells) {
  for (const char* file : {"", "x.png", "/etc/passwd", "../pictures/x.png", "pictures/../../x.png", "pictures", "pictures/",
                           "pictures//x.png", "pictures/./x.png", "pictures/.x.png", "work/x.png", "pictures/a\nb.png"})
    EXPECT_TRUE(contains(refusal_of([&](RunPlan& plan) { plan.cells[first_picture].file = file; }), "a cell's file is")) << file;
}

TEST(RunPlan, CellsOfOneAddressShareAFileAndOthersShareNone) {
  RunPlan plan = small_plan();
  plan.cells.push_back(plan.cells[first_picture]);
  plan.cells.back().arm = 1;
  plan.check_whole("plan.json");

  const auto with_file_of = [](size_t other, const std::string& file) {
    return refusal_of([&](RunPlan& plan) { plan.cells[other].file = file; });
  };
  const RunPlan small = small_plan();
  EXPECT_TRUE(contains(with_file_of(first_picture + 1, small.cells[first_picture].file), "one file for one address"));
  const fs::path picture = small.cells[first_picture].file;
  EXPECT_TRUE(contains(with_file_of(first_picture + 1, fs::path(picture).replace_extension(".jpg")), "would share the file"))
      << "one record for two files";
  EXPECT_TRUE(contains(with_file_of(first_picture + 1, fs::path(picture).replace_extension(".json")), "would share the file"))
      << "the file of one is the other's record";
  EXPECT_TRUE(contains(with_file_of(set_picture, fs::path(picture).replace_extension(".json")), "would share the file"))
      << "the same, in the other order";
  EXPECT_TRUE(contains(with_file_of(first_row, fs::path(picture).replace_extension(".json")), "would share the file"));
}

TEST(PlannedCell, HasItsRecordBesideItsFile) {
  const auto record_of = [](CellStage stage, const std::string& file) {
    PlannedCell cell;
    cell.stage = stage;
    cell.file = file;
    return cell.record_file().string();
  };
  EXPECT_EQ(record_of(CellStage::picture, "pictures/a.b-1a2b3c4d.png"), "pictures/a.b-1a2b3c4d.json");
  EXPECT_EQ(record_of(CellStage::calibration, "calibration/c-1a2b3c4d.json"), "calibration/c-1a2b3c4d.record.json");
  EXPECT_EQ(record_of(CellStage::metrics, "metrics/a-1a2b3c4d.json"), "metrics/a-1a2b3c4d.json");
}

TEST(CellStages, HaveNamesThatReadBack) {
  for (size_t i = 0; i < cell_stages; ++i) {
    const auto stage = static_cast<CellStage>(i);
    EXPECT_EQ(stage_from_name(stage_name(stage), "x"), stage);
  }
  EXPECT_TRUE(
      contains(error_of(ErrorKind::file_format, [] { stage_from_name("lorA", "x.json"); }), "[x.json] got the stage \"lorA\""));
}

TEST(CellRecord, ReadsBackAsItWasWritten) {
  const std::string text = some_record().to_text();
  EXPECT_EQ(CellRecord::from_text(text, "x").to_text(), text);
  EXPECT_EQ(text,
            R"({"address":")" + sha256_hex("x") + R"(","bytes":5,"format":1,"inputs":[{"name":"wrong-t0-1a2b3c4d.safetensors",)" +
                R"("role":"lora","sha256":")" + sha256_hex("l") + R"("}],"processor":"a processor","program_version":"1.2.3",)" +
                R"("recipe":{"steps":2},"sha256":")" + sha256_hex("bytes") +
                R"(","stage":"picture","threads":4,"timings_s":{"denoise":0.25,"total":0.5}})" + "\n");
}

TEST(CellRecord, OfMetricsHasThemToTheLastDigitAndNothingWhereTheySayNothing) {
  CellRecord record = some_record();
  record.stage = CellStage::metrics;
  record.metrics = {{"damage", 0.1 + 0.2}, {"right_object", std::nullopt}, {"tiny", 5e-324}};
  const CellRecord read = CellRecord::from_text(record.to_text(), "x");
  EXPECT_EQ(read.metrics, record.metrics);
  EXPECT_EQ(read.sha256, "");
}

TEST(CellRecord, RefusesNumbersThatAreNone) {
  CellRecord record = some_record();
  record.stage = CellStage::metrics;
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    record.metrics = {{"damage", bad}};
    EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { record.to_text(); }), "damage"));
  }
  record.metrics = {{"damage", 0.5}};
  std::string text = record.to_text();
  text.replace(text.find("0.5", text.find("\"metrics\"")), 3, "NaN");
  EXPECT_TRUE(
      contains(error_of(ErrorKind::file_format, [&] { CellRecord::from_text(text, "x.json"); }), "[x.json] damage: got NaN"));
}

TEST(CellRecord, OfBytesChangedOrCutAnywhereItIsReadOrAnError) {
  const std::string text = some_record().to_text();
  for (size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 6);
    for (const std::string& bad : {changed, text.substr(0, at)}) try {
        CellRecord::from_text(bad, "x");
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      }
  }
}

}  // namespace
}  // namespace negativa
