#pragma once
// Several LoRAs as one: per layer sum_i w_i alpha_i / r_i up_i down_i, exactly (concat) or as the nearest matrix of a smaller
// rank (svd).
#include "base/cancel.h"
#include "lora/lora_file.h"
#include "lora/lora_spec.h"

namespace negativa {

struct WeightedLora {
  std::shared_ptr<const LoraFile> file;
  PartWeights weight;
};

enum class MergeMethod {
  concat,  // ranks add up: down = [down_1; down_2; …], up = [s_1 up_1, s_2 up_2, …] with s_i = w_i alpha_i / r_i; alpha = rank
  svd      // truncated singular value decomposition, from QR of the stacked factors: no [out,in] matrix is ever formed
};

// What became of one layer. Norms are Frobenius'.
struct MergedLayer {
  struct Cosine {
    size_t first, second;  // positions in the list of LoRAs
    double value;          // between what the two add, weights' signs included: 1 same direction, 0 unrelated, -1 cancelling
  };
  std::string component, module;
  int64_t rank = 0, full_rank = 0;  // written; that of the exact sum
  std::vector<Cosine> cosines;      // of every two LoRAs that have the layer
  double norm = 0;                  // of the exact sum
  double parts_energy = 0;          // sum |part|^2
  double error = 0,
         best_error = 0;  // |written - sum| / |sum|, and the least that any matrix of that rank has (Eckart and Young 1936)

  // |sum|^2 / sum |part|^2: 1 where the parts have nothing to do with each other, less where they cancel, more where they agree.
  double kept_energy() const { return parts_energy > 0 ? norm * norm / parts_energy : 1; }
};

struct MergedLora {
  LoraModules modules;              // alpha = rank everywhere
  LayerChanges changes;             // sums of norms' and biases' differences
  std::vector<MergedLayer> layers;  // in the order of modules
};

// A LoRA of weight 0 is left out. rank: for svd; absent: the largest rank that a LoRA has in the layer. A LoHa, a LoKr and a full
// difference are taken as the product of the rank they have, cut with concat too at a quarter of the layer's smaller side (least
// 64), beyond which a product is no smaller than the matrix; `error` says what that leaves out. Computed in fp64, result in fp32.
// Throws ErrorKind::input when nothing is left to merge, and for kinds whose change is another for another weight (DoRA, (IA)3,
// GLoRA, OFT, BOFT: those can be baked); ErrorKind::cancelled.
MergedLora merge_loras(const std::vector<WeightedLora>& loras, MergeMethod method, std::optional<int64_t> rank = {},
                       const CancelToken& cancel = {});

// <a, b> of two deltas (Frobenius), from r x r matrices only.
double delta_inner(const LoraModule& a, const LoraModule& b);

// |delta(a) - delta(b)| / |delta(b)|; 0 for two of the same bits, good to 1e-8.
double delta_distance(const LoraModule& a, const LoraModule& b);

}  // namespace negativa
