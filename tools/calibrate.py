"""``fieldmark calibrate``: fit what the catalog, or an index, says of its probabilities.

A temperature makes a probability of 0.8 right 8 times in 10, a threshold says below which
best probability a photo is outside what the network knows, and a curve how likely it is to
be inside. All are fitted on photos that are never used to measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from engine import EngineError, EngineSettings, PhotoRejected, TaxonTable
from engine.batch import Batch
from engine.decode import decode
from engine.hosting import host_models
from engine.index.projection import TooFewPhotos
from engine.index.vote import FEWEST_PHOTOS
from engine.known import fit_curve, log_odds
from engine.network import Networks
from engine.networks.classifier import Classifier, sharpen
from tools.bar import Bar
from tools.calibrate_index import calibrate_index
from tools.engine_options import (
    HomeOption,
    ModelsOption,
    PhotosArgument,
    SplitOption,
    engine_settings,
    fail,
    refuse,
)
from tools.manifest import GROUP_FOLDERS, LabelledPhoto, ManifestInvalid, read_manifest
from tools.scoring import expected_calibration_error
from tools.sources import SourceError
from tools.usable_photos import usable

KNOWN_KEPT = 0.97
KNOWN_KEPT_IN_AUTO = 0.94
_BATCH = 16
_LOG_TEMPERATURES = (-2.0, 2.0)

Probabilities = NDArray[np.float64]
Labels = NDArray[np.int64]


def calibrate(
    photos: PhotosArgument,
    split: SplitOption = "train",
    models: ModelsOption = None,
    home: HomeOption = None,
    index: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an index, to calibrate that in place of the networks.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Fit temperature and thresholds of each network and print the catalog's lines for them.

    With --index, fit the index's own to those of the photos that it does not hold, and
    store them in it.
    """
    if index is not None:
        _fit_index(index, photos, split, engine_settings(models, home))
        return
    taxa = TaxonTable.load()
    try:
        labelled = usable(read_manifest(photos, split, taxa))
    except (ManifestInvalid, PhotoRejected) as error:
        raise refuse(str(error)) from error
    settings = engine_settings(models, home)
    fitted = 0
    for classifier in host_models(settings, taxa, Networks(settings)).classifiers.values():
        inside = [p for p in labelled if p.label_set == classifier.entry.labels and p.taxon]
        if len(inside) < FEWEST_PHOTOS:
            typer.echo(
                f"{classifier.entry.name}: only {len(inside)} photos of its species; "
                f"at least {FEWEST_PHOTOS} are needed.",
                err=True,
            )
            continue
        folder = GROUP_FOLDERS.get(classifier.entry.group)
        _fit(classifier, inside, [p for p in labelled if p.group == folder and not p.taxon])
        fitted += 1
    if not fitted:
        raise fail(
            "No network was calibrated: it takes one that is here, and photos of its species."
        )


def _fit_index(index: Path, photos: Path, split: str, settings: EngineSettings) -> None:
    try:
        done = calibrate_index(index, photos, split, settings)
    except SourceError as error:
        raise refuse(str(error)) from error
    except TooFewPhotos as error:
        raise fail(f"{error} Photos that the index holds do not count.") from error
    except EngineError as error:
        raise fail(str(error)) from error
    curve = done.settings.nearness_curve
    typer.echo(
        f"{index} is calibrated with {done.inside:,} photos of its species and {done.outside:,} of "
        f"others; {done.held:,} that it holds were left out."
    )
    typer.echo(f"temperature      {done.settings.temperature}")
    typer.echo(f"known_threshold  {done.settings.known_threshold}")
    typer.echo(f"nearness_curve   {curve.middle} {curve.slope}")
    if done.outside < FEWEST_PHOTOS:
        typer.echo(f"The curve stays as it was: it takes {FEWEST_PHOTOS} photos of other species.")


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """Return the temperature that minimises the negative log-likelihood of ``labels``.

    ``probabilities`` is ``(n, classes)``, ``labels`` is ``(n,)``.
    """
    # Costs a third of a second, which `fieldmark --help` need not pay.
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = sharpen(probabilities, float(np.exp(log_temperature)))
        return -float(np.log(scaled[np.arange(len(labels)), labels] + 1e-12).mean())

    best = minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded")
    return float(np.exp(best.x))


def fit_threshold(best: NDArray[np.float64], kept: float) -> float:
    """Return the threshold that keeps the share ``kept`` of photos of known species.

    ``best`` is ``(n,)``, the probability of each photo's likeliest species.
    """
    return float(np.floor(np.quantile(best, 1 - kept) * 100) / 100)


def _fit(
    classifier: Classifier, photos: Sequence[LabelledPhoto], others: Sequence[LabelledPhoto]
) -> None:
    index = {taxon: position for position, taxon in enumerate(classifier.taxa)}
    labels = np.array([index[photo.taxon] for photo in photos if photo.taxon])
    probabilities = _run(classifier, photos)
    temperature = round(fit_temperature(probabilities, labels), 2)
    calibrated = sharpen(probabilities, temperature)
    typer.echo(
        f"{classifier.entry.name}: {len(photos)} photos, ECE {_ece(probabilities, labels)}"
        f" as it is, {_ece(_crossfitted(probabilities, labels), labels)} calibrated "
        "(each half of the photos by the other)"
    )
    typer.echo(f"temperature = {temperature}")
    best = calibrated[:, :-1].max(axis=1)
    typer.echo(f"known_threshold = {fit_threshold(best, KNOWN_KEPT)}")
    typer.echo(f"auto_threshold = {fit_threshold(best, KNOWN_KEPT_IN_AUTO)}")
    if len(others) >= FEWEST_PHOTOS:
        _fit_known(best, sharpen(_run(classifier, others), temperature))


def _fit_known(known: NDArray[np.float64], others: Probabilities) -> None:
    """Print the curve that tells photos of known species from others of the same group."""
    scores = [
        np.array([log_odds(float(best)) for best in bests])
        for bests in (known, others[:, :-1].max(axis=1))
    ]
    curve = fit_curve(*scores)
    typer.echo(f"known_middle = {1 / (1 + np.exp(-curve.middle)):.3f}")
    typer.echo(f"known_slope = {curve.slope}")


def _run(classifier: Classifier, photos: Sequence[LabelledPhoto]) -> Probabilities:
    batches = []
    with Bar() as bar:
        for start in range(0, len(photos), _BATCH):
            some = photos[start : start + _BATCH]
            batch = Batch([decode(p.path.read_bytes()) for p in some])
            batches.append(classifier.probabilities(batch))
            bar.show(classifier.entry.name, start + len(some), len(photos))
    return np.concatenate(batches)


def _crossfitted(probabilities: Probabilities, labels: Labels) -> Probabilities:
    """Calibrate each half with the temperature of the other."""
    result = np.empty_like(probabilities)
    even = np.arange(len(labels)) % 2 == 0
    for half in (even, ~even):
        temperature = fit_temperature(probabilities[~half], labels[~half])
        result[half] = sharpen(probabilities[half], temperature)
    return result


def _ece(probabilities: Probabilities, labels: Labels) -> str:
    species = probabilities[:, :-1]
    outcomes = zip(species.max(axis=1), species.argmax(axis=1) == labels, strict=True)
    return f"{expected_calibration_error([(float(c), bool(r)) for c, r in outcomes]):.3f}"
