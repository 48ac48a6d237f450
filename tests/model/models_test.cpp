#include "model/models.h"

#include <gtest/gtest.h>

#include "golden_file.h"

namespace negativa {
namespace {

ModelRequest bundled() {
  ModelRequest request;
  request.model = test::bundled_model();
  return request;
}

TEST(Models, LoadingStopsWhenCancelledAndCanBeAskedForAgain) {
  Models models(bundled());
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(models.unet(&cancel), Error);
  EXPECT_THROW(models.text(&cancel), Error);
  EXPECT_TRUE(models.loads().empty());
  models.unet();
  EXPECT_EQ(models.loads().at("unet"), 1);
}

TEST(Models, NameWhatTheirWeightsAreInMemory) {
  EXPECT_EQ(Models(bundled()).weights_dtype(), "fp32");
  ModelRequest request = bundled();
  request.storage = at::kHalf;
  EXPECT_EQ(Models(request).weights_dtype(), "fp16");
  request.part_storage[Part::vae] = at::kFloat;
  EXPECT_EQ(Models(request).weights_dtype(), "text_encoder:fp16,text_encoder_2:fp16,unet:fp16,vae:fp32");
}

TEST(Models, WhatACallerHoldsStaysWhenTheModelLetsGoOfIt) {
  ModelRequest request = bundled();
  request.keep_parts = false;
  Models models(request);
  const auto unet = models.unet();
  EXPECT_GT(models.held_bytes(), 0);
  const auto vae = models.vae();
  EXPECT_EQ(unet.use_count(), 1) << "the model holds one part at a time";
  models.release();
  EXPECT_EQ(models.held_bytes(), 0);
  EXPECT_EQ(vae->config.latent_channels, unet->config.in_channels);
  EXPECT_NE(models.unet(), unet) << "loaded anew";
}

TEST(Parts, HaveNamesThatLeadBackToThem) {
  std::string before;
  for (const Part part : all_parts) {
    EXPECT_EQ(part_from_name(part_name(part)), part);
    EXPECT_LT(before, part_name(part)) << "records list them in the order of their names";
    before = part_name(part);
  }
  EXPECT_FALSE(part_from_name("refiner/vae"));
}

}  // namespace
}  // namespace negativa
