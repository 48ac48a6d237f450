#include "runs/run_store.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <functional>

#include "base/names.h"
#include "small_run.h"

namespace negativa {
namespace {

TEST(RunStore, MakesItsFolderAndKnowsItAgain) {
  const TemporaryFolder folder;
  EventSink events;
  const fs::path place = folder / "runs/small";
  {
    RunStore store(place, events);
    EXPECT_FALSE(store.frozen());
    store.freeze(small_plan());
    EXPECT_EQ(store.frozen()->hash(), small_plan().hash());
  }
  EXPECT_EQ(read_file(place / names::plan_toml), small_plan().toml);
  EXPECT_EQ(RunStore(place, events).frozen()->to_text(), small_plan().to_text());
  EXPECT_EQ(RunStore::open(place, events).frozen()->to_text(), small_plan().to_text());
}

TEST(RunStore, RefusesFoldersThatAreNoRuns) {
  const TemporaryFolder folder;
  EventSink events;
  replace_file(folder / "file", "x");
  fs::create_directory(folder / "mine");
  replace_file(folder / "mine/thesis.txt", "x");
  const auto refusal = [&](const fs::path& place) { return error_of(ErrorKind::input, [&] { RunStore(place, events); }); };
  EXPECT_TRUE(contains(refusal(folder / "file"), "is a file"));
  EXPECT_TRUE(contains(refusal(folder / "mine"), "holds thesis.txt and no plan.json"));
  EXPECT_EQ(all_files(folder / "mine").size(), 1u);
  EXPECT_TRUE(contains(refusal(""), "empty name"));
  const auto not_opened = [&](const fs::path& place) {
    return error_of(ErrorKind::input, [&] { RunStore::open(place, events); });
  };
  EXPECT_TRUE(contains(not_opened(folder / "none"), "does not exist"));
  EXPECT_TRUE(contains(not_opened(folder / "mine"), "has no plan.json"));
}

TEST(RunStore, GoesOnInAFolderWhoseFirstStartEndedBeforeItsPlan) {
  const TemporaryFolder folder;
  EventSink events;
  { RunStore store(folder.path(), events); }
  fs::create_directory(folder / names::calibration_folder);
  RunStore store(folder.path(), events);
  store.freeze(small_plan());
  EXPECT_TRUE(store.frozen());
}

TEST(RunStore, RefusesAFolderThatHasCellsAndLostItsPlan) {
  const SmallRun run;
  EventSink events;
  fs::remove(run.folder / names::plan_file);
  const auto before = all_files(run.folder.path());
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { RunStore(run.folder.path(), events); }), "no plan.json"));
  EXPECT_EQ(all_files(run.folder.path()), before);
}

TEST(RunStore, RefusesAPlanThatIsDamagedAndKeepsIt) {
  const SmallRun run(false);
  EventSink events;
  const std::string text = read_file(run.folder / names::plan_file);
  replace_file(run.folder / names::plan_file, text.substr(0, text.size() / 2));
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { RunStore(run.folder.path(), events); }),
                       (run.folder / names::plan_file).string()));
  EXPECT_EQ(read_file(run.folder / names::plan_file).size(), text.size() / 2);
}

TEST(RunStore, ASecondPlanTakesThePlaceOfTheFirstWhichItKnew) {
  SmallRun run;
  RunPlan more = small_plan();
  more.toml = "# another\n";
  more.cells.pop_back();
  run.store.freeze(more);
  EXPECT_EQ(RunStore::open(run.folder.path(), run.events).frozen()->to_text(), more.to_text());
  EXPECT_EQ(read_file(run.folder / names::plan_toml), "# another\n");
  EXPECT_EQ(run.state(lora), CellState::whole);
  const auto orphans = run.store.orphans(more);
  EXPECT_EQ(orphans, std::vector<std::string>{small_plan().cells.back().file}) << "what earlier plans made stays";
}

