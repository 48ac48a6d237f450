#include "runs/run_store.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <ctime>
#include <functional>
#include <thread>

#include "base/names.h"
#include "runs/cell_files.h"
#include "runs/cell_locks.h"
#include "small_run.h"
#include "stepped_process.h"

namespace negativa {
namespace {

size_t temporary_files(const fs::path& folder) {
  size_t count = 0;
  for (const auto& [file, bytes] : all_files(folder)) count += contains(file, names::temporary_infix);
  return count;
}

class Notices : public EventSink {
 public:
  void on_notice(const std::string& text) override { texts.push_back(text); }
  std::vector<std::string> texts;
};

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

TEST(RunStore, OfProcessesThatBeginAtOnceOneFreezesThePlanOfAll) {
  EventSink events;
  for (int round = 0; round < 5; ++round) {
    const TemporaryFolder folder;
    const Signal go;
    std::vector<pid_t> children;
    for (uint64_t i = 0; i < 4; ++i)
      children.push_back(in_another_process([&] {
        go.await();
        RunStore store(folder / "run", events);
        RunPlan plan = small_plan();
        plan.base_seeds = {i};
        plan.toml += std::string(i, '#');
        if (!store.frozen()) store.freeze(plan);
        write_atomically(folder / ("plan of " + std::to_string(i)), store.frozen()->to_text());
        return 0;
      }));
    go.give(children.size());
    for (const pid_t child : children) EXPECT_EQ(exit_code_of(child), 0);
    const RunStore store = RunStore::open(folder / "run", events);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(read_file(folder / ("plan of " + std::to_string(i))), store.frozen()->to_text());
    EXPECT_EQ(read_file(folder / "run/experiment.toml"), store.frozen()->toml);
    EXPECT_EQ(temporary_files(folder.path()), 0u);
  }
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

TEST(RunStore, AdoptsAFileByItsNameAndLeavesIt) {
  SmallRun run(false);
  const fs::path made = run.folder / "work/wrong/out.safetensors";
  make_folder(made.parent_path());
  write_atomically(made, "trained");
  run.store.adopt(run.cell(lora), made, {});
  EXPECT_EQ(run.state(lora), CellState::whole);
  EXPECT_EQ(run.store.record(run.cell(lora))->bytes, 7u);
  EXPECT_EQ(read_file(run.file(lora)), "trained");
  EXPECT_TRUE(fs::exists(made));
  write_atomically(made, "trained further");
  EXPECT_EQ(run.state(lora), CellState::whole) << "writing beside it changes the other name alone";
  error_of(ErrorKind::input, [&] { run.store.adopt(run.cell(lora), run.folder / "work/none", {}); });
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

// Does `between` while another process stands at its n-th stop within `work`, for each n, or each `stride`-th.
void at_each_stop(const std::function<void()>& work, const std::function<void(SteppedProcess&)>& between, size_t stride = 1) {
  for (size_t n = 0;; n += stride) {
    SteppedProcess other(work);
    if (!other.is_traced()) GTEST_SKIP() << "a process may not be traced here";
    size_t steps = 0;
    while (steps < n && other.step()) ++steps;
    if (steps < n) {
      EXPECT_GT(n, 20u) << "it made hardly a system call";
      return;
    }
    between(other);
    if (testing::Test::HasFailure()) FAIL() << "at stop " << n;
  }
}

TEST(RunStore, AnotherProcessMayWriteACellAtAnyMomentAndFileAndRecordFit) {
  SmallRun run(false);
  const auto write = [&](const std::string& processor) {
    CellRecord record;
    record.processor = processor;
    run.store.write(run.cell(lora), "made by " + processor + "'s own rounding", record);
  };
  at_each_stop([&] { write("the first"); },
               [&](SteppedProcess& first) {
                 write("another");
                 EXPECT_EQ(run.state(lora), CellState::whole);
                 first.go_on();
                 ASSERT_EQ(run.state(lora), CellState::whole);
                 EXPECT_TRUE(contains(read_file(run.file(lora)), run.store.record(run.cell(lora))->processor));
                 EXPECT_EQ(temporary_files(run.folder.path()), 0u);
                 fs::remove(run.file(lora));
                 fs::remove(run.record_file(lora));
               });
}

TEST(RunStore, AProcessMayBeKilledAtAnyMomentOfACell) {
  SmallRun run(false);
  at_each_stop([&] { make(run.store, lora); },
               [&](SteppedProcess& other) {
                 other.kill();
                 RunStore again(run.folder.path(), run.events);
                 EXPECT_EQ(temporary_files(run.folder.path()), 0u);
                 EXPECT_NE(again.state(run.cell(lora)), CellState::damaged);
                 make(again, lora);
                 EXPECT_EQ(again.state(run.cell(lora)), CellState::whole);
                 fs::remove(run.file(lora));
                 fs::remove(run.record_file(lora));
               });
}

TEST(RunStore, AProcessMayBeKilledAtAnyMomentOfItsFirstStart) {
  EventSink events;
  const TemporaryFolder folder;
  const fs::path place = folder / "run";
  const auto kill_and_start_again = [&](SteppedProcess& other) {
    other.kill();
    RunStore again(place, events);
    if (again.frozen()) {
      EXPECT_EQ(again.frozen()->hash(), small_plan().hash());
      EXPECT_EQ(read_file(place / names::plan_toml), small_plan().toml);
    } else {
      again.freeze(small_plan());
    }
    EXPECT_TRUE(RunStore::open(place, events).frozen());
    fs::remove_all(place);
  };
  at_each_stop([&] { RunStore(place, events).freeze(small_plan()); }, kill_and_start_again, 5);  // each stop costs an fsync
}

TEST(RunStore, ThreadsMayWriteAndLookAtOnce) {
  SmallRun run(false);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (size_t number = 0; number < first_row; ++number) {
        make(run.store, number);
        EXPECT_EQ(run.state(number), CellState::whole);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(temporary_files(run.folder.path()), 0u);
}

TEST(RunStore, ALockHoldsAgainstThisProcessAndOthersUntilItIsGivenBack) {
  SmallRun run(false);
  RunStore second(run.folder.path(), run.events);
  const auto is_free_elsewhere = [&](size_t number) {
    return exit_code_of(in_another_process([&] {
             EventSink events;
             RunStore store(run.folder.path(), events);
             return store.try_lock(run.cell(number)) ? 0 : 1;
           })) == 0;
  };
  {
    auto lock = run.store.try_lock(run.cell(lora));
    ASSERT_TRUE(lock);
    EXPECT_FALSE(run.store.try_lock(run.cell(lora)));
    EXPECT_FALSE(second.try_lock(run.cell(lora)));
    EXPECT_FALSE(is_free_elsewhere(lora));
    EXPECT_TRUE(is_free_elsewhere(first_picture)) << "one cell is locked, not the run";
    EXPECT_FALSE(is_free_elsewhere(lora)) << "another store of this folder, closed, takes no lock with it";
    std::vector<CellLock> locks;
    locks.push_back(std::move(*lock));
    lock.reset();
    EXPECT_FALSE(is_free_elsewhere(lora)) << "it moved";
  }
  EXPECT_TRUE(is_free_elsewhere(lora));
  EXPECT_TRUE(second.try_lock(run.cell(lora)));
}

TEST(RunStore, ALockOutlivesItsStoreAndGoesWithAKilledProcess) {
  SmallRun run(false);
  {
    std::optional<CellLock> lock;
    {
      RunStore store(run.folder.path(), run.events);
      lock = store.try_lock(run.cell(lora));
    }
    EXPECT_FALSE(run.store.try_lock(run.cell(lora)));
  }
  const Signal locked;
  const pid_t other = in_another_process([&] {
    RunStore store(run.folder.path(), run.events);
    const auto lock = store.try_lock(run.cell(lora));
    locked.give();
    ::pause();
    return lock ? 0 : 1;
  });
  locked.await();
  EXPECT_FALSE(run.store.try_lock(run.cell(lora)));
  ::kill(other, SIGKILL);
  exit_code_of(other);
  EXPECT_TRUE(run.store.try_lock(run.cell(lora)));
}

TEST(CellLocks, WhereTheSystemHasNoneSayItOnceAndHoldWithinTheProcess) {
  const TemporaryFolder folder;
  Notices notices;
  CellLocks locks(folder / "cells.lock", notices);
  constexpr uint64_t no_offset = uint64_t{1} << 63;  // a byte that fcntl refuses, as some network disks refuse every one
  EXPECT_TRUE(locks.take(no_offset));
  EXPECT_FALSE(locks.take(no_offset));
  EXPECT_TRUE(locks.take(1));
  ASSERT_EQ(notices.texts.size(), 1u);
  EXPECT_TRUE(contains(notices.texts[0], (folder / "cells.lock").string()) && contains(notices.texts[0], "--shard"));
  locks.give_back(no_offset);
  EXPECT_TRUE(locks.take(no_offset));
}

TEST(RunStore, RemovesWhatKilledProcessesLeftAndNothingThatIsBeingWritten) {
  const SmallRun run;
  const Signal begun;
  const auto half_written = [&](const std::string& name) {
    return in_another_process([&, name] {
      const NewFile file(run.folder / "pictures" / name, "half");
      begun.give();
      ::pause();
      return 0;
    });
  };
  const pid_t killed = half_written("killed.png"), alive = half_written("alive.png");
  begun.await();
  begun.await();
  ::kill(killed, SIGKILL);
  exit_code_of(killed);
  const auto whole = all_files(run.folder.path()).size();
  replace_file(run.folder / "pictures/.theirs.png.tmp-0123abcd-1-0", "another machine's");
  const auto left = [&](const std::string& part) {
    size_t count = 0;
    for (const auto& [file, bytes] : all_files(run.folder.path())) count += contains(file, part);
    return count;
  };
  ASSERT_EQ(left("killed"), 1u);
  RunStore again(run.folder.path(), const_cast<EventSink&>(run.events));
  EXPECT_EQ(left("killed"), 0u);
  EXPECT_EQ(left("alive"), 1u);
  EXPECT_EQ(left("theirs"), 1u) << "the process may live there";
  EXPECT_EQ(all_files(run.folder.path()).size(), whole);
  remove_left_files(run.folder.path(), std::time(nullptr) + 25 * 3600);
  EXPECT_EQ(left("theirs"), 0u) << "a day is enough";
  ::kill(alive, SIGKILL);
  exit_code_of(alive);
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

TEST(Shard, EachCellIsOfOneRank) {
  for (size_t index = 0; index < 20; ++index) {
    int ranks = 0;
    for (int rank = 0; rank < 3; ++rank) ranks += Shard{rank, 3}.has(index);
    EXPECT_EQ(ranks, 1);
  }
}

}  // namespace
}  // namespace negativa
