// The graph that ComfyUI ran, as its pictures carry it: {"3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0],
// …}}, …}. An input is a value or a link, [node, output]. Source: ComfyUI nodes.py, comfy_extras/nodes_custom_sampler.py,
// nodes_clip_sdxl.py.
#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "image/other_settings.h"

namespace negativa {

namespace {

constexpr const char* where = "ComfyUI's graph";

struct Link {
  std::string node;
  int64_t output = 0;
};

template <class... Args>
[[noreturn]] void not_found(fmt::format_string<Args...> why, Args&&... args) {
  fail(ErrorKind::input, "[{}] settings are not found: {}", where, fmt::format(why, std::forward<Args>(args)...));
}

bool is_one_of(const std::string& kind, std::initializer_list<std::string_view> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// What a number or text is as a setting.
std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

class Graph {
 public:
  explicit Graph(Json nodes) : nodes_(std::move(nodes)) {
    check(nodes_.is_object() && !nodes_.empty(), ErrorKind::file_format, "[{}] got {}, expected an object of nodes", where,
          json_excerpt(nodes_));
    for (const auto& [id, node] : nodes_.items())
      check(node.is_object() && node.value("class_type", Json()).is_string() && node.value("inputs", Json()).is_object(),
            ErrorKind::file_format, "[{}] node {} has no \"class_type\" with \"inputs\"", where, json_excerpt(Json(id)));
  }

  std::string kind(const std::string& id) const { return nodes_.at(id).at("class_type").get<std::string>(); }
  const Json& inputs(const std::string& id) const { return nodes_.at(id).at("inputs"); }
  std::vector<std::string> of_kinds(std::initializer_list<std::string_view> kinds) const {
    std::vector<std::string> found;
    for (const auto& [id, node] : nodes_.items())
      if (is_one_of(kind(id), kinds)) found.push_back(id);
    return found;
  }

  // Absent: no link, or one to a node that is not there.
  std::optional<Link> link(const std::string& id, const std::string& input) const {
    const auto value = inputs(id).find(input);
    if (value == inputs(id).end()) return {};
    const bool is_link = value->is_array() && value->size() == 2 && (*value)[0].is_string() && json_holds<int64_t>((*value)[1]);
    if (!is_link || !nodes_.contains((*value)[0].get<std::string>())) return {};
    return Link{(*value)[0].get<std::string>(), (*value)[1].get<int64_t>()};
  }

  // A number or text that stands there, or in a node that does nothing but hold it.
  std::optional<Json> value(const std::string& id, const std::string& input) const {
    const auto found = inputs(id).find(input);
    if (found == inputs(id).end()) return {};
    const auto linked = link(id, input);
    if (!linked) return found->is_primitive() && !found->is_null() ? std::optional<Json>(*found) : std::nullopt;
    if (!is_one_of(kind(linked->node),
                   {"PrimitiveInt", "PrimitiveFloat", "PrimitiveString", "PrimitiveStringMultiline", "Seed (rgthree)"}))
      return {};
    const std::string held = kind(linked->node) == "Seed (rgthree)" ? "seed" : "value";
    const auto direct = inputs(linked->node).find(held);
    if (direct == inputs(linked->node).end() || !direct->is_primitive() || direct->is_null()) return {};
    return *direct;
  }

  // Why `value` found nothing, for a line.
  std::string source(const std::string& id, const std::string& input) const {
    const auto linked = link(id, input);
    return linked ? "a node \"" + kind(linked->node) + "\"" : "nothing";
  }

 private:
  Json nodes_;
};

class Reader {
 public:
  explicit Reader(Json nodes) : graph_(std::move(nodes)) { found_.program = "ComfyUI", found_.dialect = PromptDialect::comfy; }

  OtherSettings read() {
    const std::string sampler = the_sampler();
    const std::string kind = graph_.kind(sampler);
    std::string guider = sampler;
    if (kind == "SamplerCustomAdvanced") {
      guider = need_link(sampler, "guider").node;
      const std::string noise = need_link(sampler, "noise").node;
      if (graph_.kind(noise) != "RandomNoise") not_found("its noise is a node \"{}\"", graph_.kind(noise));
      take_number(noise, "noise_seed", "seed");
      if (!is_one_of(graph_.kind(guider), {"CFGGuider"})) not_found("its guider is a node \"{}\"", graph_.kind(guider));
    } else {
      take_number(sampler, kind == "KSampler" ? "seed" : "noise_seed", "seed");
    }
    take_number(guider, "cfg", "cfg_scale");
    if (is_one_of(kind, {"KSampler", "KSamplerAdvanced"}))
      take_steps(sampler);
    else
      take_parts(sampler);
    take_prompts(guider);
    take_model(guider);
    take_size(sampler);
    return std::move(found_);
  }

 private:
  void leave_out(std::string_view name, std::string_view value, std::string_view why) {
    const std::string line = not_honoured_line(name, value, why);
    if (std::find(found_.not_honoured.begin(), found_.not_honoured.end(), line) == found_.not_honoured.end())
      found_.not_honoured.push_back(line);
  }

  Link need_link(const std::string& id, const std::string& input) const {
    const auto link = graph_.link(id, input);
    if (!link) not_found("a node \"{}\" has nothing at its \"{}\"", graph_.kind(id), input);
    return *link;
  }

  // From a picture back to what sampled it. Nodes that work on pictures are named and passed.
  std::string sampler_of(std::string id) {
    for (size_t passed = 0; passed < most_passed; ++passed) {
      const std::string kind = graph_.kind(id);
      if (is_one_of(kind, {"KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"})) return id;
      if (is_one_of(kind, {"VAEDecode", "VAEDecodeTiled"})) {
        take_vae(id);
        id = need_link(id, "samples").node;
      } else if (is_one_of(kind, {"SaveImage", "PreviewImage"})) {
        id = need_link(id, "images").node;
      } else if (is_one_of(kind,
                           {"ImageUpscaleWithModel", "ImageScale", "ImageScaleBy", "ImageScaleToTotalPixels", "ImageSharpen"})) {
        leave_out(kind, "", "pictures are not worked on after they are drawn");
        id = need_link(id, "image").node;
      } else {
        not_found("a node \"{}\" stands between the sampler and the picture", kind);
      }
    }
    not_found("it goes round in a circle");
  }

  std::string the_sampler() {
    auto outputs = graph_.of_kinds({"SaveImage"});
    if (outputs.empty()) outputs = graph_.of_kinds({"PreviewImage"});
    if (outputs.empty()) not_found("no picture is saved in it");
    std::set<std::string> samplers;
    for (const auto& output : outputs) samplers.insert(sampler_of(output));
    if (samplers.size() > 1) not_found("its pictures come from {} samplers", samplers.size());
    const std::string sampler = *samplers.begin();
    const auto latents = graph_.link(sampler, "latent_image");
    for (auto before = latents; before; before = graph_.link(before->node, "samples")) {
      if (graph_.kind(before->node).find("Sampler") != std::string::npos) not_found("several samplers draw one picture");
      if (++depth_ > most_passed) not_found("it goes round in a circle");
    }
    return sampler;
  }

  void take_number(const std::string& id, const std::string& input, const std::string& ours) {
    const auto value = graph_.value(id, input);
    if (value && (value->is_number() || value->is_string()))
      found_.settings.emplace_back(ours, text_of(*value));
    else
      leave_out(input, "not found", "it comes from " + graph_.source(id, input));
  }

  void take_text(const std::string& id, const std::string& input, std::string& text) {
    const auto value = graph_.value(id, input);
    if (value && value->is_string())
      text = value->get<std::string>();
    else
      leave_out(input, "not found", "it comes from " + graph_.source(id, input));
  }

  void check_denoise(const std::string& id) {
    const auto value = graph_.value(id, "denoise");
    if (!graph_.inputs(id).contains("denoise") || (value && value->is_number() && value->get<double>() == 1)) return;
    leave_out("denoise", value ? text_of(*value) : "not found", "pictures are drawn from noise alone");
  }

  void take_steps(const std::string& sampler) {
    take_number(sampler, "steps", "steps");
    take_text(sampler, "sampler_name", found_.sampler);
    take_text(sampler, "scheduler", found_.scheduler);
    check_denoise(sampler);
    if (graph_.kind(sampler) != "KSamplerAdvanced") return;
    const auto is = [&](const char* input, const Json& expected) { return graph_.value(sampler, input) == expected; };
    const auto end = graph_.value(sampler, "end_at_step"), steps = graph_.value(sampler, "steps");
    const bool whole = end && steps && end->is_number() && steps->is_number() && end->get<double>() >= steps->get<double>();
    if (!is("start_at_step", 0) || !whole || !is("add_noise", "enable")) not_found("its sampler does a part of the steps alone");
  }

  // A sampler that is made of parts.
  void take_parts(const std::string& sampler) {
    const std::string method = need_link(sampler, "sampler").node, sigmas = need_link(sampler, "sigmas").node;
    if (graph_.kind(method) == "KSamplerSelect")
      take_text(method, "sampler_name", found_.sampler);
    else
      leave_out("sampler", graph_.kind(method), "not known here");
    const std::map<std::string, std::string> grids = {{"KarrasScheduler", "karras"}, {"ExponentialScheduler", "exponential"}};
    const std::string kind = graph_.kind(sigmas);
    if (kind == "BasicScheduler") {
      take_text(sigmas, "scheduler", found_.scheduler);
      take_number(sigmas, "steps", "steps");
      check_denoise(sigmas);
    } else if (const auto grid = grids.find(kind); grid != grids.end()) {
      found_.scheduler = grid->second;
      take_number(sigmas, "steps", "steps");
      leave_out("sigmas", kind, "its ends are the model's here");
    } else {
      leave_out("sigmas", kind, "not known here");
    }
    const auto noise = graph_.value(sampler, "add_noise");
    if (graph_.inputs(sampler).contains("add_noise") && noise != Json(true)) not_found("its sampler begins without noise");
  }

  // The node that holds the text; absent: none that is known.
  std::optional<std::string> text_node(const std::string& from, const char* side) {
    auto link = graph_.link(from, side);
    for (size_t passed = 0; link && passed < most_passed; ++passed) {
      const std::string kind = graph_.kind(link->node);
      if (is_one_of(kind, {"CLIPTextEncode", "CLIPTextEncodeSDXL", "ConditioningZeroOut"})) return link->node;
      if (!is_one_of(kind, {"ControlNetApply", "ControlNetApplyAdvanced", "ControlNetApplySD3", "FluxGuidance"})) break;
      leave_out(kind, "", kind == "FluxGuidance" ? "not known here" : "there is no ControlNet here");
      const std::string own = kind == "ControlNetApply" || kind == "FluxGuidance" ? "conditioning"
                              : link->output == 1                                 ? "negative"
                                                                                  : "positive";
      link = graph_.link(link->node, own);
    }
    leave_out(side, "not found", link ? "its text comes from a node \"" + graph_.kind(link->node) + "\"" : "nothing leads to it");
    return {};
  }

  std::optional<std::string> text(const std::string& node, const char* input, const char* side) {
    const auto value = graph_.value(node, input);
    if (value && value->is_string()) return value->get<std::string>();
    leave_out(side, "not found", "its text comes from " + graph_.source(node, input));
    return {};
  }

  void take_prompt(const std::string& node, const char* side, std::optional<std::string>& first,
                   std::optional<std::string>& second) {
    if (graph_.kind(node) == "ConditioningZeroOut") return;  // as no negative prompt is
    if (graph_.kind(node) == "CLIPTextEncode") {
      first = text(node, "text", side);
      return;
    }
    const auto of_first = text(node, "text_l", side), of_second = text(node, "text_g", side);
    if (!of_first || !of_second) return;
    first = of_first;
    if (*of_first != *of_second) second = of_second;
  }

  void take_prompts(const std::string& guider) {
    const auto positive = text_node(guider, "positive"), negative = text_node(guider, "negative");
    if (positive && graph_.kind(*positive) == "ConditioningZeroOut")
      leave_out("positive", "not found", "its text comes from a node \"ConditioningZeroOut\"");
    else if (positive)
      take_prompt(*positive, "positive", found_.prompt, found_.prompt_2);
    if (negative) take_prompt(*negative, "negative", found_.negative_prompt, found_.negative_prompt_2);
    if (positive && graph_.kind(*positive) == "CLIPTextEncodeSDXL") take_told_sizes(*positive);
    if (positive) clip_ = positive;
    const bool both = positive && negative && graph_.kind(*negative) != "ConditioningZeroOut";
    if (both && loras_of(*positive, "clip") != loras_of(*negative, "clip")) differing_clips_ = true;
  }

  // What the model is told of sizes.
  void take_told_sizes(const std::string& node) {
    const auto pair = [&](const char* ours, const char* first, const char* second, char between) {
      const auto a = graph_.value(node, first), b = graph_.value(node, second);
      if (a && b && json_holds<int64_t>(*a) && json_holds<int64_t>(*b))
        found_.settings.emplace_back(ours, text_of(*a) + between + text_of(*b));
      else
        leave_out(first, "not found", "it comes from " + graph_.source(node, first));
    };
    pair("original_size", "height", "width", 'x');
    pair("crop_top_left", "crop_h", "crop_w", ',');
    pair("target_size", "target_height", "target_width", 'x');
  }

  // (node, entry within it) -> weight, along the links of that name; what else stands on the way is named.
  using Weights = std::map<std::pair<std::string, std::string>, double>;
  Weights loras_of(const std::string& from, const std::string& input) {
    Weights weights;
    auto link = graph_.link(from, input);
    for (size_t passed = 0; link && passed < most_passed; ++passed) {
      const std::string id = link->node, kind = graph_.kind(id);
      if (is_one_of(kind, {"CheckpointLoaderSimple", "CheckpointLoader"})) break;
      if (is_one_of(kind, {"LoraLoader", "LoraLoaderModelOnly"})) {
        const auto weight = graph_.value(id, input == "clip" ? "strength_clip" : "strength_model");
        const auto name = graph_.value(id, "lora_name");
        if (weight && weight->is_number() && name && name->is_string())
          weights[{id, name->get<std::string>()}] = weight->get<double>();
        else
          leave_out(kind, "not found", "its name or weight comes from another node");
      } else if (kind == "Power Lora Loader (rgthree)") {
        add_power_loras(id, input, weights);
      } else if (kind == "CLIPSetLastLayer") {
        const auto layer = graph_.value(id, "stop_at_clip_layer");
        if (layer != Json(-1) && layer != Json(-2))  // -1 is the checkpoint's own, which is -2 for SDXL
          leave_out("stop_at_clip_layer", layer ? text_of(*layer) : "not found",
                    "SDXL's text encoders always give their last layer but one");
      } else {
        leave_out(kind, "", input == "clip" ? "it changes the text encoders" : "it changes the model");
      }
      link = graph_.link(id, input);
    }
    return weights;
  }

  // {"lora_1": {"on": true, "lora": "name.safetensors", "strength": 0.8}, …}
  void add_power_loras(const std::string& id, const std::string& input, Weights& weights) {
    for (const auto& [key, entry] : graph_.inputs(id).items()) {
      if (!key.starts_with("lora_") || !entry.is_object() || entry.value("on", Json()) != Json(true)) continue;
      const Json name = entry.value("lora", Json()), strength = entry.value("strength", Json());
      const Json two = entry.value("strengthTwo", Json());
      if (!name.is_string() || !strength.is_number()) {
        leave_out(key, "not found", "expected a name and a strength");
        continue;
      }
      weights[{id + key, name.get<std::string>()}] =
          input == "clip" && two.is_number() ? two.get<double>() : strength.get<double>();
    }
  }

  void take_model(const std::string& guider) {
    const Weights of_model = loras_of(guider, "model");
    const Weights of_text = clip_ ? loras_of(*clip_, "clip") : Weights();
    if (differing_clips_) {
      leave_out("LoRAs", "not found", "those of the prompt are not those of the negative prompt");
    } else {
      std::set<std::pair<std::string, std::string>> all;
      for (const auto& [key, weight] : of_model) all.insert(key);
      for (const auto& [key, weight] : of_text) all.insert(key);
      const auto weight_in = [](const Weights& weights, const auto& key) {
        const auto found = weights.find(key);
        return found == weights.end() ? 0.0 : found->second;
      };
      for (const auto& key : all)
        if (weight_in(of_model, key) != 0 || weight_in(of_text, key) != 0)
          found_.loras.push_back({plain_file_name(key.second), weight_in(of_model, key), weight_in(of_text, key), false});
    }
    auto link = graph_.link(guider, "model");
    size_t passed = 0;
    while (link && graph_.link(link->node, "model") && ++passed < most_passed) link = graph_.link(link->node, "model");
    const auto name =
        link && graph_.kind(link->node).starts_with("CheckpointLoader") ? graph_.value(link->node, "ckpt_name") : std::nullopt;
    if (name && name->is_string())
      found_.model = plain_file_name(name->get<std::string>());
    else
      leave_out("model", "not found", link ? "it comes from a node \"" + graph_.kind(link->node) + "\"" : "nothing leads to it");
  }

  void take_vae(const std::string& decoder) {
    const auto link = graph_.link(decoder, "vae");
    if (!link || graph_.kind(link->node).starts_with("CheckpointLoader")) return;  // the model's own
    const auto name = graph_.kind(link->node) == "VAELoader" ? graph_.value(link->node, "vae_name") : std::nullopt;
    if (name && name->is_string())
      found_.vae = plain_file_name(name->get<std::string>());
    else
      leave_out("vae", "not found", "it comes from a node \"" + graph_.kind(link->node) + "\"");
  }

  void take_size(const std::string& sampler) {
    const auto link = graph_.link(sampler, "latent_image");
    if (!link || graph_.kind(link->node) != "EmptyLatentImage")
      return leave_out("latent_image", link ? graph_.kind(link->node) : "not found",
                       "pictures are drawn from noise alone; the size is not found");
    take_number(link->node, "width", "width");
    take_number(link->node, "height", "height");
    const auto batch = graph_.value(link->node, "batch_size");
    if (batch && batch->is_number() && batch->get<double>() > 1)
      leave_out("batch_size", text_of(*batch), "the first picture of the batch is the one that is drawn again");
  }

  static constexpr size_t most_passed = 1000;  // nodes on one way
  Graph graph_;
  OtherSettings found_;
  std::optional<std::string> clip_;  // the node that encodes the prompt
  bool differing_clips_ = false;
  size_t depth_ = 0;
};

}  // namespace

OtherSettings comfy_settings(std::string_view graph) { return Reader(parse_json(graph, where)).read(); }

}  // namespace negativa
