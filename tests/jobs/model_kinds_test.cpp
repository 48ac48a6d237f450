// Models as people have them: drawn as their makers meant, or refused in one line before a weight is read.
#include <fstream>

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "engine/test_engine.h"
#include "io/models_folder.h"
#include "io/safetensors_header.h"
#include "jobs/compare.h"
#include "jobs/generate.h"
#include "jobs/inspect_model.h"
#include "jobs/train_embedding.h"
#include "jobs/train_lora.h"
#include "pipeline/stages.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;
using test::bundled_model;

// emoji-xl by links, without the parts of `replaced`, which come instead.
fs::path linked_model(const fs::path& folder, const std::vector<std::string>& replaced) {
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(bundled_model())) {
    const std::string part = entry.path().filename();
    if (std::find(replaced.begin(), replaced.end(), part) == replaced.end()) fs::create_symlink(entry.path(), folder / part);
  }
  return folder;
}

// With changes to one part's config.
fs::path model_with(const fs::path& folder, const std::string& part, const Json& changes) {
  linked_model(folder, {part});
  fs::create_directories(folder / part);
  for (const auto& entry : fs::directory_iterator(bundled_model() / part))
    if (entry.path().extension() != ".json") fs::create_symlink(entry.path(), folder / part / entry.path().filename());
  const std::string name = part == "scheduler" ? "scheduler_config.json" : "config.json";
  Json config = read_json_file(bundled_model() / part / name);
  config.update(changes);
  write_atomically(folder / part / name, config.dump());
  return folder;
}

fs::path model_with_scheduler(const fs::path& folder, const std::string& text) {
  linked_model(folder, {"scheduler"});
  make_folder(folder / "scheduler");
  write_atomically(folder / "scheduler/scheduler_config.json", text);
  return folder;
}

// A file with that header and zeros that take no room on the disk.
void write_header(const fs::path& file, const TensorPlans& plans, const Metadata& metadata = {}) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t end = 0;
  for (const auto& [name, plan] : plans) {
    const int64_t begin = end;
    end += c10::multiply_integers(plan.shape) * dtype_bytes(plan.dtype);
    Json& entry = header[name];
    entry["dtype"] = safetensors_dtype_name(plan.dtype);
    entry["shape"] = plan.shape;
    entry["data_offsets"] = std::vector{begin, end};
  }
  const std::string text = header.dump();
  const uint64_t length = text.size();
  std::ofstream(file, std::ios::binary) << std::string(reinterpret_cast<const char*>(&length), 8) << text;
  fs::resize_file(file, 8 + length + static_cast<uint64_t>(end));
}

TensorPlans plans_in(const fs::path& file) {
  TensorPlans plans;
  const auto opened = SafetensorsFile::open(file);
  for (const auto& entry : opened->entries()) plans[entry.name] = {entry.dtype, entry.shape};
  return plans;
}

GenerateOptions drawing(const fs::path& model) {
  GenerateOptions options;
  options.model.model = model;
  options.model.device = "cpu";
  options.picture.prompt = "lion";
  options.picture.seed = 1;
  options.picture.steps = 1;
  options.picture.chose_steps_or_cfg = true;
  return options;
}

std::string refusal(ErrorKind kind, const GenerateOptions& options) {
  return error_of(kind, [&] { test::run(forecast_generate, options); });
}

std::string training_refusal(ErrorKind kind, const fs::path& model, const fs::path& vae = {}) {
  std::string messages[2];
  const auto set = [&](auto& options) {
    options.model.model = model;
    options.model.vae = vae;
    options.model.device = "cpu";
    options.data.data = "pictures";
    options.data.prompt = "a Zorblax";
    options.run.out = "x.safetensors";
  };
  TrainLoraOptions lora;
  TrainEmbeddingOptions embedding;
  set(lora);
  set(embedding);
  embedding.name = "Zorblax";
  messages[0] = error_of(kind, [&] { test::run(forecast_train_lora, lora); });
  messages[1] = error_of(kind, [&] { test::run(forecast_train_embedding, embedding); });
  EXPECT_EQ(messages[0], messages[1]);
  return messages[0];
}

ModelReport inspect(const fs::path& model) {
  ModelInspectOptions options;
  options.model = model;
  return test::run(model_inspect, options);
}

Tensor latents(const ModelOptions& model) {
  Session session = test::session(model);
  auto options = drawing("").picture;
  options.width = options.height = 32;
  return text_to_image(session.models(), session.plan(options), {}).tensors.at("latents");
}

}  // namespace

