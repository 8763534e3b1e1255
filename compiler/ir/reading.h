// An operand's value in a record: the whole field, a part, an element, in lower case.
#pragma once

#include "compiler/ir/ir.h"

namespace ks::ir {

// A value of another type than the field's, which no decoder makes, is like one that was not read. Points into the
// record.
class Reading {
 public:
  Reading(const Operand& operand, const schema::Record& record);
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  // Of an element: Ok if it is there whole, Absent if there is none, Unknown where it may have been cut.
  schema::Status status = schema::Status::Unread;
  bool begun = false;  // an element of which only the head is there: it is present, and Unknown
  // Whether value() is one: Ok, or a part of it if Truncated.
  bool readable() const { return suits_ && (status == schema::Status::Ok || status == schema::Status::Truncated); }
  const Value& value() const { return *value_; }

 private:
  void TakeElement(size_t index);
  void TakePart(Part part);

  const Value* value_;
  Value own_;
  bool suits_ = true;
};

}  // namespace ks::ir
