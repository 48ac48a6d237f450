#pragma once
// Reads a JSON config that others wrote: a model's, a tokenizer's, an adapter's. Costly to compile: included by .cpp files only.
#include <memory>
#include <utility>

#include "base/json.h"

namespace negativa {

// One object of such a file. Every error is one line that names the file and the key, of nested objects and lists with its path:
//   [emoji-xl/unet/config.json] "norm_eps": got "x", expected a number
//   [emoji-xl/judge/calibration.json] has no "damages[2].auc_drawn", expected a number
// Kinds: ErrorKind::missing_key for a key that must be there and is absent or null, ErrorKind::file_format for anything else. An
// absent or null key otherwise leaves the caller's default. Floats are finite unless said otherwise. Copies share one parsed
// text; reading is thread-safe.
class ConfigReader {
 public:
  static constexpr int64_t largest_size = 1 << 20;  // of a width, a vocabulary …; more is a broken file

  // `where` is the file as messages name it: "emoji-xl/unet/config.json". Throws ErrorKind::file_format unless the text is one
  // JSON object.
  ConfigReader(std::string_view text, std::string where, DuplicateKeys duplicates = DuplicateKeys::refuse);
  static ConfigReader of(Json object, std::string where);

  const std::string& where() const { return where_; }
  const Json& json() const { return *object_; }
  std::string path(const std::string& key) const { return prefix_ + key; }
  bool has(const std::string& key) const { return !value(key).is_null(); }
  const Json& value(const std::string& key) const;  // null where absent

  // As T: bool, integers, floats, std::string, std::vector of these.
  template <class T>
  T need(const std::string& key) const {
    require(key, json_type_name<T>());
    return as<T>(key);
  }
  template <class T>
  T get(const std::string& key, T fallback) const {
    return has(key) ? as<T>(key) : fallback;
  }

  // Into variables that hold the default.
  template <class T>
  void read(const std::string& key, T& value) const {
    value = get(key, value);
  }
  void read_size(const std::string& key, int64_t& value, int64_t largest = largest_size) const;  // 1 to largest
  void read_positive(const std::string& key, double& value) const;
  void read_number(const std::string& key, double& value) const;  // infinities too

  std::vector<int64_t> need_sizes(const std::string& key) const;  // each 1 to largest_size
  std::string one_of(const std::string& key, const std::string& fallback, const std::vector<std::string>& allowed) const;
  // Absent is right, null is not unless it is expected. `hint` ends the message: "; this is not an SDXL UNet".
  void expect(const std::string& key, const Json& expected, std::string_view hint = "") const;
  void require(const std::string& key, std::string_view expected) const;

  ConfigReader object(const std::string& key) const;                // without keys where absent
  std::vector<ConfigReader> objects(const std::string& key) const;  // of a list; none where absent

  // A condition on a key's value beyond its type; format and arguments say what is expected.
  template <class... Args>
  void check(bool holds, const std::string& key, fmt::format_string<Args...> expected, Args&&... args) const {
    if (!holds) refuse(key, value(key), fmt::format(expected, std::forward<Args>(args)...));
  }
  // key may be that of a list's element: "down_block_types[1]".
  [[noreturn]] void refuse(const std::string& key, const Json& got, std::string_view expected) const;

 private:
  ConfigReader(std::shared_ptr<const Json> object, std::string where, std::string prefix)
      : object_(std::move(object)), where_(std::move(where)), prefix_(std::move(prefix)) {
    negativa::check(object_->is_object(), ErrorKind::file_format, "[{}] got {}, expected a JSON object", where_,
                    json_excerpt(*object_));
  }
  ConfigReader nested(const Json& object, const std::string& key) const;

  template <class T>
  T as(const std::string& key) const {
    if constexpr (requires { typename T::allocator_type; } && !std::is_same_v<T, std::string>) {
      check(value(key).is_array(), key, "{}", json_type_name<T>());
      T list;
      for (const auto& element : value(key))
        list.push_back(scalar<typename T::value_type>(fmt::format("{}[{}]", key, list.size()), element));
      return list;
    } else {
      return scalar<T>(key, value(key));
    }
  }
  template <class T>
  T scalar(const std::string& key, const Json& got) const {
    if (!json_holds<T>(got)) refuse(key, got, json_type_name<T>());
    if constexpr (std::is_floating_point_v<T>) check_finite(key, got);
    return got.get<T>();
  }
  void check_finite(const std::string& key, const Json& number) const;

  std::shared_ptr<const Json> object_;
  std::string where_, prefix_;
};

}  // namespace negativa
