// The webui's API as its clients meet it: a running studio with --api.
#include <gtest/gtest.h>

#include <chrono>
#include <list>
#include <thread>

#include "base/files.h"
#include "sdapi_client.h"

namespace negativa::test {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr const char* secret = "hunter2-correct-horse";

struct Address {
  const char *method, *name;
};
constexpr Address addresses[] = {{"POST", "txt2img"},
                                 {"POST", "img2img"},
                                 {"GET", "progress"},
                                 {"POST", "interrupt"},
                                 {"GET", "options"},
                                 {"POST", "options"},
                                 {"POST", "png-info"},
                                 {"GET", "samplers"},
                                 {"GET", "schedulers"},
                                 {"GET", "sd-models"},
                                 {"GET", "sd-vae"},
                                 {"GET", "loras"},
                                 {"GET", "embeddings"},
                                 {"GET", "upscalers"},
                                 {"GET", "latent-upscale-modes"},
                                 {"GET", "scripts"},
                                 {"POST", "refresh-vae"},
                                 {"POST", "refresh-checkpoints"},
                                 {"POST", "refresh-embeddings"},
                                 {"POST", "refresh-loras"}};

void expect_in_no_file(const std::string& text, const fs::path& folder) {
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(read_file(entry.path()).find(text), std::string::npos) << entry.path();
  }
  EXPECT_GT(files, 5u);
}

std::vector<std::string> bad_bodies() {
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  std::vector<std::string> bad = {"{", "[]", "null", "", deep, "{\"x\":" + deep + "}", "{\"prompt\":\"\xff\"}"};
  for (const char* fields : {R"("prompt":1)",
                             R"("steps":0)",
                             R"("steps":"4")",
                             R"("steps":4.5)",
                             R"("seed":-2)",
                             R"("seed":1.5)",
                             R"("seed":18446744073709551616)",
                             R"("seed":18446744073709551615,"n_iter":2)",
                             R"("width":65)",
                             R"("width":1000000000)",
                             R"("n_iter":0)",
                             R"("n_iter":11,"batch_size":10)",
                             R"("batch_size":-1)",
                             R"("cfg_scale":"high")",
                             R"("cfg_scale":1e999)",
                             R"("enable_hr":1)",
                             R"("sampler_name":"Eulr a")",
                             R"("sampler_index":"UniPC")",
                             R"("scheduler":"x")",
                             R"("prompt":"<lora:wrnog:1>")",
                             R"("prompt":"<lora:../wrong:1>")",
                             R"("negative_prompt":"<lora:wrong:x>")",
                             R"("script_name":"x/y/z plot")",
                             R"("override_settings":[])",
                             R"("override_settings":{"sd_model_checkpoint":"/etc/passwd"})",
                             R"("override_settings":{"sd_vae":5})",
                             R"("refiner_checkpoint":"nothing")"})
    bad.push_back(std::string("{") + fields + "}");
  return bad;
}

class SdApiTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    studio_ = std::make_unique<StudioProgram>(std::vector<std::string>{"--api", "--host-name", "host.docker.internal"});
    client_ = std::make_unique<SdClient>(*studio_);
  }
  static void TearDownTestSuite() {
    client_.reset();
    studio_.reset();
  }
  static StudioProgram& studio() { return *studio_; }
  static SdClient& client() { return *client_; }
  static void renew_token() {
    studio_->restart_with({"--api", "--new-token"});
    client_ = std::make_unique<SdClient>(*studio_);
  }
  // The same through the studio's own API, whose pictures are the command line's (StudioApi).
  static std::string drawn_by_page(const Json& settings) {
    const uint64_t id = studio().submit("generate", settings);
    EXPECT_EQ(studio().job_when_over(id)["state"], "done");
    return studio().get_bytes("pictures/" + studio().get("pictures")["pictures"][0]["name"].get<std::string>() + "/image").body;
  }

 private:
  static inline std::unique_ptr<StudioProgram> studio_;
  static inline std::unique_ptr<SdClient> client_;
};

}  // namespace