TEST(ModelKinds, EveryTensorOfEveryPartIsLookedAtBeforeTheFirstStep) {
  const TemporaryFolder folder;
  struct Place {
    std::string part, file;  // as messages and as the folder name it
    bool is_of_refiner = false, is_given_vae = false;
  };
  const std::string diffusion = "diffusion_pytorch_model.safetensors", text = "model.safetensors";
  const Place places[] = {{"unet", "unet/" + diffusion},
                          {"vae", "vae/" + diffusion},
                          {"text_encoder", "text_encoder/" + text},
                          {"text_encoder_2", "text_encoder_2/" + text},
                          {"refiner/unet", "refiner/unet/" + diffusion, true},
                          {"refiner/text_encoder_2", "refiner/text_encoder_2/" + text, true},
                          {"vae", "vae/" + diffusion, false, true}};
  struct Fault {
    ErrorKind kind;
    std::string words;
    std::function<void(TensorPlans&, const std::string& key)> make;
  };
  const Fault faults[] = {
      {ErrorKind::missing_key, "1 missing", [](TensorPlans& plans, const std::string& key) { plans.erase(key); }},
      {ErrorKind::shape, "1 misshapen", [](TensorPlans& plans, const std::string& key) { plans.at(key).shape[0] += 1; }},
      {ErrorKind::shape, "1 unexpected",
       [](TensorPlans& plans, const std::string& key) { plans[key + "_extra"] = plans.at(key); }},
      {ErrorKind::file_format, "is quantised by bitsandbytes (",
       [](TensorPlans& plans, const std::string& key) {
         plans[key + ".absmax"] = {at::kFloat, {1}};
       }},
      {ErrorKind::file_format, "1 weights are quantised to a format that is not read (",
       [](TensorPlans& plans, const std::string& key) { plans.at(key).dtype = at::kChar; }}};
  int number = 0;
  for (const auto& place : places)
    for (const auto& fault : faults) {
      SCOPED_TRACE(place.file + " " + fault.words);
      auto plans = plans_in(bundled_model() / place.file);
      std::vector<std::string> keys;
      for (const auto& [key, plan] : plans)
        if (!key.ends_with("position_ids")) keys.push_back(key);
      fault.make(plans, keys[static_cast<size_t>(number) * 37 % keys.size()]);
      const fs::path part = folder / std::to_string(number++);
      fs::create_directories(part);
      write_header(part / fs::path(place.file).filename(), plans);
      fs::create_symlink(bundled_model() / fs::path(place.file).parent_path() / "config.json", part / "config.json");

      GenerateOptions options = drawing(bundled_model());
      fs::path model;
      if (place.is_given_vae) {
        options.model.vae = part;
      } else {
        const std::string name = fs::path(place.file).parent_path().filename();
        model = folder / ("model" + std::to_string(number));
        if (place.is_of_refiner) {
          linked_model(model, {"refiner"});
          fs::create_directories(model / "refiner");
          for (const auto& entry : fs::directory_iterator(bundled_model() / "refiner"))
            if (entry.path().filename() != name) fs::create_symlink(entry.path(), model / "refiner" / entry.path().filename());
          fs::create_directory_symlink(part, model / "refiner" / name);
          options.model.refiner = model / "refiner";
        } else {
          linked_model(model, {name});
          fs::create_directory_symlink(part, model / name);
          options.model.model = model;
        }
      }
      const auto message = refusal(fault.kind, options);
      EXPECT_TRUE(message.starts_with("[" + place.part + "] ") && contains(message, fault.words)) << message;
      CompareOptions compared;
      compared.model = options.model;
      compared.picture = options.picture;
      EXPECT_EQ(error_of(fault.kind, [&] { test::run(forecast_compare, compared); }), message);
      if (!place.is_of_refiner) {
        EXPECT_EQ(
            training_refusal(fault.kind, place.is_given_vae ? bundled_model() : model, place.is_given_vae ? part : fs::path()),
            message);
      }
    }
}

