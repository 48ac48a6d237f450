#include "io/pickle_calls.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "io/little_endian.h"
#include "io/pickle_text.h"
#include "io/safetensors_header.h"

namespace negativa {

namespace {

using Ids = std::vector<PickleId>;
using Function = PickleId (*)(PickleValues& values, const Ids& arguments);

struct Allowed {
  std::string_view module, name;
  Function call;
};

struct NamedDType {
  std::string_view storage, name;  // torch.FloatStorage, torch.float32
  DType dtype;
};
constexpr NamedDType dtypes[] = {
    {"FloatStorage", "float32", at::kFloat},
    {"HalfStorage", "float16", at::kHalf},
    {"BFloat16Storage", "bfloat16", at::kBFloat16},
    {"DoubleStorage", "float64", at::kDouble},
    {"LongStorage", "int64", at::kLong},
    {"IntStorage", "int32", at::kInt},
    {"ShortStorage", "int16", at::kShort},
    {"CharStorage", "int8", at::kChar},
    {"ByteStorage", "uint8", at::kByte},
    {"BoolStorage", "bool", at::kBool},
    {"ComplexFloatStorage", "complex64", at::kComplexFloat},
    {"ComplexDoubleStorage", "complex128", at::kComplexDouble},
    {"", "uint16", at::kUInt16},
    {"", "uint32", at::kUInt32},
    {"", "uint64", at::kUInt64},
    {"", "float8_e4m3fn", at::kFloat8_e4m3fn},
    {"", "float8_e5m2", at::kFloat8_e5m2},
    {"", "float8_e4m3fnuz", at::kFloat8_e4m3fnuz},
    {"", "float8_e5m2fnuz", at::kFloat8_e5m2fnuz},
    {"", "float8_e8m0fnu", at::kFloat8_e8m0fnu},
};

std::string full_name(const PickleGlobal& global) { return printable_name(global.module + "." + global.name); }

[[noreturn]] void fail_on(const PickleValues& values, const char* function, const char* what) {
  fail(ErrorKind::file_format, "[{}] calls {} with {}, which torch.save does not write; the file is damaged", values.where(),
       function, what);
}

// Arguments of a function, each of its kind.
class Arguments {
 public:
  Arguments(const PickleValues& values, const char* function, const Ids& ids, size_t least, size_t most)
      : values_(values), function_(function), ids_(ids) {
    if (ids.size() < least || ids.size() > most) fail_on(values, function, "another number of arguments");
  }
  template <class Kind>
  const Kind& at(size_t index, const char* otherwise) const {
    const auto* value = values_.as<Kind>(ids_[index]);
    if (!value) fail_on(values_, function_, otherwise);
    return *value;
  }
  int64_t count(size_t index) const {
    const auto number = at<int64_t>(index, "a size that is no number");
    if (number < 0) fail_on(values_, function_, "a negative size");
    return number;
  }
  Shape counts(size_t index) const {
    constexpr size_t most_dimensions = 64;  // libtorch's own limit
    const auto& sequence = at<PickleSequence>(index, "a shape that is none");
    if (sequence.items.size() > most_dimensions) fail_on(values_, function_, "more than 64 dimensions");
    Shape shape;
    for (const PickleId id : sequence.items) {
      const auto* number = values_.as<int64_t>(id);
      if (!number || *number < 0) fail_on(values_, function_, "a shape or stride that is no number");
      shape.push_back(*number);
    }
    return shape;
  }

