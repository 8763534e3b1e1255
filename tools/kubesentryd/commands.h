// The subcommands of kubesentryd. Each takes the words behind its name and gives the exit code.
#pragma once

#include <string>
#include <vector>

namespace ks::agent {

using Words = std::vector<std::string>;

int RunAgent(const Words& words);
int RecordTrace(const Words& words);
int CheckBundles(const Words& words);
int ShowStatus(const Words& words);
int AskForRollback(const Words& words);
int Unpin(const Words& words);

}  // namespace ks::agent
