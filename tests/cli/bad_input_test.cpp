// Whatever is wrong: one line on stderr that says what, the exit code, and no file left.
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "program.h"

namespace negativa::test {

namespace {

namespace fs = std::filesystem;
using Arguments = Workplace::Arguments;

// emoji-xl by links, without the entries of `missing`.
void link_model(const Workplace& place, const std::string& name, const std::vector<std::string>& missing) {
  fs::create_directories(place / name);
  for (const auto& entry : fs::directory_iterator(bundled())) {
    const auto part = entry.path().filename();
    if (std::find(missing.begin(), missing.end(), part) == missing.end()) fs::create_symlink(entry.path(), place / name / part);
  }
}

// A model whose unet/config.json is that text.
void model_with_config(const Workplace& place, const std::string& name, const std::string& config) {
  link_model(place, name, {"unet"});
  fs::create_directories(place / name / "unet");
  fs::create_symlink(bundled("unet/diffusion_pytorch_model.safetensors"),
                     place / name / "unet/diffusion_pytorch_model.safetensors");
  place.write(name + "/unet/config.json", config);
}

void write_loras(const Workplace& place) {
  const auto pair = [&](const std::string& name, const std::string& stem, int64_t in, int64_t out) {
    write_zeros(place / name, {{stem + ".lora_down.weight", {2, in}}, {stem + ".lora_up.weight", {out, 2}}});
  };
  pair("sd1.safetensors", "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 768, 320);
  pair("sdxl.safetensors", "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k", 2048, 640);
  pair("flux.safetensors", "lora_unet_double_blocks_0_img_attn_qkv", 3072, 9216);
  write_zeros(place / "embedding.safetensors", {{"clip_l", {1, 64}}, {"clip_g", {1, 96}}});
  write_zeros(place / "wide.safetensors", {{"clip_l", {1, 768}}, {"clip_g", {1, 1280}}});
  const std::string whole = read_file(golden("lora_kohya.safetensors"));
  place.write("half.safetensors", whole.substr(0, whole.size() / 2));
  place.write("lora.pt", "PK\x03\x04");
  fs::copy_file(golden("lora_kohya.safetensors"), place / "good.safetensors");
}

void write_models(const Workplace& place) {
  const std::string config = read_file(bundled("unet/config.json"));
  link_model(place, "no-unet", {"unet"});
  link_model(place, "short", {"vae"});
  fs::create_directories(place / "short/vae");
  fs::copy_file(bundled("vae/config.json"), place / "short/vae/config.json");
  place.write("short/vae/diffusion_pytorch_model.safetensors",
              read_file(bundled("vae/diffusion_pytorch_model.safetensors")).substr(0, 100000));
  model_with_config(place, "broken-config", config.substr(0, config.size() / 2));
  Json stable_diffusion_1 = parse_json(config, "config");
  stable_diffusion_1["cross_attention_dim"] = 768;
  stable_diffusion_1["addition_embed_type"] = nullptr;
  model_with_config(place, "sd1", stable_diffusion_1.dump());
  model_with_config(place, "deep", std::string(100000, '['));
  fs::create_directories(place / "empty");
}

struct Bad {
  std::string what;  // in the message
  Arguments args;    // after "generate -q -o out.png"
  int exit_code = 2;
};

void expect_one_line(const Workplace& place, const Arguments& args, const Bad& bad) {
  const Ran ran = place.run(args);
  EXPECT_EQ(ran.exit_code, bad.exit_code) << ran.err;
  EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
  EXPECT_TRUE(ran.err.starts_with("negativa: ")) << ran.err;
  EXPECT_TRUE(contains(ran.err, bad.what)) << ran.err << "expected: " << bad.what;
  EXPECT_EQ(ran.out, "") << ran.err;
}

void expect_refused(const Workplace& place, const std::vector<Bad>& cases) {
  const auto before = place.files();
  for (const auto& bad : cases) {
    Arguments args{"generate", "-q", "-o", "out.png"};
    args.insert(args.end(), bad.args.begin(), bad.args.end());
    expect_one_line(place, args, bad);
    EXPECT_EQ(place.files(), before) << bad.what;
  }
}

}  // namespace

TEST(BadInput, Options) {
  const Workplace place;
  expect_refused(place, {
                            {"a prompt is needed", {}},
                            {"did you mean --steps?", {"-p", "x", "--stpes", "3"}},
                            {"[--steps] got \"0\", expected an integer in 1..1000", {"-p", "x", "--steps", "0"}},
                            {"[--cfg-scale] got \"nan\"", {"-p", "x", "--cfg-scale", "nan"}},
                            {"[--seed] got \"-1\"", {"-p", "x", "--seed", "-1"}},
                            {"63x64, expected width and height in multiples of 4", {"-p", "x", "-W", "63"}},
                            {"at most 64 megapixels", {"-p", "x", "-W", "16384", "-H", "16384"}},
                            {"did you mean euler?", {"-p", "x", "--sampler", "eular"}},
                            {"did you mean karras?", {"-p", "x", "--schedule", "karas"}},
                            {"0 <= BEGIN <= END <= 1", {"-p", "x", "--guidance-interval", "0.9:0.1"}},
                            {"[--negative-interval] got \"1\"", {"-p", "x", "--negative-interval", "1"}},
                            {"[--negative-scale] got \"-1\"", {"-p", "x", "--negative-scale", "-1"}},
                            {"[--original-size] got \"abc\"", {"-p", "x", "--original-size", "abc"}},
                            {"storage format only", {"-p", "x", "--dtype", "fp16", "--device", "cpu"}},
                            {"is not UTF-8", {"-p", "caf\xe9"}},
                            {"a prompt is written -p \"a lion\"", {"a", "lion"}},
                        });
}

TEST(BadInput, Models) {
  const Workplace place;
  write_models(place);
  expect_refused(place, {
                            {"there is no \"nope\"", {"-p", "x", "-m", "nope"}},
                            {"empty", {"-p", "x", "-m", "empty"}},
                            {"no-unet", {"-p", "x", "-m", "no-unet"}},
                            {"diffusion_pytorch_model.safetensors", {"-p", "x", "-m", "short"}},
                            {"broken-config/unet/config.json", {"-p", "x", "-m", "broken-config"}},
                            {"not an SDXL UNet", {"-p", "x", "-m", "sd1"}},
                            {"deep/unet/config.json", {"-p", "x", "-m", "deep"}},
                            {"there is no \"nope\"", {"-p", "x", "--refiner", "nope"}},
                            {"nope", {"-p", "x", "--vae", "nope"}},
                            {"it looks like a LoRA", {"-p", "x", "--vae", golden("lora_kohya.safetensors")}},
                        });
}

TEST(BadInput, LorasAndEmbeddings) {
  const Workplace place;
  write_loras(place);
  expect_refused(place, {
                            {"nope.safetensors", {"-p", "x", "--lora", "nope.safetensors"}},
                            {"half.safetensors", {"-p", "x", "--lora", "half.safetensors"}},
                            {"Stable Diffusion 1.x", {"-p", "x", "--lora", "sd1.safetensors"}},
                            {"full-size SDXL", {"-p", "x", "--lora", "sdxl.safetensors"}},
                            {"Flux", {"-p", "x", "--lora", "flux.safetensors"}},
                            {"use --embedding", {"-p", "x", "--lora", "embedding.safetensors"}},
                            {"lora.pt", {"-p", "x", "--lora", "lora.pt"}},
                            {"weight \"abc\"", {"-p", "x", "--lora", "good.safetensors:abc"}},
                            {"branch \"left\"", {"-p", "x", "--lora", "good.safetensors:1:left"}},
                            {"wide.safetensors", {"-p", "x", "--embedding", "wide.safetensors"}},
                            {"nope.safetensors", {"-p", "x", "--embedding", "nope.safetensors"}},
                            {"LoRA goes to --lora", {"-p", "x", "--embedding", "good.safetensors"}},
                        });
}

TEST(BadInput, Files) {
  const Workplace place;
  place.write("empty.jsonl", "\n");
  place.write("broken.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\":\n");
  place.write("unknown.jsonl", "{\"prompt\": \"a\"}\n\n{\"promt\": \"b\"}\n");
  place.write("no-prompt.jsonl", "{\"prompt\": \"\"}\n{\"seed\": 1}\n");
  place.write("broken.toml", "steps = = 3\n");
  place.write("unknown.toml", "stpes = 3\n");
  place.write("type.toml", "steps = 'many'\n");
  ::mkfifo((place / "pipe.png").c_str(), 0600);  // nobody reads it
  write_atomically(place / "plain.png", encode_png(Image8::filled(8, 8, white)));
  expect_refused(
      place,
      {
          {"empty.jsonl has no requests", {"--prompts", "empty.jsonl"}},
          {"[broken.jsonl line 2]", {"--prompts", "broken.jsonl"}},
          {"[unknown.jsonl line 3] has the unknown setting \"promt\"; did you mean prompt?", {"--prompts", "unknown.jsonl"}},
          {"[no-prompt.jsonl line 2] has no prompt", {"--prompts", "no-prompt.jsonl"}},
          {"nope.jsonl", {"--prompts", "nope.jsonl"}},
          {"its folder no/such does not exist", {"-p", "x", "-o", "no/such/out.png"}},
          {"got out.jpg, expected a .png file; try -o out.png", {"-p", "x", "-o", "out.jpg"}},
          {"plain.png carries no recipe", {"--from", "plain.png"}},
          {"broken.toml", {"--from", "broken.toml"}},
          {"is for one picture, got 2", {"-p", "x", "-o", "new/", "--batch-count", "2", "--save-tensors", "t.safetensors"}},
          {"no/such", {"-p", "x", "-o", "new/", "--save-tensors", "no/such/t.safetensors"}},
          {"[pipe.png] is a pipe or socket, expected a file", {"-p", "x", "-o", "pipe.png"}},
          {"[pipe.png] is a pipe or socket, expected a file", {"-p", "x", "--save-tensors", "pipe.png"}},
          {"broken.toml", {"-p", "x", "--config", "broken.toml"}},
          {"did you mean steps?", {"-p", "x", "--config", "unknown.toml"}},
          {"steps", {"-p", "x", "--config", "type.toml"}},
      });
}

TEST(BadInput, AFolderWithoutWritePermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const Workplace place;
  fs::create_directories(place / "locked");
  ::chmod((place / "locked").c_str(), 0500);
  expect_refused(place, {{"locked", {"-p", "x", "-o", "locked/out.png"}}});
}

TEST(BadInput, OtherVerbs) {
  const Workplace place;
  for (const auto& [args, what] :
       std::vector<std::pair<Arguments, std::string>>{{{"compare", "-q"}, "a prompt is needed"},
                                                      {{"compare", "-q", "-p", "x", "-o", "sheet.jpg"}, "try -o sheet.png"},
                                                      {{"tokens"}, "a prompt is needed"},
                                                      {{"tokens", "-p", "caf\xe9"}, "is not UTF-8"},
                                                      {{"model", "inspect", "nope"}, "nope"},
                                                      {{"lora", "inspect"}, "a LoRA file is needed"},
                                                      {{"lora", "inspect", "nope"}, "nope"},
                                                      {{"studio", "--preview-vae", "nope"}, "there is no \"nope\""},
                                                      {{"studio", "--preview-vae", bundled("vae")}, "is a whole VAE, too slow"}})
    expect_one_line(place, args, {what, {}});
  EXPECT_TRUE(place.files().empty());
}

TEST(BadMachine, AGpuThatIsNotThereIsExitCode1) {
  const Workplace place;
  if (contains(place.results({"doctor", "--json"}), "CUDA device found")) GTEST_SKIP() << "there is a GPU";
  expect_refused(place, {{"[--device] cuda was asked for", {"-p", "x", "--device", "cuda"}, 1}});
}

TEST(BadMachine, AFullDiskIsExitCode1) {
  Workplace place;
  expect_one_line(place, {"generate", "-q", "-p", "x", "--steps", "1", "-o", "/dev/full"}, {"disk full", {}, 1});
  place.largest_file_bytes = 2000;
  expect_refused(place, {{"cannot be written", {"-p", "x", "--steps", "1"}, 1}});
  expect_refused(place,
                 {{"cannot be written", {"-p", "x", "--steps", "1", "-o", "/dev/null", "--save-tensors", "t.safetensors"}, 1}});
}

TEST(BadInput, ARefinersStartWithoutARefinerIsOnlySaid) {
  const Ran ran = Workplace().run({"generate", "-p", "x", "--steps", "1", "--refiner-start", "0.5"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_TRUE(contains(ran.err, "--refiner-start has no effect: there is no --refiner")) << ran.err;
}

}  // namespace negativa::test
