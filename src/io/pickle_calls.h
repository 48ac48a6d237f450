#pragma once
// The closed list of what a pickle may call. None of it runs anything: each answers with a value.
//   torch._utils _rebuild_tensor, _rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter, _rebuild_parameter_with_state
//   torch._tensor _rebuild_from_type_v2 (of those, for torch.Tensor and Parameter); torch Size, device; torch.nn Parameter
//   torch.nn ParameterDict; collections OrderedDict, defaultdict; builtins set, frozenset; copyreg _reconstructor of these
//   numpy dtype, numpy.core.multiarray scalar; _codecs encode of a constant in Latin-1
#include "io/pickle_value.h"

namespace negativa {

// function(*arguments). Throws ErrorKind::file_format, with the function's name, for any that is not on the list and for
// arguments that torch.save does not write.
PickleId call_from_pickle(PickleValues& values, const PickleGlobal& function, const std::vector<PickleId>& arguments);

// object.__setstate__(state): BUILD. Throws ErrorKind::file_format.
void build_from_pickle(PickleValues& values, PickleId object, PickleId state);

// What ('storage', torch.FloatStorage, key, location, size[, view]) names. Throws ErrorKind::file_format.
PickleId storage_from_pickle(PickleValues& values, PickleId persistent_id);

}  // namespace negativa