TEST_F(SdApiTest, EveryAddressAsksForTheToken) {
  HttpClient stranger(studio().port());
  const std::string token = studio().tools_token();
  const auto basic = [](const std::string& pair) { return "Authorization: Basic " + web::base64_from(pair); };
  for (const auto& [method, name] : addresses) {
    const auto status = [&, method = method, name = name](const std::vector<std::string>& headers) {
      return stranger.send(method, std::string("/sdapi/v1/") + name, headers).status;
    };
    for (const std::string& wrong :
         {std::string("Authorization: Bearer ") + token.substr(1), "Authorization: Bearer " + studio().token(),
          basic(token + ":"), basic("user:" + token + "x")})
      EXPECT_EQ(status({wrong}), 401) << name << " " << wrong;
    EXPECT_EQ(status({}), 401) << name;
    for (const std::string& right : {"Authorization: Bearer " + token, basic("user:" + token), basic(":" + token)}) {
      const int got = status({right});
      EXPECT_TRUE(got != 401 && got != 404 && got != 405) << name << " " << got;
    }
  }
  EXPECT_NE(stranger.get("/sdapi/v1/options").headers["www-authenticate"].find("Basic"), std::string::npos);
  EXPECT_EQ(stranger.get("/api/v1/jobs", {"Authorization: Bearer " + token}).status, 401);
}

TEST_F(SdApiTest, APictureIsTheCommandLinesByteForByte) {
  const Answer answer = client().draw({{"prompt", "a cat <lora:wrong:0.5>"},
                                       {"negative_prompt", ""},
                                       {"seed", UINT64_MAX - 1},
                                       {"steps", 2},
                                       {"n_iter", 2},
                                       {"sampler_name", "DPM++ 2M Karras"}});
  const Json info = info_of(answer);
  EXPECT_EQ(info["seed"], UINT64_MAX - 1);
  EXPECT_EQ(info["all_seeds"].dump(), "[18446744073709551614,18446744073709551615]");
  const std::string lora = bundled("../wrong-lora/wrong.safetensors").string() + ":0.5";
  studio().place().results({"generate", "--prompt", "a cat", "--seed", "18446744073709551614", "--steps", "2", "--batch-count",
                            "2", "--sampler", "dpmpp_2m", "--schedule", "karras", "--lora", lora, "--out", "alone"});
  for (size_t i = 0; i < 2; ++i) {
    const std::string name = "alone/000" + std::to_string(i) + ".png";
    EXPECT_TRUE(image_of(answer, i) == studio().place().read(name)) << i;
    EXPECT_EQ(info["infotexts"][i], text_chunk(studio().place() / name, "parameters"));
  }
}

TEST_F(SdApiTest, ALoraInTheNegativePromptActsOnItsBranch) {
  const Answer answer =
      client().draw({{"prompt", "a cat"}, {"negative_prompt", "wrong <lora:wrong:1>"}, {"seed", 5}, {"steps", 2}});
  EXPECT_NE(info_of(answer)["notices"].dump().find("negative branch"), std::string::npos);
  const Json alone = {{"prompt", "a cat"},
                      {"negative_prompt", "wrong"},
                      {"seed", 5},
                      {"steps", 2},
                      {"lora", {"bundled/wrong-lora/wrong.safetensors:1:negative"}}};
  EXPECT_TRUE(image_of(answer) == drawn_by_page(alone));
}

TEST_F(SdApiTest, AnEmbeddingIsKnownByItsName) {
  write_zeros(studio().place() / "library/embeddings/bad-hands.safetensors", {{"clip_g", {2, 96}}, {"clip_l", {2, 64}}});
  const Json vectors = client().list("embeddings")["loaded"]["bad-hands"];
  EXPECT_EQ(vectors["vectors"], 2);
  EXPECT_EQ(vectors["shape"], 96);
  const Answer answer = client().draw({{"prompt", "a cat"}, {"negative_prompt", "Bad-Hands"}, {"seed", 5}, {"steps", 2}});
  EXPECT_NE(info_of(answer)["notices"].dump().find("embeddings/bad-hands.safetensors"), std::string::npos);
  Json alone = {{"prompt", "a cat"}, {"negative_prompt", "Bad-Hands"}, {"seed", 5}, {"steps", 2}};
  EXPECT_FALSE(image_of(answer) == drawn_by_page(alone));
  alone["embedding"] = {"bad-hands"};
  EXPECT_TRUE(image_of(answer) == drawn_by_page(alone));
}

