#pragma once
// Settings: one struct per thing a user sets, with one `visit` that lists its fields. The list drives the command line, TOML
// files, the JSON record, the web form and the help text.
//
//   struct SampleOptions {
//     int steps = 50;
//     std::optional<uint64_t> seed;
//     static void visit(auto& self, auto& v) {
//       v("steps", self.steps, range(1, 1000), "denoising steps");
//       v("seed", self.seed, flag("-s,--seed"), "initial noise; picture i uses seed + i");
//     }
//   };
//
// Between the member and the help text come modifiers in any order: flag, range, choices, unit. A struct that contains another
// calls `Other::visit(self.other, v)`. Types: bool, int, int64_t, uint64_t, float, double, std::string, std::filesystem::path, an
// std::optional of one of these (absent: not set), std::vector<std::string>.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/json_fwd.h"

namespace negativa {

// Who gave a value. A later rank wins over an earlier one whatever the order of the calls; within a rank the last call wins.
struct Source {
  enum Rank { standard, model, file, flag, request };  // default < model's files < TOML < command line < line of a prompts file
  Rank rank = standard;
  std::string name = "default";  // "scheduler_config.json", "wrong.toml", "--steps", "prompts.jsonl line 3"
};

struct FlagText {
  std::string text;
};
template <class T>
struct RangeOf {
  T low, high;
};
struct Choices {
  std::vector<std::string> names;
};
struct Unit {
  std::string text;
};

inline FlagText flag(std::string text) { return {std::move(text)}; }  // "-s,--seed"; without a dash it is a positional argument
template <class T>
RangeOf<T> range(T low, T high) {  // both ends allowed
  return {low, high};
}
inline Choices choices(std::vector<std::string> names) { return {std::move(names)}; }
inline Unit unit(std::string text) { return {std::move(text)}; }

using Path = std::filesystem::path;
template <class... T>
using PointerTo = std::variant<T*..., std::optional<T>*..., std::vector<std::string>*>;
using FieldPointer = PointerTo<bool, int, int64_t, uint64_t, float, double, std::string, Path>;

struct Field {
  std::string name;   // key in TOML and JSON
  std::string flags;  // "-s,--seed"
  std::string help, unit;
  FieldPointer value;  // the struct that was visited must outlive this
  std::optional<std::pair<double, double>> range;
  std::vector<std::string> choices;
  std::string default_text;  // empty: not set
  Source source;

  std::string long_flag() const;  // "--seed", or the name of a positional argument
  bool is_positional() const;
  bool is_list() const;  // std::vector<std::string>
  bool is_bool() const;
  std::string type_name() const;   // "integer", "number", "text", "path", "true or false"
  std::string value_text() const;  // empty when not set
  std::string expected() const;    // "an integer in 1..1000": what an error or a help line says
};
using Fields = std::vector<Field>;

namespace detail {

void add_field(Fields& fields, Field field);  // completes flags and default_text; refuses a name or flag that is there already

struct FieldCollector {
  Fields& fields;

  // name, member, modifiers …, help
  template <class Member, class... Rest>
  void operator()(const char* name, Member& member, Rest&&... rest) {
    Field field;
    field.name = name;
    field.value = &member;
    const auto given = std::forward_as_tuple(rest...);
    static_assert(sizeof...(Rest) > 0, "a field ends with its help text");
    field.help = std::get<sizeof...(Rest) - 1>(given);
    apply<Member>(field, given, std::make_index_sequence<sizeof...(Rest) - 1>());
    add_field(fields, std::move(field));
  }

 private:
  template <class Member, class Tuple, size_t... i>
  static void apply(Field& field, const Tuple& given, std::index_sequence<i...>) {
    (modify<Member>(field, std::get<i>(given)), ...);
  }
  template <class>
  static void modify(Field& field, const FlagText& flag) {
    field.flags = flag.text;
  }
  template <class>
  static void modify(Field& field, const Choices& choices) {
    field.choices = choices.names;
  }
  template <class>
  static void modify(Field& field, const Unit& unit) {
    field.unit = unit.text;
  }
  // The bounds are rounded to the member's type first, so that range(0.7, 1.0) lets a float of 0.7 in.
  template <class Member, class T>
  static void modify(Field& field, const RangeOf<T>& range) {
    using Value = typename decltype(value_type(static_cast<Member*>(nullptr)))::type;
    field.range = {static_cast<double>(static_cast<Value>(range.low)), static_cast<double>(static_cast<Value>(range.high))};
  }
  template <class T>
  static std::type_identity<T> value_type(T*);
  template <class T>
  static std::type_identity<T> value_type(std::optional<T>*);
};

}  // namespace detail

template <class Options>
Fields fields_of(Options& options) {
  Fields fields;
  detail::FieldCollector collector{fields};
  Options::visit(options, collector);
  return fields;
}

// By name, or by long flag with '_' for '-' ("cfg_scale" for --cfg-scale). nullptr: there is none.
Field* find_field(Fields& fields, std::string_view name);

// All of these throw ErrorKind::input in one line that names the flag or key, what was given and what was expected, and leave the
// fields as they were where they throw for one value. A value is checked even where a higher-ranked one is there already.
void set_from_text(Field& field, std::string_view text, const Source& source);
void set_from_texts(Field& field, const std::vector<std::string>& texts,
                    const Source& source);  // lists take all, others the last
void set_from_json(Fields& fields, const Json& object,
                   const Source& source);  // unknown key: error with the nearest name; null: not set
void set_from_toml_file(Fields& fields, const std::filesystem::path& path);

// TOML as JSON (dates and times are refused). Throws ErrorKind::input (cannot be opened), ErrorKind::file_format (with the line).
Json read_toml_file(const std::filesystem::path& path);
Json parse_toml(std::string_view text, std::string_view where);

Json to_json(const Fields& fields);              // resolved values; what is not set is left out
std::string print_config(const Fields& fields);  // TOML lines "steps = 50  # default"
std::string help_text(const Fields& fields);     // one or two lines an option: flags, help, range or choices, unit, default

}  // namespace negativa
