#!/usr/bin/env bash
# expect.sh CODE COMMAND...: runs the command, whose exit code must be CODE; its
# output and errors go to stdout.
code=$1
shift
"$@" 2>&1
came=$?
[ $came -eq "$code" ] && exit 0
echo "expect.sh: exit code $came instead of $code: $*"
exit 1
