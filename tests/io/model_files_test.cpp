#include "io/model_files.h"

#include "base/json.h"
#include "io/io_test.h"
#include "io/models_folder.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {
// A copy of a model folder in which a change can be made.
void copy_folder(const fs::path& from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
}
}  // namespace

TEST(ModelFolder, OpensTheMiniature) {
  const auto model = open_model(emoji_xl());
  EXPECT_EQ(model.layout, ModelFiles::folder);
  EXPECT_EQ(model.name, "emoji-xl");
  for (const char* part :
       {"unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler", "model_index"})
    EXPECT_TRUE(model.has(part)) << part;
  EXPECT_FALSE(model.has("image_encoder"));
  EXPECT_EQ(get<int64_t>(parse_json(model.config_json("unet"), "unet"), "cross_attention_dim", "unet"), 160);
  EXPECT_EQ(get<std::string>(parse_json(model.config_json("scheduler"), "scheduler"), "timestep_spacing", "scheduler"),
            "leading");
  EXPECT_EQ(model.weights("unet").count("mid_block.attentions.0.transformer_blocks.1.attn2.to_out.0.weight"), 1u);
  EXPECT_EQ(model.weights("text_encoder").at("text_model.embeddings.token_embedding.weight").shape(), (Shape{1755, 64}));
  EXPECT_TRUE(fs::exists(model.tokenizer_folder("tokenizer_2") / "vocab.json"));
  EXPECT_TRUE(model.unused_keys().empty());
  const auto files = model.files();
  EXPECT_EQ(files.size(), 18u);  // index; four configs and weights; scheduler; two tokenizers of four files
  for (const auto& file : files) EXPECT_TRUE(fs::is_regular_file(file)) << file;
}

TEST(ModelFolder, OpensTheRefinerThroughItsLinksWithoutAFirstEncoder) {
  const auto model = open_model(emoji_xl() / "refiner");
  EXPECT_FALSE(model.has("text_encoder"));
  EXPECT_FALSE(model.has("tokenizer"));
  EXPECT_TRUE(model.has("vae"));
  EXPECT_EQ(model.weights("vae").size(), open_model(emoji_xl()).weights("vae").size());
  EXPECT_NE(error_of(ErrorKind::missing_key, [&] { model.weights("text_encoder"); }).find("text_encoder"), std::string::npos);
}

TEST(ModelFolder, FollowsLinksThatACheckoutTurnedIntoTextFiles) {
  const TemporaryFolder folder;
  copy_folder(emoji_xl(), folder / "m");
  for (const char* part : {"vae", "text_encoder_2", "tokenizer_2", "scheduler"}) {
    const auto link = folder / "m/refiner" / part;
    fs::remove_all(link);
    write_bytes(link, std::string("../") + part);
  }
  const auto model = open_model(folder / "m/refiner");
  expect_same_weights(model.weights("vae"), open_model(emoji_xl()).weights("vae"));
  EXPECT_NE(model.config_json("scheduler").find("EulerDiscreteScheduler"), std::string::npos);
}

TEST(ModelFolder, ReadsTextEncodersSavedByNewTransformersAndOldVaeAttention) {  // sdxl.md pitfall 62
  const TemporaryFolder folder;
  copy_folder(emoji_xl(), folder / "m");
  const auto original = open_model(emoji_xl());
  const auto rewrite = [&](const std::string& part, const std::string& file, const auto& rename) {
    std::map<std::string, Tensor> tensors;
    for (const auto& [name, source] : original.weights(part)) tensors[rename(name)] = source.load({});
    if (part == "text_encoder") tensors["embeddings.position_ids"] = at::arange(77);
    write_safetensors(folder / "m" / part / file, tensors);
  };
  rewrite("text_encoder", "model.safetensors",
          [](const std::string& name) { return name.substr(std::string("text_model.").size()); });
  rewrite("vae", "diffusion_pytorch_model.safetensors", [](std::string name) {
    for (const auto& [ours, old] :
         {std::pair{".to_q.", ".query."}, {".to_k.", ".key."}, {".to_v.", ".value."}, {".to_out.0.", ".proj_attn."}})
      if (const auto at = name.find(ours); at != std::string::npos) name.replace(at, std::string(ours).size(), old);
    return name;
  });
  const auto model = open_model(folder / "m");
  expect_same_weights(model.weights("text_encoder"), original.weights("text_encoder"));
  expect_same_weights(model.weights("vae"), original.weights("vae"));
}

