"""Checks `attnc COMMAND --help` of every command that the overview names."""
import re
import subprocess
import sys


def run(*arguments):
    return subprocess.run(("attnc",) + arguments, capture_output=True, text=True)


overview = run("--help").stdout
commands = list(dict.fromkeys(re.findall(r"^  attnc (\w+) ", overview, re.M)))
problems = []
options = set()
for command in commands:
    shown = run(command, "--help")
    text = shown.stdout
    examples = re.findall(r"^  attnc (\w+)", text.partition("EXAMPLES:")[2], re.M)
    if shown.returncode != 0 or shown.stderr:
        problems.append("%s --help fails: %s" % (command, shown.stderr))
    if "USAGE: attnc %s" % command not in text:
        problems.append("%s --help has no usage" % command)
    if not examples or set(examples) != {command}:
        problems.append("%s --help has examples of %s" % (command, examples))
    if "--json" not in text:
        problems.append("%s has no --json" % command)
    for line in text.splitlines():
        if re.match(r"  -", line) and not re.search(r" - \S", line):
            problems.append("%s: an option without a text: %s" % (command, line))
    # LLVM's own options would bury ours.
    if "--debug" in text or "--x86-" in text:
        problems.append("%s --help shows options of LLVM" % command)
order = ["compile", "verify", "run", "bench", "info", "targets", "explain"]
commands.sort(key=lambda name: order.index(name) if name in order else 99)
print("\n".join(problems) or " ".join(commands) + ": described, with examples")
sys.exit(bool(problems))
