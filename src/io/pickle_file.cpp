#include "io/pickle_file.h"

#include <algorithm>
#include <cstring>

#include "base/sha256.h"
#include "io/little_endian.h"
#include "io/pickle_machine.h"
#include "io/pickle_names.h"
#include "io/safetensors_header.h"
#include "io/zip_archive.h"

namespace negativa {

namespace {

using namespace std::string_view_literals;

struct Bytes {
  uint64_t begin, end;
};
using Storages = std::map<std::string, Bytes, std::less<>>;  // key -> where in the file

constexpr std::string_view magic_number = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv,
                           magic_decimal = "119547037146038801333356"sv;
constexpr uint64_t spare_bytes = uint64_t{64} << 20;  // of tensors that overlap, however small the file

int64_t storage_bytes(const PickleStorage& storage) { return storage.size * (storage.dtype ? dtype_bytes(*storage.dtype) : 1); }

// NAME/ of NAME/data.pkl; the other entries lie beside it.
std::string prefix_in(const std::string& where, const std::map<std::string, ZipEntry, std::less<>>& archive) {
  std::optional<std::string> prefix;
  for (const auto& [name, entry] : archive) {
    if (!name.ends_with("/data.pkl") || name.find('/') != name.size() - 9) continue;
    check(!prefix, ErrorKind::file_format, "[{}] got two entries data.pkl, expected one", where);
    prefix = name.substr(0, name.size() - 8);
  }
  check(prefix.has_value(), ErrorKind::file_format,
        "[{}] is a ZIP archive that torch.save did not write (no NAME/data.pkl in it); unpack it and give the file in it", where);
  const bool is_script =
      archive.contains(*prefix + "constants.pkl") ||
      std::any_of(archive.begin(), archive.end(), [&](const auto& entry) { return entry.first.starts_with(*prefix + "code/"); });
  check(!is_script, ErrorKind::file_format, "[{}] is a TorchScript program, which is code; look for the weights as .safetensors",
        where);
  return *prefix;
}

class Reader {
 public:
  Reader(const std::string& where, std::span<const uint8_t> bytes) : where_(where), bytes_(bytes) {}

  PickledFile read() {
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    check(text.size() < 262 || text.substr(257, 5) != "ustar", ErrorKind::file_format,
          "[{}] is a tar archive of PyTorch before 0.1.10; open it there and save it again", where_);
    const Pickle pickle = text.starts_with("PK") ? read_zip() : read_legacy();
    auto named = name_tensors(pickle.values, pickle.root);
    PickledFile file{{}, {}, std::move(named.metadata), std::move(named.left_out)};
    for (const auto& tensor : named.tensors)
      tensor.tensor ? add(file, tensor.name, *tensor.tensor) : add(file, tensor.name, tensor.number);
    check_total(file);
    return file;
  }

 private:
  Pickle read_zip() {
    const auto archive = read_zip_directory(where_, bytes_);
    const auto prefix = prefix_in(where_, archive);
    if (const auto order = archive.find(prefix + "byteorder"); order != archive.end())
      check(text_of(order->second) == "little", ErrorKind::file_format,
            "[{}] was saved on a big-endian machine, which is not read; save it again on another", where_);
    const std::string folder = prefix + "data/";
    for (const auto& [name, entry] : archive)
      if (name.starts_with(folder)) storages_[name.substr(folder.size())] = {entry.begin, entry.end};
    const auto& entry = archive.find(prefix + "data.pkl")->second;
    return read_pickle(where_, bytes_.first(entry.end), entry.begin);
  }

  std::string_view text_of(const ZipEntry& entry) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + entry.begin, static_cast<size_t>(entry.end - entry.begin)};
  }

