"""iNaturalist's open data: the tables in their true form, the choice, and resuming."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from urllib3.util import Retry

from engine import TaxonTable
from tests.photo_server import Fault, PhotoServer, jpeg, serving
from tools.sources import Source, SourceError, SourcePhoto, open_source
from tools.sources.inat_taxa import TaxonMatcher
from tools.sources.sampling import chance, spread

HEADERS = {
    "taxa": "taxon_id ancestry rank_level rank name active",
    "observations": "observation_uuid observer_id latitude longitude positional_accuracy "
    "taxon_id quality_grade observed_on anomaly_score",
    "photos": "photo_uuid photo_id observation_uuid observer_id extension license width height "
    "position",
    "observers": "observer_id login name",
}
GREAT_TIT, SUBSPECIES, OTHER = 203153, 900001, 900002
BIRDS = "48460/1/2/355675/3/7251/13547"


@pytest.fixture(scope="module")
def taxa() -> TaxonTable:
    return TaxonTable.load()


@pytest.fixture(scope="module")
def tit(taxa: TaxonTable) -> int:
    """Return iNaturalist's id of the great tit."""
    (taxon,) = taxa.named("Parus major")
    number = taxa.inat_taxon_id(taxon)
    assert number is not None
    return number


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with serving() as server:
        yield server


def uuid(number: int) -> str:
    return str(UUID(int=number << 64))


