#include "lora/lora_writer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/names.h"
#include "io/keys/kohya.h"
#include "lora/adapter_fields.h"
#include "lora/kohya_hashes.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

using Modules = std::map<std::string, LoraModule>;
using Tensors = std::map<std::string, Tensor>;

constexpr const char* adapter_metadata = "lora_adapter_metadata";

void check_module(const std::string& name, const LoraModule& module) {
  check(module.down.dim() == 2 && module.up.dim() == 2 && module.down.size(0) >= 1 && module.down.size(0) == module.up.size(1),
        ErrorKind::shape, "[lora] {}: got down {} and up {}, expected [rank, in] and [out, rank]", name,
        to_string(shape_of(module.down)), to_string(shape_of(module.up)));
  const bool finite =
      at::isfinite(module.down).all().item<bool>() && at::isfinite(module.up).all().item<bool>() && std::isfinite(module.alpha);
  check(finite, ErrorKind::input,
        "[lora] {} holds NaN or infinity and is not written; try a smaller --learning-rate where it is trained, a smaller weight "
        "where it is merged",
        name);
  check(module.alpha != 0, ErrorKind::input,
        "[lora] {}: got alpha 0, expected another number: a layer of alpha 0 is off and is to be left out", name);
}

bool is_folder_name(const fs::path& out) { return out.extension() != ".safetensors"; }
bool is_device(const fs::path& out) { return fs::exists(out) && !fs::is_regular_file(out) && !fs::is_directory(out); }

// What is written: products of all dialects, a DoRA's magnitudes of outputs beside them, and what only kohya's has keys for.
struct Written {
  LoraModules modules;
  std::map<std::string, std::map<std::string, Tensor>> magnitudes;  // [out], of layers in `modules`
  LayerChanges changes;
};

