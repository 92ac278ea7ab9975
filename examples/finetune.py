"""Fine-tune the shipped network on a folder with a subfolder of face images for each class.

    python finetune.py my-faces runs/my-faces
    python finetune.py my-faces runs/my-faces train.epochs=20 train.frozen_epochs=5

Without faces of your own: mien data synth my-faces --labels bored,glad,puzzled --count 120
--layout folders
"""

import sys

import mien


def main(folder: str, out: str, *settings: str) -> mien.Evaluation:
    """Train, report and export; return the evaluation on the validation images."""
    run = mien.train("finetune", folder, out, overrides=["data.labels=auto", *settings])
    page = mien.write_report(run)
    evaluation = mien.evaluate(run.path, folder, "val")
    accuracy = evaluation.accuracy
    print(f"accuracy on val: {accuracy.value:.2f} ({accuracy.low:.2f} to {accuracy.high:.2f})")
    print(f"report: {page}")
    print(f"model: {mien.export(run).path}, classes: {', '.join(mien.Bundle(run.path).labels)}")
    return evaluation


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except mien.MienError as error:  # whatever a user can cause, in one line
        sys.exit(f"finetune: {error}")
