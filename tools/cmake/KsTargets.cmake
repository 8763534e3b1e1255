# The few functions that declare targets. Every folder of the house is one library: all *.cpp in it, tests apart.

set(KS_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")
option(KS_COVERAGE "Instrument for gcov" OFF)
option(KS_TIDY "Run clang-tidy with the compiler" OFF)

add_library(ks_flags INTERFACE)
target_compile_options(ks_flags INTERFACE -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers)
# GCC 12 sees overlaps in std::string's operator+ that are not there (its bug 105329).
target_compile_options(ks_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
# libstdc++ 12's stable_sort uses what it deprecates itself.
target_compile_options(ks_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
target_include_directories(ks_flags INTERFACE ${CMAKE_SOURCE_DIR})
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(KS_SANITIZE)
  add_compile_options(-fsanitize=${KS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KS_SANITIZE})
  add_compile_definitions(KS_SANITIZED=1)
  if(KS_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
endif()
if(KS_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
find_program(KS_CCACHE ccache)
if(KS_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${KS_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KS_CCACHE})
endif()

# ks_library(ks_ir DEPS ks_schema ks_support [PRIVATE_DEPS OpenSSL::Crypto] [TEST_DEPS …])
#   library ks_ir from *.cpp here; if there are *_test.cpp, the test program ir_test, registered with ctest;
#   of each foo_fuzz.cpp the fuzzer foo_fuzz if KS_FUZZ, else foo_replay, a test with the inputs below tests/fuzz.
function(ks_library name)
  cmake_parse_arguments(arg "" "" "DEPS;PRIVATE_DEPS;TEST_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_fuzz.cpp)
  list(REMOVE_ITEM sources ${tests} ${fuzzers} "")
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC ks_flags ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
  ks_tidy(${name})
  string(REGEX REPLACE "^ks_" "" short ${name})
  if(tests)
    add_executable(${short}_test ${tests})
    target_link_libraries(${short}_test PRIVATE ${name} ${arg_PRIVATE_DEPS} ${arg_TEST_DEPS} GTest::gtest GTest::gtest_main)
    # GCC 12 takes the strings of a moved-from std::variant for uninitialised when it optimises.
    target_compile_options(${short}_test PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    add_test(NAME ${short} COMMAND ${short}_test --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
  foreach(fuzzer IN LISTS fuzzers)
    ks_fuzzer(${fuzzer} ${name} ${arg_PRIVATE_DEPS} ${arg_TEST_DEPS})
  endforeach()
endfunction()

function(ks_fuzzer source)
  get_filename_component(target ${source} NAME_WE)
  if(KS_FUZZ)
    add_executable(${target} ${source})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${target} PRIVATE ${ARGN})
    return()
  endif()
  string(REGEX REPLACE "_fuzz$" "" name ${target})
  set(folders ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/regressions/${name})
  if(NOT EXISTS ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name} AND NOT EXISTS ${CMAKE_SOURCE_DIR}/tests/fuzz/regressions/${name})
    message(FATAL_ERROR "${source} has no inputs in tests/fuzz/corpus/${name}: `tools/fuzz --merge ${name}` makes them")
  endif()
  add_executable(${name}_replay ${source} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.cpp)
  target_link_libraries(${name}_replay PRIVATE ${ARGN})
  add_test(NAME fuzz-${name} COMMAND ${name}_replay ${folders})
endfunction()

function(ks_tidy target)
  if(KS_TIDY)
    set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "clang-tidy-19;--quiet;--warnings-as-errors=*")
  endif()
endfunction()

# ks_embed(target symbol file): the bytes of `file` as `std::string_view symbol()` in namespace ks::embedded; include "symbol.h".
function(ks_embed target symbol file)
  get_filename_component(file ${file} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  set(header ${dir}/${symbol}.h)
  set(assembly ${dir}/${symbol}.S)
  file(CONFIGURE OUTPUT ${header} CONTENT
"#pragma once
#include <string_view>
extern \"C\" const char ks_embedded_@symbol@[];
extern \"C\" const char ks_embedded_@symbol@_end[];
namespace ks::embedded {
inline std::string_view @symbol@() { return {ks_embedded_@symbol@, ks_embedded_@symbol@_end}; }
}
" @ONLY)
  file(CONFIGURE OUTPUT ${assembly} CONTENT
".section .rodata
.balign 16
.globl ks_embedded_@symbol@, ks_embedded_@symbol@_end
ks_embedded_@symbol@:
.incbin \"@file@\"
ks_embedded_@symbol@_end:
.byte 0
.section .note.GNU-stack,\"\",@progbits
" @ONLY)
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${file} GENERATED TRUE)
  target_sources(${target} PRIVATE ${assembly})
  target_include_directories(${target} PRIVATE ${dir})
endfunction()
