#include "lora/lora_writer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/names.h"
#include "lora/adapter_fields.h"
#include "lora/kohya_hashes.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

using Modules = std::map<std::string, LoraModule>;
using Components = std::map<std::string, Modules>;
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

// alpha / rank multiplied into `up`, for a file that cannot say alpha. In fp32 then: fp16 could not hold the product.
LoraModule folded(const LoraModule& module) {
  if (module.scale() == 1) return module;
  const Tensor up =
      module.up.to(at::kDouble).mul(module.scale()).to(module.up.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  return {module.down, up, static_cast<double>(module.rank())};
}

// kohya stores alpha like the weights; fp32 where that format cannot hold it.
Tensor alpha_tensor(const LoraModule& module, DType dtype) {
  const Tensor alpha = at::scalar_tensor(module.alpha, at::kDouble);
  const Tensor small = alpha.to(dtype);
  return at::equal(small.to(at::kDouble), alpha) ? small : alpha.to(at::kFloat);
}

void add_tensor(Tensors& tensors, const std::string& key, const Tensor& tensor) {
  check(tensors.emplace(key, tensor).second, ErrorKind::input, "[lora] two modules have the key {}", key);
}

DType stored_dtype(const LoraModule& module, const Tensor& tensor) { return module.stored.value_or(tensor.scalar_type()); }

Tensors tensors_of(const Components& components, const LoraWrite& how) {
  Tensors tensors;
  for (const auto& [component, modules] : components)
    for (const auto& [name, module] : modules) {
      const auto key = [&, &component = component, &name = name](LoraSide side) {
        return lora_names(how.dialect, component, name, side, how.layout).front();
      };
      add_tensor(tensors, key(LoraSide::down), module.down.to(stored_dtype(module, module.down)));
      add_tensor(tensors, key(LoraSide::up), module.up.to(stored_dtype(module, module.up)));
      if (how.dialect == LoraDialect::kohya)
        add_tensor(tensors, key(LoraSide::alpha), alpha_tensor(module, stored_dtype(module, module.down)));
    }
  return tensors;
}

Tensors tensors_of_peft_model(const std::string& component, const Modules& modules) {
  Tensors tensors;
  for (const auto& [name, module] : modules) {
    add_tensor(tensors, peft_model_lora_name(component, name, LoraSide::down), module.down.to(stored_dtype(module, module.down)));
    add_tensor(tensors, peft_model_lora_name(component, name, LoraSide::up), module.up.to(stored_dtype(module, module.up)));
  }
  return tensors;
}

// One number, or kohya's word for several.
template <class Number>
std::string one_or_dynamic(const Components& components, Number number) {
  std::set<std::string> texts;
  for (const auto& [component, modules] : components)
    for (const auto& [name, module] : modules) texts.insert(number(module));
  return texts.size() == 1 ? *texts.begin() : "Dynamic";
}

Metadata metadata_of(const Components& components, const Tensors& tensors, Metadata metadata) {
  metadata.erase(adapter_metadata);
  metadata["format"] = "pt";
  // The webui takes a file with metadata but without these for one of Stable Diffusion 1.
  for (const auto& [key, value] :
       Metadata{{"ss_v2", "False"},
                {"ss_base_model_version", "sdxl_base_v1-0"},
                {"ss_network_module", "networks.lora"},
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

void write_file(const fs::path& out, const Components& components, const LoraWrite& how) {
  const auto tensors = tensors_of(components, how);
  auto metadata = metadata_of(components, tensors, how.metadata);
  const bool alpha_is_rank =
      std::all_of(components.begin(), components.end(), [](const auto& named) { return alphas_are_ranks(named.second); });
  if (how.dialect == LoraDialect::diffusers && !alpha_is_rank) metadata[adapter_metadata] = adapter_metadata_text(components);
  write_safetensors(out, tensors, metadata);
}

void write_peft_files(const fs::path& folder, const std::string& component, const Modules& modules, const LoraWrite& how) {
  write_atomically(folder / names::peft_config, adapter_config_text(modules));
  const auto tensors = tensors_of_peft_model(component, modules);
  write_safetensors(folder / names::peft_weights, tensors, metadata_of({{component, modules}}, tensors, how.metadata));
}

// An adapter of the folder that would stay beside the new ones would be read as a part of them.
void check_none_stays(const fs::path& out, const Components& components) {
  for (const char* folder : {"", names::unet, names::text_encoder, names::text_encoder_2}) {
    const bool is_replaced = components.size() == 1 ? !*folder : components.contains(folder);
    check(is_replaced || !fs::exists(out / folder / names::peft_weights), ErrorKind::input,
          "[--out] {} holds another adapter ({}), which would be taken for a part of this one; choose another name", out.string(),
          (fs::path(folder) / names::peft_weights).string());
  }
}

void write_peft_folder(const fs::path& out, const Components& components, const LoraWrite& how) {
  check_none_stays(out, components);
  write_folder_atomically(out, [&](const fs::path& folder) {
    for (const auto& [component, modules] : components) {
      if (components.size() > 1) make_folder(folder / component);
      write_peft_files(components.size() > 1 ? folder / component : folder, component, modules, how);
    }
  });
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
  check(!lora.modules.empty(), ErrorKind::input, "[lora] got no modules, expected at least one; there is nothing to write");
  for (const auto& [component, modules] : lora.modules) {
    check(!modules.empty(), ErrorKind::input, "[lora] got no modules of {}, expected at least one or no such component",
          component);
    for (const auto& [name, module] : modules) check_module(name, module);
  }
  check_lora_name(out, how.dialect);
  const bool folder = is_folder_name(out) && !is_device(out);
  if (how.dialect != LoraDialect::peft) return write_file(out, lora.modules, how);
  if (folder) return write_peft_folder(out, lora.modules, how);
  Components components;
  for (const auto& [component, modules] : lora.modules)
    for (const auto& [name, module] : modules) components[component].emplace(name, folded(module));
  write_file(out, components, how);
}

}  // namespace negativa
