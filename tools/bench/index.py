"""``fieldmark bench index``: what a search among many reference photos costs.

The rows are generated, and lie like those of real networks. On this project's training
photos (ImageNet features, PCA or LDA to 128), two photos of one species have a cosine of 0.55
with a standard deviation of 0.17, two of different species 0.0 and 0.2, and the variance of
the i-th dimension falls about as 1 / i. So here: 10,000 species, each a centre; a photo is its
centre and a deviation of nearly the same size, both normally distributed with variances
of 1 / i, brought to unit length. Queries are further photos of the same species.
"""

from __future__ import annotations

import json
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, overload

import numpy as np
import typer
from numpy.typing import NDArray

from engine import Taxon
from engine.index.projection import Projection
from engine.index.segment import Reference
from engine.index.segment_builder import AUTO
from engine.index.species_index import SpeciesIndex
from engine.index.vote import VoteSettings
from engine.index.writer import IndexWriter
from tools.bench.apart import in_new_process
from tools.bench.machine import describe_machine
from tools.index.growth import cores

SPECIES = 10_000
_DEVIATION = 0.9
_BLOCK = 100_000
_SEED = 2026
_K = 50
_EMBEDDER = "generated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What building took; ``exact`` are the true nearest rows of the queries, ``(n, 50)``."""

    build_s: float
    peak_mb: float
    exact: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a bench measured. Times of searches are of one query of k = 50 on one thread.

    ``memory_mb`` is what a process grew by when it opened and searched the index, and
    ``shared_mb`` how much of that is mapped from the file, which all workers share.
    ``recall_at_10`` is the share of the 10 truly nearest rows among the 10 found.
    """

    rows: int
    dims: int
    species: int
    factory: str
    build_s: float
    build_peak_mb: float
    file_mb: float
    folder_mb: float
    open_ms: float
    first_search_ms: float
    search_p50_ms: float
    search_p99_ms: float
    recall_at_10: float
    recall_at_50: float
    memory_mb: float
    shared_mb: float
    unchanged_us: float
    machine: str


def bench_index_command(
    rows: Annotated[int, typer.Option(min=1_000, help="Reference photos.")] = 500_000,
    dims: Annotated[int, typer.Option(min=2, max=4096, help="Width of the vectors.")] = 128,
    factory: Annotated[str, typer.Option(help="FAISS's factory string.")] = AUTO,
    queries: Annotated[int, typer.Option(min=10, help="Searches to time.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Build an index of generated photos, and time searches in it."""
    typer.echo(f"Building {rows:,} rows of {dims}...", err=True)
    figures = asdict(measure(rows, dims, factory, queries))
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
    else:
        for key, value in figures.items():
            typer.echo(f"{key:<16} {value:,}" if isinstance(value, int) else f"{key:<16} {value}")


def measure(rows: int, dims: int, factory: str, queries: int) -> Figures:
    """Build and search in processes of their own, so that memory is counted apart."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "index"
        built = in_new_process(_build, folder, rows, dims, factory, queries)
        return in_new_process(_search, folder, built, dims, queries)


class _Photos(Sequence[Reference]):
    """References of generated photos, made when they are asked for."""

    def __init__(self, labels: NDArray[np.int64]) -> None:
        self._labels = labels
        self._taxa = [Taxon(scientific_name=name, rank="species") for name in species_names()]

    def __len__(self) -> int:
        return len(self._labels)

    @overload
    def __getitem__(self, row: int) -> Reference: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Reference]: ...
    def __getitem__(self, row: int | slice) -> Reference | Sequence[Reference]:
        if isinstance(row, slice):
            return _Photos(self._labels[row])
        return Reference(
            taxon=self._taxa[self._labels[row]],
            source="generated",
            licence="CC0",
            attribution="nobody",
            url=f"https://example.org/photos/{row}",
        )


def species_names() -> list[str]:
    """Return the names of the generated species, by number."""
    return [f"Genus species{number}" for number in range(SPECIES)]


def generate(
    rows: int, dims: int, seed: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield vectors and the numbers of their species, in blocks."""
    scale = np.arange(1, dims + 1, dtype=np.float32) ** np.float32(-0.5)
    centres = np.random.default_rng(_SEED).standard_normal((SPECIES, dims), np.float32)
    rng = np.random.default_rng(seed)
    for start in range(0, rows, _BLOCK):
        count = min(_BLOCK, rows - start)
        labels = rng.integers(SPECIES, size=count)
        deviations = rng.standard_normal((count, dims), np.float32)
        vectors = (centres[labels] + np.float32(_DEVIATION) * deviations) * scale
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield vectors, labels


