"""The linear map between an embedder's features and the vectors that an index searches.

Fewer dimensions make the search cheap; the right ones make it better. The default is a
linear discriminant analysis with much shrinkage, of features whose square roots were taken
first: by cross-validation on three embedders it names 5 to 9 points more photos than a
principal component analysis of the same features (docs/models.md, ``fieldmark study vote``).
It describes how photos of *any* one species differ among themselves, so a species that
joins an index later needs no new fit.

The scatter within species is shrunk towards a sphere and towards how photos differ at all, which
photos without a label tell as well (semi-supervised discriminant analysis: Cai, He and Han 2007).
Directions in which any two photos differ then count for less, so that a photo of another species is
not taken for one of the index's because it happens to share them.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from engine.contracts import EngineError

Kind = Literal["pca", "pca-whitened", "lda"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DIMS = 256
SHRINKAGE = 0.6
SPREAD_SHARE = 0.4
"""How much of what the scatter within species is shrunk towards is the scatter of all photos; the
rest is a sphere. Chosen on ``train`` (docs/models.md)."""
MOST_ROWS = 50_000
"""A fit uses at most so many photos, chosen at random; more add time but hardly accuracy."""

_FORMAT = "fieldmark-projection-1"
_ARRAYS = frozenset({"format", "kind", "rooted", "mean", "matrix"})
_WITHIN_SHARE = 0.1
_TINY = 1e-12

Features = NDArray[np.float32]
Labels = NDArray[np.integer]


class ProjectionRefused(EngineError):
    """A file holds no projection that can be used; ``str`` says why and what to do."""


class TooFewPhotos(EngineError):
    """The photos are too few to fit a projection or a vote; ``str`` says how many it takes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """A fitted linear map, as plain arrays.

    ``mean`` is ``(width,)`` and ``matrix`` ``(width, dims)``, both float32. Where ``rooted``
    is true, features are brought to ``sign(x) sqrt(|x|)`` and unit length first, so that a
    few large ones do not outvoice the rest (RootSIFT: Arandjelović and Zisserman 2012).
    """

    kind: Kind
    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]
    rooted: bool = False

    @property
    def width(self) -> int:
        """How many features go in."""
        return int(self.matrix.shape[0])

    @property
    def dims(self) -> int:
        """How many numbers come out."""
        return int(self.matrix.shape[1])

    def apply(self, features: Features) -> NDArray[np.float32]:
        """Map ``(n, width)`` features to ``(n, dims)`` float32 rows of unit length.

        Raises:
            ValueError: the features have another width, or are not all finite.
        """
        return unit(self._centred(features) @ self.matrix)

    def distinctness(self, features: Features) -> NDArray[np.float32]:
        """Return how far ``(n, width)`` features lie from the mean of those it was fitted to.

        As squares, over the mean of the latter's, which is ``1 - |mean|^2`` for features of unit
        length; so 1 is usual. Where they were not rooted the length is not known and all are 1.
        A photo in which there is little to see lies near the mean.

        Raises:
            ValueError: the features have another width, or are not all finite.
        """
        centred = self._centred(features)
        if not self.rooted:
            return np.ones(len(centred), np.float32)
        usual = max(1 - float(self.mean @ self.mean), _TINY)
        return np.asarray((centred**2).sum(axis=1) / usual, np.float32)

    def _centred(self, features: Features) -> Features:
        features = np.asarray(features, np.float32)
        if features.ndim != 2 or features.shape[1] != self.width:
            raise ValueError(f"Features of shape {features.shape}, not (n, {self.width}).")
        if not np.isfinite(features).all():
            raise ValueError("Some features are not finite numbers.")
        return (_root(features) if self.rooted else features) - self.mean

    def save(self, path: Path) -> None:
        """Write to ``path`` as an ``.npz`` of plain arrays."""
        with path.open("wb") as file:
            np.savez(
                file,
                format=np.array(_FORMAT),
                kind=np.array(self.kind),
                rooted=np.array(self.rooted),
                mean=self.mean,
                matrix=self.matrix,
            )

    @classmethod
    def load(cls, path: Path) -> Projection:
        """Read what ``save`` wrote.

        Raises:
            ProjectionRefused: the file is missing, cut off, damaged or something else.
        """
        try:
            return _load(path)
        except FileNotFoundError as error:
            raise ProjectionRefused(
                f"{path} is missing: restore the index from a copy, or build it again."
            ) from error
        # What numpy and zipfile raise for a file that is cut off, damaged or foreign.
        except (
            OSError, ValueError, KeyError, EOFError, MemoryError, OverflowError, RuntimeError,
            SyntaxError, TypeError, zipfile.BadZipFile, zlib.error,
        ) as error:  # fmt: skip
            raise ProjectionRefused(
                f"{path} is damaged or no projection of this version of Fieldmark: "
                "restore the index from a copy, or build it again."
            ) from error


