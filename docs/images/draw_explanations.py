"""Draw `explanations.png`: what the shipped model looked at in two of hangtag's sample photos.

python docs/images/draw_explanations.py
"""

from pathlib import Path

from PIL import Image

from hangtag.imaging.samples import load_sample_photos
from hangtag.inference.explaining.explainer import Explainer
from hangtag.inference.model import load_model
from hangtag.labelling.pictures import render_picture

SAMPLES = ("shoe", "watch")
PICTURE = Path(__file__).parent / "explanations.png"
WIDTH = 620
COLOURS, KMEANS = 256, 4
"""A good palette looks the same at a third of the size."""


def main() -> None:
    """Write the pictures below each other."""
    explainer = Explainer(load_model(precision="fp32"))
    photos = load_sample_photos()
    pictures = []
    for name in SAMPLES:
        explanation = explainer.explain(explainer.model.card.preprocessing.apply(photos[name]))
        pictures.append(render_picture(photos[name], explanation, f"{name}.png"))
    sheet = Image.new("RGB", (pictures[0].width, sum(picture.height for picture in pictures)), "white")
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (0, sum(before.height for before in pictures[:place])))
    small = sheet.resize((WIDTH, round(sheet.height * WIDTH / sheet.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS, kmeans=KMEANS).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
