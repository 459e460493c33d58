"""What `hangtag predict` is to write, checked before it labels."""

from collections.abc import Sequence
from pathlib import Path

from hangtag.bundle.shipped import find_bundle
from hangtag.labelling.inputs.opening import STANDARD_INPUT
from hangtag.labelling.outputs import Output
from hangtag.pipelines.destinations import Destination, check_destinations


def check_outputs(
    output: Output | None,
    summary: Path | None,
    pictures: Path | None,
    inputs: Sequence[str],
    models: Sequence[str],
) -> None:
    """Raise `UsageError` when something cannot be written, or would replace an input, a model or another output.

    Makes the folder of pictures.
    """
    destinations = []
    if output is not None and not output.is_standard_output:
        destinations.append(Destination("--output", output.path, is_folder=output.is_folder))
    if summary is not None:
        destinations.append(Destination("--summary", summary))
    if pictures is not None:
        destinations.append(Destination("--explain", pictures, is_folder=True))
    read = [Path(text) for text in inputs if text != STANDARD_INPUT]
    check_destinations(destinations, [*read, *map(find_bundle, models)])
    if pictures is not None:
        from hangtag.cli.predict_pictures import check_pictures

        check_pictures(pictures, len(models), inputs)
