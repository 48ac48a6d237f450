#pragma once
// What another program needs to replay a training: first and last numbers, the first gradient, and every step's inputs and loss
// (--save-trace).
#include "train/training_step.h"

namespace negativa {

class Trace {
 public:
  void first_numbers(const TrainedParameters& parameters) { parameters.name_parts("initial.", parameters.flat(), tensors_); }
  void last_numbers(const TrainedParameters& parameters) { parameters.name_parts("final.", parameters.flat(), tensors_); }
  void gradient(const TrainedParameters& parameters, const Tensor& flat) { parameters.name_parts("gradient.", flat, tensors_); }
  // Before the step moves the numbers: embeddings of trained text encoders and names depend on them.
  void inputs(int64_t step, const TrainingModel& model, const std::vector<TrainingRow>& rows, const TrainedAdapters& adapters);
  void loss(int64_t step, double loss);
  void write(const std::filesystem::path& path, const std::string& recipe_json) const;

 private:
  std::map<std::string, Tensor> tensors_;
};

}  // namespace negativa