def fit_projection(
    features: Features,
    labels: Labels,
    *,
    unlabelled: Features | None = None,
    kind: Kind = "lda",
    dims: int = DIMS,
    rooted: bool | None = None,
    shrinkage: float = SHRINKAGE,
    spread_share: float = SPREAD_SHARE,
    seed: int = 0,
) -> Projection:
    """Fit a projection to ``(n, width)`` features and the ``(n,)`` species they show.

    ``unlabelled`` are the ``(k, width)`` features of photos of which nobody said what they show.
    ``rooted`` is true for ``lda`` unless said otherwise; ``kind="pca", dims=128`` is the
    search of the original system. Only ``lda`` looks at the labels. With ``m`` photos,
    ``dims`` is at most ``m - 1``. ``shrinkage`` is above 0 and ``spread_share`` below 1: a sphere
    that has some say is what makes up for photos that are fewer than features.

    Raises:
        TooFewPhotos: fewer than two photos; for ``lda``, fewer than two species or no species
            with two photos.
    """
    if rooted is None:
        rooted = kind == "lda"
    chosen = _at_most(MOST_ROWS, len(features), seed)
    features, labels = np.asarray(features, np.float32)[chosen], labels[chosen]
    if len(features) < 2:
        raise TooFewPhotos("A projection is fitted to at least two photos.")
    values = _root(features) if rooted else features
    mean = values.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = values - mean
    everything = centred
    if unlabelled is not None:
        others = np.asarray(unlabelled, np.float32)[_at_most(MOST_ROWS, len(unlabelled), seed)]
        everything = np.vstack([centred, (_root(others) if rooted else others) - mean])
    dims = min(dims, len(features) - 1, features.shape[1])
    if kind == "lda":
        target = _shrinkage_target(everything, spread_share)
        matrix = _discriminants(centred.astype(np.float64), labels, dims, target, shrinkage)
    else:
        matrix = _components(everything.astype(np.float64), dims, whiten=kind == "pca-whitened")
    return Projection(kind=kind, rooted=rooted, mean=mean, matrix=matrix.astype(np.float32))


def _components(centred: NDArray[np.float64], dims: int, *, whiten: bool) -> NDArray[np.float64]:
    from sklearn.decomposition import PCA

    pca = PCA(dims, svd_solver="covariance_eigh").fit(centred)
    scale = np.sqrt(np.maximum(pca.explained_variance_, _TINY)) if whiten else np.ones(dims)
    return np.asarray(pca.components_.T / scale)


def _discriminants(
    centred: NDArray[np.float64],
    labels: Labels,
    dims: int,
    target: NDArray[np.float64],
    shrinkage: float,
) -> NDArray[np.float64]:
    """Return the directions in which species differ most, against the spread within them.

    Fisher's discriminants: the generalised eigenvectors of the scatter between species and
    the scatter within, the latter shrunk (Friedman 1989, regularised discriminant analysis)
    towards ``target``, which has a trace of 1, as large as it is itself.
    scikit-learn's ``LinearDiscriminantAnalysis`` counts a species
    with one photo as one without any spread, which costs a point here, and takes ten times
    as long. A little of the scatter within is added to that between, so that there are
    enough directions where there are fewer species than ``dims``.
    """
    from scipy.linalg import eigh

    _, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(counts) < 2 or counts.max() < 2:
        raise TooFewPhotos(
            "An LDA is fitted to two or more species, some with two or more photos: "
            "add photos, or choose pca."
        )
    means = np.zeros((len(counts), centred.shape[1]))
    np.add.at(means, members, centred)
    means /= counts[:, None]
    several = counts[members] > 1
    residuals = centred[several] - means[members[several]]
    within = residuals.T @ residuals / (counts[counts > 1] - 1).sum()
    weighted = means * np.sqrt(counts / counts.sum())[:, None]
    between = weighted.T @ weighted + _WITHIN_SHARE * within
    width = len(within)
    shrunk = (1 - shrinkage) * within + shrinkage * max(np.trace(within), _TINY) * target
    _, vectors = eigh(between, shrunk, subset_by_index=[width - dims, width - 1])
    return np.asarray(vectors[:, ::-1])


def _shrinkage_target(everything: Features, spread_share: float) -> NDArray[np.float64]:
    """Return a sphere and the scatter of all photos, of a trace of 1 together."""
    width = everything.shape[1]
    # In float32: of so many photos a copy in float64 would take gigabytes.
    spread = np.cov(everything, rowvar=False, dtype=np.float32).reshape(width, width)
    sphere = np.eye(width) / width
    spread = spread / max(np.trace(spread), _TINY)
    return np.asarray((1 - spread_share) * sphere + spread_share * spread, np.float64)


def _at_most(most: int, rows: int, seed: int) -> slice | NDArray[np.int64]:
    """Choose at most so many of the rows, at random."""
    if rows <= most:
        return slice(None)
    return np.random.default_rng(seed).choice(rows, most, replace=False)


def _load(path: Path) -> Projection:
    # numpy closes no file that it opened itself and could not read.
    with path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile) or set(archive.files) != _ARRAYS:
            raise ValueError("not the arrays of a projection")
        with archive:
            arrays = {name: archive[name] for name in _ARRAYS}
    kind, mean, matrix = str(arrays["kind"]), arrays["mean"], arrays["matrix"]
    whole = (
        str(arrays["format"]) == _FORMAT
        and arrays["rooted"].dtype == np.bool_
        and arrays["rooted"].shape == ()
        and mean.dtype == matrix.dtype == np.float32
        and matrix.ndim == 2
        and mean.shape == matrix.shape[:1]
        and 0 < matrix.shape[1] <= matrix.shape[0]
        and bool(np.isfinite(mean).all() and np.isfinite(matrix).all())
    )
    known_kind = next((k for k in KINDS if k == kind), None)
    if not whole or known_kind is None:
        raise ValueError("not a projection")
    return Projection(kind=known_kind, rooted=bool(arrays["rooted"]), mean=mean, matrix=matrix)


def _root(features: Features) -> Features:
    return unit(np.sign(features) * np.sqrt(np.abs(features)))


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``(n, width)`` rows with unit length; those of no length stay as they are."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, _TINY), np.float32)
