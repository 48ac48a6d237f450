#include "runs/rating_session.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "base/json.h"
#include "small_run.h"

namespace negativa {
namespace {

RatableSet some_set(const fs::path& folder, const std::vector<std::string>& arms = {"plain", "article"}, int prompts = 12,
                    int seeds = 2) {
  RatableSet set{folder, arms, {}, ""};
  for (size_t arm = 0; arm < arms.size(); ++arm)
    for (int prompt = 0; prompt < prompts; ++prompt)
      for (int seed = 0; seed < seeds; ++seed)
        set.pictures.push_back({arm, "prompt " + std::to_string(prompt), static_cast<uint64_t>(seed),
                                fmt::format("pictures/{}-{}-{}.png", arms[arm], prompt, seed)});
  return set;
}

RatingPlan some_plan(const RatableSet& set, int pairs, uint64_t seed) { return {"aa", "", set.arms, pairs, seed}; }

std::string text_of(const std::vector<PairToRate>& pairs) {
  std::string text;
  for (const auto& pair : pairs) text += pair.left_picture + " " + pair.right_picture + (pair.repeat ? " again\n" : "\n");
  return text;
}

TEST(PairsToShow, FollowFromThePlanAlone) {
  const RatableSet set = some_set("x");
  EXPECT_EQ(text_of(pairs_to_show(set, some_plan(set, 20, 7))), text_of(pairs_to_show(set, some_plan(set, 20, 7))));
  EXPECT_NE(text_of(pairs_to_show(set, some_plan(set, 20, 7))), text_of(pairs_to_show(set, some_plan(set, 20, 8))));
}

TEST(PairsToShow, AreTwoArmsOfOnePromptAndSeedEachOnce) {
  const RatableSet set = some_set("x");
  const auto pairs = pairs_to_show(set, some_plan(set, 24, 1));
  EXPECT_EQ(count_pairs(set), 24u);
  EXPECT_EQ(pairs.size(), 26u);
  std::set<std::string> seen;
  for (const auto& pair : pairs) {
    EXPECT_NE(pair.left_arm, pair.right_arm);
    const auto expected = [&](const std::string& arm) {
      return fmt::format("pictures/{}-{}-{}.png", arm, pair.prompt.substr(7), pair.seed);
    };
    EXPECT_EQ(pair.left_picture, expected(pair.left_arm));
    EXPECT_EQ(pair.right_picture, expected(pair.right_arm));
    if (pair.repeat) continue;
    EXPECT_TRUE(seen.insert(fmt::format("{} {}", pair.prompt, pair.seed)).second);
  }
  EXPECT_EQ(seen.size(), 24u);
}

TEST(PairsToShow, EveryPromptComesBeforeAnyComesTwice) {
  const RatableSet set = some_set("x");
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::set<std::string> prompts;
    for (const auto& pair : pairs_to_show(set, some_plan(set, 12, seed))) prompts.insert(pair.prompt);
    EXPECT_EQ(prompts.size(), 12u) << seed;
  }
}

TEST(PairsToShow, ARepeatIsSwappedComesLaterAndNeverNextToItsFirstShowing) {
  const RatableSet set = some_set("x", {"plain", "article"}, 30, 2);
  for (const int count : {5, 6, 14, 15, 40, 60})
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const auto pairs = pairs_to_show(set, some_plan(set, count, seed));
      ASSERT_EQ(pairs.size(), static_cast<size_t>(count + repeats_of(count)));
      std::map<std::string, size_t> first;  // by picture of the left
      int repeats = 0;
      for (size_t i = 0; i < pairs.size(); ++i) {
        if (!pairs[i].repeat) {
          first[pairs[i].left_picture] = i;
          continue;
        }
        ++repeats;
        const auto found = first.find(pairs[i].right_picture);
        ASSERT_NE(found, first.end()) << "a repeat before its first showing";
        EXPECT_EQ(pairs[found->second].right_picture, pairs[i].left_picture);
        EXPECT_EQ(pairs[found->second].right_arm, pairs[i].left_arm);
        EXPECT_GE(i - found->second, 2u) << "count " << count << ", seed " << seed;
      }
      EXPECT_EQ(repeats, repeats_of(count));
    }
}

