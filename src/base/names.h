#pragma once
// Every name the program gives or expects on disk, and every environment variable it reads.
namespace negativa::names {

// The folder layout of a diffusers pipeline.
inline constexpr const char* model_index = "model_index.json";
inline constexpr const char* config = "config.json";
inline constexpr const char* unet = "unet";
inline constexpr const char* vae = "vae";
inline constexpr const char* text_encoder = "text_encoder";
inline constexpr const char* text_encoder_2 = "text_encoder_2";
inline constexpr const char* tokenizer = "tokenizer";
inline constexpr const char* tokenizer_2 = "tokenizer_2";
inline constexpr const char* scheduler = "scheduler";
inline constexpr const char* refiner = "refiner";
inline constexpr const char* scheduler_config = "scheduler_config.json";
inline constexpr const char* tokenizer_config = "tokenizer_config.json";
inline constexpr const char* vocabulary = "vocab.json";
inline constexpr const char* merges = "merges.txt";
inline constexpr const char* diffusion_weights = "diffusion_pytorch_model.safetensors";
inline constexpr const char* text_weights = "model.safetensors";

// A judge: what transformers' CLIPModel and CLIPProcessor open, and what negativa knows of the pictures it judges.
inline constexpr const char* preprocessor_config = "preprocessor_config.json";
inline constexpr const char* processor_config = "processor_config.json";  // of transformers 5
inline constexpr const char* judge_folder = "judge";                      // in a model's folder
inline constexpr const char* judge_select_folder = "judge_select";        // likewise: the one that chooses
inline constexpr const char* judge_world = "world.toml";                  // in the judge's
inline constexpr const char* judge_calibration = "calibration.json";      // likewise
inline constexpr const char* reference_folder = "reference";              // in a model's folder: clean pictures
inline constexpr const char* reference_damaged_folder = "reference_damaged";

// What peft's PeftModel opens.
inline constexpr const char* peft_config = "adapter_config.json";
inline constexpr const char* peft_weights = "adapter_model.safetensors";

// PNG text chunks.
inline constexpr const char* png_parameters = "parameters";  // settings in the webui's syntax
inline constexpr const char* png_recipe = "negativa";        // the recipe as JSON

// A folder of pictures that is also a training set.
inline constexpr const char* metadata_jsonl = "metadata.jsonl";
inline constexpr const char* caption_extension = ".txt";  // beside a picture: its caption

// What a training run keeps beside its output: OUT's stem + this.
inline constexpr const char* run_suffix = ".run";
inline constexpr const char* run_recipe = "recipe.json";
inline constexpr const char* run_record = "run.json";  // only of a run that came to its end
inline constexpr const char* run_config = "config.toml";
inline constexpr const char* run_lock = "lock";
inline constexpr const char* losses_csv = "losses.csv";
inline constexpr const char* validation_csv = "validation.csv";
inline constexpr const char* checkpoint_prefix = "checkpoint-";  // + step, eight digits, + .safetensors
inline constexpr const char* best_file = "best.safetensors";
inline constexpr const char* previews_folder = "previews";

// An experiment's run folder.
inline constexpr const char* plan_file = "plan.json";        // frozen at the first start
inline constexpr const char* plan_toml = "experiment.toml";  // the TOML it was made from, as it stood
inline constexpr const char* sets_folder = "sets";           // NAME-ADDRESS/ with pictures and metadata.jsonl
inline constexpr const char* lora_folder = "lora";
inline constexpr const char* embedding_folder = "embeddings";
inline constexpr const char* pictures_folder = "pictures";
inline constexpr const char* metrics_folder = "metrics";
inline constexpr const char* calibration_folder = "calibration";
inline constexpr const char* work_folder = "work";  // trainings that go on; may be deleted
inline constexpr const char* metrics_csv = "metrics.csv";
inline constexpr const char* report_page = "report.html";
inline constexpr const char* thumbnails_folder = "thumbnails";  // of the page's large pictures; may be deleted
inline constexpr const char* sheets_folder = "sheets";          // of pictures, to be posted
inline constexpr const char* cells_lock = "cells.lock";         // a byte a cell, locked by who makes it
inline constexpr const char* test_runs = "test_runs.jsonl";     // beside the TOML: each run that measured its test prompts

// Of a user, not of a run.
inline constexpr const char* cache_folder = "negativa";                       // in $XDG_CACHE_HOME or ~/.cache
inline constexpr const char* hash_cache = "sha256.json";                      // in the cache folder
inline constexpr const char* latent_cache = "latents";                        // folder in the cache folder
inline constexpr const char* embed_cache = "embeds";                          // likewise
inline constexpr const char* models_folder = ".local/share/negativa/models";  // in $HOME
inline constexpr const char* library_folder = "library";                      // in negativa/ of $XDG_DATA_HOME
inline constexpr const char* models_variable = "NEGATIVA_MODELS";
inline constexpr const char* libtorch_variable = "NEGATIVA_LIBTORCH";

// Of a build: the time that files which carry one are to say, in seconds since 1970
// (reproducible-builds.org/specs/source-date-epoch).
inline constexpr const char* source_date_variable = "SOURCE_DATE_EPOCH";

// What write_atomically calls a file before it is whole: .NAME + this + process id + a count.
inline constexpr const char* temporary_infix = ".tmp-";

}  // namespace negativa::names
