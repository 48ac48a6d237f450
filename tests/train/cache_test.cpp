#include "train/cache.h"

#include <ATen/Parallel.h>

#include <cstdlib>

#include "base/files.h"
#include "base/names.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "image/image.h"
#include "text/text_models.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

// A cache of the test's own, three pictures, and the bundled model, which counts how often its parts are asked for.
class Cache : public ::testing::Test {
 protected:
  Cache() : files_(open_model(test::bundled_model())) {
    DatasetRequest request;
    request.folder = test::source_folder() / "tests/golden/dataset";
    request.prompt = "wrong";
    request.resolution_px = 32;
    dataset_ = open_dataset(request);
    dataset_.examples.resize(3);
    latents_.examples = dataset_.examples;
    latents_.vae_config = VaeConfig::from_json(files_.config_json("vae"), "vae");
    latents_.facts.model_sha256 = vae_sha256(files_, {});
    text_facts_.model_sha256 = text_sha256(files_, {});
  }

  const Vae& vae() {
    ++vae_calls_;
    EXPECT_FALSE(c10::InferenceMode::is_enabled());  // weights loaded in it could not be trained through
    if (!vae_) {
      vae_.emplace(latents_.vae_config);
      nn::LoadOptions options;
      options.storage = at::kFloat;
      options.pack_small = true;
      vae_->load(files_.weights("vae"), options);
    }
    return *vae_;
  }
  const TextModels& text() {
    ++text_calls_;
    EXPECT_FALSE(c10::InferenceMode::is_enabled());
    if (!text_) text_.emplace(load_text_models(files_, [](const std::string&, const Weights&) { return nn::LoadOptions(); }));
    return *text_;
  }
  std::vector<PictureLatents> latents() {
    return cached_latents(
        latents_, [this]() -> const Vae& { return vae(); }, hooks());
  }
  std::map<std::string, PromptEmbeds> embeds(const std::vector<std::string>& texts) {
    return cached_prompt_embeds(
        texts, text_facts_, [this]() -> const TextModels& { return text(); }, hooks());
  }
  DataHooks hooks() {
    DataHooks hooks;
    hooks.cache = folder_ / "cache";
    hooks.on_notice = [this](const std::string& text) { notices_.push_back(text); };
    return hooks;
  }
  fs::path cache_folder(const char* name) const { return folder_ / "cache" / name; }
  std::vector<fs::path> entries(const char* name) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(cache_folder(name))) found.push_back(entry.path());
    return found;
  }

  TemporaryFolder folder_;
  ModelFiles files_;
  Dataset dataset_;
  LatentRequest latents_;
  ComputeFacts text_facts_;
  std::optional<Vae> vae_;
  std::optional<TextModels> text_;
  int vae_calls_ = 0, text_calls_ = 0;
  std::vector<std::string> notices_;
};

bool equal(const std::vector<PictureLatents>& a, const std::vector<PictureLatents>& b) {
  bool same = a.size() == b.size();
  const auto agree = [](const LatentStats& a, const LatentStats& b) {
    return at::equal(a.mean, b.mean) && at::equal(a.std, b.std);
  };
  for (size_t i = 0; same && i < a.size(); ++i)
    same = agree(a[i].plain, b[i].plain) && a[i].mirrored.has_value() == b[i].mirrored.has_value() &&
           (!a[i].mirrored || agree(*a[i].mirrored, *b[i].mirrored));
  return same;
}

}  // namespace

