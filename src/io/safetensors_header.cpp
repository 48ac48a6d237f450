#include "io/safetensors_header.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/text.h"

namespace negativa {

namespace {
struct FileDType {
  const char* name;
  DType dtype;
};
// In the order in which the format's own writer sorts tensors (safetensors/src/tensor.rs, Dtype, descending).
constexpr FileDType file_dtypes[] = {
    {"U64", at::kUInt64},
    {"I64", at::kLong},
    {"F64", at::kDouble},
    {"C64", at::kComplexFloat},
    {"F32", at::kFloat},
    {"U32", at::kUInt32},
    {"I32", at::kInt},
    {"BF16", at::kBFloat16},
    {"F16", at::kHalf},
    {"U16", at::kUInt16},
    {"I16", at::kShort},
    {"F8_E5M2FNUZ", at::kFloat8_e5m2fnuz},
    {"F8_E4M3FNUZ", at::kFloat8_e4m3fnuz},
    {"F8_E8M0", at::kFloat8_e8m0fnu},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"I8", at::kChar},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
};

// Deeper nesting than any correct header has, so that a hostile one cannot make us build it.
constexpr size_t max_depth = 64;

// Receives nlohmann's events. What a correct header holds at each depth: 1 names, 2 fields or metadata, 3 array elements.
// Messages are put together only to fail (no `check`): thousands of entries pass here on every start.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}
  SafetensorsHeader take() { return {std::move(entries_), std::move(metadata_)}; }

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("a boolean"); }
  bool number_integer(number_integer_t) override { return value("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return value("a number that is not whole"); }
  bool binary(binary_t&) override { return value("binary data"); }

  bool number_unsigned(number_unsigned_t number) override {
    if (depth_ != 3 || !array_) return value("a number");
    if (number > static_cast<uint64_t>(INT64_MAX))
      fail(ErrorKind::file_format, "[{}] {}: got the number {}, expected less than 2^63", where(), field_, number);
    (field_ == "shape" ? shape_ : offsets_).push_back(static_cast<int64_t>(number));
    return true;
  }

  bool string(string_t& text) override {
    if (depth_ != 2) return value("a string");
    if (in_metadata_) {
      metadata_[field_] = std::move(text);
      return true;
    }
    if (field_ != "dtype") return value("a string");
    const auto* known =
        std::find_if(std::begin(file_dtypes), std::end(file_dtypes), [&](const auto& d) { return text == d.name; });
    if (known == std::end(file_dtypes))
      fail(ErrorKind::file_format, "[{}] got dtype \"{}\", which is not known here; convert the file to F16, BF16 or F32",
           where(), printable_name(text));
    dtype_ = known->dtype;
    return true;
  }

  bool start_object(std::size_t) override {
    deeper();
    if (depth_ == 1) return true;
    if (depth_ != 2) return value("an object");
    in_metadata_ = name_ == "__metadata__";
    shape_.clear(), offsets_.clear(), fields_.clear();
    return true;
  }

  bool key(string_t& text) override {
    if (depth_ == 1) {
      name_ = std::move(text);
      field_.clear();
      if (!names_.insert(name_).second) fail(ErrorKind::file_format, "[{}] got the name twice, expected once", where());
      return true;
    }
    field_ = std::move(text);
    if (!fields_.insert(field_).second)
      fail(ErrorKind::file_format, "[{}] got the key \"{}\" twice, expected once", where(), printable_name(field_));
    if (!in_metadata_ && field_ != "dtype" && field_ != "shape" && field_ != "data_offsets")
      fail(ErrorKind::file_format, "[{}] got the key \"{}\", expected dtype, shape or data_offsets", where(),
           printable_name(field_));
    return true;
  }

  bool end_object() override {
    if (depth_-- == 2 && !in_metadata_) finish_entry();
    return true;
  }

  bool start_array(std::size_t) override {
    deeper();
    array_ = depth_ == 3 && !in_metadata_ && (field_ == "shape" || field_ == "data_offsets");
    return array_ || value("an array");
  }

  bool end_array() override {
    --depth_;
    array_ = false;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
    // nlohmann's text repeats its own prefix and quotes as much of the file as it had read.
    const std::string text = error.what();
    const auto reason = text.find("; ") == std::string::npos ? std::string("syntax error") : text.substr(text.find("; ") + 2, 80);
    fail(ErrorKind::file_format, "[{}] the header is not valid JSON at byte {} ({}); the file is damaged", file_, position,
         printable_name(reason));
  }

 private:
  std::string where() const { return file_ + ": " + printable_name(name_); }

  bool value(const char* got) {
    const char* expected = depth_ == 0         ? "an object of tensors"
                           : depth_ == 1       ? "an object with dtype, shape and data_offsets"
                           : in_metadata_      ? "a string"
                           : field_ == "dtype" ? "a dtype's name"
                           : depth_ == 2       ? "an array"
                                               : "whole numbers";
    fail(ErrorKind::file_format, "[{}] {}: got {}, expected {}", where(), field_.empty() ? "value" : printable_name(field_), got,
         expected);
  }

  void deeper() {
    if (++depth_ > max_depth)
      fail(ErrorKind::file_format, "[{}] the header is nested more than {} levels deep", file_, max_depth);
  }

  void finish_entry() {
    if (fields_.size() != 3)
      fail(ErrorKind::file_format, "[{}] got {} of the keys dtype, shape and data_offsets, expected all three", where(),
           fields_.size());
    if (offsets_.size() != 2 || offsets_[0] > offsets_[1])
      fail(ErrorKind::file_format, "[{}] got data_offsets {}, expected [begin, end] with begin <= end", where(),
           to_string(offsets_));
    const int64_t bytes = offsets_[1] - offsets_[0], expected = bytes_of_shape();
    if (bytes != expected)
      fail(ErrorKind::file_format, "[{}] got {} bytes of data, expected {} for shape {} of {}", where(), bytes, expected,
           to_string(shape_), safetensors_dtype_name(dtype_));
    entries_.push_back({name_, dtype_, shape_, static_cast<uint64_t>(offsets_[0]), static_cast<uint64_t>(offsets_[1])});
  }

  // Zero-sized axes count as 1 for the overflow check, since torch multiplies them into strides.
  int64_t bytes_of_shape() const {
    int64_t bounded = static_cast<int64_t>(c10::elementSize(dtype_));
    bool is_empty = false;
    for (const int64_t size : shape_) {
      if (__builtin_mul_overflow(bounded, std::max<int64_t>(size, 1), &bounded))
        fail(ErrorKind::file_format, "[{}] got shape {}, whose size does not fit 63 bits", where(), to_string(shape_));
      is_empty = is_empty || size == 0;
    }
    return is_empty ? 0 : bounded;
  }

  std::string file_;
  size_t depth_ = 0;
  bool in_metadata_ = false, array_ = false;
  std::string name_, field_;
  std::set<std::string> names_, fields_;
  DType dtype_ = at::kFloat;
  Shape shape_, offsets_;
  std::vector<TensorEntry> entries_;
  Metadata metadata_;
};

void check_contiguous(const std::string& file, const std::vector<TensorEntry>& entries, uint64_t data_bytes) {
  uint64_t end = 0;
  for (const auto& entry : entries) {
    const auto where = [&] { return file + ": " + printable_name(entry.name); };
    if (entry.begin < end)
      fail(ErrorKind::file_format, "[{}] data begins at {}, inside the tensor before it, which ends at {}", where(), entry.begin,
           end);
    if (entry.begin > end)
      fail(ErrorKind::file_format, "[{}] data begins at {}, expected {}: bytes between belong to no tensor", where(), entry.begin,
           end);
    if (entry.end > data_bytes)
      fail(ErrorKind::file_format,
           "[{}] data ends at {}, but the file holds {} bytes of data; it is truncated, download it again", where(), entry.end,
           data_bytes);
    end = entry.end;
  }
  check(end == data_bytes, ErrorKind::file_format, "[{}] {} bytes follow the last tensor, expected none; the file is damaged",
        file, data_bytes - end);
}
}  // namespace