TEST(ModelFolder, OpensAFolderOfTokenizersAlone) {
  const TemporaryFolder folder;
  copy_folder(emoji_xl() / "tokenizer", folder / "m/tokenizer");
  const auto model = open_model(folder / "m");
  EXPECT_TRUE(fs::exists(model.tokenizer_folder("tokenizer") / "merges.txt"));
  EXPECT_FALSE(model.has("unet"));
}

TEST(ModelFolder, SaysInOneLineWhatIsWrong) {
  const TemporaryFolder folder;
  const auto kind = ErrorKind::input;
  EXPECT_NE(error_of(kind, [&] { open_model(folder / "missing"); }).find("not there"), std::string::npos);
  EXPECT_NE(error_of(kind, [&] { open_model(folder.path()); }).find("no model"), std::string::npos);
  write_bytes(folder / "flux/model_index.json", R"({"_class_name":"FluxPipeline"})");
  EXPECT_NE(error_of(kind, [&] { open_model(folder / "flux"); }).find("FluxPipeline"), std::string::npos);
  write_bytes(folder / "part/model_index.json",
              R"({"_class_name":"StableDiffusionXLPipeline","unet":["diffusers","UNet2DConditionModel"]})");
  const auto part = open_model(folder / "part");
  EXPECT_NE(error_of(ErrorKind::missing_key, [&] { part.weights("unet"); }).find("unet"), std::string::npos);
  write_bytes(folder / "broken/model_index.json", "{");
  error_of(ErrorKind::file_format, [&] { open_model(folder / "broken"); });
  write_bytes(folder / "x.ckpt", "PK");
  EXPECT_NE(error_of(ErrorKind::file_format, [&] { open_model(folder / "x.ckpt"); }).find("truncated"), std::string::npos);
}

TEST(ModelsFolder, FindsModelsByNameInTheUsersFolderThenAmongTheBundled) {
  const TemporaryFolder folder;
  const Places places{.models = folder.path(), .bundled = bundled_models_folder()};
  EXPECT_TRUE(fs::equivalent(find_model("emoji-xl", places), emoji_xl()));  // found by walking up from the test program
  EXPECT_TRUE(fs::equivalent(default_model(places), emoji_xl()));
  EXPECT_EQ(find_model(folder.path().string(), places), folder.path());
  write_bytes(folder / "mine.safetensors", "");
  write_bytes(folder / "emoji-xl/model_index.json", "{}");
  EXPECT_EQ(find_model("mine", places), folder / "mine.safetensors");
  EXPECT_EQ(find_model("mine.safetensors", places), folder / "mine.safetensors");
  EXPECT_EQ(find_model("emoji-xl", places), folder / "emoji-xl");
  write_bytes(folder / "cafe\xcc\x81.safetensors", "");  // as macOS stores what is typed as one code point
  EXPECT_EQ(find_model("caf\xc3\xa9", places), folder / "cafe\xcc\x81.safetensors");
  EXPECT_EQ(find_model((folder / "caf\xc3\xa9.safetensors").string(), places), folder / "cafe\xcc\x81.safetensors");
  const auto message = error_of(ErrorKind::input, [&] { find_model("emoji-x", places); });
  EXPECT_NE(message.find(folder.path().string()), std::string::npos) << message;
  EXPECT_NE(message.find("mine.safetensors"), std::string::npos) << message;
  error_of(ErrorKind::input, [&] { find_model("a/b", places); });
  error_of(ErrorKind::input, [&] { find_model("", places); });
}

}  // namespace negativa
