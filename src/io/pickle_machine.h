#pragma once
// Reads one pickle into plain values. Format: CPython Lib/pickletools.py, protocols 0 to 5.
#include <span>

#include "io/pickle_value.h"

namespace negativa {

struct Pickle {
  PickleValues values;
  PickleId root = 0;
  uint64_t end = 0;  // the byte after its STOP
};

// The pickle that begins at byte `begin`. Of everything that a pickle may call, only what pickle_calls.h lists is understood, and
// that is done here, as data. Time and memory are linear in the bytes, within the bounds of PickleValues. `where` opens the error
// messages. Throws ErrorKind::file_format in one line: a call of anything else by its name, an extension code, an out-of-band
// buffer, an opcode that is none, damage.
Pickle read_pickle(const std::string& where, std::span<const uint8_t> bytes, uint64_t begin = 0);

}  // namespace negativa