std::string printable_name(const std::string& name) {
  auto line = name.size() <= 100 ? name : valid_utf8(std::string_view(name).substr(0, 100)) + "…";
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return line;
}

std::string safetensors_dtype_name(DType dtype) {
  for (const auto& known : file_dtypes)
    if (known.dtype == dtype) return known.name;
  fail(ErrorKind::input, "[safetensors] the format has no dtype for {}", c10::toString(dtype));
}

int safetensors_dtype_order(DType dtype) {
  const auto* known =
      std::find_if(std::begin(file_dtypes), std::end(file_dtypes), [&](const auto& d) { return d.dtype == dtype; });
  return static_cast<int>(known - std::begin(file_dtypes));
}

SafetensorsHeader parse_safetensors_header(const std::string& file, std::string_view json, uint64_t data_bytes) {
  check(json.starts_with('{'), ErrorKind::file_format,
        "[{}] the header does not begin with \"{{\"; this is not a safetensors file", file);
  // nlohmann takes a zero byte for the end of the text and would not look at what follows.
  check(json.find('\0') == std::string_view::npos, ErrorKind::file_format,
        "[{}] the header holds a zero byte; the file is damaged", file);
  HeaderReader reader(file);
  Json::sax_parse(json.begin(), json.end(), &reader);
  auto header = reader.take();
  std::sort(header.entries.begin(), header.entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_contiguous(file, header.entries, data_bytes);
  return header;
}

}  // namespace negativa