TEST(PairsToShow, TheCoinForTheSidesIsFair) {
  const RatableSet set = some_set("x", {"plain", "article"}, 20, 2);
  int left = 0, all = 0;
  for (uint64_t seed = 0; seed < 100; ++seed)
    for (const auto& pair : pairs_to_show(set, some_plan(set, 40, seed))) {
      if (pair.repeat) continue;
      ++all;
      left += pair.left_arm == "plain";
    }
  EXPECT_NEAR(left, all / 2, 4 * std::sqrt(all) / 2);  // four standard deviations of a fair coin
}

TEST(PairsToShow, OfThreeArmsAnyTwoTakeTurns) {
  const RatableSet set = some_set("x", {"a", "b", "c"});
  std::map<std::set<std::string>, int> counts;
  for (const auto& pair : pairs_to_show(set, some_plan(set, 30, 5)))
    if (!pair.repeat) ++counts[{pair.left_arm, pair.right_arm}];
  ASSERT_EQ(counts.size(), 3u);
  for (const auto& [arms, count] : counts) EXPECT_EQ(count, 10);
}

TEST(PairsToShow, OfSeveralTrainingsOneStandsForItsArmAndSharedFilesAreNoPair) {
  RatableSet set = some_set("x", {"plain", "article"}, 2, 1);
  set.pictures.push_back({1, "prompt 0", 0, "pictures/article-0-0-other.png"});
  EXPECT_EQ(count_pairs(set), 2u);
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (const auto& pair : pairs_to_show(set, some_plan(set, 2, seed))) seen.insert({pair.left_picture, pair.right_picture});
  EXPECT_TRUE(seen.contains("pictures/article-0-0-other.png") && seen.contains("pictures/article-0-0.png"));
  set.pictures[3].file = set.pictures[1].file;  // "prompt 1" is the same in both
  EXPECT_EQ(count_pairs(set), 1u);
}

class Rating : public testing::Test {
 protected:
  RatingSession session(const RatingRequest& request = {"Ann", 10}) { return {some_set(folder.path()), request, notice()}; }
  RatingSession::Notice notice() {
    return [this](const std::string& line) { notices.push_back(line); };
  }
  PairRatings read() const { return read_pair_ratings(folder / "ratings.jsonl"); }
  std::string refusal(const RatingRequest& request) {
    return error_of(ErrorKind::input, [&] { session(request); });
  }

  TemporaryFolder folder;
  std::vector<std::string> notices;
};

TEST_F(Rating, KeepsEachAnswerAndGoesOnWhereItWas) {
  std::string third;
  {
    RatingSession first = session();
    EXPECT_EQ(first.shown(), 11u);
    EXPECT_FALSE(first.can_undo());
    first.answer(PairAnswer::left, 1000, 10);
    first.answer(PairAnswer::both_bad, 2000, 20);
    third = first.pair().left_picture + first.pair().right_picture;
  }  // as if killed: nothing is written at the end
  RatingSession again = session({"Ann", {}});
  EXPECT_EQ(again.plan().pairs, 10);
  EXPECT_EQ(again.answered(), 2u);
  EXPECT_EQ(again.index(), 2u);
  EXPECT_EQ(again.pair().left_picture + again.pair().right_picture, third);
  while (!again.is_over()) again.answer(PairAnswer::equal, 3000, 5);
  const PairRatings all = read();
  EXPECT_EQ(all.plans.size(), 1u);
  ASSERT_EQ(all.answers.size(), 11u);
  EXPECT_TRUE(all.notices.empty());
  EXPECT_EQ(std::count_if(all.answers.begin(), all.answers.end(), [](const auto& one) { return one.repeat; }), 1);
  EXPECT_EQ(all.answers[1].answer, PairAnswer::both_bad);
  EXPECT_EQ(all.answers[1].shown_unix_ms, 2000);
  EXPECT_EQ(all.answers[1].taken_ms, 20);
  EXPECT_EQ(all.answers[1].index, 1);
}