TEST(ModelKinds, OfAnotherMakeAreRefusedByNameFromFolderAndFile) {
  const TemporaryFolder folder;
  const auto of_config = [&](const std::string& name, const Json& changes) { return model_with(folder / name, "unet", changes); };
  EXPECT_TRUE(contains(refusal(ErrorKind::input, drawing(of_config("inpaint", {{"in_channels", 9}}))), "is an inpainting model"));
  EXPECT_TRUE(contains(training_refusal(ErrorKind::input, folder / "inpaint"), "is an inpainting model"));
  EXPECT_TRUE(
      contains(refusal(ErrorKind::input, drawing(of_config("edit", {{"in_channels", 8}}))), "is a model that edits pictures"));
  linked_model(folder / "one-encoder", {"text_encoder", "model_index.json"});
  Json index = read_json_file(bundled_model() / "model_index.json");
  index["text_encoder"] = {nullptr, nullptr};
  write_atomically(folder / "one-encoder/model_index.json", index.dump());
  const std::string first =
      "holds no first text encoder (text_encoder): its UNet reads 160 elements a token, text_encoder_2 alone gives 96; give the "
      "whole model";
  EXPECT_TRUE(contains(refusal(ErrorKind::input, drawing(folder / "one-encoder")), first));
  EXPECT_TRUE(contains(training_refusal(ErrorKind::input, folder / "one-encoder"), first));

  // Single files in SGM's names, as headers alone: SDXL's head width and norm groups make the configuration follow from the
  // shapes.
  const std::string unet = "model.diffusion_model.";
  TensorPlans file;
  const auto add = [&](const std::string& name, Shape shape) { file[name] = {at::kHalf, std::move(shape)}; };
  add(unet + "label_emb.0.0.weight", {1280, 2816});
  add(unet + "input_blocks.0.0.weight", {320, 4, 3, 3});
  add(unet + "out.2.weight", {4, 320, 3, 3});
  for (const char* block : {"input_blocks.1.0", "middle_block.0", "output_blocks.0.0"})
    add(unet + block + ".in_layers.2.weight", {320, 320, 3, 3});
  add(unet + "input_blocks.1.1.norm.weight", {320});
  add(unet + "output_blocks.0.1.norm.weight", {320});
  for (const char* block : {"input_blocks.1.1", "output_blocks.0.1"})
    add(unet + block + ".transformer_blocks.0.attn2.to_k.weight", {320, 2048});
  const auto refused = [&](ErrorKind kind) {
    write_header(folder / "m.safetensors", file);
    return refusal(kind, drawing(folder / "m.safetensors"));
  };
  EXPECT_TRUE(contains(refused(ErrorKind::input), "holds no VAE; give one with --vae"))
      << "a middle of one resnet, as SSD-1B has";
  add(unet + "middle_block.1.transformer_blocks.0.attn2.to_k.weight", {320, 2048});
  EXPECT_TRUE(contains(refused(ErrorKind::input), "holds no VAE; give one with --vae"));
  add("first_stage_model.decoder.conv_in.weight", {512, 4, 3, 3});
  add("first_stage_model.decoder.conv_out.weight", {3, 128, 3, 3});
  add("first_stage_model.encoder.conv_in.weight", {128, 3, 3, 3});
  add("first_stage_model.encoder.down.0.block.0.conv1.weight", {128, 128, 3, 3});
  EXPECT_TRUE(contains(refused(ErrorKind::input), "holds no text encoders, only the rest of a model; a model needs both"));
  file.at(unet + "input_blocks.0.0.weight").shape[1] = 9;
  EXPECT_TRUE(contains(refused(ErrorKind::input), "is an inpainting model"));
}