  // Five pickles (a magic number, the protocol, the machine, the object, the storages' keys), then each storage with its length.
  Pickle read_legacy() {
    const Pickle magic = read_pickle(where_, bytes_);
    const auto* number = magic.values.as<PickleBigInt>(magic.root);
    check(number && (number->digits == magic_number || number->digits == magic_decimal), ErrorKind::file_format,
          "[{}] is a pickle, but not one that torch.save wrote; look for a .safetensors of it", where_);
    const Pickle protocol = read_pickle(where_, bytes_, magic.end);
    const Pickle machine = read_pickle(where_, bytes_, protocol.end);
    const auto* facts = machine.values.as<PickleDict>(machine.root);
    const auto* little = facts ? machine.values.find(*facts, "little_endian") : nullptr;
    const auto* is_little = little ? machine.values.as<bool>(*little) : nullptr;
    check(is_little && *is_little, ErrorKind::file_format,
          "[{}] was saved on a big-endian machine, which is not read; save it again on another", where_);
    Pickle object = read_pickle(where_, bytes_, machine.end);
    const Pickle keys = read_pickle(where_, bytes_, object.end);
    const auto* list = keys.values.as<PickleSequence>(keys.root);
    check(list, ErrorKind::file_format, "[{}] does not list its storages; the file is damaged", where_);
    at_ = keys.end;
    for (const PickleId id : list->items) {
      const auto* text = keys.values.as<PickleText>(id);
      const auto* whole = keys.values.as<int64_t>(id);
      check(text || whole, ErrorKind::file_format, "[{}] lists a storage without a key; the file is damaged", where_);
      legacy_keys_.push_back(text ? text->text : std::to_string(*whole));
    }
    place_legacy(object.values);
    return object;
  }

  // The lengths are in elements, whose widths only the object tells.
  void place_legacy(const PickleValues& values) {
    std::map<std::string, int64_t, std::less<>> widths;
    for (PickleId id = 0; id < values.size(); ++id)
      if (const auto* storage = values.as<std::shared_ptr<const PickleStorage>>(id))
        widths.emplace((*storage)->key, (*storage)->dtype ? dtype_bytes(*(*storage)->dtype) : 1);
    for (const auto& key : legacy_keys_) {
      const auto width = widths.find(key);
      check(bytes_.size() - at_ >= 8 && width != widths.end(), ErrorKind::file_format,
            "[{}] ends before its storage {}, or never uses it; it is truncated, download it again", where_, printable_name(key));
      const auto elements = little_endian<uint64_t>(bytes_.data() + at_);
      at_ += 8;
      check(elements <= (bytes_.size() - at_) / static_cast<uint64_t>(width->second), ErrorKind::file_format,
            "[{}] ends within its storage {}; it is truncated, download it again", where_, printable_name(key));
      const uint64_t length = elements * static_cast<uint64_t>(width->second);
      storages_[key] = {at_, at_ + length};
      at_ += length;
    }
  }

  void add(PickledFile& file, const std::string& name, const PickleTensor& tensor) const {
    const auto& storage = tensor.storage;
    const auto found = storages_.find(storage.key);
    check(found != storages_.end(), ErrorKind::file_format,
          "[{}: {}] got a tensor whose storage {} is not in the file; it is damaged", where_, printable_name(name),
          printable_name(storage.key));
    const auto [begin, end] = found->second;
    check(end - begin == static_cast<uint64_t>(storage_bytes(storage)), ErrorKind::file_format,
          "[{}: {}] got a storage of {} bytes, expected {}; the file is damaged", where_, printable_name(name), end - begin,
          storage_bytes(storage));
    const bool is_empty = std::find(tensor.size.begin(), tensor.size.end(), 0) != tensor.size.end();
    const int64_t offset =
        is_empty ? 0
                 : tensor.offset * dtype_bytes(tensor.dtype) + storage.offset * (storage.dtype ? dtype_bytes(*storage.dtype) : 1);
    file.entries.push_back({name, tensor.dtype, tensor.size, begin, end});
    file.views.push_back({begin + static_cast<uint64_t>(offset), tensor.stride, {}});
  }

  void add(PickledFile& file, const std::string& name, double number) const {
    file.entries.push_back({name, at::kDouble, {}, 0, 0});
    file.views.push_back({0, {}, number});
  }