TEST(RunStore, OpenedForReadingTouchesNothing) {
  const SmallRun run;
  EventSink events;
  fs::remove(run.folder / names::cells_lock);
  replace_file(run.folder / "pictures/.x.png.tmp-1-1", "x");
  const auto before = all_files(run.folder.path());
  RunStore store = RunStore::open(run.folder.path(), events);
  EXPECT_EQ(store.state(run.cell(lora)), CellState::whole);
  error_of(ErrorKind::input, [&] { store.freeze(small_plan()); });
  error_of(ErrorKind::input, [&] { store.write(run.cell(lora), "x", {}); });
  error_of(ErrorKind::input, [&] { store.try_lock(run.cell(lora)); });
  EXPECT_EQ(all_files(run.folder.path()), before);
}

TEST(RunStore, FillsInWhatARecordSaysOfItsFile) {
  SmallRun run(false);
  CellRecord made;
  made.recipe_json = R"({"steps":2})";
  made.address = "nonsense";
  run.store.write(run.cell(lora), "bytes", made);
  const CellRecord record = *run.store.record(run.cell(lora));
  EXPECT_EQ(record.address, run.cell(lora).address);
  EXPECT_EQ(record.stage, CellStage::lora);
  EXPECT_EQ(record.format, stage_format(CellStage::lora));
  EXPECT_EQ(record.sha256, sha256_hex("bytes"));
  EXPECT_EQ(record.bytes, 5u);
  EXPECT_EQ(record.recipe_json, R"({"steps":2})");
  EXPECT_EQ(record.processor, processor_name());
  EXPECT_EQ(record.program_version, Recipe::default_program_version());
  EXPECT_EQ(read_file(run.file(lora)), "bytes");
  made.processor = "a graphics card";
  run.store.write(run.cell(first_picture), "bytes", made);
  EXPECT_EQ(run.store.record(run.cell(first_picture))->processor, "a graphics card");
}

TEST(RunStore, ACellIsMissingUntilFileAndRecordAreThere) {
  const SmallRun run;
  EXPECT_EQ(run.state(lora), CellState::whole);
  fs::remove(run.record_file(lora));
  EXPECT_EQ(run.state(lora), CellState::missing);
  fs::remove(run.file(first_picture));
  EXPECT_EQ(run.state(first_picture), CellState::missing);
  fs::remove(run.file(first_row));
  EXPECT_EQ(run.state(first_row), CellState::missing);
  EXPECT_FALSE(run.store.record(run.cell(first_row)));
}

TEST(RunStore, TheFirstWholeCellStays) {
  SmallRun run;
  const auto before = all_files(run.folder.path());
  run.store.write(run.cell(lora), "other bytes", {});
  CellRecord other = record_of(run.store, run.cell(first_row));
  other.metrics["damage"] = 7;
  run.store.write(run.cell(first_row), "", other);
  EXPECT_EQ(all_files(run.folder.path()), before);
}

TEST(RunStore, SeesEachKindOfDamageNamesTheFileAndMakesItAnew) {
  SmallRun run;
  const fs::path picture = run.file(first_picture), record = run.record_file(first_picture);
  const std::string bytes = read_file(picture), text = read_file(record);
  const struct {
    const char* words;
    std::function<void()> damage;
  } kinds[] = {
      {"bytes, its record says", [&] { replace_file(picture, bytes.substr(1)); }},
      {"bytes, its record says", [&] { replace_file(picture, ""); }},
      {"does not have the SHA-256", [&] { replace_file(picture, std::string(bytes.size(), 'x')); }},
      {"is the record of another cell", [&] { replace_file(record, read_file(run.record_file(first_picture + 1))); }},
      {"is a symbolic link", [&] { fs::remove(picture), fs::create_symlink(run.file(first_picture + 1), picture); }},
      {"is a symbolic link", [&] { fs::remove(record), fs::create_symlink(run.record_file(lora), record); }},
      {"is no file",
       [&] {
         fs::remove(picture);
         ASSERT_EQ(::mkfifo(picture.c_str(), 0600), 0);
       }},
      {"[", [&] { replace_file(record, text.substr(0, text.size() / 2)); }},
      {"[", [&] { replace_file(record, ""); }},
      {"has no \"address\"", [&] { replace_file(record, "{" + text.substr(text.find("\"sha256\""))); }},
  };
  for (const auto& kind : kinds) {
    kind.damage();
    const std::string why = run.why(first_picture);
    EXPECT_TRUE(contains(why, kind.words)) << why;
    EXPECT_TRUE(contains(why, picture.stem().string())) << why;
    EXPECT_EQ(why.find('\n'), std::string::npos) << why;
    EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { run.store.checked_record(run.cell(first_picture)); }), why));
    make(run.store, first_picture);
    EXPECT_EQ(run.state(first_picture), CellState::whole) << kind.words;
    EXPECT_EQ(read_file(picture), bytes);
    EXPECT_EQ(read_file(run.file(first_picture + 1)), bytes_of(run.cell(first_picture + 1))) << "a link's target is left alone";
  }
}