TEST(ModelKinds, PredictWhatTheirFilesSayOrWhatIsAskedOverThem) {
  const TemporaryFolder folder;
  const auto plain = latents(drawing(bundled_model()).model);
  const Json v = {{"prediction_type", "v_prediction"}, {"rescale_betas_zero_snr", true}};
  auto asked = drawing(bundled_model()).model;
  asked.prediction_type = "v_prediction";
  asked.zero_snr = true;
  const auto drawn = latents(drawing(model_with(folder / "v", "scheduler", v)).model);
  EXPECT_FALSE(at::equal(drawn, plain));
  EXPECT_TRUE(at::equal(latents(asked), drawn));
  asked = drawing(folder / "v").model;
  asked.prediction_type = "epsilon";
  EXPECT_FALSE(at::equal(latents(asked), plain)) << "zero SNR stays";
  EXPECT_FALSE(at::equal(latents(asked), drawn));
  EXPECT_TRUE(contains(training_refusal(ErrorKind::input, folder / "v"),
                       "predicts v (scheduler_config.json), expected a model that predicts epsilon"));

  // From one file: what only a tensor or metadata says.
  TensorPlans file = {{"model.diffusion_model.label_emb.0.0.weight", {at::kHalf, {1}}}, {"ztsnr", {at::kFloat, {0}}}};
  const auto scheduler_of = [&](const Metadata& metadata, const PredictionRequest& request = {}) {
    write_header(folder / "m.safetensors", file, metadata);
    return scheduler_config_from_json(open_model(folder / "m.safetensors", test::places()).config_json("scheduler"),
                                      "scheduler_config", request);
  };
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { scheduler_of({}); }), "was trained to zero terminal SNR (tensor ztsnr)"));
  EXPECT_EQ(scheduler_of({}, {PredictionType::v_prediction, {}}).prediction_source, "--prediction-type");
  EXPECT_EQ(scheduler_of({{"modelspec.predict_key", "v"}}).prediction_type, PredictionType::v_prediction);
  file["edm_vpred.sigma_max"] = {at::kFloat, {}};
  EXPECT_EQ(error_of(ErrorKind::file_format, [&] { scheduler_of({}); }).find("[scheduler_config] \"sigma_max\": got 0"), 0u)
      << "a file of zeros";

  const auto edm = model_with_scheduler(
      folder / "edm",
      R"({"_class_name": "EDMEulerScheduler", "sigma_schedule": "exponential", "prediction_type": "v_prediction"})");
  const auto of_edm = latents(drawing(edm).model);
  EXPECT_TRUE(of_edm.isfinite().all().item<bool>());
  EXPECT_FALSE(at::equal(of_edm, drawn));
  EXPECT_TRUE(
      contains(training_refusal(ErrorKind::input, edm), "was trained with EDM's preconditioning (scheduler_config.json)"));
  const auto sample = model_with(folder / "sample", "scheduler", {{"prediction_type", "sample"}});
  EXPECT_TRUE(contains(training_refusal(ErrorKind::input, sample), "predicts the sample (scheduler_config.json)"));
  GenerateOptions ancestral = drawing(sample);
  ancestral.picture.sampler = "euler_ancestral";
  EXPECT_TRUE(
      contains(refusal(ErrorKind::input, ancestral), "euler_ancestral does not draw with a model that predicts the sample"));
}

TEST(ModelKinds, ARefinerPredictsWhatItsOwnFilesSayOnTheSameNoiseLevels) {
  const TemporaryFolder folder;
  const auto v = model_with(folder / "v", "scheduler", {{"prediction_type", "v_prediction"}});
  const auto models_of = [&](const fs::path& base, bool zero_snr = false) {
    ModelRequest request;
    request.model = base;
    request.refiner = bundled_model() / "refiner";
    if (zero_snr) request.prediction.zero_snr = true;
    return std::make_unique<Models>(request, test::places());
  };
  Plan plan;
  plan.prompt = "lion";
  plan.height_px = plan.width_px = 64;
  plan.steps = 5;
  plan.sampler = "euler";
  plan.grid = "leading";
  plan.refiner_start = 0.8;
  const auto course_of = [&](const auto& models) { return make_course(*models, plan); };
  const auto step = [&](const Course& course, const Sampler& sampler) {
    Generator unused(0);
    SamplerState state;
    const Predict ones = [](const Tensor& sample, const NoiseLevel&) { return at::ones_like(sample); };
    return sampler.step({4, course.grid, at::full({1, 4, 2, 2}, 2.f)}, ones, unused, state);
  };
  const auto mixed_models = models_of(v), plain_models = models_of(bundled_model());
  const auto mixed = course_of(mixed_models), plain = course_of(plain_models);
  EXPECT_TRUE(at::equal(step(mixed, *mixed.refiner_sampler), step(plain, *plain.refiner_sampler)));
  EXPECT_TRUE(at::equal(step(plain, *plain.refiner_sampler), step(plain, *plain.sampler)));
  EXPECT_FALSE(at::equal(step(mixed, *mixed.refiner_sampler), step(mixed, *mixed.sampler)));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { course_of(models_of(v, true)); }),
                       "[refiner] was trained on other noise levels than the base"));
  const auto edm = models_of(model_with_scheduler(folder / "edm", R"({"_class_name": "EDMEulerScheduler"})"));
  plan.grid = "karras";
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { course_of(edm); }), "shares no schedule with a refiner"));
}