  // A storage may be named by many tensors, and a stride of 0 repeats it: a small file could else stand for any amount of memory.
  void check_total(const PickledFile& file) const {
    double total = 0;
    for (const auto& entry : file.entries) {
      double bytes = static_cast<double>(dtype_bytes(entry.dtype));
      for (const int64_t size : entry.shape) bytes *= static_cast<double>(size);
      total += bytes;
    }
    check(total <= 4.0 * static_cast<double>(bytes_.size()) + static_cast<double>(spare_bytes), ErrorKind::file_format,
          "[{}] got tensors of {:.0f} bytes together in a file of {}, expected no more than four times its size; save copies of "
          "its views",
          where_, total, bytes_.size());
  }

  const std::string& where_;
  std::span<const uint8_t> bytes_;
  Storages storages_;
  std::vector<std::string> legacy_keys_;
  uint64_t at_ = 0;
};

// Elements between the first and the last that the view reaches, inclusive; 0: none.
uint64_t reach(const Shape& size, const Shape& stride) {
  uint64_t last = 0;
  for (size_t i = 0; i < size.size(); ++i) {
    if (size[i] == 0) return 0;
    last += static_cast<uint64_t>((size[i] - 1) * stride[i]);
  }
  return last + 1;
}

// Numbers of that width, to be moved as they are: whole ones, of which every kind of copy exists.
DType whole_number(DType dtype) {
  switch (dtype_bytes(dtype)) {
    case 1:
      return at::kByte;
    case 2:
      return at::kShort;
    case 4:
      return at::kInt;
    case 8:
      return at::kLong;
    default:
      return dtype;
  }
}

}  // namespace

PickledFile read_pickled_file(const std::string& where, std::span<const uint8_t> bytes) { return Reader(where, bytes).read(); }

Tensor load_pickled(std::span<const uint8_t> bytes, const TensorEntry& entry, const PickledView& view, DType wanted) {
  if (view.number) return at::scalar_tensor(*view.number, at::TensorOptions().dtype(wanted));
  const uint64_t elements = reach(entry.shape, view.stride);
  if (elements == 0) return at::empty(entry.shape, at::TensorOptions().dtype(wanted));
  const DType whole = whole_number(entry.dtype);
  const auto options = at::TensorOptions().dtype(whole);
  auto* source = const_cast<uint8_t*>(bytes.data()) + view.begin;  // only ever read
  const auto width = static_cast<uint64_t>(dtype_bytes(entry.dtype));
  Tensor held;
  if (reinterpret_cast<uintptr_t>(source) % c10::elementSize(whole) != 0) {  // the older form pads nothing
    held = at::empty({static_cast<int64_t>(elements)}, options);
    std::memcpy(held.data_ptr(), source, elements * width);
    source = static_cast<uint8_t*>(held.data_ptr());
  }
  auto result = at::empty(entry.shape, options);
  result.copy_(at::from_blob(source, entry.shape, view.stride, options));
  return result.view(entry.dtype).to(wanted);
}

PickleFile::PickleFile(const std::filesystem::path& path) : TensorFile(path), file_(path) {
  auto contents = read_pickled_file(path.string(), file_.bytes());
  metadata_ = std::move(contents.metadata);
  left_out_ = std::move(contents.left_out);
  views_ = std::move(contents.views);
  set_entries(std::move(contents.entries));
}

std::shared_ptr<const PickleFile> PickleFile::open(const std::filesystem::path& path) {
  return std::shared_ptr<const PickleFile>(new PickleFile(path));
}

Tensor PickleFile::load_entry(const TensorEntry& entry, const std::optional<Rows>& rows, DType wanted) const {
  const auto* known = find(entry.name);
  check(known, ErrorKind::missing_key, "[{}] has no tensor \"{}\"; is it the right file?", path().string(), entry.name);
  auto view = views_[static_cast<size_t>(known - entries().data())];
  auto part = *known;
  const auto width = static_cast<uint64_t>(dtype_bytes(part.dtype));
  if (rows && rows->begin < rows->end) view.begin += static_cast<uint64_t>(rows->begin * view.stride[0]) * width;
  if (rows) part.shape[0] = rows->end - rows->begin;
  auto result = load_pickled(file_.bytes(), part, view, wanted);
  if (!view.number) file_.drop_pages(view.begin, view.begin + reach(part.shape, view.stride) * width);
  return result;
}

std::string PickleFile::data_sha256(const CancelToken* cancel) const { return sha256_file(path(), cancel); }

}  // namespace negativa