TEST_F(SdApiTest, FieldsLeftOutAreTheModelsAndNamed) {
  const Answer answer = client().draw({{"prompt", "a (red:1.3) cat"}, {"steps", 2}, {"height", 64}, {"scheduler", "Automatic"}});
  const Json info = info_of(answer);
  EXPECT_EQ(info["model_defaults"], (Json{{"width", 64}, {"sampler_name", "Euler"}, {"scheduler", "DDIM"}}));
  EXPECT_EQ(answer.headers.at("x-negativa-model-defaults"), "sampler_name=Euler, scheduler=DDIM, width=64");
  EXPECT_EQ(answer.headers.count("x-negativa-not-honoured"), 0u);
  EXPECT_NE(info["notices"].dump().find("(red:1.3)"), std::string::npos) << info["notices"];
  const Answer given = client().draw(
      {{"prompt", "a"}, {"steps", 1}, {"width", 64}, {"height", 64}, {"sampler_name", "Euler Karras"}, {"send_images", false}});
  EXPECT_EQ(info_of(given)["model_defaults"], Json::object());
  EXPECT_EQ(parse_json(given.body, "answer")["images"], Json::array());
}

TEST_F(SdApiTest, WhatIsNotHonouredIsNamedAndNoValueOfItIsKept) {
  const Json body = {{"prompt", "a cat"},      {"steps", 1},
                     {"password", secret},     {"alwayson_scripts", {{"x", {{"args", {secret}}}}}},
                     {"enable_hr", true},      {"hr_upscaler", secret},
                     {"restore_faces", false}, {"override_settings", {{"api_key", secret}}}};
  const Answer answer = client().draw(body);
  const Json expected = {"enable_hr", "hr_upscaler", "alwayson_scripts", "password", "override_settings.api_key"};
  EXPECT_EQ(info_of(answer)["not_honoured"], expected);
  EXPECT_EQ(answer.headers.at("x-negativa-not-honoured"),
            "enable_hr, hr_upscaler, alwayson_scripts, password, override_settings.api_key");
  const std::string quoted = '"' + std::string(secret) + '"';
  std::vector<Answer> answers = {answer, client().post("options", "{\"token\":" + quoted + ",\"sd_vae\":\"None\"}")};
  EXPECT_EQ(answers.back().status, 200);
  EXPECT_EQ(answers.back().headers["x-negativa-not-honoured"], "token");
  for (const std::string& broken :
       {"{\"steps\":" + quoted + "}", "{\"password\":" + quoted, "[" + quoted + "]", quoted,
        "{\"override_settings\":" + quoted + "}", "{\"password\":" + quoted + ",\"sampler_name\":\"no\"}",
        "{\"prompt\":1,\"password\":" + quoted + "}"})
    for (const char* name : {"txt2img", "options", "png-info", "img2img"}) {
      answers.push_back(client().post(name, broken));
      EXPECT_TRUE(answers.back().status >= 400 || std::string(name) == "options") << broken << answers.back().body;
    }
  for (const char* name : {"options", "progress"}) answers.push_back(client().get(name));
  for (const auto& each : answers) {
    EXPECT_EQ(each.body.find(secret), std::string::npos) << each.body;
    for (const auto& [header, value] : each.headers) EXPECT_EQ(value.find(secret), std::string::npos) << header;
  }
  EXPECT_EQ(studio().get("jobs").dump().find(secret), std::string::npos);
  expect_in_no_file(secret, studio().place() / "");
  EXPECT_NE(studio().place().read("stderr").find("/sdapi/v1"), std::string::npos);
}

TEST_F(SdApiTest, BadRequestsGetOneLineAndMakeNoJob) {
  const size_t before = studio().get("jobs")["jobs"].size();
  for (const std::string& body : bad_bodies()) {
    const Answer answer = client().post("txt2img", body);
    EXPECT_EQ(answer.status, 400) << body << ": " << answer.body;
    const Json error = parse_json(answer.body, body);
    EXPECT_EQ(error["detail"], error["error"]["message"]);
    EXPECT_EQ(error["detail"].get<std::string>().find('\n'), std::string::npos) << error;
    EXPECT_EQ(error.dump().find(studio().place() / "library"), std::string::npos) << error;
  }
  EXPECT_NE(client().post("txt2img", R"({"sampler_name":"Eulr a"})").body.find("did you mean Euler a?"), std::string::npos);
  EXPECT_EQ(client().post("img2img", R"({"init_images":[]})").status, 501);
  EXPECT_EQ(studio().get("jobs")["jobs"].size(), before);
}

TEST_F(SdApiTest, LongBodiesAreRefusedUnread) {
  for (const auto& [name, bytes] : {std::pair{"txt2img", 9}, {"options", 2}, {"png-info", 65}, {"refresh-loras", 1}}) {
    const Answer answer =
        ask(studio().port(), std::string("POST /sdapi/v1/") + name + " HTTP/1.1",
            "Authorization: Bearer " + studio().tools_token() + "\r\nContent-Length: " + std::to_string(bytes << 20) + "\r\n");
    EXPECT_EQ(answer.status, 413) << name;
  }
}