TEST(ModelKinds, OfForeignSchedulersDrawWithANoticeOrAreRefusedUnlessASamplerIsChosen) {
  const TemporaryFolder folder;
  const auto ddim = model_with_scheduler(
      folder / "ddim",
      R"({"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1})");
  const Session session = test::session(drawing(ddim).model);
  PictureOptions asked = drawing(ddim).picture;
  EXPECT_EQ(session.resolved(asked).sampler, "euler");
  EXPECT_EQ(
      session.notices(asked),
      std::vector<std::string>{
          "the model's scheduler is DDIMScheduler, which is not built: euler draws in its place (--sampler chooses another)"});
  asked.sampler = "dpmpp_2m";
  EXPECT_TRUE(session.notices(asked).empty());

  const auto lcm = model_with_scheduler(folder / "lcm-model", R"({"_class_name": "LCMScheduler", "use_beta_sigmas": true})");
  GenerateOptions options = drawing(lcm);
  EXPECT_TRUE(contains(refusal(ErrorKind::input, options), "LCMScheduler is not built, and no other stands for it"));
  options.picture.sampler = "euler";
  Session chosen = test::session(options.model);
  EXPECT_EQ(chosen.plan(options.picture).grid, "leading");
  EXPECT_TRUE(chosen.notices(options.picture).empty()) << "steps and cfg are chosen";
  options.picture.chose_steps_or_cfg = false;
  options.picture.steps = PictureOptions().steps;
  ASSERT_EQ(chosen.notices(options.picture).size(), 1u);
  EXPECT_TRUE(contains(chosen.notices(options.picture)[0],
                       "lcm-model looks distilled to few steps (its scheduler: LCMScheduler): 50 steps at cfg 7 overdo it"))
      << chosen.notices(options.picture)[0];

  const auto turbo = model_with(folder / "my-Turbo", "scheduler", {{"use_karras_sigmas", false}});  // leading as the miniature's
  options.model = drawing(turbo).model;
  EXPECT_TRUE(contains(test::session(options.model).notices(options.picture).at(0),
                       "my-Turbo looks distilled to few steps (its name says turbo)"));
  EXPECT_TRUE(test::session(drawing(bundled_model()).model).notices(options.picture).empty());

  // inspect reports whatever there is.
  EXPECT_EQ(inspect(ddim).scheduler, "euler, leading");
  const std::pair<const char*, const char*> schedulers[] = {
      {R"({"_class_name": "LCMScheduler"})", "LCMScheduler is not built"},
      {R"({"_class_name": "NobodysScheduler"})", "NobodysScheduler, which is not built: euler draws in its place"},
      {R"({"prediction_type": "flow_prediction"})", "\"prediction_type\": got"},
      {R"({"beta_schedule": "squaredcos_cap_v2"})", "\"beta_schedule\": got"},
      {R"({"use_beta_sigmas": true})", "use_beta_sigmas is not built"},
      {"[", "is not valid JSON"}};
  int number = 0;
  for (const auto& [text, remark] : schedulers) {
    const auto report = inspect(model_with_scheduler(folder / std::to_string(number++), text));
    EXPECT_TRUE(contains(joined(report.remarks, "\n"), remark)) << joined(report.remarks, "\n");
  }
  const auto v =
      inspect(model_with(folder / "v", "scheduler", {{"prediction_type", "v_prediction"}, {"rescale_betas_zero_snr", true}}));
  EXPECT_EQ(v.prediction, "v_prediction");
  EXPECT_EQ(v.prediction_source, "scheduler_config.json");
  EXPECT_TRUE(v.zero_snr);
  EXPECT_EQ(v.zero_snr_source, "scheduler_config.json");
}

TEST(ModelKinds, KeptInFp8AreRemadeFromTheirRecipe) {
  const TemporaryFolder folder;
  for (const auto format : {at::kFloat8_e4m3fn, at::kFloat8_e5m2}) {
    const std::string name = dtype_name(format);
    linked_model(folder / name, {"unet"});
    fs::create_directories(folder / name / "unet");
    fs::create_symlink(bundled_model() / "unet/config.json", folder / name / "unet/config.json");
    const auto original = SafetensorsFile::open(bundled_model() / "unet/diffusion_pytorch_model.safetensors");
    std::map<std::string, Tensor> tensors;
    for (const auto& entry : original->entries()) tensors[entry.name] = original->load(entry, at::kFloat).to(format);
    write_safetensors(folder / name / "unet/diffusion_pytorch_model.safetensors", tensors);
    GenerateOptions options = drawing(folder / name);
    options.picture.width = options.picture.height = 32;
    options.model.weights_dtype = "unet:file";
    options.output.out = folder / (name + ".png");
    test::run(generate, options);

    GenerateOptions again;
    again.output.from = options.output.out;
    again.output.out = folder / "again.png";
    again.model.model = options.model.model;
    Fields fields = fields_of(again);
    set_from_picture(fields, again, test::engine());
    EXPECT_EQ(again.model.weights_dtype, "text_encoder:fp32,text_encoder_2:fp32,unet:" + name + ",vae:fp32");
    test::run(generate, again);
    EXPECT_EQ(read_file(again.output.out), read_file(options.output.out));
    options.model.weights_dtype = name;
    EXPECT_TRUE(contains(refusal(ErrorKind::input, options),
                         "[--weights-dtype] got " + name + " for text_encoder, whose file keeps fp16"))
        << refusal(ErrorKind::input, options);
  }
}

