# Presets asan, tsan and fuzz. Every target gets the same flags, or the targets could not share the precompiled header.
option(NEGATIVA_ASAN "address and undefined-behaviour sanitizers" OFF)
option(NEGATIVA_TSAN "thread sanitizer" OFF)
option(NEGATIVA_FUZZ "libFuzzer's targets with the address and undefined-behaviour sanitizers; needs clang" OFF)
if(NEGATIVA_ASAN AND NEGATIVA_TSAN)
  message(FATAL_ERROR "NEGATIVA_ASAN and NEGATIVA_TSAN are both ON, expected one: their runtimes exclude each other")
endif()

# ctest runs tests side by side, so each gets one thread; a test about threads sets their number itself. It is also what keeps
# libgomp, whose synchronisation the thread sanitizer does not see, from making threads.
set(NEGATIVA_TEST_PROPERTIES TIMEOUT 300 ENVIRONMENT OMP_NUM_THREADS=1)
if(NEGATIVA_ASAN)
  # What is undefined ends the test instead of being printed. An out-of-range conversion from floating point is undefined too, but
  # not in the group's list.
  set(sanitizers -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all)
  set(test_options UBSAN_OPTIONS=set:print_stacktrace=1)
elseif(NEGATIVA_FUZZ)
  set(sanitizers -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize=vptr,function -fno-sanitize-recover=all)
elseif(NEGATIVA_TSAN)
  set(sanitizers -fsanitize=thread)
  set(test_options TSAN_OPTIONS=set:suppressions=${PROJECT_SOURCE_DIR}/tools/tsan_suppressions.txt,halt_on_error=1,second_deadlock_stack=1)
endif()
if(sanitizers)
  add_compile_options(${sanitizers} -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)  # GCC warns of their own code
  else()
    add_compile_options(-Wno-pass-failed)  # loops that only -O2 vectorizes
  endif()
  add_compile_definitions(_GLIBCXX_ASSERTIONS)  # checks indices against sizes, where the sanitizers see capacities
  add_link_options(${sanitizers})
  # ENVIRONMENT of two variables would be a list, which gtest_discover_tests takes apart.
  set(NEGATIVA_TEST_PROPERTIES TIMEOUT 1800 ENVIRONMENT OMP_NUM_THREADS=1 ENVIRONMENT_MODIFICATION ${test_options})
endif()
