"""flip.py FILE POSITION: changes one byte; a negative position is from the end."""
import sys

with open(sys.argv[1], "r+b") as file:
    data = bytearray(file.read())
    data[int(sys.argv[2])] ^= 1
    file.seek(0)
    file.write(data)