class OpenData:
    """The four tables, as rows; observation n is of a taxon, by an observer."""

    def __init__(self) -> None:
        self.rows: dict[str, list[str]] = {table: [] for table in HEADERS}
        self.files: dict[str, bytes] = {}

    def taxon(self, number: int, name: str, *, level: str = "10", active: str = "true") -> None:
        self.rows["taxa"].append(f"{number}\t{BIRDS}\t{level}\tspecies\t{name}\t{active}")

    def subspecies(self, number: int, parent: int, name: str) -> None:
        row = f"{number}\t{BIRDS}/{parent}\t5\tsubspecies\t{name}\ttrue"
        self.rows["taxa"].append(row)

    def observation(
        self, number: int, taxon: int, observer: int = 1, grade: str = "research"
    ) -> None:
        self.rows["observations"].append(
            f"{uuid(number)}\t{observer}\t52.5\t13.4\t\t{taxon}\t{grade}\t2020-05-01\t"
        )

    def photo(
        self,
        number: int,
        observation: int,
        observer: int = 1,
        licence: str = "CC-BY",
        position: str = "0",
        extension: str = "jpg",
    ) -> None:
        self.rows["photos"].append(
            f"{uuid(number)}\t{number}\t{uuid(observation)}\t{observer}\t{extension}\t{licence}"
            f"\t2048\t1536\t{position}"
        )
        self.files[f"/photos/{number}/medium.{extension}"] = jpeg(number)

    def observer(self, number: int, login: str, name: str = "") -> None:
        self.rows["observers"].append(f"{number}\t{login}\t{name}")

    def tables(self) -> dict[str, bytes]:
        return {
            f"{table}.csv.gz": gzip.compress(
                "\n".join(["\t".join(HEADERS[table].split()), *rows, ""]).encode()
            )
            for table, rows in self.rows.items()
        }

    def serve(self, server: PhotoServer) -> None:
        for name, body in self.tables().items():
            server.files[f"/{name}"] = body
        for address, photo in self.files.items():
            server.files[address] = photo

    def write(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        for name, body in self.tables().items():
            (folder / name).write_bytes(body)
        return folder


def open_data(server: PhotoServer, work: Path, taxa: TaxonTable, **options: object) -> Source:
    defaults = {
        "species": ["Parus major"],
        "tables": server.url,
        "bucket": server.url,
        "patience": Retry(total=2, backoff_factor=0),
    }
    return open_source("inat-open-data", taxa=taxa, work=work, **{**defaults, **options})


def numbers(photos: Iterable[SourcePhoto]) -> list[int]:
    return [int(photo.identity.removeprefix("inat-photo:")) for photo in photos]


@pytest.fixture
def data(tit: int) -> OpenData:
    """Twenty great tits by five people, and what is to be left out."""
    data = OpenData()
    data.taxon(7251, "Passeriformes", level="40")
    data.taxon(tit, "Parus major")
    data.subspecies(SUBSPECIES, tit, 'Parus major "newtoni"')
    data.taxon(OTHER, "Corvus corax")
    for n in range(20):
        data.observation(n, tit if n % 2 else SUBSPECIES, observer=n % 5)
        data.photo(100 + n, n, observer=n % 5)
    data.observer(0, "zero", 'Ann "the tit" O\'Neil')
    data.observer(1, "one", "")
    for n in range(2, 5):
        data.observer(n, f"login{n}", f" Person\u2028 {n} ")
    return data


def test_photos_come_with_species_licence_and_author(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, data: OpenData
) -> None:
    data.serve(server)
    source = open_data(server, tmp_path, taxa, contact="me@example.org")
    photos = {photo.identity: photo for photo in source.photos(set())}
    assert len(photos) == source.total == source.seen == 20
    zero, one = photos["inat-photo:100"], photos["inat-photo:101"]
    assert (zero.data, zero.taxon) == (jpeg(100), *taxa.named("Parus major"))
    assert (zero.licence, zero.attribution) == ("CC BY", 'Ann "the tit" O\'Neil')
    assert (one.attribution, one.url) == ("one", "https://www.inaturalist.org/photos/101")
    assert photos["inat-photo:102"].attribution == "Person 2"
    assert server.agents == {"Fieldmark (me@example.org)"}


def test_only_research_grade_and_open_licences_are_taken(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, tit: int
) -> None:
    data = OpenData()
    data.taxon(tit, "Parus major")
    data.taxon(OTHER, "Corvus corax")
    licences = ["CC0", "CC-BY", "CC-BY-NC", "CC-BY-SA", "CC-BY-ND", "PD", "", "C"]
    for n, licence in enumerate(licences):
        data.observation(n, tit)
        data.photo(n, n, licence=licence)
    for n, (taxon, grade) in enumerate([(tit, "needs_id"), (tit, "casual"), (OTHER, "research")]):
        data.observation(50 + n, taxon, grade=grade)
        data.photo(50 + n, 50 + n)
    data.photo(99, 99)  # of an observation that the tables do not have
    data.observer(1, "one")
    data.serve(server)
    source = open_data(server, tmp_path, taxa)
    assert sorted(numbers(source.photos(set()))) == [0, 1]
    more = open_data(server, tmp_path, taxa, licences=["CC BY-SA", "CC BY NC"])
    assert sorted(numbers(more.photos(set()))) == [2, 3]


def test_of_an_observation_the_first_photo_that_may_be_used_is_taken(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, tit: int
) -> None:
    data = OpenData()
    data.taxon(tit, "Parus major")
    data.observation(1, tit)
    data.photo(10, 1, position="0", licence="CC-BY-NC")
    data.photo(11, 1, position="")
    data.photo(12, 1, position="2")
    data.photo(13, 1, position="1", extension="../../x")
    data.photo(14, 1, position="1", extension="jpeg")
    data.observer(1, "one")
    data.serve(server)
    assert numbers(open_data(server, tmp_path, taxa).photos(set())) == [14]


def test_photos_are_spread_over_observers_and_drawn_by_the_seed(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, tit: int
) -> None:
    data = OpenData()
    data.taxon(tit, "Parus major")
    for n in range(60):
        observer = 1 if n < 50 else n
        data.observation(n, tit, observer=observer)
        data.photo(n, n, observer=observer)
        data.observer(n, f"login{n}")
    data.serve(server)
    choices = [
        numbers(open_data(server, tmp_path / name, taxa, per_species=8, seed=seed).photos(set()))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert choices[0] == choices[1] != choices[2]
    assert all(len(choice) == 8 for choice in choices)
    for choice in choices:
        by_observer = Counter(1 if n < 50 else n for n in choice)
        assert by_observer.most_common(1)[0][1] == 1


def test_of_very_many_observations_a_sample_is_kept(
    server: PhotoServer,
    tmp_path: Path,
    taxa: TaxonTable,
    tit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tools.sources.inat_join._BATCH", 50)
    data = OpenData()
    data.taxon(tit, "Parus major")
    for n in range(1000):
        data.observation(n, tit, observer=n)
        data.photo(n, n, observer=n)
    data.serve(server)
    source = open_data(server, tmp_path, taxa, per_species=2, seed=5)
    lowest = sorted(range(1000), key=lambda n: chance(5, UUID(uuid(n)).bytes))
    assert numbers(source.photos(set())) == lowest[:2]


def test_an_interrupted_run_asks_for_nothing_twice(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, data: OpenData
) -> None:
    data.serve(server)
    del server.files["/photos/103/medium.jpg"]
    first = open_data(server, tmp_path, taxa)
    photos = first.photos(set())
    done = {photo.identity for photo, _ in zip(photos, range(12), strict=False)}
    assert isinstance(photos, Generator)
    photos.close()
    asked = set(server.paths)
    assert len(done) == 12
    server.paths.clear()
    second = open_data(server, tmp_path, taxa)
    rest = {photo.identity for photo in second.photos(done)}
    assert len(done | rest) == 19
    assert not done & rest
    assert not [path for path in server.paths if path.endswith(".gz")]
    fetched = {f"/photos/{identity[11:]}/medium.jpg" for identity in done}
    assert fetched <= asked
    assert not fetched & set(server.paths)
    assert second.skipped == {f"{server.url[7:]} answered 404 Not Found": 1}
    server.paths.clear()
    third = open_data(server, tmp_path, taxa)
    assert not list(third.photos(done | rest))
    assert not server.paths
    assert third.skipped == second.skipped


def test_a_step_that_broke_off_is_taken_again_and_the_others_are_not(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, data: OpenData
) -> None:
    data.serve(server)
    whole = server.files["/photos.csv.gz"]
    assert isinstance(whole, bytes)
    server.files["/photos.csv.gz"] = whole[:-20]
    with pytest.raises(SourceError, match=r"photos.csv.gz is cut short or damaged"):
        next(open_data(server, tmp_path, taxa).photos(set()))
    server.files["/photos.csv.gz"] = whole
    server.paths.clear()
    assert len(list(open_data(server, tmp_path, taxa).photos(set()))) == 20
    tables = [path for path in server.paths if path.endswith(".gz")]
    assert tables == ["/photos.csv.gz", "/observers.csv.gz"]


def test_a_cut_connection_goes_on_within_the_table(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, data: OpenData
) -> None:
    data.serve(server)
    for table in ("taxa", "observations", "photos"):
        server.faults[f"/{table}.csv.gz"].extend([Fault(cut_after=30), Fault(503)])
    server.faults["/photos/104/medium.jpg"].append(Fault(429, {"Retry-After": "0"}))
    server.faults["/photos/105/medium.jpg"].append(Fault(cut_after=9))
    assert len(list(open_data(server, tmp_path, taxa).photos(set()))) == 20


def test_tables_may_lie_in_a_folder_packed_or_not(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, data: OpenData
) -> None:
    data.serve(server)
    folder = data.write(tmp_path / "tables")
    packed = folder / "observations.csv.gz"
    packed.write_bytes(gzip.decompress(packed.read_bytes()))
    heard: list[tuple[str, int, int | None]] = []
    source = open_data(
        server,
        tmp_path,
        taxa,
        tables=str(folder),
        progress=lambda *report: heard.append(report),
    )
    assert len(list(source.photos(set()))) == 20
    assert not [path for path in server.paths if path.endswith(".gz")]
    ends = {what: (at, size) for what, at, size in heard}
    assert ends.keys() == {f"{table}.csv.gz" for table in HEADERS}
    assert all(at == size for at, size in ends.values())


def test_broken_rows_are_left_out_and_counted(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, data: OpenData, tit: int
) -> None:
    data.rows["photos"].insert(3, "cut off")
    data.rows["photos"].append(f"x\tnot a number\t{uuid(1)}\t1\tjpg\tCC0\t1\t1\t0")
    data.rows["taxa"].append("\t\t\t\t\t")
    data.rows["observations"].append(f"not-a-uuid\t1\t\t\t\t{tit}\tresearch\t\t")
    data.serve(server)
    source = open_data(server, tmp_path, taxa)
    assert len(list(source.photos(set()))) == 20
    assert source.notes == ["photos.csv.gz has 1 broken rows, which were left out."]


def test_species_that_are_missing_are_named(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, data: OpenData
) -> None:
    data.serve(server)
    species = ["Parus major", "Corvus corax", "Nemo nemo"]
    source = open_data(server, tmp_path, taxa, species=species)
    assert len(list(source.photos(set()))) == 20
    assert source.notes == [
        "2 of the species have no photo under these licences.",
        "iNaturalist has no taxon for 1 of the species, such as Nemo nemo.",
    ]


def test_a_dead_bucket_ends_it_with_one_sentence(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable, data: OpenData
) -> None:
    data.serve(server)
    for n in range(100, 120):
        server.faults[f"/photos/{n}/medium.jpg"].extend([Fault(503)] * 99)
    source = open_data(server, tmp_path, taxa)
    with pytest.raises(SourceError, match=r"^The photos cannot be had any more, .* answered 503"):
        list(source.photos(set()))
    with pytest.raises(SourceError, match=r"taxa.csv.gz cannot be had .*404"):
        list(open_data(server, tmp_path, taxa, tables=f"{server.url}/gone").photos(set()))


def test_wrong_wishes_are_refused_with_one_sentence(
    server: PhotoServer, tmp_path: Path, taxa: TaxonTable
) -> None:
    def refusal(**options: object) -> str:
        with pytest.raises(SourceError) as caught:
            list(open_data(server, tmp_path, taxa, **options).photos(set()))
        return str(caught.value)

    assert "no size 'huge'" in refusal(size="huge")
    assert "no licence 'GPL'" in refusal(licences=["GPL"])
    assert "at least one" in refusal(per_species=0)
    assert "is not there" in refusal(tables=str(tmp_path))
    (tmp_path / "taxa.csv.gz").write_bytes(gzip.compress(b"id\tname\n"))
    assert "no column 'taxon_id'" in refusal(tables=str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be used"):
        list(open_data(server, tmp_path / "file", taxa).photos(set()))


def test_taxa_are_found_by_id_or_else_by_name(taxa: TaxonTable) -> None:
    species = [
        *taxa.named("Parus major"),
        *taxa.named("Corvus corax"),
        *taxa.named("Malus domestica"),
        *taxa.named("Pica pica"),
    ]
    matcher = TaxonMatcher(species, [1, 2, None, None])
    matcher.see(30, "5", "10", "Malus × domestica", "true")  # noqa: RUF001
    matcher.see(11, "5/1", "5", "Parus major newtoni", "t")
    matcher.see(1, "5", "10", "Parus major", "t")
    matcher.see(2, "5", "10", "Corvus corax", "false")  # iNaturalist gave this id up
    matcher.see(22, "5", "10", "Corvus corax", "true")
    matcher.see(41, "5", "10", "Pica pica", "true")
    matcher.see(42, "6", "10", "Pica pica", "true")  # a homonym
    matcher.see(50, "5", "20", "Parus", "true")
    matcher.see(60, "5\\1\\11", "", "Parus major newtoni", "true")
    wanted, missing = matcher.wanted()
    assert wanted == {1: 0, 11: 0, 2: 1, 22: 1, 30: 2}
    assert missing == ["Pica pica"]


def test_spreading_takes_everyone_once_before_anyone_twice() -> None:
    items = [(n, "prolific", n) for n in range(9)] + [(90, "rare", 90), (91, "rare", 91)]
    assert spread(items, 4) == [0, 90, 1, 91]
    assert spread(items, 100) == [0, 90, 1, 91, *range(2, 9)]
    assert spread([], 3) == []
