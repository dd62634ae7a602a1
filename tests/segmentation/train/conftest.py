import os

import numpy as np
import pytest

from boneage_segmentation import export

from ..conftest import TINY

# Many threads for tiny arrays only wait for each other, the more so on a busy machine.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


@pytest.fixture(scope="session")
def trained(rows):
    """A tiny network after a few dozen steps, by Keras's own means."""
    import keras

    keras.utils.set_random_seed(0)
    model = TINY.build_model()
    model.compile(optimizer=keras.optimizers.Adam(TINY.learning_rate), loss=TINY.loss)
    pairs = [TINY.prepare(row, 0, None) for row in rows]
    images = np.stack([inputs["image"] for inputs, _ in pairs])
    targets = np.stack([target for _, target in pairs])
    model.fit(images, targets, batch_size=TINY.batch_size, epochs=40, verbose=0)
    return model


@pytest.fixture(scope="session")
def model_folder(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    export(trained, TINY, folder, threshold=0.5, summary={"train": 16})
    return folder
