#include "base/cancel.h"

#include "base/error.h"

namespace negativa {

void CancelToken::throw_if_cancelled() const { check(!cancelled(), ErrorKind::cancelled, "interrupted"); }

}  // namespace negativa
