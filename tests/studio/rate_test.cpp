// The page on which pairs are rated: nothing that is sent tells whose a picture is, and nothing else is served beside it.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "../base/temporary_folder.h"
#include "base/file_lock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/split_mix.h"
#include "image/image.h"
#include "rate_server.h"
#include "studio_program.h"
#include "web/http_client.h"

namespace negativa::test {

namespace {

namespace fs = std::filesystem;

// Pictures of the arm "plain" are of one colour and large files of the arm "busy" are noise: their own files differ in all that
// can differ.
class RateServer : public ::testing::Test {
 protected:
  static constexpr int prompts = 12;

  RateServer() {
    fs::create_directories(folder / "pictures");
    set.folder = folder.path();
    set.arms = {"plain", "busy"};
    for (size_t arm = 0; arm < 2; ++arm)
      for (int i = 0; i < prompts; ++i) {
        set.pictures.push_back({arm, fmt::format("<b>frog</b> & {}", i), uint64_t{7}, file_of(arm, i)});
        write(arm, i);
      }
    begin();
  }

  static std::string file_of(size_t arm, int i) { return fmt::format("pictures/{}-{}.png", arm == 0 ? "plain" : "busy", i); }
  void write(size_t arm, int i) const {
    Image8 image = Image8::filled(64, 64, {static_cast<uint8_t>(20 * i), 100, 50});
    SplitMix random(static_cast<uint64_t>(i));
    if (arm == 1)
      for (auto& byte : image.rgb) byte = static_cast<uint8_t>(random.next());
    write_atomically(folder / file_of(arm, i), encode_png(image, {{"parameters", "the arm is " + set.arms[arm]}}));
  }

  void begin() {
    client.reset();
    server.reset();
    session.reset();  // gives its lock back before the next one takes it
    const auto note = [this](const std::string& line) { notices.push_back(line); };
    session = std::make_unique<RatingSession>(set, RatingRequest{"", 10}, note);
    server = std::make_unique<studio::RateServer>(*session, studio::RateSettings{}, note);
    client = std::make_unique<HttpClient>(server->port());
    token = "Authorization: Bearer " + server->url().substr(server->url().find('=') + 1);
  }

  Answer get(const std::string& path) { return client->get(path, {token}); }
  Answer post(const std::string& path, const Json& body) {
    return client->send("POST", "/api/v1/rating/" + path, {token, "Content-Type: application/json"}, body.dump());
  }
  Json state() { return parse_json(get("/api/v1/rating").body, "state"); }
  Answer picture(const Json& state, const char* side) { return get("/api/v1/rating/pictures/" + state[side].get<std::string>()); }
  Answer answer(const Json& state, const std::string& word) {
    picture(state, "left");
    picture(state, "right");
    return post("answer", {{"showing", state["showing"]}, {"answer", word}, {"taken_ms", 250}});
  }
  PairRatings kept() const { return read_pair_ratings(folder / pair_ratings_file); }

  TemporaryFolder folder;
  RatableSet set;
  std::vector<std::string> notices;
  std::unique_ptr<RatingSession> session;
  std::unique_ptr<studio::RateServer> server;
  std::unique_ptr<HttpClient> client;
  std::string token;
};

}  // namespace

TEST_F(RateServer, BothPicturesOfAPairAreSentAlike) {
  std::set<std::string> names, sides_of_plain;
  for (Json now = state(); !now["over"]; now = parse_json(answer(now, "equal").body, "state")) {
    const Answer left = picture(now, "left"), right = picture(now, "right");
    ASSERT_EQ(left.status, 200);
    EXPECT_EQ(left.body.size(), right.body.size());
    EXPECT_EQ(left.headers, right.headers);
    EXPECT_EQ(left.headers.at("cache-control"), "no-store");
    for (const char* telling : {"etag", "last-modified", "content-disposition", "date"})
      EXPECT_FALSE(left.headers.contains(telling)) << telling;
    const bool plain_is_left = session->pair().left_arm == "plain";
    sides_of_plain.insert(plain_is_left ? "left" : "right");
    for (const auto& [side, picture] :
         {std::pair(&left, session->pair().left_picture), {&right, session->pair().right_picture}}) {
      const PngFile sent = decode_png(side->body, "sent");
      EXPECT_TRUE(sent.text.empty());
      EXPECT_EQ(sent.image, read_png(folder / picture).image);
    }
    for (const char* key : {"left", "right", "showing"}) {
      const auto name = now[key].get<std::string>();
      EXPECT_EQ(name.size(), 32u);
      EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), std::string::npos);
      EXPECT_TRUE(names.insert(name).second) << "a name is used once";
    }
  }
  EXPECT_EQ(sides_of_plain.size(), 2u);
  EXPECT_EQ(names.size(), 33u);
}

