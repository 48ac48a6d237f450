#pragma once
// A request of the webui's API as one of the studio's, and what it is answered with.
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"  // included by .cpp files only, as this header
#include "library/job_store.h"
#include "sdapi_options.h"
#include "web/message.h"

namespace negativa::studio {

struct SdRequest {
  Json settings;                        // of `generate`, the seed among them
  Json parameters;                      // what was given of the fields that are done
  std::string prompt, negative_prompt;  // as they were given
  SdOptions options;                    // for this request
  bool keeps_options = false;           // and for those after it
  uint64_t seed = 0, pictures = 1, batch_size = 1;
  bool sends_images = true;
  std::vector<std::string> not_honoured;   // names of fields
  std::vector<std::string> left_to_model;  // fields of these four that were left out: width, height, sampler_name, scheduler
  std::vector<std::string> notices;
};

// Throws ErrorKind::input.
SdRequest sd_request(const Json& body, const SdOptions& options, const Inventory& inventory);

// Of a job that is over. `folder`: of its pictures.
web::Response sd_answer(const SdRequest& request, const JobRecord& record, const std::filesystem::path& folder);

// {"error": …, "detail": the message}: what the webui's clients show is "detail".
web::Response sd_error(int status, const std::string& kind, const std::string& message);
web::Response sd_error_of_current_exception();

inline constexpr const char* not_honoured_header = "X-Negativa-Not-Honoured";
inline constexpr const char* left_to_model_header = "X-Negativa-Model-Defaults";

}  // namespace negativa::studio