TEST_F(SdApiTest, OptionsPostedBackAreTaken) {
  const Answer options = client().get("options");
  const Answer back = client().post("options", options.body);
  EXPECT_EQ(back.status, 200);
  EXPECT_EQ(back.body, "null");
  EXPECT_EQ(back.headers.count("x-negativa-not-honoured"), 0u);
  EXPECT_EQ(client().get("options").body, options.body);
  const Answer unknown = client().post("options", R"({"show_progress_every_n_steps":3,"sd_model_checkpoint":"emoji-x"})");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_NE(unknown.body.find("did you mean emoji-xl?"), std::string::npos);
  EXPECT_EQ(client().get("options").body, options.body) << "all of it or nothing";
  EXPECT_EQ(
      client()
          .post("options", R"({"show_progress_every_n_steps":-1,"sd_model_checkpoint":"emoji-xl.safetensors [0123456789]"})")
          .status,
      200);
  EXPECT_EQ(client().list("options")["show_progress_every_n_steps"], 0);
  const Json for_one = {{"prompt", "a"}, {"steps", 1}, {"override_settings", {{"show_progress_every_n_steps", 7}}}};
  EXPECT_EQ(client().draw(for_one).status, 200);
  EXPECT_EQ(client().list("options")["show_progress_every_n_steps"], 0);
  Json for_all = for_one;
  for_all["override_settings_restore_afterwards"] = false;
  EXPECT_EQ(client().draw(for_all).status, 200);
  EXPECT_EQ(client().list("options")["show_progress_every_n_steps"], 7);
  EXPECT_EQ(client().post("options", options.body).status, 200);
}

TEST_F(SdApiTest, ListsSayWhatIsThereAndRefreshesFindWhatIsNew) {
  EXPECT_EQ(client().list("samplers")[1]["name"], "Euler a");
  EXPECT_EQ(client().list("schedulers")[4]["label"], "Karras");
  EXPECT_EQ(client().list("sd-models")[0], (Json{{"title", "emoji-xl"},
                                                 {"model_name", "emoji-xl"},
                                                 {"hash", nullptr},
                                                 {"sha256", nullptr},
                                                 {"filename", "bundled/emoji-xl"},
                                                 {"config", nullptr}}));
  EXPECT_EQ(client().list("loras").size(), 1u);
  fs::copy(bundled("../wrong-lora/wrong.safetensors"), studio().place() / "library/lora/wrong.safetensors");
  EXPECT_EQ(client().post("refresh-loras", "{}").body, "null");
  const Json loras = client().list("loras");
  ASSERT_EQ(loras.size(), 2u);
  EXPECT_EQ(loras[1]["name"], "lora/wrong.safetensors");  // another has the plain name
  const std::string tag = "a <lora:" + loras[1]["name"].get<std::string>() + ":0.5>";
  EXPECT_EQ(client().draw({{"prompt", tag}, {"steps", 1}}).status, 200);
  fs::remove(studio().place() / "library/lora/wrong.safetensors");
  for (const char* name : {"sd-vae", "upscalers", "latent-upscale-modes"}) EXPECT_EQ(client().list(name), Json::array()) << name;
  EXPECT_EQ(client().list("scripts"), (Json{{"txt2img", Json::array()}, {"img2img", Json::array()}}));
}

