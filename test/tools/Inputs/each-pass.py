"""Compiles a model with each rewrite left out, and with none; the results must
agree with the default. each-pass.py MODEL FOLDER"""
import json
import subprocess
import sys

model, folder = sys.argv[1:]
TEXTS = ["a cat sees the bird", "fish", "the large ship is under the green tree"]
TOLERANCE = 1e-5


def run(*arguments):
    return subprocess.run(("attnc",) + arguments, check=True,
                          capture_output=True, text=True).stdout


def values(*options):
    run("compile", model, "-o", folder + "/each", "--name", "tiny", "-q", *options)
    texts = [part for text in TEXTS for part in ("--text", text)]
    out = run("run", folder + "/each/libtiny.so", "--json", *texts)
    return [x for row in json.loads(out)["outputs"]["sentence_embedding"] for x in row]


listing = run("compile", "--emit=list")
stages = [line.split()[0] for line in listing.splitlines()]
passes = stages[1 : stages.index("drop-dead-outputs")]
expected = values()
worst = 0.0
for options in [["--disable-pass=" + name] for name in passes] + [["-O0"]]:
    error = max(abs(a - b) for a, b in zip(values(*options), expected))
    worst = max(worst, error)
    if not error <= TOLERANCE:
        print("%s: differs by %g" % (options[0], error))
print("%d passes left out one by one, and all: %s %g"
      % (len(passes), "within" if worst <= TOLERANCE else "NOT within", TOLERANCE))
sys.exit(not worst <= TOLERANCE)
