"""``fieldmark index``: build an index of reference photos, add to it, and look after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from engine import EngineError
from engine.embedder import open_embedder, open_embedder_of
from engine.index.folder import MANIFEST
from engine.index.manifest import IndexRefused, read_manifest
from engine.index.projection import DIMS, Kind
from engine.index.segment_builder import AUTO, check_factory
from engine.index.species_index import SpeciesIndex, verify_index
from engine.index.writer import IndexWriter
from engine.taxonomy.taxa import fold
from tools.engine_options import (
    HomeOption,
    ModelsOption,
    cannot_be_used,
    engine_settings,
    fail,
    refuse,
)
from tools.index.fit import Recipe
from tools.index.growth import WORK, Growth, cores, grow, note
from tools.index.source import (
    AnnotationsOption,
    AskGbifOption,
    ContactOption,
    CountryOption,
    FromOption,
    PerSpeciesOption,
    PlaceArgument,
    SourceMissing,
    SpeciesOption,
    SplitOption,
    TaxonOption,
    source_options,
)
from tools.index.spool import SpoolError, is_begun
from tools.index.unlabelled import UnlabelledOption, list_unlabelled
from tools.sources import SourceError

index_app = typer.Typer(
    help="Build an index of reference photos, add to it, and look after it.",
    no_args_is_help=True,
)

IndexArgument = Annotated[Path, typer.Argument(help="The index's folder.", file_okay=False)]
EmbedderOption = Annotated[
    str,
    typer.Option(
        help="The model of the catalog whose features are searched, or several with + between."
    ),
]
FactoryOption = Annotated[
    str,
    typer.Option(
        help="FAISS's factory string, such as Flat or SQfp16; auto chooses by the number of photos."
    ),
]
SegmentsOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Into how many of one size; the shards of a cluster need one each, or several.",
    ),
]
_INTERRUPTED = 130


@index_app.command()
def build(
    index: IndexArgument,
    kind: FromOption,
    place: PlaceArgument = None,
    embedder: EmbedderOption = "inat_features",
    projection: Annotated[
        Kind, typer.Option(help="How features are reduced before the search.")
    ] = "lda",
    dims: Annotated[int, typer.Option(min=2, max=4096, help="Width of what is searched.")] = DIMS,
    factory: FactoryOption = AUTO,
    unlabelled: UnlabelledOption = None,
    split: SplitOption = None,
    annotations: AnnotationsOption = None,
    species: SpeciesOption = None,
    taxon: TaxonOption = None,
    country: CountryOption = None,
    per_species: PerSpeciesOption = None,
    contact: ContactOption = "",
    ask_gbif: AskGbifOption = False,
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Build a new index from labelled photos. Stopped, the same command goes on from there."""
    with _sentences(index):
        if (index / MANIFEST).exists() and not is_begun(index / WORK):
            raise IndexRefused(
                f"There is an index in {index} already: add to it with `fieldmark index add`, "
                "or remove the folder."
            )
        check_factory(factory, dims)
        options = source_options(
            kind,
            place,
            split=split,
            annotations=annotations,
            species=species,
            taxon=taxon,
            country=country,
            per_species=per_species,
            contact=contact,
            ask_gbif=ask_gbif,
        )
        if unlabelled is not None:
            list_unlabelled(unlabelled)  # to say now, not after hours, that there is none
        network = open_embedder(embedder, engine_settings(models, home))
        recipe = Recipe(projection=projection, dims=dims, factory=factory, unlabelled=unlabelled)
        growth = grow(index, network, kind, options, recipe)
    _report(index, growth)


@index_app.command()
def add(
    index: IndexArgument,
    kind: FromOption,
    place: PlaceArgument = None,
    split: SplitOption = None,
    annotations: AnnotationsOption = None,
    species: SpeciesOption = None,
    taxon: TaxonOption = None,
    country: CountryOption = None,
    per_species: PerSpeciesOption = None,
    contact: ContactOption = "",
    ask_gbif: AskGbifOption = False,
    models: ModelsOption = None,
    home: HomeOption = None,
) -> None:
    """Add labelled photos to an index; a running bot searches them with its next photo."""
    with _sentences(index):
        manifest = read_manifest(index)
        options = source_options(
            kind,
            place,
            split=split,
            annotations=annotations,
            species=species,
            taxon=taxon,
            country=country,
            per_species=per_species,
            contact=contact,
            ask_gbif=ask_gbif,
        )
        network = open_embedder_of(manifest, engine_settings(models, home))
        growth = grow(index, network, kind, options, None)
    _report(index, growth)


