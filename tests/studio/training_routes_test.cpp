// Sets of pictures, drafts of forms, the course of a training, places in the gallery.
#include <gtest/gtest.h>

#include <set>

#include "base/files.h"
#include "studio_program.h"

namespace negativa::test {

namespace {

std::string emoji(int number) {
  return read_file(fmt::format("{}/models/emoji-xl/reference/{:03}.png", NEGATIVA_SOURCE_DIR, number));
}

class StudioTraining : public SharedStudio {};

}  // namespace

TEST_F(StudioTraining, ASetKeepsEachPictureOnceWithItsCaption) {
  EXPECT_EQ(studio().post("sets/cats?name=a.png", emoji(0)).status, 201);
  EXPECT_EQ(studio().post("sets/cats?name=a.png", emoji(0)).status, 201);
  const Answer other = studio().post("sets/cats?name=a.png", emoji(1));
  EXPECT_EQ(parse_json(other.body, "set")["file"], "a-2.png");
  EXPECT_EQ(studio().post("sets/cats/a.png/caption", R"({"caption": " a cat \n"})").status, 200);
  Json set = studio().get("sets/cats");
  ASSERT_EQ(set["pictures"].size(), 2U);
  EXPECT_EQ(set["pictures"][0]["caption"], Json());
  EXPECT_EQ(set["pictures"][1]["caption"], "a cat");
  EXPECT_EQ(read_file(studio().place() / "library/files/sets/cats/a.txt"), "a cat\n");
  EXPECT_EQ(studio().get("sets")[0],
            Json({{"name", "cats"}, {"reference", "files/sets/cats"}, {"pictures", 2}, {"captions", 1}}));
  EXPECT_EQ(studio().post("sets/cats/a.png/caption", R"({"caption": ""})").status, 200);
  EXPECT_FALSE(std::filesystem::exists(studio().place() / "library/files/sets/cats/a.txt"));
  EXPECT_EQ(studio().get_bytes("sets/cats/a.png/thumbnail").status, 200);
  EXPECT_EQ(studio().remove("sets/cats/a.png").status, 200);
  EXPECT_EQ(studio().get("sets/cats")["pictures"].size(), 1U);
}

TEST_F(StudioTraining, NoNameLeadsOutOfASet) {
  for (const char* path : {"sets/..?name=a.png", "sets/%2e%2e?name=a.png", "sets/a?name=../a.png", "sets/a?name=.a.png",
                           "sets/a?name=a.txt", "sets/a%2fb?name=a.png"}) {
    const int status = studio().post(path, emoji(0)).status;
    EXPECT_TRUE(status == 400 || status == 404) << path << " " << status;
  }
  EXPECT_EQ(studio().post("sets/a?name=a.png", "no picture").status, 400);
  EXPECT_EQ(studio().get_bytes("sets/none/none.png/thumbnail").status, 404);
  EXPECT_EQ(studio().get_bytes("trainings/pictures/x").status, 400);
}

TEST_F(StudioTraining, PresetsAreSettingsOfTrainLora) {
  const Json presets = studio().get("presets"), verbs = studio().get("openapi.json");
  const Json& known = verbs["paths"]["/api/v1/jobs/train-lora"]["post"]["requestBody"]["content"]["application/json"]["schema"];
  std::set<std::string> names;
  for (const auto& preset : presets) {
    names.insert(preset["name"].get<std::string>());
    EXPECT_NE(preset["help"], "") << preset;
    for (const auto& [setting, value] : preset["settings"].items())
      EXPECT_NE(known.dump().find('"' + setting + '"'), std::string::npos) << setting;
  }
  EXPECT_EQ(names, (std::set<std::string>{"quick", "style", "subject", "wrong"}));
}

TEST_F(StudioTraining, ADraftIsKept) {
  EXPECT_EQ(studio().get("drafts/generate")["draft"], Json());
  EXPECT_EQ(studio().post("drafts/generate", R"({"prompt": "a fox"})").status, 200);
  EXPECT_EQ(studio().get("drafts/generate")["draft"], Json({{"prompt", "a fox"}}));
  EXPECT_EQ(studio().post("drafts/generate", "[]").status, 400);
}

TEST_F(StudioTraining, TheCourseOfARunIsReadFromItsFolder) {
  EXPECT_EQ(studio().get("trainings/lora/mine")["losses"], Json::array());
  const auto run = studio().place() / "library/lora/mine.run";
  make_folder(run / "previews");
  std::string csv = "step,loss,learning_rate,gradient_norm\n";
  for (int i = 1; i <= 2500; ++i) csv += fmt::format("{},0.5,1e-4,1\n", i);
  write_atomically(run / "losses.csv", csv + "2501,0.25");
  write_atomically(run / "validation.csv", "step,loss\n10,0.125\n");
  write_atomically(run / "previews/00000010.png", emoji(0));
  const Json course = studio().get("trainings/lora/mine");
  EXPECT_EQ(course["losses"].size(), 835U);  // every third, and the last
  EXPECT_EQ(course["losses"].back(), Json({2501, 0.25}));
  EXPECT_EQ(course["validation"], Json::parse("[[10, 0.125]]"));
  EXPECT_EQ(course["previews"], Json({10}));
  EXPECT_TRUE(studio().get_bytes("trainings/lora/mine/previews/00000010").body == emoji(0));
}

TEST_F(StudioTraining, TheGalleryIsReadFromAnyPlace) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(studio().post(fmt::format("pictures?name=p{}.png", i), emoji(i)).status, 201);
  const Json all = studio().get("pictures"), second = studio().get("pictures?offset=1&limit=1");
  EXPECT_EQ(second["total"], 3);
  ASSERT_EQ(second["pictures"].size(), 1U);
  EXPECT_EQ(second["pictures"][0], all["pictures"][1]);
}

}  // namespace negativa::test