TEST(RunStore, AFolderInAFilesPlaceIsSaidAndLeft) {
  SmallRun run;
  fs::remove(run.file(lora));
  fs::create_directory(run.file(lora));
  EXPECT_TRUE(contains(run.why(lora), "is a folder"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { make(run.store, lora); }), run.file(lora).string()));
  EXPECT_EQ(temporary_files(run.folder.path()), 0u);
}

TEST(RunStore, OfTwoRunsFilesMixedItTellsWhichAreNotItsOwn) {
  SmallRun run;
  const SmallRun other(true, [] {
    RunPlan plan = small_plan();
    plan.cells[lora].address = sha256_hex("another LoRA");
    return plan;
  }());
  fs::copy_file(other.record_file(lora), run.record_file(lora), fs::copy_options::overwrite_existing);
  EXPECT_TRUE(contains(run.why(lora), "is the record of another cell"));

  // The same address on other hardware: other bytes, which a record of the first does not fit.
  replace_file(run.file(first_picture), "drawn elsewhere");
  EXPECT_TRUE(contains(run.why(first_picture), "bytes, its record says"));

  fs::copy_file(other.folder / names::plan_file, run.folder / names::plan_file, fs::copy_options::overwrite_existing);
  const RunStore mixed = RunStore::open(run.folder.path(), run.events);
  EXPECT_EQ(mixed.state(mixed.frozen()->cells[first_picture + 1]), CellState::whole) << "one that both would make";
}

TEST(RunStore, MetricsOfAPictureThatHasOtherBytesByNowAreDamaged) {
  SmallRun run;
  EXPECT_EQ(run.state(first_row), CellState::whole);
  fs::remove(run.record_file(first_picture));
  EXPECT_EQ(run.state(first_row), CellState::whole) << "the picture may come back as it was";
  run.store.write(run.cell(first_picture), "drawn on another processor", {});
  EXPECT_TRUE(contains(run.why(first_row), "was measured of another picture than " + run.cell(first_picture).file));
  EXPECT_EQ(run.state(first_row + 1), CellState::whole);
  make(run.store, first_row);
  EXPECT_EQ(run.state(first_row), CellState::whole);

  CellRecord nameless = record_of(run.store, run.cell(first_row));
  nameless.inputs.clear();
  fs::remove(run.file(first_row));
  EXPECT_TRUE(
      contains(error_of(ErrorKind::input, [&] { run.store.write(run.cell(first_row), "", nameless); }), "names no picture"));
  error_of(ErrorKind::input, [&] { run.store.write(run.cell(first_row), "bytes", {}); });
}

TEST(RunStore, AdoptsACopyOfAFileSoThatDamageToOneLeavesTheOther) {
  SmallRun run(false);
  const fs::path made = run.folder / "work/wrong/out.safetensors";
  make_folder(made.parent_path());
  write_atomically(made, "trained");
  run.store.adopt(run.cell(lora), made, {});
  EXPECT_EQ(run.state(lora), CellState::whole);
  EXPECT_EQ(run.store.record(run.cell(lora))->bytes, 7u);
  EXPECT_EQ(read_file(run.file(lora)), "trained");
  fs::resize_file(run.file(lora), 3);
  EXPECT_EQ(run.state(lora), CellState::damaged);
  EXPECT_EQ(read_file(made), "trained");
  run.store.adopt(run.cell(lora), made, {});
  EXPECT_EQ(read_file(run.file(lora)), "trained");
  error_of(ErrorKind::input, [&] { run.store.adopt(run.cell(lora), run.folder / "work/none", {}); });
  EXPECT_EQ(temporary_files(run.folder.path()), 0u);
}