TEST_F(Rating, TheLastAnswerAloneIsTakenBack) {
  RatingSession rating = session();
  const std::string first = rating.pair().left_picture;
  rating.answer(PairAnswer::left, 1, 1);
  rating.answer(PairAnswer::left, 2, 1);
  const std::string third = rating.pair().left_picture;
  rating.undo();
  EXPECT_FALSE(rating.can_undo());
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { rating.undo(); }), "no answer to take back"));
  EXPECT_EQ(rating.index(), 1u);
  rating.answer(PairAnswer::right, 3, 1);
  EXPECT_EQ(rating.pair().left_picture, third);
  const PairRatings all = read();
  ASSERT_EQ(all.answers.size(), 2u);
  EXPECT_EQ(all.answers[0].left_picture, first);
  EXPECT_EQ(all.answers[1].answer, PairAnswer::right);
}

TEST_F(Rating, RatersHavePlansOfTheirOwn) {
  std::string ann, ben;
  {
    const RatingSession one = session({"Ann", 10});
    ann = text_of(pairs_to_show(one.set(), one.plan()));
  }
  {
    const RatingSession one = session({"Ben", 10});
    ben = text_of(pairs_to_show(one.set(), one.plan()));
  }
  EXPECT_NE(ann, ben);
  EXPECT_EQ(read().plans.size(), 2u);
  const RatingSession again = session({"Ann", {}});
  EXPECT_EQ(text_of(pairs_to_show(again.set(), again.plan())), ann);
  EXPECT_EQ(read().plans.size(), 2u);
}

TEST_F(Rating, ArmsNamedInAnotherOrderAreTheSamePlan) {
  std::string first;
  {
    const RatingSession one = session();
    first = one.pair().left_picture;
  }
  RatableSet turned = some_set(folder.path(), {"article", "plain"});
  std::reverse(turned.pictures.begin(), turned.pictures.end());
  const RatingSession again(turned, {"Ann", {}}, notice());
  EXPECT_EQ(again.pair().left_picture, first);
}

TEST_F(Rating, TwoAtOnceAreRefusedAndAnyoneCanSeeThatOneIsOpen) {
  EXPECT_FALSE(rating_is_open(folder.path()));
  {
    const RatingSession open = session();
    EXPECT_TRUE(rating_is_open(folder.path()));
    EXPECT_TRUE(contains(refusal({"Ben", {}}), "another rating is open"));
  }
  EXPECT_FALSE(rating_is_open(folder.path()));
  session({"Ben", {}});
}

TEST_F(Rating, WhatIsNoNumberOfPairsOrNoNameIsRefusedBeforeAnythingIsWritten) {
  EXPECT_TRUE(contains(refusal({"Ann", 0}), "[--pairs] got 0"));
  EXPECT_TRUE(contains(refusal({"Ann", 25}), "[--pairs] got 25, expected at most 24"));
  EXPECT_TRUE(contains(refusal({"A\nnn", 10}), "[--rater] has control characters"));
  EXPECT_TRUE(contains(refusal({"A\u202enn", 10}), "[--rater] has control characters"));
  EXPECT_TRUE(contains(refusal({"A\xffnn", 10}), "[--rater] is not UTF-8"));
  EXPECT_TRUE(contains(refusal({"  ", 10}), "[--rater] is nothing but spaces"));
  EXPECT_TRUE(contains(refusal({std::string(101, 'a'), 10}), "[--rater] has 101 bytes"));
  EXPECT_EQ(folder.count_files(), 0u);
}

TEST_F(Rating, AnotherNumberThanWasBegunIsRefused) {
  session({"Ann", 10});
  EXPECT_TRUE(contains(refusal({"Ann", 12}), "Ann has begun 10 of these arms"));
  EXPECT_EQ(session({"", {}}).plan().pairs, 24) << "all, where there are fewer than 40";
}

