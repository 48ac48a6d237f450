#include "library/roots.h"

#include "base/files.h"
#include "base/temporary_folder.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

class RootsTest : public ::testing::Test {
 protected:
  RootsTest() {
    for (const char* name : {"models/a/unet", "pictures/cats", "secret", "second/pictures"})
      fs::create_directories(folder_ / name);
    write_atomically(folder_ / "models/a/unet/x", "x");
    write_atomically(folder_ / "secret/key", "k");
    roots_.add("models", folder_ / "models");
    roots_.add("pictures", folder_ / "pictures");
  }
  std::string refused(const std::string& reference) {
    return error_of(ErrorKind::input, [&] { roots_.resolve(reference, "model in request"); });
  }

  TemporaryFolder folder_;
  Roots roots_;
};

}  // namespace

TEST_F(RootsTest, NamesWhatIsBelowThem) {
  EXPECT_EQ(roots_.resolve("models/a/unet", "x"), fs::canonical(folder_ / "models/a/unet"));
  EXPECT_EQ(roots_.resolve("pictures", "x"), fs::canonical(folder_ / "pictures"));
  EXPECT_EQ(roots_.reference_of(fs::canonical(folder_ / "models/a")), "models/a");
  EXPECT_EQ(roots_.reference_of(fs::canonical(folder_ / "models")), "models");
  EXPECT_EQ(roots_.reference_of(fs::canonical(folder_ / "secret")), "");
  EXPECT_EQ(roots_.reference_of(fs::canonical(folder_.path()) / "models-of-others"), "");
}

TEST_F(RootsTest, LeadNowhereElse) {
  for (const std::string reference :
       {"", "/", "..", "models/..", "models/../secret", "models/./a", "models//a", "models/a/", "/etc/passwd", "secret",
        "models/none", "models/a/../../secret/key", std::string("models/a\0b", 10).c_str()})
    EXPECT_TRUE(contains(refused(reference), "[model in request] ")) << reference;
  EXPECT_TRUE(contains(refused("secret/key"), "models, pictures"));
}

TEST_F(RootsTest, FollowLinksOnlyToOneAnother) {
  fs::create_symlink(folder_ / "secret/key", folder_ / "models/key");
  fs::create_directory_symlink(folder_ / "secret", folder_ / "models/out");
  fs::create_directory_symlink("../pictures/cats", folder_ / "models/cats");
  EXPECT_TRUE(contains(refused("models/key"), "leads out"));
  EXPECT_TRUE(contains(refused("models/out"), "leads out"));
  EXPECT_TRUE(contains(refused("models/out/key"), "leads out"));
  EXPECT_NO_THROW(roots_.resolve("models/cats", "x"));
  // A folder is refused for a link anywhere in it.
  fs::create_symlink(folder_ / "secret/key", folder_ / "models/a/unet/y");
  EXPECT_TRUE(contains(refused("models/a"), "models/a/unet/y"));
}

TEST_F(RootsTest, AreNumberedWhereTheirNamesAreEqualAndLeftOutWhereTheyAreMissing) {
  roots_.add("pictures", folder_ / "second/pictures");
  roots_.add("none", folder_ / "none");
  ASSERT_EQ(roots_.roots().size(), 3);
  EXPECT_EQ(roots_.roots()[2].name, "pictures-2");
}

TEST_F(RootsTest, StandForTheirPathsInMessages) {
  roots_.hide(folder_ / "secret");
  const std::string base = fs::canonical(folder_.path()).string();
  EXPECT_EQ(roots_.without_paths("[" + base + "/models/a] is not " + base + "/models, \"" + base + "/secret/key\""),
            "[models/a] is not models, \"…/key\"");
  EXPECT_EQ(roots_.without_paths(base + "/models2"), base + "/models2");
}

}  // namespace negativa
