// The studio as programs meet it: the engine's jobs over HTTP on the bundled miniature.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/files.h"
#include "image/image.h"
#include "studio_program.h"

namespace negativa::test {

namespace {

using namespace std::chrono_literals;

class StudioApi : public SharedStudio {};

struct BadRequest {
  std::string path, body;
};

std::vector<BadRequest> bad_requests() {
  std::vector<BadRequest> bad;
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  for (const std::string& body : {std::string("{"), std::string(), std::string("[]"), std::string("null"), std::string("1"),
                                  std::string("\"x\""), deep, "{\"prompt\":" + deep + "}", std::string("{\"prompt\":\"\xff\"}")})
    bad.push_back({"jobs/generate", body});
  for (const char* setting : {"\"prompt\":1",
                              "\"nonsense\":1",
                              "\"width\":1000000000",
                              "\"height\":1000000000",
                              "\"width\":65",
                              "\"width\":513",
                              "\"height\":513",
                              "\"width\":-1",
                              "\"steps\":0",
                              "\"steps\":1.5",
                              "\"steps\":\"x\"",
                              "\"steps\":true",
                              "\"seed\":-2",
                              "\"seed\":18446744073709551616",
                              "\"seed\":\"x\"",
                              "\"cfg_scale\":\"high\"",
                              "\"cfg_scale\":1e999",
                              "\"model\":\"models/none\"",
                              "\"model\":\"/etc/passwd\"",
                              "\"model\":\"../../etc\"",
                              "\"lora\":[\"nothing:1\"]",
                              "\"sampler\":\"Eulr a\"",
                              "\"batch_count\":1000000000"})
    bad.push_back({"jobs/generate", std::string("{\"prompt\":\"a\",") + setting + "}"});
  for (const char* setting :
       {"\"arms\":\"/etc/arms.toml\"", "\"arms\":\"arms.toml:minus\"", "\"axis\":[\"lora=/etc/passwd\"]",
        "\"axis\":[\"--model=/etc/passwd\"]", "\"axis\":[\"arms=/etc/arms.toml\"]", "\"axis\":[\"cfg_scale={a={lora='x'}}\"]",
        "\"arms\":\"nothing,nowhere\"", "\"arms\":\"article\"", "\"axis\":[\"cfg=3,3\"]", "\"width\":65"})
    bad.push_back({"jobs/compare", std::string("{\"prompt\":\"a\",") + setting + "}"});
  bad.push_back({"jobs/generate?x=1", R"({"prompt":"a"})"});
  for (const char* verb : {"jobs/nothing", "jobs/score", "jobs/train-lora", "jobs/train-embedding"}) bad.push_back({verb, "{}"});
  bad.push_back({"jobs/99999/cancel", "{}"});
  bad.push_back({"forecast/generate", R"({"prompt":"a","width":1000000000})"});
  bad.push_back({"ask/tokens", R"({"prompts":"a"})"});
  return bad;
}

}  // namespace

TEST_F(StudioApi, APictureIsTheCommandLinesByteForByte) {
  const uint64_t id = studio().submit("generate", {{"prompt", "a cat"}, {"seed", 7}, {"steps", 2}});
  const Json job = studio().job_when_over(id);
  ASSERT_EQ(job["state"], "done") << job["error"];
  const std::string name = studio().get("pictures")["pictures"][0]["name"];
  const Answer image = studio().get_bytes("pictures/" + name + "/image");
  EXPECT_EQ(image.status, 200);
  studio().place().results({"generate", "--prompt", "a cat", "--seed", "7", "--steps", "2", "--out", "cat.png"});
  EXPECT_TRUE(image.body == studio().place().read("cat.png"));
}

TEST_F(StudioApi, ASheetIsTheCommandLinesByteForByte) {
  const uint64_t id =
      studio().submit("compare", {{"prompt", "a cat"}, {"seed", 7}, {"steps", 2}, {"seeds", 1}, {"arms", "nothing,word"}});
  const Json job = studio().job_when_over(id);
  ASSERT_EQ(job["state"], "done") << job["error"];
  const std::string name = studio().get("pictures")["pictures"][0]["name"];
  EXPECT_EQ(job["result"]["files"], Json::array({"pictures/" + name}));
  const Answer sheet = studio().get_bytes("pictures/" + name + "/image");
  studio().place().results({"compare", "--prompt", "a cat", "--seed", "7", "--steps", "2", "--seeds", "1", "--arms",
                            "nothing,word", "--out", "sheet.png"});
  EXPECT_TRUE(sheet.body == studio().place().read("sheet.png"));
}

TEST_F(StudioApi, ATrainedLoraAndACsvAreTheCommandLinesByteForByte) {
  const uint64_t drawn = studio().submit("generate", {{"prompt", "a cat"}, {"seed", 9}, {"steps", 2}});
  ASSERT_EQ(studio().job_when_over(drawn)["state"], "done");
  const std::string picture = studio().get("pictures")["pictures"][0]["name"];
  const std::string folder = "pictures/" + picture.substr(0, picture.find('/'));
  const std::string on_disk = (studio().place() / "library" / folder).string();
  const Json training = {{"data", folder}, {"prompt", "wrong"}, {"steps", 2}, {"rank", 2}, {"seed", 1}, {"out", "w.safetensors"}};
  const uint64_t trained = studio().submit("train-lora", training), scored = studio().submit("score", {{"folder", folder}});
  const Json job = studio().job_when_over(trained);
  ASSERT_EQ(job["state"], "done") << job["error"];
  studio().place().results({"train", "lora", "--data", on_disk, "--prompt", "wrong", "--steps", "2", "--rank", "2", "--seed", "1",
                            "--out", "w.safetensors"});
  EXPECT_TRUE(studio().get_bytes("files/lora/w.safetensors").body == studio().place().read("w.safetensors"));
  ASSERT_EQ(studio().job_when_over(scored)["state"], "done");
  studio().place().results({"score", on_disk, "--out", "metrics.csv"});
  const std::string number = std::string(6 - std::to_string(scored).size(), '0') + std::to_string(scored);
  EXPECT_EQ(studio().get_bytes("files/files/" + number + "/metrics.csv").body, studio().place().read("metrics.csv"));
}

TEST_F(StudioApi, APictureOfTheWebuiGivesSettingsWithNamesOfTheStudiosFiles) {
  std::filesystem::copy_file(golden("lora_kohya.safetensors"), studio().place() / "library/lora/ink.safetensors");
  const auto ask = [&](const TextChunks& text) {
    return studio().send("POST", "png-settings", "application/octet-stream", encode_png(Image8::filled(8, 8, white), text));
  };
  const Answer answer =
      ask({{"parameters",
            "a (big:1.2) lion <lora:ink:0.5> <lora:gone:1>\nSteps: 2, Sampler: Euler, Seed: 18446744073709551615, "
            "Model: juggernaut, Hires upscale: 2, RNG: CPU"}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json read = parse_json(answer.body, "png-settings");
  EXPECT_EQ(read["program"], "webui");
  EXPECT_EQ(read["settings"]["prompt"], "a (big)1.2 lion");
  EXPECT_EQ(read["settings"]["lora"], Json({"lora/ink.safetensors:0.5"}));
  EXPECT_EQ(read["settings"]["seed"], "18446744073709551615");
  EXPECT_FALSE(read["settings"].contains("model"));
  const std::string lines = read["not_honoured"].dump();
  for (const char* line : {"LoRA: gone (there is none of that name here)", "model: juggernaut", "Hires upscale: 2"})
    EXPECT_TRUE(contains(lines, line)) << lines;
  for (const TextChunks& text : {TextChunks{}, TextChunks{{"Software", "GIMP"}}, TextChunks{{"prompt", "{\"1\": 2}"}}})
    EXPECT_EQ(parse_json(ask(text).body, "png-settings")["program"], "");
}

TEST_F(StudioApi, EventsTellOfAJobFromItsQueueToItsPicture) {
  const std::string events = studio().events_until("\"state\":\"done\"", [] {
    EXPECT_EQ(studio().post("jobs/generate?preview_every=2", R"({"prompt":"s","steps":2,"seed":1})").status, 201);
  });
  size_t at = 0;
  for (const char* next : {"\"state\":\"queued\"", "\"state\":\"running\"", "event: step", "event: preview", "event: picture",
                           "\"state\":\"done\""}) {
    at = events.find(next, at);
    ASSERT_NE(at, std::string::npos) << next << " in " << events;
  }
}

TEST_F(StudioApi, BadRequestsGetOneLineAndMakeNoJob) {
  const size_t before = studio().get("jobs")["jobs"].size();
  for (const auto& [path, body] : bad_requests()) {
    const Answer answer = studio().post(path, body);
    EXPECT_TRUE(answer.status >= 400 && answer.status < 500) << path << " " << body << ": " << answer.status;
    const Json error = parse_json(answer.body, path)["error"];
    const std::string message = error["message"];
    EXPECT_TRUE(error["kind"] == "input" || error["kind"] == "file_format") << message;
    EXPECT_FALSE(message.empty());
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_EQ(message.find((studio().place() / "library").string()), std::string::npos) << message;
  }
  EXPECT_EQ(studio().get("jobs")["jobs"].size(), before);
  for (const auto& [field, setting] : {std::pair{"steps", "\"steps\":0"},
                                       {"nonsense", "\"nonsense\":1"},
                                       {"width", "\"width\":513"},
                                       {"height", "\"height\":513"},
                                       {"model", "\"model\":\"none\""}}) {
    const Answer answer = studio().post("jobs/generate", std::string("{\"prompt\":\"a\",") + setting + "}");
    EXPECT_EQ(parse_json(answer.body, field)["error"]["field"], field);
  }
}

TEST_F(StudioApi, EveryAddressAsksForTheToken) {
  const Json description = studio().get("openapi.json");
  EXPECT_EQ(description["openapi"], "3.1.0");
  HttpClient stranger(studio().port());
  for (const auto& [path, methods] : description["paths"].items())
    for (const auto& [method, operation] : methods.items()) {
      std::string name;
      for (const char c : method) name += static_cast<char>(std::toupper(c));
      EXPECT_EQ(stranger.send(name, path).status, 401) << name << " " << path;
    }
}

TEST_F(StudioApi, TheApiOfOtherProgramsIsNotThereUnlessItIsAskedFor) {
  HttpClient program(studio().port());
  const std::string bearer = "Authorization: Bearer " + studio().tools_token();
  for (const char* name : {"options", "progress", "sd-models", "samplers"})
    EXPECT_EQ(program.get(std::string("/sdapi/v1/") + name, {bearer}).status, 404) << name;
  EXPECT_EQ(program.send("POST", "/sdapi/v1/txt2img", {bearer, "Content-Type: application/json"}, "{}").status, 404);
}

TEST_F(StudioApi, WhatTorchSaveWroteIsKeptListedDrawnWithAndConverted) {
  const auto keep = [&](const std::string& list, const std::string& name, const std::string& bytes) {
    return studio().send("POST", list + "?name=" + name, "application/octet-stream", bytes);
  };
  const std::string lora = read_file(golden("pickles/lora_2023.bin"));
  EXPECT_EQ(keep("loras", "article.bin", lora).status, 201);
  EXPECT_EQ(keep("loras", "article.safetensors", lora).status, 400) << "named as what it is not";
  EXPECT_EQ(keep("embeddings", "word.pt", read_file(golden("pickles/word_sd1.pt"))).status, 201);
  EXPECT_NE(studio().get("loras").dump().find("lora/article.bin"), std::string::npos);
  EXPECT_NE(studio().get("embeddings").dump().find("embeddings/word.pt"), std::string::npos);

  const Answer evil = keep("loras", "evil.pt", "cos\nsystem\n(S'touch proof'\ntR.");
  EXPECT_EQ(evil.status, 400);
  EXPECT_NE(evil.body.find("calls os.system"), std::string::npos) << evil.body;
  EXPECT_EQ(studio().get("loras").dump().find("evil"), std::string::npos);

  const Json drawn = {{"prompt", "a"}, {"lora", {"article"}}, {"steps", 1}};
  const Json converted = {{"file", "lora/article.bin"}, {"out", "article.safetensors"}};
  EXPECT_EQ(studio().job_when_over(studio().submit("generate", drawn))["state"], "done");
  const Json job = studio().job_when_over(studio().submit("model-convert", converted));
  EXPECT_EQ(job["state"], "done") << job;
  EXPECT_EQ(job.dump().find((studio().place() / "library").string()), std::string::npos) << "a path: " << job;
  EXPECT_NE(studio().get("loras").dump().find("article.safetensors"), std::string::npos);
}

TEST_F(StudioApi, AUNetApartFromItsModelIsListedAsWhatItIs) {
  const auto folder = studio().place() / "library/files/lightning";
  std::filesystem::create_directories(folder);
  std::filesystem::copy(bundled("unet/diffusion_pytorch_model.safetensors"), folder / "4step.safetensors");
  EXPECT_NE(studio().get("unets").dump().find("files/lightning/4step.safetensors"), std::string::npos);
  EXPECT_EQ(studio().get("models").dump().find("4step"), std::string::npos);
  const Json options = {{"prompt", "a"}, {"unet", "files/lightning/4step.safetensors"}, {"steps", 1}};
  EXPECT_EQ(studio().job_when_over(studio().submit("generate", options))["state"], "done");
}

TEST_F(StudioApi, AModelThatIsDeletedBetweenIsRefusedOrFailsItsJobInOneLine) {
  const auto folder = studio().place() / "library/files/mine";
  std::filesystem::copy(bundled(), folder, std::filesystem::copy_options::recursive);
  const Json options = {{"prompt", "a"}, {"model", "files/mine"}, {"steps", 1}};
  EXPECT_NE(studio().get("models").dump().find("files/mine"), std::string::npos);
  EXPECT_EQ(studio().post("queue/hold", "").status, 200);
  const uint64_t id = studio().submit("generate", options);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(studio().post("queue/release", "").status, 200);
  const Json job = studio().job_when_over(id);
  EXPECT_EQ(job["state"], "failed");
  EXPECT_EQ(job["error"]["message"], "[model in request] there is no \"files/mine\"");
  const Answer answer = studio().post("jobs/generate", options.dump());
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(parse_json(answer.body, "answer")["error"]["field"], "model");
}

TEST_F(StudioApi, WhatATrainingOrAMeasurementCannotUseIsRefusedAtOnce) {
  make_folder(studio().place() / "library/files/empty");
  for (const auto& [path, body] : {BadRequest{"jobs/score", R"({"folder":["files/empty"]})"},
                                   {"jobs/train-lora", R"({"data":"files/empty","prompt":"a"})"},
                                   {"jobs/train-embedding", R"({"data":"files/empty"})"},
                                   {"jobs/lora-bake", R"({"lora":["nothing"]})"}}) {
    const Answer answer = studio().post(path, body);
    EXPECT_EQ(answer.status, 400) << path << ": " << answer.body;
  }
}

TEST_F(StudioApi, SixteenClientsListenAndOneFromBeforeIsToldToAskAnew) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(studio().stream(i == 0 ? "Last-Event-ID: 5\r\n" : ""));
    const std::string text = clients.back()->receive(i == 0 ? "resync\ndata: {}\n\n" : "retry: ");
    EXPECT_NE(text.find(i == 0 ? "event: resync" : "200 OK"), std::string::npos) << text;
  }
  EXPECT_NE(studio().stream()->receive("}}").find("HTTP/1.1 503"), std::string::npos);
}

// One process a time has the library; what was running when it was killed is drawn again.
TEST_F(StudioApi, KilledWhileItDrawsItLosesNothing) {
  const size_t pictures = studio().get("pictures")["total"];
  const std::string tools_token = studio().tools_token();
  std::vector<uint64_t> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(studio().submit("generate", {{"prompt", "p"}, {"seed", i}, {"steps", 6}}));
  studio().kill_and_restart();
  EXPECT_EQ(studio().tools_token(), tools_token);
  for (const uint64_t id : jobs) EXPECT_EQ(studio().job_when_over(id)["state"], "done") << id;
  const Json gallery = studio().get("pictures");
  EXPECT_EQ(gallery["total"], pictures + jobs.size());
  for (const auto& picture : gallery["pictures"]) EXPECT_TRUE(picture["damage"].is_null() || picture["damage"] == "") << picture;
}

TEST_F(StudioApi, CancelEndsADrawingAtItsNextStep) {
  const uint64_t id = studio().submit("generate", {{"prompt", "long"}, {"seed", 1}, {"steps", 1000}});
  for (int i = 0; i < 500 && studio().get("jobs/" + std::to_string(id))["progress"].is_null(); ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(studio().post("jobs/" + std::to_string(id) + "/cancel", "{}").status, 200);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(studio().job_when_over(id)["state"], "cancelled");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
}

TEST(StudioProgramTest, InterruptedItEndsCleanlyWithItsJobsSaved) {
  StudioProgram studio;
  const uint64_t id = studio.submit("generate", {{"prompt", "long"}, {"seed", 1}, {"steps", 1000}});
  const Ran second = studio.place().run({"studio", "--port", "0", "--library", (studio.place() / "library").string()});
  EXPECT_EQ(second.exit_code, 2) << second.err;
  EXPECT_EQ(studio.interrupt_and_restart(), 0);
  const std::string state = studio.get("jobs/" + std::to_string(id))["state"];
  EXPECT_TRUE(state == "queued" || state == "running") << state;
}

}  // namespace negativa::test
