#include "io/pickle_names.h"

#include <set>

#include "base/text.h"
#include "io/safetensors_header.h"

namespace negativa {

namespace {

using TensorPointer = std::shared_ptr<const PickleTensor>;

constexpr int most_levels = 32;
constexpr size_t most_visits = 2'000'000, longest_name = 1024, most_name_bytes = size_t{64} << 20, longest_metadata = 65536,
                 most_metadata = 1000;

class Namer {
 public:
  explicit Namer(const PickleValues& values) : values_(values) {}

  PickledTensors name(PickleId root) {
    const PickleId chosen = choose(root);
    if (const auto* tensor = values_.as<TensorPointer>(chosen))
      found_.tensors.push_back({"tensor", *tensor});
    else
      walk(chosen, "", 0);
    check(!found_.tensors.empty(), ErrorKind::file_format,
          "[{}] holds no tensors, expected a dict of them; is it the right file?", values_.where());
    check_names();
    for (const PickleId dict : {root, chosen}) keep_metadata(dict);
    if (chosen != root) note_left_out(root, chosen);
    return std::move(found_);
  }

 private:
  PickleId choose(PickleId root) {
    const auto* dict = values_.as<PickleDict>(root);
    if (!dict) return root;
    for (const char* key : {"state_dict", "model"}) {
      const auto* inner = values_.find(*dict, key);
      if (inner && values_.as<PickleDict>(*inner) && holds_tensors(*inner, 0)) return *inner;
    }
    return root;
  }

  void visit() {
    check(++visits_ <= most_visits, ErrorKind::file_format,
          "[{}] got dicts and lists that hold each other more than {} times over, which no model needs", values_.where(),
          most_visits);
  }

  bool holds_tensors(PickleId id, int level) {
    visit();
    if (values_.as<TensorPointer>(id)) return true;
    if (level == most_levels) return false;
    if (const auto* dict = values_.as<PickleDict>(id))
      for (const auto& [key, value] : dict->items)
        if (holds_tensors(value, level + 1)) return true;
    if (const auto* list = values_.as<PickleSequence>(id))
      for (const PickleId item : list->items)
        if (holds_tensors(item, level + 1)) return true;
    return false;
  }

  // What a key adds to a name; absent: it cannot.
  std::optional<std::string> text_of(PickleId key) const {
    if (const auto* text = values_.as<PickleText>(key); text && text->text.size() <= longest_name) return valid_utf8(text->text);
    if (const auto* number = values_.as<int64_t>(key)) return std::to_string(*number);
    return {};
  }

  void add(const std::string& name, const TensorPointer& tensor, double number) {
    name_bytes_ += name.size();
    check(name.size() <= longest_name && name_bytes_ <= most_name_bytes, ErrorKind::file_format,
          "[{}] got the name {} of {} bytes, expected at most {}", values_.where(), printable_name(name), name.size(),
          longest_name);
    found_.tensors.push_back({name, tensor, number});
  }

  void walk_item(PickleId key, PickleId value, const std::string& prefix, int level) {
    visit();
    const auto text = text_of(key);
    if (!text) {
      check(!holds_tensors(value, level), ErrorKind::file_format,
            "[{}] got tensors under a key that is neither a short text nor a number, expected names; is it the right file?",
            values_.where());
      return;
    }
    const auto name = prefix + *text;
    const auto* real = values_.as<double>(value);
    const auto* whole = values_.as<int64_t>(value);
    if ((real || whole) && text->find('.') != text->npos)
      add(name, nullptr, real ? *real : static_cast<double>(*whole));
    else
      walk(value, name, level + 1);
  }

  void walk(PickleId id, const std::string& name, int level) {
    visit();
    if (const auto* tensor = values_.as<TensorPointer>(id)) return add(name, *tensor, 0);
    const auto* dict = values_.as<PickleDict>(id);
    const auto* list = values_.as<PickleSequence>(id);
    if (!dict && !list) return;
    check(level < most_levels && name.size() <= longest_name, ErrorKind::file_format,
          "[{}] got dicts within dicts more than {} deep, which no model needs", values_.where(), most_levels);
    const std::string prefix = name.empty() ? "" : name + ".";
    if (dict)
      for (const auto& [key, value] : dict->items) walk_item(key, value, prefix, level);
    else
      for (size_t i = 0; i < list->items.size(); ++i) walk(list->items[i], prefix + std::to_string(i), level + 1);
  }

  void check_names() const {
    std::set<std::string_view> names;
    for (const auto& tensor : found_.tensors)
      check(names.insert(tensor.name).second, ErrorKind::file_format, "[{}] got the name {} twice, expected once",
            values_.where(), printable_name(tensor.name));
  }

  void keep_metadata(PickleId id) {
    const auto* dict = values_.as<PickleDict>(id);
    if (!dict) return;
    for (const auto& [key, value] : dict->items) {
      const auto name = text_of(key);
      if (!name || found_.metadata.size() == most_metadata) continue;
      if (const auto* text = values_.as<PickleText>(value); text && text->text.size() <= longest_metadata)
        found_.metadata[*name] = valid_utf8(text->text);
      else if (const auto* whole = values_.as<int64_t>(value); whole && name->find('.') == name->npos)
        found_.metadata[*name] = std::to_string(*whole);
      else if (const auto* real = values_.as<double>(value); real && name->find('.') == name->npos)
        found_.metadata[*name] = fmt::format("{}", *real);
    }
  }

  void note_left_out(PickleId root, PickleId chosen) {
    for (const auto& [key, value] : values_.as<PickleDict>(root)->items)
      if (value != chosen && holds_tensors(value, 0)) found_.left_out.push_back(text_of(key).value_or("a key that is no text"));
  }

  const PickleValues& values_;
  PickledTensors found_;
  size_t visits_ = 0, name_bytes_ = 0;
};

}  // namespace

PickledTensors name_tensors(const PickleValues& values, PickleId root) { return Namer(values).name(root); }

}  // namespace negativa
