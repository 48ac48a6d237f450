#pragma once
// Versions of one function for AVX-512, AVX2 and plain x86-64, of which the CPU picks when the program starts; elsewhere there is
// the plain one alone. Vectors are GCC's vector extension, which compilers split up where the CPU has narrower ones.
#include <cstdint>

// NEGATIVA_CLONES: all versions from one body. NEGATIVA_VERSION_*: one each, for bodies that differ; all have to be declared
// where one is called. clang 14 to 19 know no "x86-64-v4" here, and an "arch=" of theirs asks for that very CPU and not for its
// instructions, so clang gets lists of these. It takes one entry of such a list a clone, so its AVX2 clone has no fused
// multiply-adds; AVX-512 brings its own.
#if defined(__x86_64__) && defined(__ELF__)
#define NEGATIVA_VERSIONED 1
#define NEGATIVA_VERSION_PLAIN __attribute__((target("default")))
#ifdef __clang__
#define NEGATIVA_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#define NEGATIVA_VERSION_AVX512 __attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl")))
#define NEGATIVA_VERSION_AVX2 __attribute__((target("avx2,fma")))
#else
#define NEGATIVA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define NEGATIVA_VERSION_AVX512 __attribute__((target("arch=x86-64-v4")))
#define NEGATIVA_VERSION_AVX2 __attribute__((target("arch=x86-64-v3")))
#endif
#else
#define NEGATIVA_VERSIONED 0
#define NEGATIVA_VERSION_PLAIN
#define NEGATIVA_CLONES
#endif

namespace negativa::nn::cpu {

constexpr int64_t lanes = 16;  // of the vectors such functions work on, which are split up where the CPU has narrower ones
using Lanes __attribute__((vector_size(lanes * sizeof(float)), aligned(alignof(float)), may_alias)) = float;
// clang forgets the alignment where the attribute stands behind the type and where a reference is taken: pointers are passed.
static_assert(alignof(Lanes) == alignof(float));

}  // namespace negativa::nn::cpu
