// The page of a run folder: whole, hostile, partial and damaged ones.
#include "report/page.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "image/image.h"
#include "made_run.h"
#include "report/html.h"

namespace negativa {

namespace {

constexpr const char* hostile = R"x(</script><img src=x onerror="alert(1)">'&<!--)x";
constexpr const char* right_to_left = "\u202eتفاحة حمراء";

std::string png_of(const PlannedCell& cell) {
  const auto shade = [&](int number) { return static_cast<uint8_t>(40 * (number + 2) % 256); };
  return encode_png(Image8::filled(8, 8, {shade(cell.arm), shade(cell.prompt), shade(cell.training)}));
}

Values plausible(const RunPlan&, const PlannedCell& picture) {
  const double spread = 0.01 * ((picture.prompt * 7 + picture.arm * 3 + picture.training * 5 + picture.replicate) % 5 - 2);
  return {{"damage", 0.5 - 0.05 * picture.arm + spread},
          {"right_object", 0.8 - 0.1 * picture.arm + spread},
          {"damage_blurry", 0.2 + 0.05 * picture.arm + spread},
          {"damage_ugly", 0.1 + spread}};
}

RunPlan page_plan() {
  auto prompts = made_prompts(6, 2);
  prompts[1].text = hostile;
  prompts[2].text = right_to_left;
  prompts[3].text = "赤いリンゴ " + std::string(400, 'w');
  prompts[1].group = "<b>food</b>";
  RunPlan plan = made_plan(std::move(prompts), {{"nothing"},
                                                {"word"},
                                                {"article", 3},
                                                {"<i>odd</i>", 3},
                                                {"cfg/nothing/8", 0, "cfg", "nothing", {{"cfg_scale", "8"}}},
                                                {"cfg/article/8", 1, "cfg", "article", {{"cfg_scale", "8"}}}});
  plan.analysis.secondary = {"article - word", "word - nothing"};
  return plan;
}

Page page_of(const MadeRun& run, const PageOptions& options = {}) {
  const RunRecords records = run.records();
  return make_page(run.store, run.plan(), records, analyse(run.plan(), records), options);
}

// The script's data, as the page has it.
Json data_of(const std::string& html) {
  const std::string begin = R"(<script type="application/json" id="run-data">)";
  const size_t from = html.find(begin) + begin.size(), to = html.find("</script>", from);
  return parse_json(html.substr(from, to - from), "data of the page");
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

void replace(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

std::map<std::string, std::string> all_files(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[entry.path().lexically_relative(folder)] = read_file(entry.path());
  return files;
}

void restore(const fs::path& folder, const std::map<std::string, std::string>& files) {
  for (const auto& [name, bytes] : files) {
    if (fs::exists(folder / name) && read_file(folder / name) == bytes) continue;
    fs::create_directories((folder / name).parent_path());
    replace(folder / name, bytes);
  }
}

const PlannedCell& first_of(const MadeRun& run, CellStage stage, const std::string& arm = "nothing") {
  for (const auto& cell : run.plan().cells)
    if (cell.stage == stage && (cell.arm < 0 || run.plan().arms[static_cast<size_t>(cell.arm)].name == arm)) return cell;
  throw std::logic_error("no such cell");
}

}  // namespace

TEST(Html, TextAndAttributesAreEscapedAndBytesThatAreNoTextReplaced) {
  EXPECT_EQ(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escaped("\x01\xff"), "\uFFFD\uFFFD");
  EXPECT_EQ(escaped("é赤"), "é赤");
  EXPECT_EQ(Html().element("p", "<", {{"title", "\"x\" onload='y'"}}).take(),
            "<p title=\"&quot;x&quot; onload=&#39;y&#39;\">&lt;</p>");
  EXPECT_EQ(script_safe("\"</script>&\xe2\x80\xa8\""), R"("\u003c/script\u003e\u0026\u2028")");
}

TEST(Html, Base64IsRfc4648s) {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) EXPECT_EQ(base64(bytes), text);
}

TEST(Page, HasTheAnswerInTheOrderOfAReadersQuestions) {
  const MadeRun run(page_plan(), plausible, {}, png_of);
  const std::string html = page_of(run).html;
  size_t at = 0;
  for (const char* id : {"verdict", "worse", "pictures", "comparisons", "arms", "sweeps", "damages", "groups", "training",
                         "calibration", "test-runs", "methods"}) {
    const size_t found = html.find(fmt::format("<section id=\"{}\"", id));
    ASSERT_NE(found, std::string::npos) << id;
    EXPECT_GT(found, at) << id;
    at = found;
  }
  EXPECT_TRUE(contains(html, "article has ")) << html.substr(html.find("<section id=\"verdict\""), 400);
  EXPECT_TRUE(contains(html, run.plan().hash()));
  EXPECT_FALSE(contains(html, "This run is not whole"));
}

TEST(Page, WhatPeopleWroteIsInertWhereverItStands) {
  const MadeRun run(page_plan(), plausible, {}, png_of);
  for (const bool keep : {false, true}) {
    PageOptions options;
    options.keep = keep;
    const std::string html = page_of(run, options).html;
    EXPECT_FALSE(contains(html, "<img src=x"));
    EXPECT_FALSE(contains(html, "<i>odd"));
    EXPECT_FALSE(contains(html, "<b>food"));
    EXPECT_EQ(count_of(html, "<script"), 2u);
    EXPECT_EQ(count_of(html, "</script>"), 2u);
    const Json data = data_of(html);
    EXPECT_EQ(data["prompts"][1]["text"].get<std::string>(), hostile);
    EXPECT_EQ(data["prompts"][2]["text"].get<std::string>(), right_to_left);
    EXPECT_EQ(data["arms"][3]["name"].get<std::string>(), "<i>odd</i>");
  }
}

TEST(Page, LoadsNothingFromElsewhereAndAKeptOneLinksNothing) {
  const MadeRun run(page_plan(), plausible, {}, png_of);
  PageOptions options;
  options.keep = true;
  const std::string linked = page_of(run).html, kept = page_of(run, options).html;
  for (const auto& html : {linked, kept}) {
    EXPECT_FALSE(contains(html, "http://"));
    EXPECT_FALSE(contains(html, "https://"));
    EXPECT_TRUE(contains(html, "default-src &#39;none&#39;"));
  }
  EXPECT_FALSE(contains(kept, "pictures/"));
  EXPECT_LE(kept.size(), most_kept_bytes);
  const Json data = data_of(kept);
  EXPECT_EQ(data["pictures"].size(), 6u * 4);  // all six prompts, the four arms, one training and seed of each
  const std::string source = data["pictures"][0][5].get<std::string>();
  EXPECT_EQ(source, "data:image/png;base64," + base64(png_of(run.plan().cells[3])));
}

TEST(Page, PicturesAreLinkedWithTheirNumbers) {
  const MadeRun run(page_plan(), plausible, {}, png_of);
  const Page page = page_of(run);
  EXPECT_EQ(page.pictures, run.records().pictures.size());
  const Json data = data_of(page.html);
  ASSERT_EQ(data["pictures"].size(), page.pictures);
  const Json& first = data["pictures"][0];
  EXPECT_TRUE(fs::exists(run.folder / first[5].get<std::string>()));
  EXPECT_EQ(first[7].get<int>(), 8);
  EXPECT_DOUBLE_EQ(first[9][0].get<double>(), 0.48);
}

TEST(Page, LargePicturesGoInAsThumbnailsThatStay) {
  const auto large = [](const PlannedCell& cell) {
    return encode_png(Image8::filled(300, 150, {static_cast<uint8_t>(cell.prompt), 9, 9}));
  };
  const MadeRun run(made_plan(made_prompts(2, 1), {{"nothing"}, {"article", 1}}), plausible, {}, large);
  const Json data = data_of(page_of(run).html);
  const fs::path thumbnail = run.folder / data["pictures"][0][5].get<std::string>();
  const Image8 shrunk = read_png(thumbnail).image;
  EXPECT_EQ(shrunk.width, 192);
  EXPECT_EQ(shrunk.height, 96);
  EXPECT_EQ(data["pictures"][0][7].get<int>(), 300);
  const auto before = fs::last_write_time(thumbnail);
  page_of(run);
  EXPECT_EQ(fs::last_write_time(thumbnail), before);
}

TEST(Page, IsTheSameBytesForTheSameFolder) {
  const MadeRun run(page_plan(), plausible, {}, png_of);
  PageOptions options;
  options.keep = true;
  EXPECT_EQ(page_of(run).html, page_of(run).html);
  EXPECT_EQ(page_of(run, options).html, page_of(run, options).html);
}

// Ten kinds of folders that are not whole: what is missing is said, the rest stays right.
TEST(Page, OfAPartialOrDamagedFolderSaysWhatIsMissingAndIsRightAboutTheRest) {
  const MadeRun run(page_plan(), plausible, {}, png_of);
  const auto whole = all_files(run.folder.path());
  const std::string whole_page = page_of(run).html;
  const std::string whole_mean = whole_page.substr(whole_page.find("article has "), 40);
  struct Kind {
    std::string what, said;
    std::function<void(const MadeRun&)> damage;
    bool same_verdict = true;
  };
  const auto remove = [](const fs::path& file) { EXPECT_TRUE(fs::remove(file)) << file; };
  const std::vector<Kind> kinds = {
      {"a picture is gone", "missing: 1 picture of 12 in the arm nothing",
       [&](const MadeRun& run) { remove(run.store.path(first_of(run, CellStage::picture))); }},
      {"a picture was cut short", "has 5 bytes, its record says",
       [&](const MadeRun& run) { replace(run.store.path(first_of(run, CellStage::picture)), "\x89PNG\r"); }},
      {"a picture was changed", "does not have the SHA-256",
       [&](const MadeRun& run) {
         const auto file = run.store.path(first_of(run, CellStage::picture));
         std::string bytes = read_file(file);
         bytes.back() = static_cast<char>(bytes.back() ^ 1);
         replace(file, bytes);
       }},
      {"a picture's record is no JSON", "damaged: ",
       [&](const MadeRun& run) { replace(run.folder.path() / first_of(run, CellStage::picture).record_file(), "{"); }},
      {"a row of metrics is gone", "missing: 1 row of metrics of 12 in the arm word",
       [&](const MadeRun& run) { remove(run.store.path(first_of(run, CellStage::metrics, "word"))); }},
      {"a row of metrics is another cell's", "is the record of another cell",
       [&](const MadeRun& run) {
         const auto& cells = run.plan().cells;
         const PlannedCell& last = cells.back();
         replace(run.store.path(first_of(run, CellStage::metrics, "word")), read_file(run.store.path(last)));
       }},
      {"a LoRA is gone", "missing: 1 lora of 3",
       [&](const MadeRun& run) { remove(run.store.path(first_of(run, CellStage::lora))); }},
      {"all metrics of an arm are gone", "missing: 12 rows of metrics of 12 in the arm word",
       [&](const MadeRun& run) {
         for (const auto& cell : run.plan().cells)
           if (cell.stage == CellStage::metrics && cell.arm == 1) remove(run.store.path(cell));
       }},
      {"the folder of pictures is gone", "missing: 12 pictures of 12 in the arm nothing",
       [&](const MadeRun& run) { fs::remove_all(run.folder / names::pictures_folder); }},
      {"a row of the primary's arm is gone", "The run is not whole: 33 pairs of 36 are in it.",
       [&](const MadeRun& run) { remove(run.store.path(first_of(run, CellStage::metrics))); }, false},
  };
  for (const auto& kind : kinds) {
    SCOPED_TRACE(kind.what);
    kind.damage(run);
    const std::string html = page_of(run).html;
    restore(run.folder.path(), whole);
    EXPECT_TRUE(contains(html, "This run is not whole"));
    EXPECT_TRUE(contains(html, escaped(kind.said)));
    EXPECT_EQ(contains(html, whole_mean), kind.same_verdict);
  }
}

TEST(Page, OfAPictureThatIsNoPngSaysSoAndShowsTheOthers) {
  const MadeRun run(page_plan(), plausible, {},
                    [](const PlannedCell& cell) { return cell.prompt == 0 ? std::string("no picture") : png_of(cell); });
  const Page page = page_of(run);
  EXPECT_EQ(page.pictures, run.records().pictures.size() * 5 / 6);
  ASSERT_FALSE(page.notices.empty());
  EXPECT_TRUE(contains(page.notices[0], "is no PNG")) << page.notices[0];
}

TEST(Page, OfANewRunHasNothingAndSaysSo) {
  const MadeRun run(page_plan(), plausible, [](const PlannedCell&) { return true; });
  const std::string html = page_of(run).html;
  EXPECT_TRUE(contains(html, "No verdict yet"));
  EXPECT_TRUE(contains(html, "Nothing was measured yet"));
}

TEST(Page, TellsLossesCalibrationAndTestRuns) {
  RunPlan plan = page_plan();
  plan.counts_test_run = true;
  const MadeRun run(plan, plausible, {}, png_of);
  fs::create_directories(run.folder / "work/wrong-t0-12345678.run");
  replace(run.folder / "work/wrong-t0-12345678.run/losses.csv",
          "step,loss,learning_rate,gradient_norm\n1,0.5,1e-4,1\n2,0.25,1e-4,1\n");
  PageOptions options;
  options.test_runs = 3;
  options.calibration_json =
      R"({"judge":"the judge","model":"emoji","damages":[{"damage":"blurry","auc_reference":0.991,"auc_drawn":0.913}]})";
  const std::string html = page_of(run, options).html;
  for (const char* part : {"wrong-t0-12345678", "0.2500", "3 runs of plans", "0.913", "Judge the judge"})
    EXPECT_TRUE(contains(html, part)) << part;
  options.calibration_json = "{";
  EXPECT_TRUE(contains(page_of(run, options).html, "The calibration cannot be read"));
}

}  // namespace negativa