def _queries(count: int, dims: int) -> NDArray[np.float32]:
    return np.concatenate([vectors for vectors, _ in generate(count, dims, _SEED + 2)])


def _build(folder: Path, rows: int, dims: int, factory: str, queries: int) -> Built:
    vectors, labels = generate_all(rows, dims)
    started = time.perf_counter()
    write_index(folder, vectors, labels, _EMBEDDER, _no_projection(dims), factory)
    build_s = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Built(build_s=build_s, peak_mb=peak_mb, exact=_exact(vectors, _queries(queries, dims)))


def generate_all(rows: int, dims: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the ``(rows, dims)`` vectors of an index, and the numbers of their species."""
    vectors = np.empty((rows, dims), np.float32)
    labels = np.empty(rows, np.int64)
    end = 0
    for block, own in generate(rows, dims, _SEED + 1):
        vectors[end : end + len(block)], labels[end : end + len(block)] = block, own
        end += len(block)
    return vectors, labels


def write_index(
    folder: Path,
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    embedder: str,
    projection: Projection,
    factory: str = AUTO,
) -> None:
    """Write generated photos into a new index."""
    IndexWriter.create(
        folder,
        vectors,
        _Photos(labels),
        embedder=embedder,
        projection=projection,
        vote_settings=VoteSettings(),
        factory=factory,
        threads=cores(),
    )


def _no_projection(dims: int) -> Projection:
    return Projection(
        kind="pca", mean=np.zeros(dims, np.float32), matrix=np.eye(dims, dtype=np.float32)
    )


def _exact(vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.int64]:
    best: NDArray[np.float32] = np.empty((len(queries), 0), np.float32)
    rows: NDArray[np.int64] = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(vectors), _BLOCK):
        cosines = queries @ vectors[start : start + _BLOCK].T
        own = np.argpartition(-cosines, min(_K, cosines.shape[1] - 1), axis=1)[:, :_K]
        best = np.hstack([best, np.take_along_axis(cosines, own, axis=1)])
        rows = np.hstack([rows, own + start])
        order = np.argsort(-best, axis=1)[:, :_K]
        best = np.take_along_axis(best, order, axis=1)
        rows = np.take_along_axis(rows, order, axis=1)
    return rows


def _search(folder: Path, built: Built, dims: int, queries: int) -> Figures:
    vectors = _queries(queries, dims)
    before = _memory_mb()
    started = time.perf_counter()
    index = SpeciesIndex.open(folder, embedder=_EMBEDDER)
    open_ms = _since_ms(started)
    times, rows = [], []
    for vector in vectors:
        started = time.perf_counter()
        found = index.search(vector[None], _K)
        times.append(_since_ms(started))
        rows.append(found.rows[0])
    after = _memory_mb()
    started = time.perf_counter()
    index.refreshed()
    unchanged_us = _since_ms(started) * 1000
    (segment,) = index.manifest.segments
    ordered = sorted(times[1:])
    return Figures(
        rows=segment.rows,
        dims=dims,
        species=SPECIES,
        factory=segment.factory,
        build_s=round(built.build_s, 1),
        build_peak_mb=round(built.peak_mb),
        file_mb=round(segment.files["vectors.faiss"].size / 2**20),
        folder_mb=round(sum(file.size for file in segment.files.values()) / 2**20),
        open_ms=round(open_ms, 1),
        first_search_ms=round(times[0], 2),
        search_p50_ms=round(statistics.median(ordered), 2),
        search_p99_ms=round(ordered[int(0.99 * len(ordered))], 2),
        recall_at_10=round(_recall(rows, built.exact, 10), 4),
        recall_at_50=round(_recall(rows, built.exact, _K), 4),
        memory_mb=round(sum(after) - sum(before)),
        shared_mb=round(after[1] - before[1]),
        unchanged_us=round(unchanged_us, 1),
        machine=f"{describe_machine()}, numpy {np.__version__}",
    )


def _recall(found: Sequence[NDArray[np.int64]], exact: NDArray[np.int64], k: int) -> float:
    hits = sum(
        len(set(rows[:k].tolist()) & set(true[:k].tolist()))
        for rows, true in zip(found, exact, strict=True)
    )
    return hits / (k * len(exact))


def _memory_mb() -> tuple[float, float]:
    """Return this process's own memory, and what it has mapped from files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    own, mapped = (int(fields[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))
    return own, mapped


def _since_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000
