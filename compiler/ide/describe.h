// The language's own things in words, for hover and completion alike.
#pragma once

#include <string>
#include <string_view>

#include "bpf/schema/schema.h"
#include "compiler/ide/symbols.h"

namespace ks::ide {

// "enum<result>", "path", "ip" of a part.
std::string TypeOf(schema::FieldId field, std::string_view part = {});
// "path · kernel · match-only · 512 bytes"
std::string Brief(schema::FieldId field, std::string_view part = {});

std::string DescribeField(const TableName& name);
std::string DescribeRecord(schema::ObjectId object);
std::string DescribeKind(schema::EventKind kind);
std::string DescribeOperator(std::string_view spelling);

// "set<string>, 12 values: sh, bash, …"; "" if the let has a mistake.
std::string ValuesOf(const driver::Document& document, const syntax::Let& let);

}  // namespace ks::ide