// alpha / rank multiplied into `up`, for a file that cannot say alpha. In fp32 then: fp16 could not hold the product.
LoraModule folded(const LoraModule& module) {
  if (module.scale() == 1) return module;
  const Tensor up =
      module.up.to(at::kDouble).mul(module.scale()).to(module.up.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  LoraModule result{module.down, up, static_cast<double>(module.rank())};
  result.kernel = module.kernel;
  return result;
}

// kohya stores alpha like the weights; fp32 where that format cannot hold it.
Tensor alpha_tensor(double value, DType dtype) {
  const Tensor alpha = at::scalar_tensor(value, at::kDouble);
  const Tensor small = alpha.to(dtype);
  return at::equal(small.to(at::kDouble), alpha) ? small : alpha.to(at::kFloat);
}

void add_tensor(Tensors& tensors, const std::string& key, const Tensor& tensor) {
  check(tensors.emplace(key, tensor).second, ErrorKind::input, "[lora] two modules have the key {}", key);
}

DType stored_dtype(const LoraModule& module, const Tensor& tensor) { return module.stored.value_or(tensor.scalar_type()); }

Tensor in_layer_shape(const LoraModule& module, const Tensor& matrix, bool is_down) {
  const int64_t k = module.kernel;
  if (k == 0) return matrix;
  return is_down ? matrix.reshape({module.rank(), -1, k, k}) : matrix.reshape({-1, module.rank(), 1, 1});
}

using NameOf = std::function<std::string(const std::string& component, const std::string& layer, LoraSide side)>;

// Of one component.
void add_products(Tensors& tensors, const Written& written, const std::string& component, const NameOf& name_of) {
  const auto magnitudes = written.magnitudes.find(component);
  for (const auto& [layer, module] : written.modules.at(component)) {
    for (const bool is_down : {true, false}) {
      const Tensor& matrix = is_down ? module.down : module.up;
      add_tensor(tensors, name_of(component, layer, is_down ? LoraSide::down : LoraSide::up),
                 in_layer_shape(module, matrix, is_down).to(stored_dtype(module, matrix)));
    }
    if (magnitudes == written.magnitudes.end() || !magnitudes->second.contains(layer)) continue;
    const Tensor& values = magnitudes->second.at(layer);
    add_tensor(tensors, name_of(component, layer, LoraSide::magnitude),
               (module.kernel > 0 ? values.view({1, -1, 1, 1}) : values).to(stored_dtype(module, values)));
  }
}

// LyCORIS' names of what a kind's tensors are called in kohya's dialect.
std::string suffix_of(const LayerChange& change, const std::string& piece) {
  if (change.kind == &lora_kind()) return "." + piece + ".weight";
  if (change.kind == &difference_kind() && change.target.kind == LoraTarget::Kind::norm) return ".w_norm";
  return "." + piece;
}

Tensor dora_scale(const LayerChange& change) {
  Shape shape(change.target.weight_shape().size(), 1);
  shape[change.magnitude->per_input ? 1 : 0] = -1;
  return change.magnitude->values.view(shape);
}

void add_change(Tensors& tensors, const std::string& stem, const LayerChange& change) {
  const auto dtype = [&](const Tensor& tensor) { return change.stored.value_or(tensor.scalar_type()); };
  for (const auto& [piece, tensor] : change.pieces)
    add_tensor(tensors, stem + suffix_of(change, piece), tensor.to(piece == "on_input" ? at::kLong : dtype(tensor)));
  if (change.bias.defined())
    add_tensor(tensors, stem + (change.target.kind == LoraTarget::Kind::norm ? ".b_norm" : ".diff_b"),
               change.bias.to(dtype(change.bias)));
  if (change.magnitude) add_tensor(tensors, stem + ".dora_scale", dora_scale(change).to(dtype(change.magnitude->values)));
  const DType number = change.stored.value_or(at::kFloat);
  if (change.rank > 0) {
    add_tensor(tensors, stem + ".alpha", alpha_tensor(change.scale * static_cast<double>(change.rank), number));
    return;
  }
  if (change.alpha != 0) add_tensor(tensors, stem + ".alpha", alpha_tensor(change.alpha, number));
  if (change.scale != 1) add_tensor(tensors, stem + ".scalar", alpha_tensor(change.scale, number));
}

Tensors tensors_of(const Written& written, const LoraWrite& how) {
  Tensors tensors;
  const auto name_of = [&](const std::string& component, const std::string& layer, LoraSide side) {
    return lora_names(how.dialect, component, layer, side, how.layout).front();
  };
  for (const auto& [component, modules] : written.modules) {
    add_products(tensors, written, component, name_of);
    if (how.dialect != LoraDialect::kohya) continue;
    for (const auto& [layer, module] : modules)
      add_tensor(tensors, name_of(component, layer, LoraSide::alpha),
                 alpha_tensor(module.alpha, stored_dtype(module, module.down)));
  }
  if (written.changes.empty()) return tensors;
  const KohyaNames names(how.layout);
  for (const auto& [component, changes] : written.changes)
    for (const auto& [layer, change] : changes) add_change(tensors, names.modules(component, layer).front(), *change);
  return tensors;
}

Tensors tensors_of_peft_model(const std::string& component, const Written& written) {
  Tensors tensors;
  add_products(tensors, written, component, peft_model_lora_name);
  return tensors;
}

// One number, or kohya's word for several.
template <class Number>
std::string one_or_dynamic(const LoraModules& components, Number number) {
  std::set<std::string> texts;
  for (const auto& [component, modules] : components)
    for (const auto& [name, module] : modules) texts.insert(number(module));
  return texts.size() == 1 ? *texts.begin() : "Dynamic";
}

Metadata metadata_of(const Written& written, const Tensors& tensors, Metadata metadata) {
  const auto& components = written.modules;
  metadata.erase(adapter_metadata);
  metadata["format"] = "pt";
  // The webui takes a file with metadata but without these for one of Stable Diffusion 1.
  for (const auto& [key, value] :
       Metadata{{"ss_v2", "False"},
                {"ss_base_model_version", "sdxl_base_v1-0"},
                {"ss_network_module", written.changes.empty() ? "networks.lora" : "lycoris.kohya"},
                {"ss_network_args", "{}"},
                {"ss_network_dim",
                 one_or_dynamic(components, [](const LoraModule& module) { return fmt::format("{}", module.rank()); })},
                {"ss_network_alpha",
                 one_or_dynamic(components, [](const LoraModule& module) { return fmt::format("{}", module.alpha); })}})
    metadata.emplace(key, value);
  const auto hashes = kohya_hashes(tensors, metadata);
  metadata["sshs_model_hash"] = hashes.model;
  metadata["sshs_legacy_hash"] = hashes.legacy;
  if (metadata.contains("modelspec.sai_model_spec")) metadata["modelspec.hash_sha256"] = "0x" + hashes.model;
  return metadata;
}

std::set<std::string> doras_of(const Written& written) {
  std::set<std::string> components;
  for (const auto& [component, magnitudes] : written.magnitudes) components.insert(component);
  return components;
}

void write_file(const fs::path& out, const Written& written, const LoraWrite& how) {
  const auto tensors = tensors_of(written, how);
  auto metadata = metadata_of(written, tensors, how.metadata);
  const bool alpha_is_rank = std::all_of(written.modules.begin(), written.modules.end(),
                                         [](const auto& named) { return alphas_are_ranks(named.second); });
  if (how.dialect == LoraDialect::diffusers && !alpha_is_rank)
    metadata[adapter_metadata] = adapter_metadata_text(written.modules, doras_of(written));
  write_safetensors(out, tensors, metadata);
}

void write_peft_files(const fs::path& folder, const std::string& component, const Written& written, const LoraWrite& how) {
  const auto& modules = written.modules.at(component);
  write_atomically(folder / names::peft_config, adapter_config_text(modules, written.magnitudes.contains(component)));
  const auto tensors = tensors_of_peft_model(component, written);
  write_safetensors(folder / names::peft_weights, tensors, metadata_of({{{component, modules}}, {}, {}}, tensors, how.metadata));
}

// An adapter of the folder that would stay beside the new ones would be read as a part of them.
void check_none_stays(const fs::path& out, const LoraModules& components) {
  for (const char* folder : {"", names::unet, names::text_encoder, names::text_encoder_2}) {
    const bool is_replaced = components.size() == 1 ? !*folder : components.contains(folder);
    check(is_replaced || !fs::exists(out / folder / names::peft_weights), ErrorKind::input,
          "[--out] {} holds another adapter ({}), which would be taken for a part of this one; choose another name", out.string(),
          (fs::path(folder) / names::peft_weights).string());
  }
}

void write_peft_folder(const fs::path& out, const Written& written, const LoraWrite& how) {
  check_none_stays(out, written.modules);
  write_folder_atomically(out, [&](const fs::path& folder) {
    for (const auto& [component, modules] : written.modules) {
      if (written.modules.size() > 1) make_folder(folder / component);
      write_peft_files(written.modules.size() > 1 ? folder / component : folder, component, written, how);
    }
  });
}

// A DoRA as the libraries know it: the product and a vector of outputs.
LoraModule product_of(const LayerChange& change) {
  const Tensor up = change.pieces.at("lora_up").flatten(1);
  const Tensor down = change.pieces.at("lora_down").flatten(1);
  LoraModule module;
  module.up = up;
  module.down = down.reshape({up.size(1), -1});
  module.alpha = change.scale * static_cast<double>(change.rank);
  module.stored = change.stored;
  module.kernel = change.target.kind == LoraTarget::Kind::convolution ? change.target.kernel : 0;
  return module;
}

void check_holds(const LayerChange& change, LoraDialect dialect) {
  const bool is_theirs = change.kind == &lora_kind() && change.magnitude && !change.magnitude->per_input &&
                         !change.pieces.contains("lora_mid") && !change.bias.defined();
  const std::string what = change.pieces.empty() ? "a difference of a bias" : fmt::format("a {}", change.name());
  check(is_theirs, ErrorKind::input, "[lora] {} has {}{}, which {}'s format cannot hold; use --format kohya", change.target.name,
        what, change.magnitude && change.magnitude->per_input ? " of inputs" : "", dialect_name(dialect));
}

// What the dialect has keys for, which for others than kohya's is less. Throws ErrorKind::input with the layer's name.
Written written_as(LoraDialect dialect, const LoraFile& lora) {
  Written written{lora.modules, {}, {}};
  if (dialect == LoraDialect::kohya) {
    written.changes = lora.changes;
    return written;
  }
  for (const auto& [component, changes] : lora.changes) {
    const auto plain = lora.modules.find(component);
    for (const auto& [layer, change] : changes) {
      check_holds(*change, dialect);
      check(plain == lora.modules.end() || plain->second.empty(), ErrorKind::input,
            "[lora] {} is a DoRA and {} a plain LoRA, which {}'s format cannot hold side by side in {}; use --format kohya",
            layer, plain->second.begin()->first, dialect_name(dialect), component);
      written.modules[component].emplace(layer, product_of(*change));
      written.magnitudes[component].emplace(layer, change->magnitude->values);
    }
  }
  return written;
}

}  // namespace

