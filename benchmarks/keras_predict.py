"""Tells an age by Keras, as a plain script would: what `predict_speed.py` holds `boneage predict` against.

    python benchmarks/keras_predict.py PICTURE MODEL SEX

MODEL: a model folder. Its networks are built anew from the recipes in model.json, and take their weights from there;
where these are missing (a shipped model brings its graph alone) they stay untrained, which takes as long. The picture
is letterboxed as it is: unlike `boneage predict`, this looks for no hand.
"""

import json
import sys
from pathlib import Path

import numpy as np

from boneage_cli.config import replaced
from boneage_imaging import decode, letterbox
from boneage_regression import RegressionRecipe, predict_ages

picture, folder, sex = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
told = []
for index, settings in enumerate(json.loads((folder / "model.json").read_text())["recipes"]):
    recipe = replaced(RegressionRecipe(), settings, where="model.json")
    model = recipe.build_model()
    weights = folder / "weights" / f"{index}.weights.h5"
    if weights.is_file():
        model.load_weights(weights)
    image, _ = letterbox(decode(picture.read_bytes()), recipe.size)
    told += list(predict_ages(model, recipe, [{"case_id": picture.stem, "input": image, "male": sex == "M"}]))
print(f"{np.mean(told):.1f} months")
