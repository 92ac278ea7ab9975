from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.data import load_dataset
from mien.errors import DataError

GRAY = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


def put(path, image=GRAY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def put_train_and_val(root):
    put(root / "train" / "happy" / "1.png")
    put(root / "val" / "happy" / "1.png")


@pytest.mark.parametrize(
    ("folder", "split"),
    [("train", "train"), ("Training", "train"), ("test", "test"), ("validation", "val"),
     ("val", "val"), ("PublicTest", "val"), ("PrivateTest", "test")],
)  # fmt: skip
def test_split_folders_by_any_usual_name(tmp_path, folder, split):
    put(tmp_path / "train" / "happy" / "0.png")
    put(tmp_path / "validation" / "happy" / "0.png")
    put(tmp_path / folder / "Sadness" / "1.png")
    dataset = load_dataset(tmp_path)
    assert dataset.splits[dataset.labels == 4].tolist() == [split]


def test_the_competitions_word_in_a_file_name_wins(tmp_path):
    """The popular release keeps PublicTest and PrivateTest together in test/."""
    put(tmp_path / "train" / "happy" / "Training_1.png")
    put(tmp_path / "test" / "happy" / "PublicTest_2.png")
    put(tmp_path / "test" / "happy" / "PrivateTest_3.png")
    assert load_dataset(tmp_path).split_counts() == {"train": 1, "val": 1, "test": 1}


def test_numbers_in_names_are_compared_as_numbers(tmp_path):
    for number, emotion in ((9, "sad"), (10, "angry"), (100, "happy")):
        put(tmp_path / "train" / emotion / f"Training_{number}.png")
    put(tmp_path / "val" / "sad" / "PublicTest_1.png")
    assert load_dataset(tmp_path).train.labels.tolist() == [4, 0, 3]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".bmp"])
@pytest.mark.parametrize("shape", [(48, 48), (96, 96, 3), (30, 70, 3), (20, 20), (64, 64, 4)])
def test_any_format_size_and_colour_becomes_a_gray_crop(tmp_path, suffix, shape):
    image = np.full(shape, 117, np.uint8)
    put(tmp_path / "fear" / f"a{suffix}", image[..., :3] if suffix != ".png" else image)
    crop = load_dataset(tmp_path).images[0]
    assert crop.shape == (48, 48)
    assert abs(crop.astype(int) - 117).max() <= 3  # JPEG is not exact


def test_gray_48_png_comes_back_to_the_bit(tmp_path):
    put(tmp_path / "fear" / "a.png")
    put(tmp_path / "fear" / "b.webp", np.zeros((48, 48), np.uint8))
    images = load_dataset(tmp_path).images
    np.testing.assert_array_equal(images[0], GRAY)
    assert not images[1].any()


def test_wrapper_folders_and_other_files_do_not_matter(tmp_path):
    put(tmp_path / "archive" / "images" / "train" / "happy" / "1.png")
    put(tmp_path / "archive" / "images" / "validation" / "happy" / "1.png")
    (tmp_path / "archive" / "readme.txt").write_text("x")
    (tmp_path / "archive" / "images" / "train" / "happy" / ".DS_Store").write_text("x")
    (tmp_path / "archive" / "images" / "train" / "happy" / "Thumbs.db").write_text("x")
    assert load_dataset(tmp_path).split_counts() == {"train": 1, "val": 1}


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n broken"])
def test_an_unreadable_image_is_named_or_skipped(tmp_path, content):
    put(tmp_path / "sad" / "good.png")
    bad = tmp_path / "sad" / "bad.png"
    bad.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.png"):
        load_dataset(tmp_path)
    dataset = load_dataset(tmp_path, skip_bad=True)
    assert len(dataset) == 1
    assert len(dataset.skipped) == 1
    assert "bad.png" in dataset.skipped[0]


def test_an_unknown_class_folder_is_named_or_skipped(tmp_path):
    put(tmp_path / "train" / "happy" / "1.png")
    put(tmp_path / "train" / "contempt" / "1.png")
    put(tmp_path / "val" / "sad" / "1.png")
    with pytest.raises(DataError, match="unknown label 'contempt'"):
        load_dataset(tmp_path)
    assert len(load_dataset(tmp_path, skip_bad=True).skipped) == 1


def test_another_data_sets_numbers_are_refused(tmp_path):
    """RAF-DB numbers its emotions 1 to 7: read as FER-2013's labels they would all be wrong."""
    for number in range(1, 8):
        put(tmp_path / "train" / str(number) / "1.png")
    for skip_bad in (False, True):
        with pytest.raises(DataError, match="not numbered as in fer2013, expected 0 to 6") as error:
            load_dataset(tmp_path, skip_bad=skip_bad)
        assert str(error.value).endswith("; data.labels=rafdb (--labels rafdb) fits these files")


