#include "stand_ins.h"

#include "golden_file.h"
#include "lora/lora_file.h"
#include "model/lora_targets.h"
#include "model/models.h"
#include "text/embedding_file.h"

namespace negativa::test {

namespace {

template <class Number>
std::string bytes_of(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

std::string text(const std::string& value) { return "X" + bytes_of(static_cast<uint32_t>(value.size())) + value; }
std::string integer(int64_t value) { return "J" + bytes_of(static_cast<int32_t>(value)); }

std::string tuple(at::IntArrayRef values) {
  std::string items;
  for (const auto value : values) items += integer(value);
  return "(" + items + "t";
}

const char* storage_class(DType dtype) {
  if (dtype == at::kFloat) return "FloatStorage";
  if (dtype == at::kHalf) return "HalfStorage";
  if (dtype == at::kBFloat16) return "BFloat16Storage";
  return dtype == at::kLong ? "LongStorage" : "";
}

// torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks). fp8 has no storage of its own:
// _rebuild_tensor_v3 names the format.
std::string rebuilt(const Tensor& tensor, const std::string& key) {
  const DType dtype = tensor.scalar_type();
  const bool is_new = dtype == at::kFloat8_e4m3fn;
  const int64_t size = is_new ? static_cast<int64_t>(tensor.nbytes()) : tensor.numel();
  std::string pickle = "ctorch._utils\n_rebuild_tensor_";
  pickle.append(is_new ? "v3\n((" : "v2\n((").append(text("storage"));
  pickle.append(is_new ? "ctorch.storage\nUntypedStorage" : "ctorch\n").append(is_new ? "" : storage_class(dtype)).append("\n");
  pickle.append(text(key)).append(text("cpu")).append(integer(size)).append("tQ");
  pickle.append(integer(0)).append(tuple(tensor.sizes())).append(tuple(tensor.strides()));
  pickle.append("\x89").append("ccollections\nOrderedDict\n)R").append(is_new ? "ctorch\nfloat8_e4m3fn\n" : "").append("tR");
  return pickle;
}

// Stored entries; checksums are not looked at.
std::string zip(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string bytes, directory;
  const auto common = [](const auto& entry) {
    const auto size = static_cast<uint32_t>(entry.second.size());
    return bytes_of(uint16_t{0}) + bytes_of(uint16_t{0}) + bytes_of(uint16_t{0}) + bytes_of(uint16_t{0}) + bytes_of(uint32_t{0}) +
           bytes_of(size) + bytes_of(size) + bytes_of(static_cast<uint16_t>(entry.first.size())) + bytes_of(uint16_t{0});
  };
  for (const auto& entry : entries) {
    directory += "PK\1\2" + bytes_of(uint16_t{20}) + bytes_of(uint16_t{20}) + common(entry) + std::string(10, '\0') +
                 bytes_of(static_cast<uint32_t>(bytes.size())) + entry.first;
    bytes += "PK\3\4" + bytes_of(uint16_t{20}) + common(entry) + entry.first + entry.second;
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return bytes + directory + "PK\5\6" + std::string(4, '\0') + bytes_of(count) + bytes_of(count) +
         bytes_of(static_cast<uint32_t>(directory.size())) + bytes_of(static_cast<uint32_t>(bytes.size())) + std::string(2, '\0');
}

void open_as(Use use, const std::filesystem::path& file) {
  if (use == Use::model) {
    ModelRequest request;
    request.model = file;
    Models(request, places());
  } else if (use == Use::vae) {
    const VaeFiles vae = open_vae(file);
    Vae::check_weights(VaeConfig::from_json(vae.config_json, vae.config_name), vae.weights);
  } else if (use == Use::lora) {
    static const LoraTargets targets = lora_targets(open_model(bundled_model(), places()));
    read_lora(file, targets);
  } else {
    load_embedding(file, {}, {64, 96});
  }
}

}  // namespace

Tensors stored_as(const Tensors& tensors, DType dtype) {
  Tensors stored;
  for (const auto& [name, tensor] : tensors) stored[name] = at::isFloatingType(tensor.scalar_type()) ? tensor.to(dtype) : tensor;
  return stored;
}

std::string pickled(const Tensors& tensors, const Metadata& metadata) {
  std::string pickle = "\x80\x02}(";
  std::vector<std::pair<std::string, std::string>> entries = {{"archive/data.pkl", ""}, {"archive/byteorder", "little"}};
  for (const auto& [name, tensor] : tensors) {
    const std::string key = std::to_string(entries.size());
    const Tensor whole = tensor.contiguous();
    pickle += text(name) + rebuilt(whole, key);
    entries.push_back({"archive/data/" + key, std::string(static_cast<const char*>(whole.data_ptr()), whole.nbytes())});
  }
  for (const auto& [name, value] : metadata) pickle += text(name) + text(value);
  entries.front().second = pickle + "u.";
  entries.push_back({"archive/version", "3\n"});
  return zip(entries);
}

std::string refusal_of(Use use, const std::filesystem::path& file) {
  try {
    open_as(use, file);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace negativa::test
