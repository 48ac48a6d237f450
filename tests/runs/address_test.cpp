#include "runs/address.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/sha256.h"

namespace negativa {
namespace {

const std::string some_hash = sha256_hex("a"), other_hash = sha256_hex("b");

AddressParts parts() { return {CellStage::picture, R"({"prompt":"frog","seed":7})", {some_hash, other_hash}}; }

TEST(Address, IsTheHashOfACanonicalTextThatAnyoneCanWrite) {
  EXPECT_EQ(cell_address(parts()), sha256_hex(R"({"format":1,"inputs":[")" + some_hash + R"(",")" + other_hash +
                                              R"("],"recipe":{"prompt":"frog","seed":7},"stage":"picture"})"));
}

TEST(Address, DoesNotDependOnHowTheRecipeIsWritten) {
  AddressParts other = parts();
  other.recipe_json = "{ \"seed\": 7,\n\"prompt\": \"frog\" }";
  EXPECT_EQ(cell_address(other), cell_address(parts()));
}

TEST(Address, DependsOnStageRecipeInputsAndTheirOrder) {
  std::set<std::string> addresses = {cell_address(parts())};
  const auto with = [](const auto& change) {
    AddressParts changed = parts();
    change(changed);
    return cell_address(changed);
  };
  addresses.insert(with([](AddressParts& p) { p.stage = CellStage::set_picture; }));
  addresses.insert(with([](AddressParts& p) { p.recipe_json = R"({"prompt":"frog","seed":8})"; }));
  addresses.insert(with([](AddressParts& p) { std::swap(p.inputs[0], p.inputs[1]); }));
  addresses.insert(with([](AddressParts& p) { p.inputs.pop_back(); }));
  EXPECT_EQ(addresses.size(), 5u);
}

TEST(Address, RefusesAnInputThatIsNoHashAndARecipeThatIsNoJson) {
  AddressParts bad = parts();
  bad.inputs.push_back("model.safetensors");
  EXPECT_THROW(cell_address(bad), Error);
  bad = parts();
  bad.recipe_json = "{";
  EXPECT_THROW(cell_address(bad), Error);
  EXPECT_TRUE(is_sha256(some_hash));
  EXPECT_FALSE(is_sha256("A" + some_hash.substr(1))) << "upper case";
  EXPECT_FALSE(is_sha256(some_hash.substr(1)));
}

TEST(Address, SlugKeepsPlainLettersAndDigitsAndIsNeverEmpty) {
  EXPECT_EQ(slug("Frog on a teal/../background, 4K!"), "frog-on-a-teal-background-4k");
  EXPECT_EQ(slug("cfg/article/cfg_scale=6"), "cfg-article-cfg-scale-6");
  EXPECT_EQ(slug("日本"), "x");
  EXPECT_EQ(slug("two cafés"), "two-cafs");
  EXPECT_EQ(slug(""), "x");
  EXPECT_EQ(slug("one two", 4), "one");
  EXPECT_EQ(slug(std::string(100, 'a')).size(), 40u);
}

}  // namespace
}  // namespace negativa