 private:
  const PickleValues& values_;
  const char* function_;
  const Ids& ids_;
};

bool is_global(const PickleValues& values, PickleId id, std::string_view module, std::string_view name) {
  const auto* global = values.as<PickleGlobal>(id);
  return global && global->module == module && global->name == name;
}

// Throws unless all elements that the shape and strides reach lie in the storage, in numbers that cannot overflow.
void check_inside(const PickleValues& values, const PickleTensor& tensor) {
  const auto& storage = tensor.storage;
  const int64_t element = dtype_bytes(tensor.dtype), stored = storage.dtype ? dtype_bytes(*storage.dtype) : 1;
  __int128 last = __int128{tensor.offset} * element + __int128{storage.offset} * stored, count = 1;
  for (size_t i = 0; i < tensor.size.size(); ++i) {
    count *= tensor.size[i];
    if (tensor.size[i] > 0) last += __int128{tensor.size[i] - 1} * tensor.stride[i] * element;
    check(count <= INT64_MAX / 16 && last <= INT64_MAX, ErrorKind::file_format,
          "[{}] got a tensor of shape {}, which is larger than any memory; the file is damaged", values.where(),
          to_string(tensor.size));
  }
  check(count == 0 || last + element <= __int128{storage.size} * stored, ErrorKind::file_format,
        "[{}] got a tensor of shape {} that reaches beyond its storage of {} bytes; the file is damaged", values.where(),
        to_string(tensor.size), static_cast<int64_t>(__int128{storage.size} * stored));
}

PickleId rebuild(PickleValues& values, const Arguments& arguments, DType dtype, const char* function) {
  const auto& storage = *arguments.at<std::shared_ptr<const PickleStorage>>(0, "what is no storage");
  PickleTensor tensor{storage, dtype, arguments.count(1), arguments.counts(2), arguments.counts(3)};
  if (tensor.size.size() != tensor.stride.size()) fail_on(values, function, "as many strides as sizes are not there");
  check_inside(values, tensor);
  return values.add(std::make_shared<const PickleTensor>(std::move(tensor)));
}

// A view that is conjugated or negated says so there; reading its storage would give other numbers.
void check_plain(const PickleValues& values, const Ids& ids, size_t index) {
  if (index >= ids.size() || values.as<PickleNone>(ids[index])) return;
  const auto* metadata = values.as<PickleDict>(ids[index]);
  check(metadata && metadata->items.empty(), ErrorKind::file_format,
        "[{}] got a conjugated or negated view of a tensor, expected a plain one; save its .resolve_conj().resolve_neg()",
        values.where());
}

DType typed(const PickleValues& values, const Arguments& arguments, const char* function) {
  const auto& storage = *arguments.at<std::shared_ptr<const PickleStorage>>(0, "what is no storage");
  if (!storage.dtype) fail_on(values, function, "an untyped storage");
  return *storage.dtype;
}

PickleId rebuild_tensor(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "torch._utils._rebuild_tensor";
  const Arguments arguments(values, name, ids, 4, 4);
  return rebuild(values, arguments, typed(values, arguments, name), name);
}

PickleId rebuild_tensor_v2(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "torch._utils._rebuild_tensor_v2";
  const Arguments arguments(values, name, ids, 6, 7);
  check_plain(values, ids, 6);
  return rebuild(values, arguments, typed(values, arguments, name), name);
}

PickleId rebuild_tensor_v3(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "torch._utils._rebuild_tensor_v3";
  const Arguments arguments(values, name, ids, 7, 8);
  check_plain(values, ids, 7);
  const auto& wanted = arguments.at<PickleGlobal>(6, "what is no dtype");
  for (const auto& known : dtypes)
    if (wanted.module == "torch" && wanted.name == known.name) return rebuild(values, arguments, known.dtype, name);
  fail(ErrorKind::file_format, "[{}] got a tensor of dtype {}, which is not known here", values.where(), full_name(wanted));
}

PickleId rebuild_parameter(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "torch._utils._rebuild_parameter";
  const Arguments arguments(values, name, ids, 1, 4);
  arguments.at<std::shared_ptr<const PickleTensor>>(0, "what is no tensor");
  return ids[0];
}

PickleId rebuild_from_type(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "torch._tensor._rebuild_from_type_v2";
  const Arguments arguments(values, name, ids, 4, 4);
  const auto function = arguments.at<PickleGlobal>(0, "what is no function");
  const auto given = arguments.at<PickleSequence>(2, "what is no tuple").items;
  if (!is_global(values, ids[1], "torch", "Tensor") && !is_global(values, ids[1], "torch._tensor", "Tensor") &&
      !is_global(values, ids[1], "torch.nn.parameter", "Parameter"))
    fail_on(values, name, "a type of tensor of its own");
  if (function.module != "torch._utils" || given.size() > 8) fail_on(values, name, "a function that rebuilds no tensor");
  return call_from_pickle(values, function, given);
}

PickleId make_size(PickleValues& values, const Ids& ids) {
  Arguments(values, "torch.Size", ids, 1, 1).at<PickleSequence>(0, "what is no tuple");
  return ids[0];
}

PickleId make_device(PickleValues& values, const Ids& ids) {
  Arguments(values, "torch.device", ids, 1, 2).at<PickleText>(0, "what is no name");
  return ids[0];
}

PickleId make_dict(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "collections.OrderedDict";
  PickleDict dict;
  if (!ids.empty()) {
    const auto& pairs = Arguments(values, name, ids, 1, 1).at<PickleSequence>(0, "what is no list of pairs");
    values.count_items(pairs.items.size());
    for (const PickleId id : pairs.items) {
      const auto* pair = values.as<PickleSequence>(id);
      if (!pair || pair->items.size() != 2) fail_on(values, name, "what is no list of pairs");
      dict.items.emplace_back(pair->items[0], pair->items[1]);
    }
  }
  return values.add(std::move(dict));
}

PickleId make_default_dict(PickleValues& values, const Ids& ids) {  // the factory of missing values is only named
  if (ids.size() > 1) fail_on(values, "collections.defaultdict", "more than a factory");
  return values.add(PickleDict{});
}

PickleId make_parameters(PickleValues& values, const Ids& ids) {
  if (!ids.empty()) fail_on(values, "torch.nn.ParameterDict", "arguments");
  PickleDict dict;
  dict.is_parameters = true;
  return values.add(std::move(dict));
}

PickleId make_set(PickleValues& values, const Ids& ids) {
  PickleSequence set{PickleSequence::set, {}};
  if (!ids.empty()) set.items = Arguments(values, "set", ids, 1, 1).at<PickleSequence>(0, "what is no list").items;
  values.count_items(set.items.size());
  return values.add(std::move(set));
}

PickleId encode(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "_codecs.encode";
  const Arguments arguments(values, name, ids, 2, 2);
  const auto& codec = arguments.at<PickleText>(1, "what is no name of a code").text;
  if (codec != "latin1" && codec != "latin-1") fail_on(values, name, "another code than Latin-1");
  return values.add(PickleBytes{latin1_bytes(arguments.at<PickleText>(0, "what is no text").text, values.where())});
}

PickleId make_numpy_dtype(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "numpy.dtype";
  constexpr std::array<std::string_view, 12> known = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"};
  const auto& code = Arguments(values, name, ids, 1, 3).at<PickleText>(0, "what is no dtype").text;
  if (std::find(known.begin(), known.end(), code) == known.end()) fail_on(values, name, "a dtype that is no number");
  return values.add(NumpyDType{code[0], code[1] - '0'});
}

double half_value(uint16_t bits) { return static_cast<double>(static_cast<float>(c10::Half(bits, c10::Half::from_bits()))); }

PickleValue numpy_value(const NumpyDType& dtype, std::string_view bytes) {
  uint64_t bits = 0;
  for (size_t i = bytes.size(); i-- > 0;) bits = bits << 8 | static_cast<uint8_t>(bytes[i]);
  if (dtype.kind == 'b') return bits != 0;
  if (dtype.kind == 'u') return static_cast<int64_t>(bits);
  if (dtype.kind == 'i')
    return dtype.bytes == 8 ? static_cast<int64_t>(bits)
                            : static_cast<int64_t>(bits << (64 - 8 * dtype.bytes)) >> (64 - 8 * dtype.bytes);
  if (dtype.bytes == 2) return half_value(static_cast<uint16_t>(bits));
  if (dtype.bytes == 4) return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  return std::bit_cast<double>(bits);
}

PickleId make_numpy_scalar(PickleValues& values, const Ids& ids) {
  constexpr const char* name = "numpy.core.multiarray.scalar";
  const Arguments arguments(values, name, ids, 2, 2);
  const auto dtype = arguments.at<NumpyDType>(0, "what is no dtype");
  const auto* text = values.as<PickleText>(ids[1]);  // Python 2 has no other bytes
  const auto& bytes = text ? text->text : arguments.at<PickleBytes>(1, "what are no bytes").bytes;
  if (bytes.size() != static_cast<size_t>(dtype.bytes) || dtype.big_endian)
    fail_on(values, name, "bytes of another kind of number");
  return values.add(numpy_value(dtype, bytes));
}

PickleId reconstruct(PickleValues& values, const Ids& ids) {  // protocols 0 and 1: class, object, None
  constexpr const char* name = "copyreg._reconstructor";
  const Arguments arguments(values, name, ids, 3, 3);
  const auto type = arguments.at<PickleGlobal>(0, "what is no class");
  const bool plain = is_global(values, ids[1], "__builtin__", "object") || is_global(values, ids[1], "builtins", "object");
  if (type.module.starts_with("copy") || !plain) fail_on(values, name, "another base than object");
  return call_from_pickle(values, type, {});
}

constexpr Allowed allowed[] = {
    {"torch._utils", "_rebuild_tensor", rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v2", rebuild_tensor_v2},
    {"torch._utils", "_rebuild_tensor_v3", rebuild_tensor_v3},
    {"torch._utils", "_rebuild_parameter", rebuild_parameter},
    {"torch._utils", "_rebuild_parameter_with_state", rebuild_parameter},
    {"torch._tensor", "_rebuild_from_type_v2", rebuild_from_type},
    {"torch.nn.parameter", "Parameter", rebuild_parameter},
    {"torch.nn.modules.container", "ParameterDict", make_parameters},
    {"torch", "Size", make_size},
    {"torch", "device", make_device},
    {"collections", "OrderedDict", make_dict},
    {"collections", "defaultdict", make_default_dict},
    {"builtins", "set", make_set},
    {"__builtin__", "set", make_set},
    {"builtins", "frozenset", make_set},
    {"__builtin__", "frozenset", make_set},
    {"_codecs", "encode", encode},
    {"numpy", "dtype", make_numpy_dtype},
    {"numpy.core.multiarray", "scalar", make_numpy_scalar},
    {"numpy._core.multiarray", "scalar", make_numpy_scalar},
    {"copyreg", "_reconstructor", reconstruct},
    {"copy_reg", "_reconstructor", reconstruct},
};

}  // namespace

PickleId call_from_pickle(PickleValues& values, const PickleGlobal& function, const Ids& arguments) {
  for (const auto& known : allowed)
    if (function.module == known.module && function.name == known.name) return known.call(values, arguments);
  fail(ErrorKind::file_format,
       "[{}] calls {}, which is none of the few functions that rebuild tensors: the file runs code (torch.load would too), so it "
       "is not "
       "read; look for a .safetensors of it",
       values.where(), full_name(function));
}

void build_from_pickle(PickleValues& values, PickleId object, PickleId state) {
  const auto* tuple = values.as<PickleSequence>(state);
  if (auto* dtype = values.as<NumpyDType>(object)) {
    const auto* order = tuple && tuple->items.size() > 1 ? values.as<PickleText>(tuple->items[1]) : nullptr;
    if (!order) fail_on(values, "numpy.dtype.__setstate__", "what is no state");
    dtype->big_endian = order->text == ">";
    return;
  }
  auto* dict = values.as<PickleDict>(object);
  const auto* attributes = values.as<PickleDict>(state);
  if (!dict || !attributes) fail_on(values, "__setstate__", "a state that is no dict, or of what is no dict");
  values.count_items(attributes->items.size());
  if (!dict->is_parameters) return;  // state_dict()'s _metadata, which says the versions of modules
  const auto* parameters = values.find(*attributes, "_parameters");
  const auto* held = parameters ? values.as<PickleDict>(*parameters) : nullptr;
  if (!held) fail_on(values, "ParameterDict.__setstate__", "no _parameters");
  values.count_items(held->items.size());
  const auto items = held->items;  // `held` may be `dict` itself
  dict->items.insert(dict->items.end(), items.begin(), items.end());
}

PickleId storage_from_pickle(PickleValues& values, PickleId persistent_id) {
  constexpr const char* name = "persistent_load";
  const auto* given = values.as<PickleSequence>(persistent_id);
  if (!given) fail_on(values, name, "what is no tuple");
  const Arguments arguments(values, name, given->items, 5, 6);
  if (arguments.at<PickleText>(0, "what is no storage").text != "storage") fail_on(values, name, "what is no storage");
  PickleStorage storage;
  const auto& type = arguments.at<PickleGlobal>(1, "a storage of no type");
  const bool untyped = type.name == "UntypedStorage" && (type.module == "torch" || type.module == "torch.storage");
  for (const auto& known : dtypes)
    if ((type.module == "torch" || type.module == "torch.cuda") && type.name == known.storage) storage.dtype = known.dtype;
  check(untyped || storage.dtype, ErrorKind::file_format, "[{}] got a storage of type {}, which is not known here",
        values.where(), full_name(type));
  const auto* number = values.as<int64_t>(given->items[2]);
  storage.key = number ? std::to_string(*number) : arguments.at<PickleText>(2, "a storage without a key").text;
  storage.size = arguments.count(4);
  check(storage.size <= INT64_MAX / 16, ErrorKind::file_format,
        "[{}] got a storage of {} elements, which is larger than any memory", values.where(), storage.size);
  if (given->items.size() == 6 && !values.as<PickleNone>(given->items[5])) {
    const auto& view = arguments.at<PickleSequence>(5, "a view that is none").items;  // key of the view, offset, size
    const auto* offset = view.size() == 3 ? values.as<int64_t>(view[1]) : nullptr;
    if (!offset || *offset < 0) fail_on(values, name, "a view that is none");
    storage.offset = *offset;
  }
  return values.add(std::make_shared<const PickleStorage>(std::move(storage)));
}

}  // namespace negativa
