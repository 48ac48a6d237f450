#pragma once
// rounds.json: what was chosen for a series of rounds. docs/formats.md, "Rounds".
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

namespace names {
inline constexpr const char* rounds_folder = "rounds";     // in a run's folder: a folder for each way of rejecting
inline constexpr const char* rounds_page = "rounds.html";  // in that
inline constexpr const char* rounds_file = "rounds.json";  // in the folder of one way
inline constexpr const char* rounds_run = "run";           // likewise: the run folder of its rounds
inline constexpr const char* rejects_folder = "rejects";   // likewise: a folder of pictures for each round
}  // namespace names

// A round that was begun: its LoRA is trained on rejects of the round before.
struct BegunRound {
  std::string rejects;  // folder of pictures, below that of the rounds: "rejects/round-1-1a2b3c4d"
  size_t pictures = 0;  // in it
};

struct RoundsState {
  std::string arm, caption;  // of the run; what rejects are trained on
  double share = 0;          // of pictures that are rejected
  std::string base_sha256;   // of the TOML without rounds: the run as it was planned when they began
  std::vector<BegunRound> rounds;

  std::string to_text() const;
  // Throws ErrorKind::file_format, missing_key; also for a folder that leads out of that of the rounds.
  static RoundsState from_text(std::string_view text, std::string_view where);
};

}  // namespace negativa
