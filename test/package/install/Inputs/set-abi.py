"""set-abi.py WEIGHTS VERSION: says that this ABI's attnc wrote the file."""
import re
import sys

path, version = sys.argv[1:]
with open(path, "rb") as file:
    data = file.read()
changed = re.sub(rb'"attn\.abi":"\d"', b'"attn.abi":"%s"' % version.encode(),
                 data, count=1)
if len(changed) != len(data):
    sys.exit("the header must keep its length")
with open(path, "wb") as file:
    file.write(changed)
