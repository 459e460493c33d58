"""The command `hangtag samples`."""

from pathlib import Path
from typing import Annotated

import typer


def samples(
    folder: Annotated[Path, typer.Argument(help="Where to write the photos; created if it does not exist.")],
) -> None:
    """Write the sample photos that come with hangtag.

    Use them to try `hangtag predict` on a machine without photos.
    """
    from hangtag.imaging.samples import write_sample_photos
    from hangtag.pipelines.destinations import Destination, check_destinations

    check_destinations([Destination("folder", folder, is_folder=True)], [])
    paths = write_sample_photos(folder)
    typer.echo(f"{len(paths)} sample photos written to {folder}")
