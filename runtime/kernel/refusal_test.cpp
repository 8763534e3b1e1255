#include "runtime/kernel/refusal.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace ks::kernel {
namespace {

// A dispatcher (0 to 9), a kind's function with two conditions and code of ours in the second (10 to 39), and one that
// reads a field (40 on).
ProgramLines Program() {
  return {
      {{0, "(generated) which event it is", "(generated) which event it is", 1, 0},
       {10, "generated", "", 0, 0},
       {12, "shell.ksp", "  on exec where process.uid == 0  # rule acme.shell", 14, 17},
       {20, "shell.ksp", "    and (file.path under [\"/a b\", \"(\"] or x == 1)  # rule acme.shell, acme.other", 15,
        10},
       {24, "bpf/fields/path.bpf.c", "  s->out[i] = 0;", 88, 3},
       {30, "(generated) event exec: what its record carries", "(generated) event exec: what its record carries", 1, 0},
       {40, "(generated) reads file.path", "(generated) reads file.path", 1, 0}},
      {{0, "ks_sys_exit"}, {10, "ks_kind_exec"}, {40, "ks_read_file_path"}}};
}

Refusal Read(const std::string& trace, int error = EACCES) {
  const ProgramLines program = Program();
  return ReadRefusal({"ks_sys_exit", trace, trace}, error, &program);
}

TEST(Refusal, NamesRuleConditionAndCaret) {
  const Refusal refusal = Read(
      "12: (61) r1 = *(u32 *)(r6 +8)\n; something\n20: (71) r7 = *(u8 *)(r2 +0)\nR2 invalid mem access "
      "'map_value_or_null'\nprocessed 9 insns (limit 1000000)\n");
  EXPECT_EQ(refusal.why, Why::NullPointer);
  EXPECT_EQ(refusal.rule, "acme.shell, acme.other");
  EXPECT_EQ(refusal.condition, "file.path under [\"/a b\", \"(\"]");
  EXPECT_EQ(refusal.function, "ks_kind_exec");
  EXPECT_EQ(Render(refusal),
            "  rule acme.shell, acme.other, condition `file.path under [\"/a b\", \"(\"]`\n"
            "    --> shell.ksp:15:10\n"
            "     |\n"
            "  15 |     and (file.path under [\"/a b\", \"(\"] or x == 1)\n"
            "     |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
            "  the verifier: R2 invalid mem access 'map_value_or_null'\n"
            "  which means: the program uses what may be no pointer: a map's value that may not be there\n"
            "  at instruction 20 of ks_sys_exit, in ks_kind_exec\n");
}

TEST(Refusal, CodeOfOursRunsForTheConditionBefore) {
  const Refusal refusal = Read("20: (b7) r1 = 0\n24: (73) *(u8 *)(r2 +7) = r1\nR2 unbounded memory access\n");
  EXPECT_EQ(refusal.why, Why::OutOfBounds);
  EXPECT_EQ(refusal.rule, "acme.shell, acme.other");
  EXPECT_EQ(refusal.inside, "bpf/fields/path.bpf.c:88: s->out[i] = 0;");
}

TEST(Refusal, WhatIsNoRulesNamesNone) {
  for (const char* trace : {"12: (b7) r1 = 0\n30: (b7) r1 = 0\nR2 !read_ok\n", "40: (b7) r1 = 0\nR2 !read_ok\n"}) {
    const Refusal refusal = Read(trace);
    EXPECT_EQ(refusal.why, Why::Uninitialised);
    EXPECT_EQ(refusal.rule, "");
    EXPECT_NE(refusal.doing, "");
  }
}

TEST(Refusal, APathThatWasCutIsFoundInTheProgram) {
  EXPECT_EQ(Read("25: (b7) r1 = 0\nR2 unbounded memory access\n").rule, "acme.shell, acme.other");
}

TEST(Refusal, WordsOnTheLineOfAnInstruction) {
  const ProgramLines program = Program();
  const Refusal refusal =
      ReadRefusal({"p", "13: (56) if w1 != 0x0 goto pc-2 infinite loop detected at insn 12\ncur state: R0=1\n",
                   "infinite loop detected at insn 12\ncur state: R0=1\ninsns processed 4+3\n"},
                  EINVAL, &program);
  EXPECT_EQ(refusal.said, "infinite loop detected at insn 12");
  EXPECT_EQ(refusal.why, Why::EndlessLoop);
  EXPECT_EQ(refusal.rule, "acme.shell");
}

TEST(Refusal, WhatIsTooLargeNamesWhoHasMostOfIt) {
  const Refusal refusal = Read("12: (b7) r1 = 0\nBPF program is too large. Processed 1000001 insn\n", E2BIG);
  EXPECT_EQ(refusal.why, Why::TooComplex);
  EXPECT_EQ(refusal.rule, "acme.shell, acme.other") << "10 instructions, with those of ours; the other has 8";
  EXPECT_GT(refusal.share, 0u);
  EXPECT_NE(Advice(refusal).find("fewer or simpler rules"), std::string::npos);
}

TEST(Refusal, OfTheStackNoRuleIsToBlame) {
  const Refusal refusal = Read("12: (b7) r1 = 0\ncombined stack size of 6 calls is 544. Too large\n");
  EXPECT_EQ(refusal.why, Why::Stack);
  EXPECT_EQ(refusal.rule, "");
}

TEST(Refusal, WithoutATableTheLogsOwnQuotesMustDo) {
  const Refusal refusal = ReadRefusal(
      {"p", "; on exec where a == 1  # rule acme.a @ a.ksp:7\n3: (b7) r1 = 0\n; s->x @ b.c:9\n4: (b7) r1 = 0\n",
       "unknown func bpf_loop#181\n"},
      EINVAL, nullptr);
  EXPECT_EQ(refusal.why, Why::Helper);
  EXPECT_EQ(refusal.rule, "acme.a");
  EXPECT_EQ(refusal.file, "a.ksp");
  EXPECT_EQ(refusal.line, 7u);
  EXPECT_EQ(refusal.inside, "b.c:9: s->x");
}

TEST(Refusal, NothingIsKnownOfNothing) {
  const ProgramLines none;
  for (const char* text : {"", "\n", ":", "12:", "R", "; \n1: (b7)\n", "processed 1 insns\n"}) {
    const Refusal refusal = ReadRefusal({"p", text, text}, EINVAL, &none);
    EXPECT_EQ(refusal.rule, "");
    EXPECT_NE(Render(refusal), "");
  }
}

}  // namespace
}  // namespace ks::kernel
