#pragma once
// What a pickle says, as plain data: values in one array, which refer to each other by index, so that sharing, cycles and depth
// cost nothing and nothing is ever called.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/device.h"

namespace negativa {

using PickleId = uint32_t;  // of a value in PickleValues

struct PickleNone {};
struct PickleText {
  std::string text;  // UTF-8, or the bytes of a Python 2 string
};
struct PickleBytes {
  std::string bytes;
};
struct PickleBigInt {
  std::string digits;  // as written: little endian two's complement, or decimal text in protocols 0 and 1
};
// A name only: of a function, a class or a dtype. Inert until a call of it is asked for.
struct PickleGlobal {
  std::string module, name;
};
struct PickleSequence {
  enum Kind { list, tuple, set };
  Kind kind = list;
  std::vector<PickleId> items;
};
struct PickleDict {
  std::vector<std::pair<PickleId, PickleId>> items;  // a later key replaces an earlier one
  bool is_parameters = false;                        // torch.nn.ParameterDict, whose items come with its state
};
struct NumpyDType {
  char kind = 0;  // 'f', 'i', 'u', 'b'
  int bytes = 0;
  bool big_endian = false;
};
struct PickleStorage {
  std::string key;             // of the bytes in the archive
  std::optional<DType> dtype;  // absent: untyped, counted in bytes
  int64_t size = 0;            // elements of the whole storage
  int64_t offset = 0;          // elements before this view of it (legacy archives)
};
struct PickleTensor {
  PickleStorage storage;
  DType dtype;
  int64_t offset;  // elements of dtype, from the storage's begin
  Shape size, stride;
};

using PickleValue =
    std::variant<PickleNone, bool, int64_t, double, PickleText, PickleBytes, PickleBigInt, PickleGlobal, PickleSequence,
                 PickleDict, NumpyDType, std::shared_ptr<const PickleStorage>, std::shared_ptr<const PickleTensor>>;

// The values of one pickle, bounded in number and bytes whatever the pickle does. Not thread-safe.
class PickleValues {
 public:
  explicit PickleValues(std::string where) : where_(std::move(where)) {}
  const std::string& where() const { return where_; }  // begins error messages

  // Throws ErrorKind::file_format beyond 2 million values or 128 MiB of text.
  PickleId add(PickleValue value);
  size_t size() const { return values_.size(); }
  const PickleValue& at(PickleId id) const { return values_[id]; }
  PickleValue& at(PickleId id) { return values_[id]; }
  template <class Kind>
  const Kind* as(PickleId id) const {
    return std::get_if<Kind>(&values_[id]);
  }
  template <class Kind>
  Kind* as(PickleId id) {
    return std::get_if<Kind>(&values_[id]);
  }
  // For every item that a list, tuple or dict takes. Throws ErrorKind::file_format beyond 8 million.
  void count_items(size_t items);

  // The value of a text key in a dict; nullptr: absent.
  const PickleId* find(const PickleDict& dict, std::string_view key) const;

 private:
  std::string where_;
  std::vector<PickleValue> values_;
  size_t text_bytes_ = 0, items_ = 0;
};

}  // namespace negativa