TEST(RunStore, OfALargeFileTheSizeIsLookedAtAndTheBytesBeforeUse) {
  SmallRun run(false);
  std::string bytes(RunStore::hashed_up_to_bytes + 1, 'x');
  run.store.write(run.cell(lora), bytes, {});
  EXPECT_EQ(run.store.checked_record(run.cell(lora)).sha256, sha256_hex(bytes));
  bytes[1000] = 'y';
  replace_file(run.file(lora), bytes);
  EXPECT_EQ(run.state(lora), CellState::whole);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { run.store.checked_record(run.cell(lora)); }), run.file(lora).string()));
  fs::resize_file(run.file(lora), bytes.size() - 1);
  EXPECT_EQ(run.state(lora), CellState::damaged);
  CancelToken cancelled;
  cancelled.cancel();
  replace_file(run.file(lora), bytes);
  error_of(ErrorKind::cancelled, [&] { run.store.checked_record(run.cell(lora), &cancelled); });
}

TEST(RunStore, AFullDiskLeavesNothingHalfWritten) {
  SmallRun run(false);
  make(run.store, set_picture);
  const auto before = all_files(run.folder.path());
  // Room for the file but not for its record, then for neither.
  for (const rlim_t room : {bytes_of(run.cell(lora)).size(), size_t{3}}) {
    const pid_t full = in_another_process([&] {
      const rlimit limit{room, room};
      std::signal(SIGXFSZ, SIG_IGN);
      ::setrlimit(RLIMIT_FSIZE, &limit);
      const std::string error =
          error_of(ErrorKind::machine, [&] { run.store.write(run.cell(lora), bytes_of(run.cell(lora)), {}); });
      return contains(error, "disk full") && contains(error, "lora/") ? 0 : 1;
    });
    EXPECT_EQ(exit_code_of(full), 0);
    EXPECT_EQ(all_files(run.folder.path()), before);
  }
  make(run.store, lora);
  EXPECT_EQ(run.state(lora), CellState::whole);
}

TEST(RunStore, SaysWhereAPersonHasNoPermission) {
  const SmallRun run;
  ASSERT_EQ(::chmod(run.folder.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(run.file(first_picture).c_str(), 0), 0);
  ASSERT_EQ(::chmod((run.folder / names::cells_lock).c_str(), 0444), 0);
  const pid_t person = in_another_process([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
    EventSink events;
    const RunStore store = RunStore::open(run.folder.path(), events);
    const std::string read = error_of(ErrorKind::input, [&] { store.state(run.cell(first_picture)); });
    if (!contains(read, run.file(first_picture).string()) || !contains(read, "Permission denied")) return 2;
    const std::string write = error_of(ErrorKind::input, [&] { RunStore(run.folder.path(), events); });
    return contains(write, run.folder.path().string()) && contains(write, "cannot be written: Permission denied") ? 0 : 3;
  });
  EXPECT_EQ(exit_code_of(person), 0);
}

TEST(RunStore, RefusesAFolderOfCellsThatLeadsOut) {
  const TemporaryFolder outside;
  const SmallRun run;
  fs::remove_all(run.folder / "pictures");
  fs::create_directory_symlink(outside.path(), run.folder / "pictures");
  EventSink events;
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { RunStore(run.folder.path(), events); }), "leads out of the run folder"));
  EXPECT_EQ(outside.count_files(), 0u);
  fs::remove(run.folder / "pictures");
  fs::create_directory(run.folder / "elsewhere");
  fs::create_directory_symlink("elsewhere", run.folder / "pictures");
  RunStore inside(run.folder.path(), events);
  make(inside, first_picture);
  EXPECT_EQ(inside.state(run.cell(first_picture)), CellState::whole);
}

TEST(RunStore, NamesFilesThatNoCellHas) {
  const SmallRun run;
  replace_file(run.folder / "pictures/old-11111111.png", "x");
  replace_file(run.folder / "sets/wrong/old-11111111.json", "x");
  replace_file(run.folder / "pictures/.x.png.tmp-1-1", "x");
  replace_file(run.folder / "notes.txt", "x");
  EXPECT_EQ(run.store.orphans(*run.store.frozen()),
            (std::vector<std::string>{"pictures/old-11111111.png", "sets/wrong/old-11111111.json"}));
}

}  // namespace
}  // namespace negativa