TEST_F(Cache, LatentsAreThoseOfTheVaeAndASecondRunNeedsNone) {
  latents_.flip = true;
  const auto first = latents();
  EXPECT_EQ(vae_calls_, 6);
  const Vae& model = vae();
  const c10::InferenceMode inference;
  for (size_t i = 0; i < 3; ++i) {
    const auto plain = model.encode(read_pixels(dataset_.examples[i], false)),
               mirrored = model.encode(read_pixels(dataset_.examples[i], true));
    EXPECT_TRUE(at::equal(first[i].plain.mean, plain.mean) && at::equal(first[i].plain.std, plain.std));
    EXPECT_TRUE(at::equal(first[i].mirrored->mean, mirrored.mean) && at::equal(first[i].mirrored->std, mirrored.std));
  }
  vae_calls_ = 0;
  EXPECT_TRUE(equal(latents(), first));
  EXPECT_EQ(vae_calls_, 0);
  EXPECT_EQ(entries(names::latent_cache).size(), 6u);
  latents_.flip = false;
  EXPECT_FALSE(latents()[0].mirrored.has_value());
  EXPECT_EQ(vae_calls_, 0);
}

TEST_F(Cache, LatentsOfSquaresAreOthersAndNeverMixed) {
  const auto whole = latents();
  latents_.tiling = {4};  // of 8
  const auto tiled = latents();
  EXPECT_EQ(vae_calls_, 6);
  EXPECT_EQ(entries(names::latent_cache).size(), 6u);
  {
    const Vae& model = vae();
    const c10::InferenceMode inference;
    for (size_t i = 0; i < 3; ++i)
      EXPECT_TRUE(at::equal(tiled[i].plain.mean, model.encode(read_pixels(dataset_.examples[i], false), {4}).mean));
  }
  EXPECT_FALSE(at::equal(tiled[0].plain.mean, whole[0].plain.mean));
  vae_calls_ = 0;
  EXPECT_TRUE(equal(latents(), tiled));
  latents_.tiling = {8};  // a square that holds the picture
  EXPECT_TRUE(equal(latents(), whole));
  EXPECT_EQ(vae_calls_, 0);
}

TEST_F(Cache, EmbedsAreThoseOfTheEncodersAndASecondRunNeedsNone) {
  const auto first = embeds({"wrong", "(a fox)++", "wrong"});
  EXPECT_EQ(text_calls_, 2);  // distinct texts
  const TextModels& models = text();
  const c10::InferenceMode inference;
  PromptRequest request;
  request.prompt = "(a fox)++";
  request.weighting = Weighting::none;  // words as they stand
  const auto expected = encode_prompt(models, request);
  EXPECT_TRUE(at::equal(first.at("(a fox)++").prompt_embeds, expected.prompt_embeds));
  EXPECT_TRUE(at::equal(first.at("(a fox)++").pooled_prompt_embeds, expected.pooled_prompt_embeds));
  text_calls_ = 0;
  const auto second = embeds({"(a fox)++", "wrong"});
  EXPECT_EQ(text_calls_, 0);
  for (const char* text : {"wrong", "(a fox)++"}) {
    EXPECT_TRUE(at::equal(first.at(text).prompt_embeds, second.at(text).prompt_embeds));
    EXPECT_TRUE(at::equal(first.at(text).pooled_prompt_embeds, second.at(text).pooled_prompt_embeds));
  }
}

TEST_F(Cache, TextThatIsCutIsSaidOnceInEveryRun) {
  std::string longer;
  for (int i = 0; i < 100; ++i) longer += "fox ";
  for (int run = 0; run < 2; ++run) {
    notices_.clear();
    EXPECT_FALSE(embeds({longer, longer + "cat", "fox"}).at(longer).cut.empty());
    ASSERT_EQ(notices_.size(), 1u);
    EXPECT_TRUE(contains(notices_[0], "2 of 3 texts are longer than 77 tokens")) << notices_[0];
  }
}

TEST_F(Cache, HandsOutTensorsThatAutogradMaySave) {
  for (int run = 0; run < 2; ++run) {  // computed, then from the cache
    const c10::InferenceMode caller;
    const auto pictures = latents();
    const auto texts = embeds({"wrong"});
    for (const auto& tensor :
         {pictures[0].plain.mean, pictures[0].plain.std, texts.at("wrong").prompt_embeds, texts.at("wrong").pooled_prompt_embeds})
      EXPECT_FALSE(tensor.is_inference());
  }
}

