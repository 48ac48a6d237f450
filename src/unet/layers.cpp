#include "unet/layers.h"

namespace negativa {

namespace {

using Kind = UNetLayer::Kind;
using Way = UNetLayer::Way;

class Walk {
 public:
  explicit Walk(const UNetConfig& config) : config_(config), blocks_(config.blocks), channels_(blocks_.front().channels) {
    layers.push_back({Kind::conv_in, Way::down, 0, 0, config.in_channels, channels_});
    keep_skip();
    way_down();
    middle();
    way_up();
    layers.push_back({Kind::conv_out, Way::up, 0, 0, channels_, config.out_channels});
  }

  std::vector<UNetLayer> layers;

 private:
  void way_down() {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      for (int64_t j = 0; j < blocks_[i].layers; ++j) {
        resnet(Way::down, i);
        transformer(Way::down, i, blocks_[i].down_depths, j);
        keep_skip();
      }
      if (i + 1 == blocks_.size()) break;
      add(Kind::downsample, Way::down, i, i + 1);
      keep_skip();
    }
  }

  void middle() {
    const size_t last = blocks_.size() - 1;
    if (config_.middle != UNetConfig::Middle::none) resnet(Way::mid, last);
    if (config_.middle != UNetConfig::Middle::attention) return;
    transformer(Way::mid, last, {config_.middle_depth}, 0);
    resnet(Way::mid, last);
  }

  // Each resnet reads the last skip that none has read.
  void way_up() {
    for (size_t i = blocks_.size(); i-- > 0;) {
      for (int64_t j = 0; j < blocks_[i].layers + 1; ++j) {
        resnet(Way::up, i, skips_.back());
        skips_.pop_back();
        transformer(Way::up, i, blocks_[i].up_depths, j);
      }
      if (i > 0) add(Kind::upsample, Way::up, i, i - 1);
    }
  }

  void resnet(Way way, size_t block, int64_t skip_channels = 0) {
    layers.push_back({Kind::resnet, way, block, block, channels_ + skip_channels, blocks_[block].channels, skip_channels});
    channels_ = blocks_[block].channels;
  }

  void transformer(Way way, size_t block, const std::vector<int64_t>& depths, int64_t resnet) {
    if (depths.empty()) return;
    add(Kind::transformer, way, block, block);
    layers.back().depth = depths[static_cast<size_t>(resnet)];
  }

  void add(Kind kind, Way way, size_t block, size_t level) { layers.push_back({kind, way, block, level, channels_, channels_}); }

  void keep_skip() {
    layers.back().is_skip = true;
    skips_.push_back(channels_);
  }

  const UNetConfig& config_;
  const std::vector<UNetConfig::Block>& blocks_;
  int64_t channels_;  // of the map that the next layer reads
  std::vector<int64_t> skips_;
};

}  // namespace

std::vector<UNetLayer> layers_of(const UNetConfig& config) { return Walk(config).layers; }

int64_t side_at(int64_t latent_side, size_t level) {
  for (size_t i = 0; i < level; ++i) latent_side = (latent_side + 1) / 2;
  return latent_side;
}

}  // namespace negativa
