"""Which files of a folder are taken for photos."""

from __future__ import annotations

from pathlib import Path

from engine.photo_files import photo_files


def test_photos_are_found_at_any_depth_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = ["b.JPG", "a/deep/z.heic", "a/c.png", "notes.txt", ".hidden.jpg", ".thumbs/d.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "linked.webp").symlink_to(tmp_path / "b.JPG")
    found = [path.relative_to(tmp_path).as_posix() for path in photo_files(tmp_path)]
    assert found == ["a/c.png", "a/deep/z.heic", "b.JPG", "linked.webp"]


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert photo_files(tmp_path / "nowhere") == []