def test_numbers_0_to_6_are_fer2013s(tmp_path):
    for number in range(7):
        put(tmp_path / str(number) / f"{number}.png")
    assert sorted(load_dataset(tmp_path).labels.tolist()) == list(range(7))


def test_images_in_folders_of_a_class_folder_are_found(tmp_path):
    put(tmp_path / "happy" / "part1" / "1.png")
    put(tmp_path / "happy" / "part2" / "1.tif")
    assert len(load_dataset(tmp_path)) == 2


def test_class_folders_next_to_split_folders_are_named(tmp_path):
    put_train_and_val(tmp_path)
    put(tmp_path / "happy" / "2.png")
    with pytest.raises(DataError, match=r"2\.png: is in no class folder"):
        load_dataset(tmp_path)
    assert len(load_dataset(tmp_path, skip_bad=True).skipped) == 1


def test_loose_images_in_a_split_folder_are_named(tmp_path):
    put_train_and_val(tmp_path)
    put(tmp_path / "train" / "2.png")
    with pytest.raises(DataError, match=r"2\.png: is in no class folder, expected train/<class>"):
        load_dataset(tmp_path)
    dataset = load_dataset(tmp_path, skip_bad=True)
    assert len(dataset) == 2
    assert len(dataset.skipped) == 1


def test_gifs_are_images(tmp_path):
    (tmp_path / "happy").mkdir()
    halves = np.zeros((48, 48, 3), np.uint8)
    halves[:, 24:] = 255
    (tmp_path / "happy" / "1.gif").write_bytes(cv2.imencode(".gif", halves)[1].tobytes())
    np.testing.assert_allclose(load_dataset(tmp_path).images[0], halves[..., 0], atol=5)


