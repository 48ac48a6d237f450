// Arms of a TOML and axes of the command line: the columns of a comparison.
#include "experiment/columns.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "experiment_text.h"
#include "golden_file.h"

namespace negativa {
namespace {

using Texts = std::vector<std::string>;

Texts names_of(const CrossedAxes& axes) {
  Texts names;
  for (const auto& combination : axes.combinations) names.push_back(combination.name);
  return names;
}

std::string refusal(const Texts& axes) {
  return error_of(ErrorKind::input, [&] { parse_axes(axes); });
}

DrawOptions drawn(const Overrides& overrides) {
  DrawOptions draw;
  draw.picture.prompt = "owl";
  lay_over(draw, overrides);
  return draw;
}

// A folder with a TOML, and a LoRA beside it that is not opened.
struct Place {
  TemporaryFolder folder;
  Place() { write_atomically(folder / "my.safetensors", "x"); }
  Path toml(const std::string& text) const {
    write_atomically(folder / "arms.toml", text);
    return folder / "arms.toml";
  }
  ArmsFile read(const std::string& text, const Texts& names = {}, const GivenFiles& given = {}) const {
    return read_arms({toml(text), names}, given);
  }
  std::string refusal(const std::string& text, const Texts& names = {}, const GivenFiles& given = {}) const {
    return error_of(ErrorKind::input, [&] { read(text, names, given); });
  }
};

}  // namespace

TEST(Axes, CrossTheirValuesEachInTheOptionsOwnType) {
  const auto axes = parse_axes({"cfg=3,5.5", "sampler=euler,heun"});
  EXPECT_EQ(axes.options, (Texts{"cfg_scale", "sampler"}));
  EXPECT_EQ(names_of(axes), (Texts{"cfg_scale=3,sampler=euler", "cfg_scale=3,sampler=heun", "cfg_scale=5.5,sampler=euler",
                                   "cfg_scale=5.5,sampler=heun"}));
  const DrawOptions last = drawn(axes.combinations.back().overrides);
  EXPECT_EQ(last.picture.cfg_scale, 5.5);
  EXPECT_EQ(last.picture.sampler, "heun");
  EXPECT_TRUE(last.picture.chose_steps_or_cfg);
  EXPECT_TRUE(parse_axes({}).combinations.empty());
}

TEST(Axes, TakeListsAsTomlWritesThemForValuesWithCommas) {
  const auto axes = parse_axes({R"(negative-prompt=["a, b", "", { same_as = "prompt" }])"});
  ASSERT_EQ(names_of(axes), (Texts{"negative_prompt=a, b", "negative_prompt=", "negative_prompt=prompt"}));
  EXPECT_EQ(drawn(axes.combinations[0].overrides).picture.negative_prompt, "a, b");
  EXPECT_EQ(drawn(axes.combinations[1].overrides).picture.negative_prompt, "");
  EXPECT_EQ(drawn(axes.combinations[2].overrides).picture.negative_prompt, "owl");
}

TEST(Axes, NameFilesWithoutTheirFoldersWhereThatTellsThemApart) {
  EXPECT_EQ(names_of(parse_axes({"lora=a/x.safetensors:0.5,b/y.safetensors"})),
            (Texts{"lora=x.safetensors:0.5", "lora=y.safetensors"}));
  EXPECT_EQ(names_of(parse_axes({"lora=a/x.safetensors,b/x.safetensors"})),
            (Texts{"lora=a/x.safetensors", "lora=b/x.safetensors"}));
  const auto several = parse_axes({R"(lora=[["a/x:1", "a/y:-1"], []])"});
  EXPECT_EQ(names_of(several), (Texts{"lora=x:1+y:-1", "lora=none"}));
  EXPECT_EQ(drawn(several.combinations[0].overrides).picture.lora, (Texts{"a/x:1", "a/y:-1"}));
}

TEST(Axes, ThatMakeNoSenseAreRefused) {
  const std::vector<std::pair<Texts, std::string>> cases{
      {{"cfg_scal=3"}, "[--axis] got the unknown option \"cfg_scal\"; did you mean cfg_scale?"},
      {{"guidance=3"}, "did you mean guidance_rescale or guidance_interval?"},
      {{"zzz=3"}, "expected one of a picture, as generate --help lists them"},
      {{"cfg_scale"}, "expected OPTION=V1,V2,… such as cfg_scale=3,5,7"},
      {{"=3"}, "expected OPTION=V1,V2,…"},
      {{"cfg_scale="}, "[--axis] cfg_scale has no values"},
      {{"cfg_scale=[]"}, "[--axis] cfg_scale has no values"},
      {{"cfg_scale=3,,4"}, "[--axis] cfg_scale has an empty value"},
      {{"cfg_scale=3,x"}, "[cfg_scale in --axis] got \"x\", expected a number in 0..100"},
      {{"steps=[3, \"x\"]"}, "[steps in --axis] got \"x\", expected an integer in 1..1000"},
      {{"sampler=eulr"}, "did you mean euler?"},
      {{"cfg_scale=3,5,3.0"}, "[--axis] cfg_scale has the value 3 twice"},
      {{"lora=a,b,a:1:both"}, "[--axis] lora has the value a:1:both twice"},
      {{"cfg=3", "cfg-scale=4"}, "[--axis] cfg_scale is given twice"},
      {{"cfg=3", "steps=4", "sampler=heun"}, "[--axis] got 3 of them, expected at most 2"},
      {{"seed=1,2"}, "[--axis] seed cannot be varied"},
      {{"prompt=a,b"}, "[--axis] prompt cannot be varied"},
  };
  for (const auto& [axes, words] : cases) {
    const std::string message = refusal(axes);
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(ArmsOfAToml, AreEnoughByThemselvesWithPathsBesideIt) {
  const Place place;
  const auto file = place.read(
      "[default]\nsteps = 9\n[loras.my]\nfile = \"my.safetensors\"\n[arms.nothing]\n"
      "[arms.half]\nlora = [\"my:0.5:negative\"]\nnegative_prompt = { same_as = \"prompt\" }\n[arms.file]\nlora = "
      "\"my.safetensors\"\n");
  ASSERT_EQ(file.arms.size(), 3u);
  EXPECT_TRUE(file.arms[0].overrides.empty());
  EXPECT_EQ(file.arms[1].name, "half");
  const DrawOptions half = drawn(file.arms[1].overrides);
  const std::string path = (place.folder / "my.safetensors").string();
  EXPECT_EQ(half.picture.lora, Texts{path + ":0.5:negative"});
  EXPECT_EQ(half.picture.negative_prompt, "owl");
  EXPECT_EQ(half.picture.steps, 50) << "of [default], which is apart";
  EXPECT_EQ(drawn(file.arms[2].overrides).picture.lora, Texts{path});
  EXPECT_EQ(drawn(file.defaults).picture.steps, 9);
  EXPECT_TRUE(file.notices.empty());
}

TEST(ArmsOfAToml, OfAnExperimentTakeGivenFilesForWhatItWouldMake) {
  const Place place;
  const GivenFiles given{{"good.safetensors", "runs/x/lora/wrong-t0-1a2b3c4d.safetensors"}, {"bad.safetensors"}};
  const auto file = place.read(test::small_experiment, {"embedded", "article"}, given);
  ASSERT_EQ(file.arms.size(), 2u);
  EXPECT_EQ(file.arms[0].name, "embedded");
  EXPECT_EQ(drawn(file.arms[0].overrides).model.embedding, Texts{"bad.safetensors=<bad>"});
  EXPECT_EQ(drawn(file.arms[1].overrides).picture.lora, Texts{"runs/x/lora/wrong-t0-1a2b3c4d.safetensors:1:both"});
  EXPECT_EQ(file.used_loras, std::vector<size_t>{1});
  EXPECT_EQ(file.used_embeddings, std::vector<size_t>{0});
  EXPECT_EQ(file.notices,
            Texts{"--arms " + (place.folder / "arms.toml").string() + ": seed, prompts have no part in a comparison"});
}

TEST(ArmsOfAToml, ThatCannotBeDrawnAreRefused) {
  const Place place;
  const auto has = [](const std::string& message, const std::string& words) {
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  has(place.refusal("[default]\nsteps = 3\n"), "has no arms; try [arms.nothing]");
  has(place.refusal("[arms.a]\ncfg = 3\n"), "line 2] arms.a has the unknown key \"cfg\"");
  has(place.refusal("[arms.a]\nlora = [\"nope\"]\n"), "line 2, arms.a.lora] ");
  has(place.refusal("[arms.article]\n", {"artcle"}), "has no arm \"artcle\"; did you mean article?");
  has(place.refusal("[arms.a]\n[arms.b]\n", {"a", "b", "a"}), "[--arms] got a twice");
  has(place.refusal(test::small_experiment, {"article"}),
      "\"wrong\" is made by the experiment, and here nothing is trained; give its file beside it: --lora wrong.safetensors");
  has(place.refusal(test::small_experiment, {"article"}, {{"my-wrong.safetensors"}, {}}), "\"wrong\" is made by the experiment");
}

}  // namespace negativa
