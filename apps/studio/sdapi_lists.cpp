#include "base/json.h"
#include "base/text.h"
#include "io/safetensors.h"
#include "sdapi.h"
#include "sdapi_names.h"

namespace negativa::studio {

namespace {

using web::Response;

void add_list(web::Router& router, const std::string& name, std::function<Json()> list) {
  router.add({"GET", "/sdapi/v1/" + name, web::Access::tools,
              web::answering([list = std::move(list)](const web::Request&) { return web::json_response(list()); }), 0});
}

Json models_of(const Inventory& inventory) {
  Json list = Json::array();
  for (const auto& item : sd_items(inventory, "model"))
    list.push_back({{"title", item.name},
                    {"model_name", item.name},
                    {"hash", Json()},  // hashing every large file for a list would take minutes
                    {"sha256", Json()},
                    {"filename", item.file.reference},
                    {"config", Json()}});
  return list;
}

Json vaes_of(const Inventory& inventory) {
  Json list = Json::array();
  for (const auto& item : sd_items(inventory, "vae"))
    list.push_back({{"model_name", item.name}, {"filename", item.file.reference}});
  return list;
}

Json loras_of(const Inventory& inventory) {
  Json list = Json::array();
  for (const auto& item : sd_items(inventory, "lora"))
    list.push_back({{"name", item.name}, {"alias", item.name}, {"path", item.file.reference}, {"metadata", Json::object()}});
  return list;
}

// How many vectors of which width; of a pair, those of the larger encoder.
std::pair<int64_t, int64_t> vectors_of(const InventoryItem& file) {
  std::pair<int64_t, int64_t> vectors;
  const auto opened = SafetensorsFile::open(file.path);
  for (const auto& entry : opened->entries()) {
    const int64_t count = entry.shape.size() == 2 ? entry.shape[0] : 1;
    if (!entry.shape.empty() && entry.shape.back() > vectors.second) vectors = {count, entry.shape.back()};
  }
  return vectors;
}

Json embeddings_of(const Inventory& inventory) {
  Json loaded = Json::object(), skipped = Json::object();
  for (const auto& item : sd_items(inventory, "embedding")) {
    const auto [count, width] = vectors_of(item.file);
    (item.file.fault.empty() ? loaded : skipped)[item.name] = {
        {"step", Json()}, {"sd_checkpoint", Json()}, {"sd_checkpoint_name", Json()}, {"shape", width}, {"vectors", count}};
  }
  return {{"loaded", loaded}, {"skipped", skipped}};
}

}  // namespace

void SdApi::add_lists(web::Router& router) {
  const Inventory& inventory = api_.inventory;
  add_list(router, "samplers", sd_sampler_list);
  add_list(router, "schedulers", sd_scheduler_list);
  add_list(router, "sd-models", [&inventory] { return models_of(inventory); });
  add_list(router, "sd-vae", [&inventory] { return vaes_of(inventory); });
  add_list(router, "loras", [&inventory] { return loras_of(inventory); });
  add_list(router, "embeddings", [&inventory] { return embeddings_of(inventory); });
  add_list(router, "upscalers", [] { return Json::array(); });  // none are built
  add_list(router, "latent-upscale-modes", [] { return Json::array(); });
  add_list(router, "scripts", [] { return Json({{"txt2img", Json::array()}, {"img2img", Json::array()}}); });
  for (const char* kind :
       {"checkpoints", "vae", "loras", "embeddings"})  // each list reads the folders anew: nothing is left to do
    router.add({"POST", std::string("/sdapi/v1/refresh-") + kind, web::Access::tools,
                web::answering([](const web::Request&) { return web::json_response(Json()); }), 4096});
}

}  // namespace negativa::studio
