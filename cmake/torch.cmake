# libtorch from the `torch` wheel, unpacked by tools/setup.sh. TorchConfig.cmake of a CUDA build refuses to configure
# without the CUDA toolkit, so the two libraries we link are imported targets of our own.
set(NEGATIVA_LIBTORCH "$ENV{NEGATIVA_LIBTORCH}" CACHE PATH "folder that holds the torch wheel's include/ and lib/")
if(NOT NEGATIVA_LIBTORCH)
  set(NEGATIVA_LIBTORCH "${CMAKE_SOURCE_DIR}/build/deps/torch" CACHE PATH "" FORCE)
endif()
if(NOT EXISTS "${NEGATIVA_LIBTORCH}/include/ATen/ATen.h")
  message(FATAL_ERROR "no libtorch in ${NEGATIVA_LIBTORCH}: run 'make build', which fetches it, or set NEGATIVA_LIBTORCH")
endif()

add_library(c10 SHARED IMPORTED)
set_target_properties(c10 PROPERTIES IMPORTED_LOCATION "${NEGATIVA_LIBTORCH}/lib/libc10.so")
target_include_directories(c10 SYSTEM INTERFACE "${NEGATIVA_LIBTORCH}/include")

add_library(torch_cpu SHARED IMPORTED)
set_target_properties(torch_cpu PROPERTIES IMPORTED_LOCATION "${NEGATIVA_LIBTORCH}/lib/libtorch_cpu.so")
target_link_libraries(torch_cpu INTERFACE c10)
# libtorch_cpu.so needs libcudart and libcupti even without a GPU; its own RPATH finds them beside the torch folder.
target_link_options(torch_cpu INTERFACE
  "LINKER:-rpath-link,${NEGATIVA_LIBTORCH}/lib:${NEGATIVA_LIBTORCH}/../nvidia/cu13/lib")
