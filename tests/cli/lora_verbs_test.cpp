// lora convert, merge and bake as a person types them, and all that can be wrong with that.
#include <sys/stat.h>

#include <cstring>

#include "base/files.h"
#include "program.h"

namespace negativa::test {

namespace {

namespace fs = std::filesystem;
using Arguments = Workplace::Arguments;

const std::string kohya = golden("lora_kohya.safetensors");
const std::string too_long = std::string(300, 'x') + ".safetensors";
const std::string wrong = bundled().parent_path() / "wrong-lora/wrong.safetensors";

struct Bad {
  std::string what;  // in the message
  Arguments args;
  int exit_code = 2;
};

// One line on stderr, that exit code, and the folder as it was.
void expect_refused(const Workplace& place, const std::vector<Bad>& cases) {
  const auto before = place.files();
  for (const auto& bad : cases) {
    Arguments args{"lora"};
    args.insert(args.end(), bad.args.begin(), bad.args.end());
    args.push_back("-q");
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, bad.exit_code) << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_TRUE(contains(ran.err, bad.what)) << ran.err << "expected: " << bad.what;
    EXPECT_EQ(ran.out, "") << ran.err;
    EXPECT_EQ(place.files(), before) << bad.what;
  }
}

// A LoRA of one layer of emoji-xl whose numbers are all that one.
void write_filled(const fs::path& file, float value) {
  const std::string stem = "lora_unet_input_blocks_4_1_proj_in";
  write_zeros(file, {{stem + ".lora_down.weight", {2, 64}}, {stem + ".lora_up.weight", {64, 2}}});
  std::string bytes = read_file(file);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  for (size_t i = 8 + header; i < bytes.size(); i += 4) std::memcpy(bytes.data() + i, &value, 4);
  write_atomically(file, bytes);
}

void write_bad_loras(const Workplace& place) {
  const std::string whole = read_file(kohya);
  place.write("half.safetensors", whole.substr(0, whole.size() / 2));
  place.write("lora.pt", "PK\x03\x04");
  write_filled(place / "nan.safetensors", std::nanf(""));
  write_zeros(place / "sd1.safetensors",
              {{"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", {2, 768}},
               {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight", {320, 2}}});
  write_zeros(place / "sdxl.safetensors",
              {{"lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k.lora_down.weight", {2, 2048}},
               {"lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k.lora_up.weight", {640, 2}}});
  write_zeros(place / "dora.safetensors", {{"lora_unet_input_blocks_4_1_proj_in.lora_down.weight", {2, 64}},
                                           {"lora_unet_input_blocks_4_1_proj_in.lora_up.weight", {64, 2}},
                                           {"lora_unet_input_blocks_4_1_proj_in.dora_scale", {64, 1}},
                                           {"lora_unet_input_blocks_4_1_proj_out.lora_down.weight", {2, 64}},
                                           {"lora_unet_input_blocks_4_1_proj_out.lora_up.weight", {64, 2}}});
  fs::copy_file(kohya, place / "good.safetensors");
  write_zeros(place / "empty.safetensors", {});
  ::mkfifo((place / "pipe").c_str(), 0600);  // nobody reads it
  fs::create_directories(place / "full");
  place.write("full/mine.txt", "x");
}

}  // namespace

TEST(LoraVerbs, ConvertMergeAndBakeSayWhatTheyWrote) {
  const Workplace place;
  EXPECT_EQ(place.results({"lora", "convert", kohya, "-o", "a.safetensors", "--format", "diffusers", "-q"}), "a.safetensors\n");
  const Json converted =
      parse_json(place.results({"lora", "convert", "a.safetensors", "-o", "peft", "--format", "peft", "--json"}), "report");
  EXPECT_EQ(converted["layers"]["unet"], 9);
  EXPECT_EQ(converted["largest_change"], 0.0);
  const std::string merged = place.results(
      {"lora", "merge", "a.safetensors:1", wrong + ":-0.5", "-o", "m.safetensors", "--method", "svd", "--rank", "2", "-q"});
  EXPECT_TRUE(contains(merged, "interference: cosine") && contains(merged, "least possible") &&
              contains(merged, "145 layers of 2 LoRAs -> m.safetensors"))
      << merged;
  EXPECT_EQ(place.results({"lora", "bake", "--lora", "peft:0.5", "-o", "model", "-q"}), "model\n");
  EXPECT_EQ(place.results({"generate", "-m", "model", "-p", "x", "--steps", "1", "-q"}), "out.png\n");
  const Json report = parse_json(place.results({"lora", "inspect", "m.safetensors", "--json"}), "report");
  EXPECT_EQ(report["unmatched"].size(), 0u);
  EXPECT_EQ(report["data_sha256"], report["metadata"]["sshs_model_hash"]);
}

TEST(LoraVerbs, ADryRunWritesNothing) {
  const Workplace place;
  EXPECT_TRUE(contains(place.results({"lora", "convert", kohya, "-o", "a.safetensors", "--format", "peft", "--dry-run"}),
                       "15 layers of emoji-xl, kohya -> peft"));
  EXPECT_TRUE(contains(place.results({"lora", "merge", kohya, wrong, "-o", "a.safetensors", "--dry-run"}), "145 layers"));
  EXPECT_TRUE(
      contains(place.results({"lora", "bake", "--lora", wrong, "-o", "model", "--dry-run"}), "136 weights of unet changed"));
  EXPECT_TRUE(contains(place.results({"lora", "merge", "--print-config", "--rank", "3"}), "rank = 3"));
  EXPECT_TRUE(place.files().empty());
}

TEST(LoraVerbs, BadInputOfConvert) {
  const Workplace place;
  write_bad_loras(place);
  expect_refused(
      place,
      {
          {"a LoRA file is needed", {"convert"}},
          {"[--out] is needed", {"convert", kohya}},
          {"[--format] is needed", {"convert", kohya, "-o", "a.safetensors"}},
          {"[--format] got \"koya\"", {"convert", kohya, "-o", "a.safetensors", "--format", "koya"}},
          {"nope", {"convert", "nope.safetensors", "-o", "a.safetensors", "--format", "peft"}},
          {"half.safetensors", {"convert", "half.safetensors", "-o", "a.safetensors", "--format", "kohya"}},
          {"it is truncated", {"convert", "lora.pt", "-o", "a.safetensors", "--format", "kohya"}},
          {"empty.safetensors holds no tensors", {"convert", "empty.safetensors", "-o", "a.safetensors", "--format", "kohya"}},
          {"name too long", {"convert", too_long, "-o", "a.safetensors", "--format", "kohya"}},
          {"name too long", {"convert", "good.safetensors", "-o", too_long, "--format", "kohya"}},
          {"cannot be written", {"convert", "good.safetensors", "-o", "/proc/a.safetensors", "--format", "kohya"}},
          {"cannot be written", {"convert", "good.safetensors", "-o", "/proc/a", "--format", "peft"}},
          {"NaN or infinity", {"convert", "nan.safetensors", "-o", "a.safetensors", "--format", "kohya"}},
          {"Stable Diffusion 1.x", {"convert", "sd1.safetensors", "-o", "a.safetensors", "--format", "kohya"}},
          {"full-size SDXL", {"convert", "sdxl.safetensors", "-m", "emoji-xl", "-o", "a.safetensors", "--format", "kohya"}},
          {"is a DoRA and", {"convert", "dora.safetensors", "-o", "a.safetensors", "--format", "peft"}},
          {"there is no \"nope\"", {"convert", "good.safetensors", "-m", "nope", "-o", "a.safetensors", "--format", "kohya"}},
          {"which is read; choose another name", {"convert", "good.safetensors", "-o", "good.safetensors", "--format", "peft"}},
          {"folder no/such does not exist", {"convert", "good.safetensors", "-o", "no/such/a.safetensors", "--format", "peft"}},
          {"try -o a.pt.safetensors", {"convert", "good.safetensors", "-o", "a.pt", "--format", "diffusers"}},
          {"disk full", {"convert", "good.safetensors", "-o", "/dev/full", "--format", "kohya"}, 1},
          {"[pipe] is a pipe or socket, expected a file", {"convert", "good.safetensors", "-o", "pipe", "--format", "kohya"}},
          {"[pipe] is a pipe or socket, expected a file", {"convert", "good.safetensors", "-o", "pipe", "--format", "peft"}},
      });
}

TEST(LoraVerbs, BadInputOfMerge) {
  const Workplace place;
  write_bad_loras(place);
  expect_refused(
      place, {
                 {"LoRA files are needed", {"merge", "-o", "a.safetensors"}},
                 {"[--out] is needed", {"merge", "good.safetensors"}},
                 {"[lora merge] got weight \"much\"", {"merge", "good.safetensors:much", "-o", "a.safetensors"}},
                 {"expected a finite number", {"merge", "good.safetensors:inf", "-o", "a.safetensors"}},
                 {"expected FILE[:WEIGHT]", {"merge", "good.safetensors:1:negative", "-o", "a.safetensors"}},
                 {"[--rank] got \"0\"", {"merge", "good.safetensors", "-o", "a.safetensors", "--method", "svd", "--rank", "0"}},
                 {"use --method svd", {"merge", "good.safetensors", "-o", "a.safetensors", "--rank", "4"}},
                 {"[--method] got \"sum\"", {"merge", "good.safetensors", "-o", "a.safetensors", "--method", "sum"}},
                 {"a smaller weight where it is merged", {"merge", "good.safetensors:1e300", "-o", "a.safetensors"}},
                 {"every weight is 0", {"merge", "good.safetensors:0", "-o", "a.safetensors"}},
                 {"which is read", {"merge", wrong, "good.safetensors:2", "-o", "good.safetensors"}},
                 {"full-size SDXL", {"merge", "good.safetensors", "sdxl.safetensors", "-o", "a.safetensors"}},
                 {"nope", {"merge", "good.safetensors", "nope.safetensors:1", "-o", "a.safetensors"}},
                 {"try -o a.safetensors", {"merge", "good.safetensors", "-o", "a"}},
                 {"[pipe] is a pipe or socket, expected a file", {"merge", "good.safetensors", "-o", "pipe"}},
             });
}

TEST(LoraVerbs, BadInputOfBake) {
  const Workplace place;
  write_bad_loras(place);
  expect_refused(
      place,
      {
          {"cannot be written", {"bake", "--lora", "good.safetensors", "-o", "/proc/model"}},
          {"name too long", {"bake", "--lora", "good.safetensors", "-o", too_long}},
          {"[--lora] is needed", {"bake", "-o", "model"}},
          {"[--out] is needed", {"bake", "--lora", "good.safetensors"}},
          {"full holds files already", {"bake", "--lora", "good.safetensors", "-o", "full"}},
          {"[pipe] is a file", {"bake", "--lora", "good.safetensors", "-o", "pipe"}},
          {"[good.safetensors] is a file", {"bake", "--lora", "good.safetensors", "-o", "good.safetensors"}},
          {"folder no/such does not exist", {"bake", "--lora", "good.safetensors", "-o", "no/such/model"}},
          {"only --lora of generate keeps them apart", {"bake", "--lora", "good.safetensors:1:negative", "-o", "model"}},
          {"full-size SDXL", {"bake", "--lora", "sdxl.safetensors", "-o", "model"}},
          {"[--weights-dtype] got \"int8\"", {"bake", "--lora", "good.safetensors", "-o", "model", "--weights-dtype", "int8"}},
          {"fp16 cannot hold", {"bake", "--lora", "good.safetensors:1e9", "-o", "model"}},
          {"holds no weights", {"bake", "-m", "sdxl-layers", "--lora", "sdxl.safetensors", "-o", "model"}},
      });
}

TEST(LoraVerbs, AFullDiskLeavesNothingHalfWritten) {
  Workplace place;
  place.largest_file_bytes = 4000;
  expect_refused(place, {
                            {"disk full", {"convert", wrong, "-o", "a.safetensors", "--format", "kohya"}, 1},
                            {"disk full", {"convert", wrong, "-o", "peft", "--format", "peft"}, 1},
                            {"disk full", {"merge", wrong, kohya, "-o", "a.safetensors"}, 1},
                            {"disk full", {"bake", "--lora", wrong, "-o", "model"}, 1},
                        });
}

}  // namespace negativa::test