TEST_F(Rating, PicturesOtherThanThoseRatedAreRefused) {
  session().answer(PairAnswer::left, 1, 1);
  RatableSet changed = some_set(folder.path());
  for (auto& picture : changed.pictures) picture.file += "x";
  EXPECT_TRUE(contains(error_of(ErrorKind::input,
                                [&] {
                                  RatingSession(changed, {"Ann", {}}, notice());
                                }),
                       "Ann has rated other pictures than are there now"));
}

TEST_F(Rating, ACutLineIsShownAgainAndSaid) {
  std::string second;
  {
    RatingSession one = session();
    one.answer(PairAnswer::left, 1, 1);
    second = one.pair().left_picture;
    one.answer(PairAnswer::left, 2, 1);
  }
  const auto file = folder / "ratings.jsonl";
  fs::resize_file(file, fs::file_size(file) - 5);
  RatingSession again = session({"Ann", {}});
  EXPECT_EQ(again.answered(), 1u);
  EXPECT_EQ(again.pair().left_picture, second);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_TRUE(contains(notices[0], "was cut off"));
  again.answer(PairAnswer::right, 3, 1);
  EXPECT_EQ(read().answers.size(), 2u);
}

TEST_F(Rating, AFileOfSomethingElseIsNotAddedTo) {
  for (const std::string other : {"{\"sha256\": \"aa\", \"rating\": 3}\n", "\n", "PNG\nmore\n"}) {
    replace_file(folder / "ratings.jsonl", other);
    EXPECT_TRUE(contains(refusal({"Ann", 10}), "is no file of rated pairs")) << other;
    EXPECT_EQ(read_file(folder / "ratings.jsonl"), other);
  }
  replace_file(folder / "ratings.jsonl", "{\"kind\": \"pl");  // killed at its first line
  EXPECT_EQ(session({"Ann", 10}).plan().pairs, 10);
  EXPECT_EQ(read().plans.size(), 1u);
}

TEST_F(Rating, AFolderInThePlaceOfTheRatingsIsRefused) {
  fs::create_directory(folder / "ratings.jsonl");
  EXPECT_TRUE(contains(refusal({"Ann", 10}), "ratings.jsonl] cannot be written"));
}

TEST(RatableRun, HasTheArmsOfThePlannedComparison) {
  const SmallRun run;
  EventSink events;
  const RatableSet set = ratable_run(run.folder.path(), {}, events);
  EXPECT_EQ(set.arms, (std::vector<std::string>{"article", "plain"}));
  ASSERT_EQ(set.pictures.size(), 4u);
  EXPECT_EQ(set.pictures[0].arm, 1u);
  EXPECT_EQ(set.pictures[0].prompt, "frog, \"green\"");
  EXPECT_EQ(set.pictures[0].seed, 5u);
  EXPECT_EQ(set.pictures[0].file, run.cell(first_picture).file);
  EXPECT_EQ(set.verdict_command, "negativa experiment report " + run.folder.path().string());
  EXPECT_EQ(count_pairs(set), 2u);
}

TEST(RatableRun, RefusesWhatIsNoRunAndArmsThatAreNone) {
  const SmallRun run;
  EventSink events;
  const auto refusal = [&](const fs::path& folder, const std::vector<std::string>& arms) {
    return error_of(ErrorKind::input, [&] { ratable_run(folder, arms, events); });
  };
  EXPECT_TRUE(contains(refusal(run.folder.path(), {"plain", "artcle"}), "no arm \"artcle\"; did you mean article?"));
  EXPECT_TRUE(contains(refusal(run.folder.path(), {"plain"}), "got plain alone"));
  EXPECT_TRUE(contains(refusal(run.folder.path(), {"plain", "plain"}), "names an arm twice"));
  EXPECT_TRUE(contains(refusal(run.folder / "none", {}), "does not exist"));
  EXPECT_TRUE(contains(refusal(run.folder / "pictures", {}), "has no plan.json"));
}