TEST_F(RateServer, NoAnswerNamesArmFileOrRepeat) {
  Json now = state();
  for (int i = 0; i < 11; ++i) {
    const Answer said = get("/api/v1/rating");
    for (const char* telling : {"plain", "busy", "repeat", "arm", "png", "seed", "verdict"})
      EXPECT_EQ(said.body.find(telling), std::string::npos) << said.body;
    EXPECT_EQ(now.size(), 9u) << now;
    now = parse_json(answer(now, "left").body, "state");
  }
  EXPECT_TRUE(now["over"]);
}

TEST_F(RateServer, ServesNothingElse) {
  for (const char* path :
       {"/api/v1/runs", "/api/v1/pictures", "/api/v1/status", "/api/v1/jobs", "/api/v1/openapi.json", "/main.js", "/gallery.js",
        "/ratings.jsonl", "/pictures/plain-0.png", "/api/v1/rating/pictures/plain-0.png"})
    EXPECT_EQ(get(path).status, 404) << path;
  EXPECT_EQ(get("/api/v1/rating/pictures/../../pictures/plain-0.png").status / 100, 4);
  for (const char* path : {"/", "/rate.js", "/dom.js", "/style/base.css", "/style/rate.css", "/icon.svg"})
    EXPECT_EQ(get(path).status, 200) << path;
  for (const char* path : {"/", "/api/v1/rating"}) EXPECT_EQ(client->get(path).status, 401) << path;
}

TEST_F(RateServer, AnAnswerIsKeptBeforeTheNextPairIsShown) {
  const Json first = state();
  const PairToRate shown = session->pair();
  const Json second = parse_json(answer(first, "both_bad").body, "state");
  EXPECT_EQ(second["answered"], 1);
  EXPECT_NE(second["showing"], first["showing"]);
  ASSERT_EQ(kept().answers.size(), 1u);
  const PairRating rating = kept().answers[0];
  EXPECT_EQ(rating.answer, PairAnswer::both_bad);
  EXPECT_EQ(rating.left_picture, shown.left_picture);
  EXPECT_EQ(rating.right_arm, shown.right_arm);
  EXPECT_EQ(rating.taken_ms, 250);
  EXPECT_GT(rating.shown_unix_ms, 1'600'000'000'000);
  EXPECT_EQ(picture(first, "left").status, 404) << "what was shown is gone";
}

TEST_F(RateServer, AnAnswerBeforeBothPicturesWereSentIsRefused) {
  const Json now = state();
  const Json given = {{"showing", now["showing"]}, {"answer", "left"}, {"taken_ms", 0}};
  EXPECT_EQ(post("answer", given).status, 409);
  picture(now, "left");
  EXPECT_EQ(post("answer", given).status, 409);
  EXPECT_TRUE(kept().answers.empty());
  picture(now, "right");
  EXPECT_EQ(post("answer", given).status, 200);
}

TEST_F(RateServer, AnAnswerToAnotherPairIsRefused) {
  const Json first = state();
  ASSERT_EQ(answer(first, "left").status, 200);
  EXPECT_EQ(answer(first, "left").status, 409) << "given twice, as by two tabs";
  EXPECT_EQ(kept().answers.size(), 1u);
}

TEST_F(RateServer, WhatIsNoAnswerIsRefusedInOneLine) {
  const Json now = state();
  picture(now, "left");
  picture(now, "right");
  const auto name = now["showing"];
  for (const Json& given :
       {Json{{"showing", name}, {"answer", "best"}, {"taken_ms", 1}}, Json{{"showing", name}, {"answer", "left"}},
        Json{{"showing", name}, {"answer", "left"}, {"taken_ms", -1}},
        Json{{"showing", name}, {"answer", "left"}, {"taken_ms", 1e18}},
        Json{{"showing", name}, {"answer", "left"}, {"taken_ms", 1}, {"arm", "plain"}}, Json::array()}) {
    const Answer refused = post("answer", given);
    EXPECT_EQ(refused.status, 400) << given;
    EXPECT_FALSE(parse_json(refused.body, "refusal")["error"]["message"].get<std::string>().empty());
  }
  EXPECT_TRUE(kept().answers.empty());
}

TEST_F(RateServer, TheLastAnswerIsTakenBackOnceAndItsPairComesUnderNewNames) {
  const Json first = state();
  const std::string prompt = first["prompt"];
  EXPECT_FALSE(first["can_undo"]);
  EXPECT_EQ(post("undo", {{"showing", first["showing"]}}).status, 400);
  const Json second = parse_json(answer(first, "left").body, "state");
  EXPECT_TRUE(second["can_undo"]);
  const Json again = parse_json(post("undo", {{"showing", second["showing"]}}).body, "state");
  EXPECT_EQ(again["prompt"], prompt);
  EXPECT_NE(again["left"], first["left"]);
  EXPECT_FALSE(again["can_undo"]);
  EXPECT_TRUE(kept().answers.empty());
}