@index_app.command()
def remove(
    index: IndexArgument,
    name: Annotated[str, typer.Argument(help="Scientific name, such as 'Parus major'.")],
    kingdom: Annotated[
        str | None, typer.Option(help="Where animals and plants share the name.")
    ] = None,
) -> None:
    """Take a species out of an index."""
    with _sentences(index):
        found = [
            taxon
            for taxon in SpeciesIndex.open(index, touch=False).taxa
            if fold(taxon.scientific_name) == fold(name)
            and kingdom in (None, taxon.ancestor("kingdom"))
        ]
        if not found:
            raise fail(f"There are no photos of {name} in {index}; check the name.")
        # Photos that were added before its kingdom was known are of the same species.
        kingdoms = sorted(filter(None, {taxon.ancestor("kingdom") for taxon in found}))
        if len(kingdoms) > 1:
            raise refuse(
                f"{name} is the name of several: say which with --kingdom ({', '.join(kingdoms)})."
            )
        writer = IndexWriter(index)
        removed = sum(writer.remove(taxon) for taxon in found)
    typer.echo(
        f"{removed:,} photos of {name} are out of every search; "
        f"`fieldmark index compact {index}` takes them off the disk."
    )


@index_app.command()
def compact(index: IndexArgument, segments: SegmentsOption = 1) -> None:
    """Merge an index's segments into one, and drop what was removed."""
    with _sentences(index):
        rows = IndexWriter(index, threads=cores()).compact(segments)
    parts = "one segment" if segments == 1 else f"{min(rows, segments):,} segments of one size"
    typer.echo(f"{index} holds {rows:,} photos in {parts}.")


@index_app.command()
def info(
    index: IndexArgument,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False,
) -> None:
    """Say what an index holds and what made it."""
    with _sentences(index):
        record = as_record(SpeciesIndex.open(index, touch=False))
    if as_json:
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    for key, value in record.items():
        if key == "segments":
            for segment in value:
                typer.echo(f"segment      {json.dumps(segment)}")
        else:
            typer.echo(f"{key:<12} {value:,}" if isinstance(value, int) else f"{key:<12} {value}")


@index_app.command()
def verify(index: IndexArgument) -> None:
    """Read every file of an index and compare it with what was written."""
    with _sentences(index):
        found = verify_index(index)
    typer.echo(f"{index} is as it was written: {len(found):,} photos of {len(found.taxa):,} taxa.")


def as_record(index: SpeciesIndex) -> dict[str, Any]:
    """Return what ``info`` says of an index, as JSON values; sizes are in bytes."""
    manifest = index.manifest
    return {
        "folder": str(index.folder),
        "generation": manifest.generation,
        "embedder": manifest.embedder,
        "projection": index.projection.kind,
        "dims": manifest.dims,
        "metric": manifest.metric,
        "factory": manifest.factory,
        "vote": dict(manifest.vote),
        "taxa": len(index.taxa),
        "photos": len(index),
        "removed": sum(segment.rows for segment in manifest.segments) - len(index),
        "bytes": sum(file.size for s in manifest.segments for file in s.files.values())
        + manifest.projection.size,
        "segments": [
            {
                "id": segment.id,
                "rows": segment.rows,
                "taxa": segment.taxa,
                "removed_taxa": len(segment.removed),
                "factory": segment.factory,
                "bytes": sum(file.size for file in segment.files.values()),
            }
            for segment in manifest.segments
        ],
    }


def _report(folder: Path, growth: Growth) -> None:
    index = growth.index
    twice = f", {growth.twice:,} came twice" if growth.twice else ""
    typer.echo(
        f"{growth.added:,} photos added, {growth.held:,} were there already{twice}; "
        f"{folder} holds {len(index):,} photos of {len(index.taxa):,} taxa."
    )


@contextmanager
def _sentences(index: Path) -> Iterator[None]:
    """Turn what people may have done wrong into one sentence and an exit status."""
    try:
        yield
    except SourceMissing as error:
        raise refuse(str(error)) from error
    except (EngineError, SourceError, SpoolError) as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(cannot_be_used(error, index)) from error
    except KeyboardInterrupt as error:
        note("Stopped. The same command goes on from here.")
        raise typer.Exit(_INTERRUPTED) from error