TEST_F(SdApiTest, APicturesWordsAreReadBack) {
  const Answer drawn = client().draw({{"prompt", "a cat, red"}, {"negative_prompt", "bad"}, {"steps", 1}, {"seed", 8}});
  const std::string image = parse_json(drawn.body, "answer")["images"][0];
  for (const std::string& before : {std::string(), std::string("data:image/png;base64,")}) {
    const Json said = parse_json(client().post("png-info", Json({{"image", before + image}}).dump()).body, "png-info");
    EXPECT_EQ(said["info"], info_of(drawn)["infotexts"][0]);
    EXPECT_EQ(said["parameters"]["Prompt"], "a cat, red");
    EXPECT_EQ(said["parameters"]["Negative prompt"], "bad");
    EXPECT_EQ(said["parameters"]["Seed"], "8");
    EXPECT_TRUE(said["items"].contains("negativa"));
  }
  for (const char* body : {"{}", R"({"image":5})", R"({"image":"!"})", R"({"image":""})", R"({"image":"aGVsbG8="})",
                           R"({"image":"http://localhost/x.png"})"})
    EXPECT_EQ(client().post("png-info", body).status, 400) << body;
}

TEST_F(SdApiTest, The33rdThatWaitsIsTurnedAwayUntilAClientIsGone) {
  EXPECT_EQ(studio().post("queue/hold", "{}").status, 200);
  const Json body = {{"prompt", "w"}, {"steps", 1}};
  const auto count = [](size_t wanted) {
    return [wanted](const Json& progress) { return progress["state"]["job_count"] == wanted; };
  };
  std::list<std::unique_ptr<RawClient>> waiting;
  for (int i = 0; i < 32; ++i) waiting.push_back(client().ask_on_its_own(body));
  EXPECT_EQ(client().progress_when(count(32))["state"]["job_count"], 32);
  const Answer turned_away = client().draw(body);
  EXPECT_EQ(turned_away.status, 503);
  EXPECT_EQ(turned_away.headers.at("retry-after"), "5");
  waiting.pop_front();
  EXPECT_EQ(client().progress_when(count(31))["state"]["job_count"], 31);
  waiting.push_back(client().ask_on_its_own(body));
  EXPECT_EQ(client().progress_when(count(32))["state"]["job_count"], 32);
  const auto kept = std::move(waiting.back());
  waiting.clear();
  EXPECT_EQ(client().progress_when(count(1))["state"]["job_count"], 1);
  EXPECT_EQ(studio().post("queue/release", "{}").status, 200);
  EXPECT_EQ(parse_answer(kept->receive("}}")).status, 200);
}

TEST_F(SdApiTest, ProgressAndInterruptKnowItsOwnJobsAlone) {
  const Json body = {
      {"prompt", "long"}, {"seed", 1}, {"steps", 1000}, {"override_settings", {{"show_progress_every_n_steps", 1}}}};
  const uint64_t of_page = studio().submit("generate", {{"prompt", "page"}, {"seed", 1}, {"steps", 1000}});
  for (int i = 0; i < 500 && studio().get("jobs/" + std::to_string(of_page))["state"] != "running"; ++i)
    std::this_thread::sleep_for(5ms);
  EXPECT_EQ(client().list("progress")["state"]["job_count"], 0);
  const auto asked = client().ask_on_its_own(body);
  const Json waits = client().progress_when([](const Json& progress) { return progress["state"]["job_count"] == 1; });
  EXPECT_EQ(waits["progress"], 0);
  EXPECT_EQ(client().post("interrupt", "{}").body, "{}");
  EXPECT_EQ(studio().get("jobs/" + std::to_string(of_page))["state"], "running");
  studio().post("jobs/" + std::to_string(of_page) + "/cancel", "{}");
  const Json runs = client().progress_when(
      [](const Json& progress) { return progress["current_image"].is_string() && progress["progress"] > 0; });
  EXPECT_EQ(runs["state"]["sampling_steps"], 1000);
  EXPECT_GT(runs["eta_relative"], 0);
  EXPECT_TRUE(client().list("progress?skip_current_image=true")["current_image"].is_null());
  client().post("interrupt", "{}");
  EXPECT_EQ(parse_answer(asked->receive("}}")).status, 409);
  EXPECT_EQ(client().list("progress")["state"]["job_count"], 0);
}

TEST_F(SdApiTest, ClientsInContainersCallItByItsFurtherName) {
  HttpClient container(studio().port());
  const std::string bearer = "Authorization: Bearer " + studio().tools_token();
  EXPECT_EQ(container.get("/sdapi/v1/options", {bearer, "Host: host.docker.internal:7861"}).status, 200);
  EXPECT_EQ(container.get("/sdapi/v1/options", {bearer, "Host: other.example:7861"}).status, 403);
}

// The last: it lets a new client in.
TEST_F(SdApiTest, ANewTokenEndsTheOldOne) {
  const std::string token = studio().tools_token();
  EXPECT_EQ(fs::status(studio().place() / "library/access.json").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  renew_token();
  EXPECT_NE(studio().tools_token(), token);
  HttpClient old(studio().port());
  EXPECT_EQ(old.get("/sdapi/v1/options", {"Authorization: Bearer " + token}).status, 401);
  EXPECT_EQ(client().get("options").status, 200);
}

}  // namespace negativa::test