TEST(ModelKinds, InFp8TimesAScaleDrawWhatTheirValuesDraw) {
  const TemporaryFolder folder;
  const auto original = SafetensorsFile::open(bundled_model() / "unet/diffusion_pytorch_model.safetensors");
  std::map<std::string, Tensor> scaled, values;
  for (const auto& entry : original->entries()) {
    scaled[entry.name] = values[entry.name] = original->load(entry, at::kFloat);
    if (entry.shape.size() < 2) continue;
    const Tensor scale = values[entry.name].abs().amax().div(300.0);
    scaled[entry.name] = values[entry.name].div(scale).to(at::kFloat8_e4m3fn);
    scaled[entry.name.substr(0, entry.name.size() - 7) + ".scale_weight"] = scale;
    values[entry.name] = scaled[entry.name].to(at::kFloat).mul(scale);
  }
  std::map<std::string, Tensor> drawn;
  for (const auto& [name, tensors, dtype] : {std::tuple{"values", &values, "fp32"}, {"scaled", &scaled, "unet:file"}}) {
    linked_model(folder / name, {"unet"});
    fs::create_directories(folder / name / "unet");
    fs::create_symlink(bundled_model() / "unet/config.json", folder / name / "unet/config.json");
    write_safetensors(folder / name / "unet/diffusion_pytorch_model.safetensors", *tensors);
    GenerateOptions options = drawing(folder / name);
    options.picture.width = options.picture.height = 32;
    options.model.weights_dtype = dtype;
    options.output.out = folder / (std::string(name) + ".png");
    options.output.save_tensors = folder / (std::string(name) + ".safetensors");
    test::run(generate, options);
    drawn[name] = SafetensorsFile::open(options.output.save_tensors)->load("latents");
  }
  EXPECT_LT((drawn["scaled"] - drawn["values"]).abs().max().item<float>(), 1e-4);
  const ModelReport report = inspect(folder / "scaled");
  EXPECT_EQ(report.parts[2].name, "unet");
  EXPECT_TRUE(report.parts[2].dtypes.contains("fp8_e4m3")) << "a byte a number";
}

TEST(ModelKinds, AnEmptyPromptIsAPromptAndAVaeHasAName) {
  const TemporaryFolder folder;
  GenerateOptions options = drawing(bundled_model());
  options.picture.prompt = "";
  EXPECT_EQ(plan_generate(options).requests.size(), 1u);
  EXPECT_EQ(test::session(options.model).plan(options.picture).prompt, "");
  CompareOptions compared;
  compared.model = options.model;
  compared.picture = options.picture;
  compared.seeds = 1;
  EXPECT_EQ(test::run(forecast_compare, compared).rows, 1);
  options.picture.prompt.reset();
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { plan_generate(options); }), "a prompt is needed"));

  fs::create_directories(folder / "models");
  fs::create_directory_symlink(bundled_model() / "vae", folder / "models/my-vae");
  fs::create_symlink(bundled_model() / "vae/diffusion_pytorch_model.safetensors", folder / "models/in-a-file.safetensors");
  Places places = test::places();
  places.models = folder / "models";
  Engine engine({.places = places});
  options.picture.prompt = "";
  options.model.vae = "my-vae";
  EXPECT_NO_THROW(Session(engine, options.model, test::nobody(), 1));
  EXPECT_EQ(find_vae("in-a-file", places), folder / "models/in-a-file.safetensors");
  options.model.vae = "my-vea";
  const auto message = error_of(ErrorKind::input, [&] { Session(engine, options.model, test::nobody(), 1); });
  EXPECT_TRUE(contains(message, "[vae] there is no \"my-vea\"") && contains(message, "did you mean my-vae?")) << message;
}

}  // namespace negativa
