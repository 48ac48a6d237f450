"""How far the pictures of two folders, of the same names, are apart: picture_distance.py FOLDER FOLDER."""
import pathlib
import sys

import numpy
from PIL import Image

one, other = map(pathlib.Path, sys.argv[1:3])
names = sorted(path.name for path in one.glob("*.png"))
if not names or names != sorted(path.name for path in other.glob("*.png")):
    sys.exit(f"{one} and {other} have not the same pictures")
away = [numpy.abs(numpy.asarray(Image.open(one / name), int) - numpy.asarray(Image.open(other / name), int)) for name in names]
differing = sum((each > 0).sum() for each in away) / sum(each.size for each in away)
print(f"{len(names)} pictures: at most {max(each.max() for each in away)}/255 apart, {differing:.2%} of the values differ")