void check_lora_name(const fs::path& out, LoraDialect dialect) {
  check(!out.empty(), ErrorKind::input, "[--out] got an empty name, expected a file's; try -o lora.safetensors");
  if (is_device(out) || !is_folder_name(out)) {
    check_can_write(out);
    return;
  }
  check(dialect == LoraDialect::peft, ErrorKind::input, "[--out] got {}, expected a .safetensors file; try -o {}", out.string(),
        (out.has_filename() ? out : out.parent_path()).string() + ".safetensors");
  check_can_write_folder(out);
}

void write_lora(const fs::path& out, const LoraFile& lora, const LoraWrite& how) {
  check(!lora.modules.empty() || !lora.changes.empty(), ErrorKind::input,
        "[lora] got no modules, expected at least one; there is nothing to write");
  Written written = written_as(how.dialect, lora);
  for (const auto& [component, modules] : written.modules) {
    check(!modules.empty(), ErrorKind::input, "[lora] got no modules of {}, expected at least one or no such component",
          component);
    for (const auto& [name, module] : modules) check_module(name, module);
  }
  check_lora_name(out, how.dialect);
  if (how.dialect != LoraDialect::peft) return write_file(out, written, how);
  if (is_folder_name(out) && !is_device(out)) return write_peft_folder(out, written, how);
  for (auto& [component, modules] : written.modules)
    for (auto& [name, module] : modules) module = folded(module);
  write_file(out, written, how);
}

}  // namespace negativa