TEST_F(Cache, WhatDecidesTheBytesDecidesTheEntry) {
  latents();
  EXPECT_EQ(vae_calls_, 3);
  const auto calls = [&](auto change) {
    auto request = latents_;
    auto examples = dataset_.examples;
    change(request, examples);
    request.examples = examples;
    vae_calls_ = 0;
    cached_latents(
        request, [this]() -> const Vae& { return vae(); }, hooks());
    return vae_calls_;
  };
  using Examples = std::vector<Example>;
  EXPECT_EQ(calls([](LatentRequest&, Examples&) {}), 0);
  EXPECT_EQ(calls([](LatentRequest&, Examples& examples) { std::reverse(examples.begin(), examples.end()); }), 0);
  EXPECT_EQ(calls([](LatentRequest&, Examples& examples) { examples[0].caption = "right"; }), 0);
  EXPECT_EQ(calls([](LatentRequest& request, Examples&) { request.facts.compute = at::kBFloat16; }),
            0);  // the VAE encodes in fp32
  EXPECT_EQ(calls([](LatentRequest& request, Examples&) { request.facts.model_sha256 = "another VAE"; }), 3);
  EXPECT_EQ(calls([](LatentRequest& request, Examples&) { request.facts.storage = at::kHalf; }), 3);
  EXPECT_EQ(calls([](LatentRequest&, Examples& examples) { examples[2].crop_top_left.height += 1; }), 1);
  const int threads = at::get_num_threads();
  at::set_num_threads(threads + 1);
  EXPECT_EQ(calls([](LatentRequest&, Examples&) {}), 3);
  at::set_num_threads(threads);
}

TEST_F(Cache, DamagedEntriesAreMadeAgainInSilence) {
  const auto good = latents();
  const auto paths = entries(names::latent_cache);
  ASSERT_EQ(paths.size(), 3u);
  const auto remade = [&](const std::string& what) {
    vae_calls_ = 0;
    EXPECT_TRUE(equal(latents(), good)) << what;
    EXPECT_EQ(vae_calls_, 1) << what;
    vae_calls_ = 0;
    EXPECT_TRUE(equal(latents(), good)) << what;
    EXPECT_EQ(vae_calls_, 0) << what;  // the entry is whole again
  };
  const std::string bytes = read_file(paths[0]);
  write_atomically(paths[0], bytes.substr(0, bytes.size() - 100));
  remade("truncated");
  write_atomically(paths[0], "");
  remade("empty");
  std::string flipped = bytes;
  flipped[flipped.size() - 9] ^= 1;
  write_atomically(paths[0], flipped);
  remade("a bit of the numbers");
  write_atomically(paths[0], read_file(paths[1]));
  remade("another picture's");
  const auto metadata = SafetensorsFile::open(paths[0])->metadata();
  write_safetensors(paths[0], {{"mean", at::zeros({1, 4, 8, 8})}}, metadata);
  remade("without std");
  EXPECT_TRUE(notices_.empty());
}

TEST_F(Cache, MisshapenEntriesAreMadeAgainEvenIfTheirHashFits) {
  const auto good = latents();
  const auto path = entries(names::latent_cache)[0];
  auto metadata = SafetensorsFile::open(path)->metadata();
  for (const auto& tensor : {at::zeros({1, 4, 4, 4}), at::zeros({4, 8, 8}), at::zeros({1, 4, 8, 8}, at::kHalf)}) {
    write_safetensors(path, {{"mean", tensor}, {"std", tensor}}, {});
    metadata["sha256"] = SafetensorsFile::open(path)->data_sha256();
    write_safetensors(path, {{"mean", tensor}, {"std", tensor}}, metadata);
    vae_calls_ = 0;
    EXPECT_TRUE(equal(latents(), good));
    EXPECT_EQ(vae_calls_, 1);
  }
}