TEST(RatableRun, RefusesPicturesThatAreMissingOrDamaged) {
  const SmallRun run;
  EventSink events;
  const auto refusal = [&] { return error_of(ErrorKind::input, [&] { ratable_run(run.folder.path(), {}, events); }); };
  fs::remove(run.record_file(first_row));  // what is measured of them does not count
  EXPECT_EQ(ratable_run(run.folder.path(), {}, events).pictures.size(), 4u);
  const std::string before = read_file(run.file(first_picture));
  replace_file(run.file(first_picture), "x");
  EXPECT_TRUE(contains(refusal(), run.file(first_picture).string()));
  fs::remove(run.file(first_picture));
  fs::remove(run.record_file(first_picture));
  EXPECT_TRUE(contains(refusal(), "1 of 2 pictures of the arm plain are not drawn")) << refusal();
}

class FolderPair : public testing::Test {
 protected:
  void SetUp() override {
    write("a", {{{"file_name", "0.png"}, {"text", "frog"}, {"seed", 1}}, {{"file_name", "1.png"}, {"text", "fox"}, {"seed", 2}}});
    write("sub/b", {{{"file_name", "0.png"}, {"text", "fox"}, {"seed", 2}},
                    {{"file_name", "1.png"}, {"text", "frog"}, {"seed", 9}},
                    {{"file_name", "1.png"}, {"text", "no seed"}}});
  }
  void write(const std::string& name, const std::vector<Json>& lines) const {
    fs::create_directories(folder / name);
    std::ofstream list(folder / name / "metadata.jsonl");
    for (const auto& line : lines) list << line.dump() << "\n";
    for (const char* picture : {"0.png", "1.png"}) std::ofstream(folder / name / picture) << name << picture;
  }
  std::string refusal(const std::string& a, const std::string& b) const {
    return error_of(ErrorKind::input, [&] { ratable_folders(folder / a, folder / b); });
  }
  const TemporaryFolder folder;
};

TEST_F(FolderPair, ArePairedByPromptAndSeedAndRatedWhereBothLie) {
  const RatableSet set = ratable_folders(folder / "a", folder / "sub/b");
  EXPECT_EQ(set.folder, fs::canonical(folder.path()));
  EXPECT_EQ(set.arms, (std::vector<std::string>{"a", "sub/b"}));
  EXPECT_EQ(set.pictures.size(), 4u);
  EXPECT_EQ(count_pairs(set), 1u);
  const RatingSession rating(set, {}, [](const std::string&) {});
  EXPECT_EQ(rating.shown(), 1u);
  EXPECT_EQ((std::set<std::string>{rating.pair().left_picture, rating.pair().right_picture}),
            (std::set<std::string>{"a/1.png", "sub/b/0.png"}));
}

TEST_F(FolderPair, RefusesWhatIsNone) {
  EXPECT_TRUE(contains(refusal("a", "none"), "is no folder"));
  EXPECT_TRUE(contains(refusal("a", "a"), "is named twice"));
  EXPECT_TRUE(contains(refusal("sub", "sub/b"), "lies within the other"));
  fs::create_directory(folder / "empty");
  EXPECT_TRUE(contains(refusal("a", "empty"), "has no metadata.jsonl"));
  write("twice",
        {{{"file_name", "0.png"}, {"text", "frog"}, {"seed", 1}}, {{"file_name", "1.png"}, {"text", "frog"}, {"seed", 1}}});
  EXPECT_TRUE(contains(refusal("a", "twice"), "is a second picture of \"frog\" with seed 1"));
  write("out", {{{"file_name", "../a/0.png"}, {"text", "frog"}, {"seed", 1}}});
  EXPECT_TRUE(contains(refusal("a", "out"), "expected a file below the folder"));
  write("gone", {{{"file_name", "7.png"}, {"text", "frog"}, {"seed", 1}}});
  EXPECT_TRUE(contains(refusal("a", "gone"), "there is no 7.png"));
  write("other", {{{"file_name", "0.png"}, {"text", "owl"}, {"seed", 1}}});
  const RatableSet apart = ratable_folders(folder / "a", folder / "other");
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { RatingSession(apart, {}, [](const std::string&) {}); }),
                       "no two pictures of one prompt and seed"));
}

}  // namespace
}  // namespace negativa
