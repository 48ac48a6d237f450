#include "io/pickle_value.h"

namespace negativa {

namespace {
constexpr size_t most_values = 2'000'000, most_items = 8'000'000, most_text_bytes = size_t{128} << 20;
}  // namespace

PickleId PickleValues::add(PickleValue value) {
  check(values_.size() < most_values, ErrorKind::file_format, "[{}] got a pickle of more than {} values, which no model needs",
        where_, most_values);
  if (const auto* text = std::get_if<PickleText>(&value)) text_bytes_ += text->text.size();
  if (const auto* bytes = std::get_if<PickleBytes>(&value)) text_bytes_ += bytes->bytes.size();
  if (const auto* digits = std::get_if<PickleBigInt>(&value)) text_bytes_ += digits->digits.size();
  if (const auto* global = std::get_if<PickleGlobal>(&value)) text_bytes_ += global->module.size() + global->name.size();
  check(text_bytes_ <= most_text_bytes, ErrorKind::file_format,
        "[{}] got a pickle with more than {} bytes of text, which no model needs", where_, most_text_bytes);
  values_.push_back(std::move(value));
  return static_cast<PickleId>(values_.size() - 1);
}

void PickleValues::count_items(size_t items) {
  items_ += items;
  check(items_ <= most_items, ErrorKind::file_format,
        "[{}] got a pickle whose lists hold more than {} items, which no model needs", where_, most_items);
}

const PickleId* PickleValues::find(const PickleDict& dict, std::string_view key) const {
  for (auto item = dict.items.rbegin(); item != dict.items.rend(); ++item)
    if (const auto* text = as<PickleText>(item->first); text && text->text == key) return &item->second;
  return nullptr;
}

}  // namespace negativa
