// Which ids ATT&CK has: attack.def.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ks::lint {

std::string_view AttackVersion();
// T1059, T1059.004, TA0002
bool IsAttackId(std::string_view id);
// Of an id that is no longer in use: what stands for it now, "" if nothing does.
std::optional<std::string_view> AttackReplacement(std::string_view id);

}  // namespace ks::lint
