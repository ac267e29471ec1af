"""Compares the options in a manual page with what each --help prints."""
import re
import subprocess
import sys


def in_help(command):
    text = subprocess.run(["attnc", command, "--help"], check=True,
                          capture_output=True, text=True).stdout
    options = text[text.index("\nOptions:"):].split("EXAMPLES:")[0]
    # -O <0|2>, -o <DIR>, --name=<NAME>, --json
    return set(re.findall(r"^  (-{1,2}\w[\w-]*)", options, re.MULTILINE))


def in_page(path):
    commands = {}
    with open(path) as page:
        for line in page.read().replace("\\-", "-").splitlines():
            if match := re.match(r'\.SS "attnc (\S+) ', line):
                options = commands[match[1]] = set()
            elif match := re.match(r"\\fB(-\S+?)\\fR", line):
                options.add(match[1])
    return commands


page = in_page(sys.argv[1])
total = 0
for command, options in page.items():
    expected = in_help(command)
    total += len(expected)
    if options != expected:
        sys.exit(f"{command}: only in the page {options - expected}, "
                 f"only in --help {expected - options}")
print(f"{len(page)} commands, {total} options: the same in both")
