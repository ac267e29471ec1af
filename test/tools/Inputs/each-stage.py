"""Prints a model at each stage of --emit=list and reads it with the tool that
belongs to it: attn-opt, LLVM's opt, or its assembler."""
import subprocess
import sys

model = sys.argv[1]
listing = subprocess.run(["attnc", "compile", "--emit=list"], check=True,
                         capture_output=True, text=True).stdout
# Those of GPUs alone say so.
stages = {line.split()[0]: line.endswith("(GPUs)") for line in listing.splitlines()}
readers = {
    "ll": ["opt", "-passes=verify", "-disable-output"],
    "s": ["llvm-mc", "-triple=x86_64-linux-gnu", "-mcpu=native", "-filetype=null"],
    "ptx": ["grep", "-q", "^.target sm_80"],  # ptxas has a test of its own
}
problems = []
for stage, is_gpus in stages.items():
    target = ["--target", "sm_80"] if is_gpus else []
    emitted = subprocess.run(
        ["attnc", "compile", model, "--emit=" + stage] + target, capture_output=True)
    if emitted.returncode != 0 or emitted.stderr or len(emitted.stdout) < 1000:
        problems.append("%s: rc %d, %s" % (stage, emitted.returncode,
                                           emitted.stderr.decode()))
        continue
    command = readers.get(stage, ["attn-opt", "-o", "/dev/null"])
    read = subprocess.run(command, input=emitted.stdout, capture_output=True)
    if read.returncode != 0:
        problems.append("%s: %s" % (stage, read.stderr.decode()[:500]))
    if stage not in readers and b"digest" not in emitted.stdout:
        problems.append("%s: the weights have no digests" % stage)
print("\n".join(problems) or "%d stages, each read again" % len(stages))
sys.exit(bool(problems))
