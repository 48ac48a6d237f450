#include "base/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace negativa {

namespace {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

// Calls f with the member, or with what is inside an optional member (skipped when absent).
template <class F>
void with_value(const FieldPointer& pointer, F f) {
  std::visit(
      [&](const auto* member) {
        if constexpr (IsOptional<std::decay_t<decltype(*member)>>::value) {
          if (*member) f(**member);
        } else {
          f(*member);
        }
      },
      pointer);
}

// "1..1000". A float's bounds are shown as floats: 0.1, not 0.10000000149011612.
std::string range_text(const Field& field) {
  const auto [low, high] = *field.range;
  if (std::holds_alternative<float*>(field.value) || std::holds_alternative<std::optional<float>*>(field.value))
    return fmt::format("{}..{}", static_cast<float>(low), static_cast<float>(high));
  return fmt::format("{}..{}", low, high);
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>)
    return value ? "true" : "false";
  else if constexpr (std::is_same_v<T, Path>)
    return value.string();
  else if constexpr (std::is_same_v<T, std::vector<std::string>>)
    return joined(value, ", ");
  else
    return fmt::format("{}", value);
}

template <class T>
constexpr const char* name_of_type() {
  if constexpr (std::is_same_v<T, bool>)
    return "true or false";
  else if constexpr (std::is_integral_v<T>)
    return "integer";
  else if constexpr (std::is_floating_point_v<T>)
    return "number";
  else if constexpr (std::is_same_v<T, Path>)
    return "path";
  else
    return "text";
}

std::string place(const Field& field, const Source& source) {
  return source.rank == Source::flag ? field.long_flag() : fmt::format("{} in {}", field.name, source.name);
}

[[noreturn]] void refuse(const Field& field, std::string_view got, const Source& source) {
  fail(ErrorKind::input, "[{}] got \"{}\", expected {}{}", place(field, source), got, field.expected(),
       did_you_mean(got, field.choices));
}

template <class T>
void check_range(const Field& field, const T& value, std::string_view got, const Source& source) {
  if constexpr (std::is_floating_point_v<T>)
    if (!std::isfinite(value)) refuse(field, got, source);  // NaN and infinity are outside every range
  if constexpr (std::is_arithmetic_v<T>)
    if (field.range && !(static_cast<double>(value) >= field.range->first && static_cast<double>(value) <= field.range->second))
      refuse(field, got, source);
  if constexpr (std::is_same_v<T, std::string>)
    if (!field.choices.empty() && std::find(field.choices.begin(), field.choices.end(), value) == field.choices.end())
      refuse(field, got, source);
}

template <class T>
T parse(const Field& field, std::string_view text, const Source& source) {
  T value{};
  if constexpr (std::is_same_v<T, bool>) {
    if (text != "true" && text != "false") refuse(field, text, source);
    value = text == "true";
  } else if constexpr (std::is_arithmetic_v<T>) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) refuse(field, text, source);
  } else {
    value = T(text);
  }
  check_range(field, value, text, source);
  return value;
}

}  // namespace

std::string Field::long_flag() const {
  const auto dashes = flags.rfind("--");
  if (dashes != std::string::npos) return flags.substr(dashes, flags.find(',', dashes) - dashes);
  return flags.substr(0, flags.find(','));
}

bool Field::is_positional() const { return !flags.starts_with('-'); }
bool Field::is_list() const { return std::holds_alternative<std::vector<std::string>*>(value); }
bool Field::is_bool() const { return std::holds_alternative<bool*>(value); }

std::string Field::type_name() const {
  return std::visit(
      [](const auto* member) -> std::string {
        using Member = std::decay_t<decltype(*member)>;
        if constexpr (IsOptional<Member>::value)
          return name_of_type<typename Member::value_type>();
        else
          return name_of_type<Member>();
      },
      value);
}

std::string Field::value_text() const {
  std::string text;
  with_value(value, [&](const auto& inside) { text = text_of(inside); });
  return text;
}

std::string Field::expected() const {
  if (!choices.empty()) return "one of " + joined(choices, ", ");
  const std::string type = type_name();
  std::string text = type == "true or false" || type == "text" ? type : (type == "integer" ? "an " : "a ") + type;
  const bool is_unsigned = std::holds_alternative<uint64_t*>(value) || std::holds_alternative<std::optional<uint64_t>*>(value);
  if (range)
    text += " in " + range_text(*this);
  else if (is_unsigned)
    text += " of at least 0";
  return unit.empty() ? text : text + " (" + unit + ")";
}

void detail::add_field(Fields& fields, Field field) {
  if (field.flags.empty()) {
    field.flags = "--" + field.name;
    std::replace(field.flags.begin(), field.flags.end(), '_', '-');
  }
  for (const auto& other : fields)
    check(other.name != field.name && other.long_flag() != field.long_flag(), ErrorKind::input,
          "[config] \"{}\" ({}) is listed twice", field.name, field.flags);
  field.default_text = field.value_text();
  fields.push_back(std::move(field));
}

Field* find_field(Fields& fields, std::string_view name) {
  for (auto& field : fields)
    if (field.name == name) return &field;
  for (auto& field : fields) {
    std::string key = field.long_flag();
    if (!key.starts_with("--")) continue;
    std::replace(key.begin(), key.end(), '-', '_');
    if (std::string_view(key).substr(2) == name) return &field;
  }
  return nullptr;
}

void set_from_text(Field& field, std::string_view text, const Source& source) {
  set_from_texts(field, {std::string(text)}, source);
}

void set_from_texts(Field& field, const std::vector<std::string>& texts, const Source& source) {
  const bool wins = source.rank >= field.source.rank;
  std::visit(
      [&](auto* member) {
        using Member = std::decay_t<decltype(*member)>;
        if constexpr (std::is_same_v<Member, std::vector<std::string>>) {
          for (const auto& text : texts) check_range(field, text, text, source);
          if (wins) *member = texts;
        } else {
          if (texts.empty()) return;
          if constexpr (IsOptional<Member>::value) {
            const auto value = parse<typename Member::value_type>(field, texts.back(), source);
            if (wins) *member = value;
          } else {
            const auto value = parse<Member>(field, texts.back(), source);
            if (wins) *member = value;
          }
        }
      },
      field.value);
  if (wins) field.source = source;
}

namespace {
std::string placeholder(const Field& field) {
  if (field.is_bool() || field.is_positional()) return "";
  if (field.is_list()) return " TEXT ...";
  const std::string type = field.type_name();
  return type == "integer" ? " N" : type == "number" ? " X" : type == "path" ? " FILE" : " TEXT";
}
}  // namespace

std::string help_text(const Fields& fields) {
  std::string text;
  for (const auto& field : fields) {
    const std::string left = "  " + field.flags + placeholder(field);
    std::vector<std::string> notes;
    if (!field.choices.empty()) notes.push_back(joined(field.choices, "|"));
    if (field.range) notes.push_back(range_text(field));
    if (!field.unit.empty()) notes.push_back(field.unit);
    if (!field.default_text.empty() && !(field.is_bool() && field.default_text == "false"))
      notes.push_back("default " + field.default_text);
    const std::string separator = left.size() < 33 ? std::string(34 - left.size(), ' ') : "\n" + std::string(34, ' ');
    text += left + separator + field.help + (notes.empty() ? "" : " (" + joined(notes, "; ") + ")") + "\n";
  }
  return text;
}

}  // namespace negativa