def test_a_link_to_nothing_is_named_or_skipped(tmp_path):
    put_train_and_val(tmp_path)
    (tmp_path / "train" / "happy" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png: cannot be read"):
        load_dataset(tmp_path)
    assert len(load_dataset(tmp_path, skip_bad=True).skipped) == 1


def test_names_go_by_the_folder_that_was_named_in_spite_of_the_cache(tmp_path):
    """The same files, once below a wrapper folder: the second reading may not take the first's."""
    put(tmp_path / "images" / "happy" / "0.png")
    assert load_dataset(tmp_path).ids.tolist() == ["images/happy/0.png"]
    assert load_dataset(tmp_path / "images").ids.tolist() == ["happy/0.png"]


def test_a_new_folder_of_no_known_class_is_noticed_in_spite_of_the_cache(tmp_path):
    put_train_and_val(tmp_path)
    put(tmp_path / "val" / "sad" / "1.png")
    load_dataset(tmp_path)
    put(tmp_path / "train" / "contempt" / "1.png")
    put(tmp_path / "train" / "contempt" / "2.png")
    with pytest.raises(DataError, match="contempt"):
        load_dataset(tmp_path)
    assert len(load_dataset(tmp_path, skip_bad=True).skipped) == 2


def test_a_table_of_something_else_next_to_the_folders_does_not_matter(tmp_path):
    put_train_and_val(tmp_path)
    (tmp_path / "labels.csv").write_text("name,age\nx,3\n")
    (tmp_path / "folder.csv").mkdir()
    assert load_dataset(tmp_path).layout == "folders"


def test_folders_of_other_classes_are_listed(tmp_path):
    put(tmp_path / "cats" / "1.png")
    put(tmp_path / "dogs" / "1.png")
    with pytest.raises(DataError, match=r"auto takes the names in the files \(cats, dogs\)$"):
        load_dataset(tmp_path)


def test_rows_are_positions_in_the_order_of_the_files_and_skipped_files_keep_theirs(tmp_path):
    for number in (1, 2, 10):
        put(tmp_path / "train" / "happy" / f"{number}.png")
    put(tmp_path / "val" / "happy" / "3.png")
    (tmp_path / "train" / "happy" / "2.png").write_bytes(b"no image")
    dataset = load_dataset(tmp_path, skip_bad=True)
    assert dict(zip(dataset.ids.tolist(), dataset.rows.tolist(), strict=True)) == {
        "train/happy/1.png": 1, "val/happy/3.png": 3, "train/happy/10.png": 4,
    }  # fmt: skip


def test_a_folder_without_a_file_is_read_again_in_spite_of_the_cache(tmp_path):
    put_train_and_val(tmp_path)
    put(tmp_path / "train" / "happy" / "2.png")
    assert len(load_dataset(tmp_path)) == 3
    (tmp_path / "train" / "happy" / "2.png").unlink()
    assert len(load_dataset(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "content_of"),
    [
        ("a.jfif", ".jpg"),
        ("a.jpe", ".jpg"),
        ("A.JPG", ".jpg"),
        ("a.pgm", ".pgm"),
        ("a.ppm", ".ppm"),
        ("a.dib", ".bmp"),
        ("a.TIF", ".tif"),
        ("face", ".png"),
        ("face.jpg_large", ".jpg"),
        ("face.1", ".webp"),
    ],
)
def test_images_of_every_suffix_are_read(tmp_path, name, content_of):
    put(tmp_path / "sad" / "0.png")
    (tmp_path / "happy").mkdir()
    image = np.full((48, 48, 3) if content_of == ".ppm" else (48, 48), 117, np.uint8)
    (tmp_path / "happy" / name).write_bytes(cv2.imencode(content_of, image)[1].tobytes())
    assert load_dataset(tmp_path).class_counts()["happy"] == 1


def test_files_that_are_no_images_are_named(tmp_path):
    put(tmp_path / "happy" / "1.png")
    (tmp_path / "happy" / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    (tmp_path / "happy" / "labels.txt").write_text("3")
    assert load_dataset(tmp_path).notes[-1] == (
        "2 other files were not read (happy/clip.mp4, happy/labels.txt)"
    )


@pytest.mark.parametrize(
    ("folder", "split"),
    [("Train", "train"), ("TRAINING", "train"), ("train_set", "train"), ("train-images", "train"),
     ("Validation Set", "val"), ("valid", "val"), ("dev", "val"), ("publictest", "val"),
     ("private_test", "test"), ("testset", "test"), ("Test Data", "test")],
)  # fmt: skip
def test_more_names_of_splits(tmp_path, folder, split):
    put(tmp_path / "train" / "happy" / "0.png")
    put(tmp_path / "val" / "happy" / "0.png")
    put(tmp_path / folder / "sad" / "1.png")
    dataset = load_dataset(tmp_path)
    assert dataset.splits[dataset.labels == 4].tolist() == [split]


@pytest.mark.parametrize("folder", ["evaluation", "holdout", "fold1", "extra"])
def test_a_folder_that_may_be_a_split_is_named_or_skipped(tmp_path, folder):
    put_train_and_val(tmp_path)
    put(tmp_path / folder / "sad" / "1.png")
    put(tmp_path / folder / "sad" / "2.pgm")
    with pytest.raises(DataError, match=f"{folder}/ is beside train/ and val/, .* rename it"):
        load_dataset(tmp_path)
    assert len(load_dataset(tmp_path, skip_bad=True).skipped) == 2


@pytest.mark.parametrize("place", ["archive", "archive/images", "archive/images/train"])
def test_loose_images_at_any_level_are_named(tmp_path, place):
    put(tmp_path / "archive" / "images" / "train" / "happy" / "1.png")
    put(tmp_path / "archive" / "images" / "val" / "happy" / "1.png")
    put(tmp_path / place / "loose.pgm")
    with pytest.raises(DataError, match=r"loose\.pgm: is in no class folder"):
        load_dataset(tmp_path)


def test_splits_inside_class_folders_are_kept(tmp_path):
    for split in ("train", "val", "test"):
        put(tmp_path / "happy" / split / "1.png")
        put(tmp_path / "sad" / split / "2.png")
    dataset = load_dataset(tmp_path)
    assert dataset.split_counts() == {"train": 2, "val": 2, "test": 2}
    assert dataset.split_rule == "as the files say"


def test_folders_without_images_are_named(tmp_path):
    put_train_and_val(tmp_path)
    (tmp_path / "train" / "contempt").mkdir()
    (tmp_path / "test").mkdir()
    notes = load_dataset(tmp_path).notes
    assert "these folders have no images in them: test, train/contempt" in notes


def test_folders_behind_links_are_read_and_circles_end(tmp_path):
    data = tmp_path / "data"
    put_train_and_val(data)
    put(tmp_path / "elsewhere" / "deep" / "9.png")
    (data / "train" / "happy" / "linked").symlink_to(tmp_path / "elsewhere" / "deep")
    (data / "train" / "happy" / "circle").symlink_to(data / "train" / "happy")
    assert load_dataset(data).split_counts() == {"train": 2, "val": 1}


def test_what_a_mac_or_a_notebook_leaves_is_no_data(tmp_path):
    put_train_and_val(tmp_path)
    put(tmp_path / "__MACOSX" / "train" / "happy" / "._1.png")
    put(tmp_path / "train" / ".ipynb_checkpoints" / "1.png")
    put(tmp_path / "train" / "happy" / ".ipynb_checkpoints" / "1-checkpoint.png")
    dataset = load_dataset(tmp_path)
    assert len(dataset) == 2
    assert dataset.notes[-1].startswith("no image shows")
