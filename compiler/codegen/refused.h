// Code that a verifier must refuse (codegen.h, Refused): for the test of how a refusal is told.
#pragma once

#include "compiler/codegen/unit.h"

namespace ks::codegen {

// Goes on behind.
void WriteRefused(Unit& unit, Code& code, Refused refused);

}  // namespace ks::codegen
