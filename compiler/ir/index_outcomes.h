// What a value can be to a dimension, and which atoms are true then. Not for others.
#pragma once

#include "compiler/ir/index_parts.h"

namespace ks::ir::index_parts {

// Fills in the dimension's literals or starts. By outcome: the group's atoms that are true, ascending. Of scanners: by
// hit, those of which it finds a literal.
std::vector<std::vector<uint32_t>> MakeOutcomes(const Group& group, const Layout& layout, Dimension* dimension);

// As Address dimensions hold literals: an address is a block of 128 bits, and bits behind a block's are 0.
schema::Cidr AsBlock(const Value& address);

}  // namespace ks::ir::index_parts
