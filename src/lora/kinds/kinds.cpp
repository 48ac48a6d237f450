// The table of kinds. The order is that in which a layer's tensors are asked whose they are.
#include "lora/kinds/kinds.h"

namespace negativa {

const std::vector<const AdapterKind*>& adapter_kinds() {
  static const std::vector<const AdapterKind*> kinds = {&lora_kind(), &loha_kind(),  &lokr_kind(),
                                                        &ia3_kind(),  &glora_kind(), &difference_kind()};
  return kinds;
}

}  // namespace negativa
