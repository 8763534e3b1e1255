#!/bin/sh
# Runs the unit tests of a filter in a virtual machine whose files vm_kernel.sh and kernel_test are in this folder.
# From Linux 7 on a preempted program makes the kernel skip, and count, what others do on its CPU. Tests that failed while it
# counted such are done again, at most twice; all other failures stand.
#   vm_kernel.sh FILTER
grep -q overlay /proc/filesystems || { echo "vm_kernel: this machine has no overlayfs, which the tests are about" >&2; exit 1; }
# The kernel says of each file that is no module, or no kernel, that it is none.
dmesg -n 1
filter=$1 log=/tmp/vm_kernel.log
for try in 1 2 3; do
  /files/kernel_test --gtest_filter="$filter" --gtest_brief=1 --gtest_color=no > $log 2>&1
  status=$?
  cat $log
  [ $status -ne 0 ] || exit 0
  failed=$(sed -n 's/^\[  FAILED  \] \([^, ]*\.[^, ]*\).*/\1/p' $log | sort -u)
  skipped=$(sed -n 's/^skipped while \(.*\): [0-9]*$/\1/p' $log | sort -u)
  [ -n "$failed" ] && [ "$failed" = "$skipped" ] || exit $status
  filter=$(echo "$failed" | tr '\n' ':')
  echo "vm_kernel: failed while the kernel skipped runs of programs: $filter"
done
exit $status