TEST_F(Cache, AFolderThatCannotBeWrittenOnlyCostsTime) {
  write_atomically(folder_ / "cache", "a file where the folder should be");
  const auto first = latents();
  EXPECT_EQ(vae_calls_, 3);
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_TRUE(contains(notices_[0], "nothing is kept for the next run")) << notices_[0];
  EXPECT_TRUE(equal(latents(), first));
  EXPECT_EQ(vae_calls_, 6);
}

TEST_F(Cache, LatentsThatAreNotFiniteNameThePicture) {
  Vae broken(latents_.vae_config);
  nn::LoadOptions options;
  options.storage = at::kFloat;
  broken.load(files_.weights("vae"), options);
  for (const auto& slot : nn::walk(broken).slots)
    if (slot.name == "encoder.conv_out.weight") slot.tensor->fill_(1e38);
  const auto message = error_of(ErrorKind::machine, [&] {
    cached_latents(
        latents_, [&]() -> const Vae& { return broken; }, hooks());
  });
  EXPECT_TRUE(contains(message, "alpha.png") && contains(message, "not finite")) << message;
  EXPECT_FALSE(fs::exists(cache_folder(names::latent_cache)));
}

TEST_F(Cache, StopsBetweenTwoPicturesAndGoesOnFromThere) {
  CancelToken cancel;
  DataHooks hooks = this->hooks();
  hooks.cancel = &cancel;
  hooks.on_progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 3);
    if (done == 2) cancel.cancel();
  };
  error_of(ErrorKind::cancelled, [&] {
    cached_latents(
        latents_, [this]() -> const Vae& { return vae(); }, hooks);
  });
  EXPECT_EQ(vae_calls_, 2);
  latents();
  EXPECT_EQ(vae_calls_, 3);
}

TEST_F(Cache, HashesOfPartsFollowTheirFilesAlone) {
  const auto copy = folder_ / "model";
  fs::copy(test::bundled_model(), copy, fs::copy_options::recursive);
  const auto changed = [&](const char* file) {
    const auto bytes = read_file(copy / file);
    write_atomically(copy / file, bytes + " ");
    const auto model = open_model(copy);
    const auto result =
        std::pair(vae_sha256(model, {}) != vae_sha256(files_, {}), text_sha256(model, {}) != text_sha256(files_, {}));
    write_atomically(copy / file, bytes);
    return result;
  };
  EXPECT_EQ(vae_sha256(open_model(copy), {}), vae_sha256(files_, {}));
  EXPECT_EQ(text_sha256(open_model(copy), {}), text_sha256(files_, {}));
  EXPECT_EQ(changed("vae/config.json"), std::pair(true, false));
  EXPECT_EQ(changed("text_encoder/config.json"), std::pair(false, true));
  EXPECT_EQ(changed("tokenizer_2/vocab.json"), std::pair(false, true));
  EXPECT_EQ(changed("unet/config.json"), std::pair(false, false));
}

TEST_F(Cache, HashesOfASingleFileTakeInTheVocabularyBesideIt) {
  const auto path = folder_ / "m.safetensors";
  write_safetensors(path,
                    {{"conditioner.embedders.0.transformer.x", at::zeros(1)}, {"conditioner.embedders.1.model.x", at::zeros(1)}});
  for (const char* part : {names::tokenizer, names::tokenizer_2})
    fs::copy(test::bundled_model() / part, folder_ / part, fs::copy_options::recursive);
  ModelFiles model;
  model.layout = ModelFiles::single_file;
  model.path = path;
  model.file = SafetensorsFile::open(path);
  const auto vae_hash = vae_sha256(model, {}), text_hash = text_sha256(model, {});
  EXPECT_NE(text_hash, vae_hash);
  write_atomically(folder_ / "tokenizer_2/tokenizer_config.json", "{}");
  EXPECT_EQ(vae_sha256(model, {}), vae_hash);
  EXPECT_NE(text_sha256(model, {}), text_hash);
  write_safetensors(path, {{"conditioner.embedders.0.transformer.x", at::ones(1)}});
  EXPECT_NE(vae_sha256(model, {}), vae_hash);
}

}  // namespace negativa