TEST_F(RateServer, AfterARestartTheSamePairIsShownAndTheEndStaysTheEnd) {
  Json now = parse_json(answer(state(), "left").body, "state");
  const std::string prompt = now["prompt"];
  const PairToRate shown = session->pair();
  begin();
  EXPECT_EQ(state()["prompt"], prompt);
  EXPECT_EQ(session->pair().left_picture, shown.left_picture);
  for (now = state(); !now["over"]; now = parse_json(answer(now, "right").body, "state")) {
  }
  EXPECT_TRUE(server->is_over());
  EXPECT_EQ(post("answer", {{"showing", ""}, {"answer", "left"}, {"taken_ms", 1}}).status, 409);
  EXPECT_EQ(post("undo", {{"showing", ""}}).status, 200);
  EXPECT_FALSE(server->is_over());
}

TEST_F(RateServer, WhyAPictureCannotBeShownGoesToTheTerminalAlone) {
  ASSERT_EQ(answer(state(), "left").status, 200);
  for (size_t arm = 0; arm < 2; ++arm)
    for (int i = 0; i < prompts; ++i) std::ofstream(folder / file_of(arm, i), std::ios::trunc) << "broken";
  begin();
  const Answer refused = get("/api/v1/rating");
  EXPECT_EQ(refused.status, 400);
  for (const char* telling : {"plain", "busy", "pictures/"})
    EXPECT_EQ(refused.body.find(telling), std::string::npos) << refused.body;
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].find("pictures/"), std::string::npos) << notices[0];
  for (size_t arm = 0; arm < 2; ++arm)
    for (int i = 0; i < prompts; ++i) write(arm, i);
  EXPECT_EQ(state()["answered"], 1);
}

// A studio whose library has a run and pictures, beside which a person rates.
TEST(StudioBesideARating, ClosesWhatIsRatedForAsLongAsItIsOpen) {
  StudioProgram studio;
  const fs::path library = studio.place() / "library", run = library / "runs/mine";
  fs::create_directories(run / "pictures");
  const std::string picture = encode_png(Image8::filled(4, 4, white), {{"parameters", "x"}});
  write_atomically(run / "pictures/plain-frog.png", picture);
  write_atomically(run / "report.html", "<p>plain</p>");
  const Answer taken = studio.send("POST", "pictures?name=mine.png", "application/octet-stream", picture);
  ASSERT_EQ(taken.status, 201) << taken.body;
  const std::string own = "pictures/" + parse_json(taken.body, "answer")["name"].get<std::string>();
  // Rounds that go on from the run: their page shows the run's pictures too.
  const fs::path rounds = run / "rounds/people/run";
  fs::create_directories(rounds / "pictures");
  write_atomically(rounds / "pictures/round-0-frog.png", picture);
  write_atomically(run / "rounds/rounds.html", "<p>plain</p>");
  const std::vector<std::string> of_run = {"runs/mine/files/report.html", "runs/mine/files/pictures/plain-frog.png",
                                           "runs/mine/files/rounds/rounds.html",
                                           "runs/mine/files/rounds/people/run/pictures/round-0-frog.png"};
  const std::vector<std::string> of_gallery = {"pictures",         own,           own + "/image",
                                               own + "/thumbnail", own + "/text", "files/" + own};
  const auto expect_all = [&](const std::vector<std::string>& paths, int status) {
    for (const auto& path : paths) {
      const Answer answer = studio.get_bytes(path);
      EXPECT_EQ(answer.status, status) << path << " " << answer.body;
      if (status != 409) continue;
      EXPECT_NE(answer.body.find("negativa rate has ended"), std::string::npos) << answer.body;
      EXPECT_EQ(answer.body.find("plain"), std::string::npos);
    }
  };
  expect_all(of_run, 200);
  expect_all(of_gallery, 200);
  {
    const FileLock open(run / pair_ratings_file, "held");
    expect_all(of_run, 409);
    expect_all({"runs/mine"}, 409);
    expect_all(of_gallery, 200);
    const Answer refused = studio.post("ask/experiment-status", R"({"run": "runs/mine"})");
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.body.find("is being rated"), std::string::npos) << refused.body;
  }
  expect_all(of_run, 200);
  {
    const FileLock open(rounds / pair_ratings_file, "held");
    expect_all(of_run, 409);
  }
  const FileLock open(library / "pictures" / pair_ratings_file, "held");
  expect_all(of_gallery, 409);
  expect_all(of_run, 200);
}

}  // namespace negativa::test
