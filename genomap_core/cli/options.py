"""What can be asked on the command line: one class of settings a command, its fields the options, checked words.

Names of the library stand here as words (its modules are too heavy to import for a help text); a test holds them
against it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import (
    BaseSettings,
    CliPositionalArg,
    CliSubCommand,
    CliVariadicArg,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

Solver = Literal["ot", "gromov", "published", "embedding", "sorted", "random"]
Network = Literal["genomap", "genomap_random", "genonet"]
Model = Literal["genomap", "genomap_random", "genonet", "pfn", "logistic", "forest"]
Method = Literal[
    "auto", "integrated_gradients", "deeplift", "gradient_shap", "occlusion", "gradcam", "shapley", "ablation"
]
Device = Literal["auto", "cpu", "cuda", "mps"]
Scale = Literal["as-is", "log2", "log2-per-total"]
Orientation = Literal["samples_in_rows", "genes_in_rows"]


def _ending(*endings: str) -> Callable[[object], Path]:
    def convert(given: object) -> Path:
        if Path(str(given)).suffix.lower() not in endings:
            raise ValueError(f"{str(given)!r} must end in {' or '.join(endings)}")
        return Path(str(given))

    return convert


def _whole(least: int) -> Callable[[object], int]:
    def convert(given: object) -> int:
        if not str(given).isdecimal() or int(str(given)) < least:
            raise ValueError(f"{str(given)!r} must be a whole number, at least {least}")
        return int(str(given))

    return convert


def _number(low: float, high: float) -> Callable[[object], float]:
    def convert(given: object) -> float:
        try:
            value = float(str(given))
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"{str(given)!r} must be a number from {low:g} to {high:g}")
        return value

    return convert


def _sides(grid: str) -> tuple[int, int]:
    sides = grid.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and 0 < int(side) <= 10_000 for side in sides):
        raise ValueError(f"{grid!r} is no grid: write height and width as in 32x40")
    return int(sides[0]), int(sides[1])


def _grid(given: str) -> str:
    _sides(given)
    return given


def _by_commas(given: object) -> object:
    if not isinstance(given, list | tuple):
        return given
    return tuple(name for text in given for name in str(text).replace(" ", "").split(",") if name)


Seed = Annotated[int, BeforeValidator(_whole(0))]
Count = Annotated[int, BeforeValidator(_whole(1))]
Folds = Annotated[int, BeforeValidator(_whole(2))]
Names = Annotated[tuple[str, ...], BeforeValidator(_by_commas)]
"""Some words, with commas between them or each behind its own option."""

NOTHING = "\0"
"""The word for None: one that nobody can write, so that a column may be called "None" or "null"."""


class Command(BaseModel):
    """A command without options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interrupted: ClassVar[str] = "nothing was written."
    """What the user is told after Ctrl-C."""


class Figures(Command):
    """A command whose answer is figures."""

    as_json: bool = Field(False, alias="json", description="say the figures as one line of JSON")
    quiet: bool = Field(False, description="no progress and no notes on standard error")


class Columns(Figures):
    """A command that reads a table; parts of its columns that are not given are as `inspect` proposes."""

    target: str | None = Field(None, description="column of the classes")
    id: str | None = Field(None, description="column of the samples' names")
    group: str | None = Field(None, description="column of what must stay together in splits")
    no_group: bool = Field(False, description="every sample stands for itself")
    set_aside: tuple[str, ...] = Field((), description="column that is no feature; may be repeated")
    leave_out_class: tuple[str, ...] = Field((), description="class whose samples are left out; may be repeated")
    orientation: Orientation | None = Field(None, description="what stands in the rows")
    scale: Scale | None = Field(None, description="log2: log2(1 + x); log2-per-total: of samples scaled to one total")
    missing: str | None = Field(None, description="words and numbers that mean a missing value, with commas")
    encoding: str | None = Field(None, description="of a text file")
    delimiter: str | None = Field(None, description="of a text file: a sign, or tab, comma, semicolon, bar, blank")
    decimal: str | None = Field(None, description="decimal sign: a sign, or comma, point")
    thousands: str | None = Field(
        None, description="sign between thousands: a sign, or comma, point, blank, apostrophe, none"
    )
    header: int | None = Field(None, description="line of the names, counted from 1; 0: there are none")
    sheet: str | None = Field(None, description="of a workbook")
    layer: str | None = Field(None, description="of an h5ad file, or raw")
    seed: Seed = Field(0, description="of all that is drawn")


class OfTable(Columns):
    """A command on one table."""

    table: CliPositionalArg[Path] = Field(description="CSV, TSV, gzip, Excel, Parquet or h5ad")


class OfModel(Columns):
    """A command that asks a saved model about a table."""

    model: CliPositionalArg[Path] = Field(description="as `train` or the app wrote it")
    table: CliPositionalArg[Path] = Field(description="CSV, TSV, gzip, Excel, Parquet or h5ad")


class App(Command):
    """Start the app in a browser on this machine; Ctrl-C ends it. Data and results stay in ~/.genomap-studio."""

    interrupted: ClassVar[str] = "the app has ended."

    port: Annotated[int, BeforeValidator(_whole(1))] = Field(8501, description="on 127.0.0.1")
    browser: bool = Field(False, description="open the page at once")
    allow_host: tuple[str, ...] = Field(
        (), description="public name behind a proxy that is answered too; may be repeated"
    )


class Inspect(Command):
    """Say what is in files, and what is wrong with them. Exit status 0 when each is "ok" or "warn"."""

    files: CliPositionalArg[tuple[Path, ...]] = Field(min_length=1, description="of any kind that the program takes")
    as_json: bool = Field(False, alias="json", description="one line of JSON for each file")


class Layout(OfTable):
    """A place on the grid for every feature of a table."""

    out: Annotated[Path, BeforeValidator(_ending(".csv", ".h5ad"))] = Field(
        description="feature, row, column, channel; or an AnnData file with the layout in it"
    )
    maps: Annotated[Path, BeforeValidator(_ending(".npz"))] | None = Field(
        None, description="also write the map of every sample, as .npz"
    )
    solver: Solver = "ot"
    balance: Annotated[float, BeforeValidator(_number(0, 1))] = Field(
        0.5, description="0 distances only, 1 neighbourhoods only"
    )
    grid: Annotated[str, AfterValidator(_grid)] | None = Field(
        None, description="cells as HxW; if not given, the smallest near-square grid"
    )
    max_features: Count = Field(16_384, description="most variable ones kept")
    joint: bool = Field(False, description="all omics types on one map instead of one map each")
    resamples: Annotated[int, BeforeValidator(_whole(0))] = Field(
        0, description="bootstrap resamples to average over, for steadier places"
    )
    halves: Annotated[int, BeforeValidator(_whole(0))] = Field(
        0, description="splits of the samples to measure reproducibility on"
    )
    bought: Annotated[int, BeforeValidator(_whole(0))] = Field(
        0, description="folds to measure on what a layout buys the map network beside a random one: takes minutes"
    )
    use: Path | None = Field(None, description="a reference map, whose places are taken as they are")
    save: Annotated[Path, BeforeValidator(_ending(".json"))] | None = Field(
        None, description="also write the layout as a reference map for other cohorts"
    )
    map_name: str = Field("", description="of the reference map; if not given, the table's name")
    map_version: str = Field("1", description="of the reference map")

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width of the grid."""
        return None if self.grid is None else _sides(self.grid)


class Train(OfTable):
    """A network on the maps of a table, tested on held-out rows."""

    out: Annotated[Path, BeforeValidator(_ending(".safetensors"))] = Field(
        description="the model: one .safetensors file without a pickle"
    )
    model: Network = Field("genomap", description="those that a model file can hold")
    solver: Solver = Field("ot", description="of the layout")
    epochs: Count | None = Field(None, description="at most; if not given, the network's own")
    networks: Count = Field(2, description="whose mean answers")
    noise: Annotated[float, BeforeValidator(_number(0, 10))] | None = Field(
        None, description="put on training maps, in standard deviations"
    )
    max_features: Count = Field(4096, description="most variable ones kept")
    device: Device = "auto"


class Predict(OfModel):
    """Class probabilities of a table's samples under a saved model."""

    out: Annotated[Path, BeforeValidator(_ending(".csv"))] = Field(
        description="sample_id, predicted, and a column for each class"
    )


class Explain(OfModel):
    """What each feature did to a saved model's answers."""

    out: Annotated[Path, BeforeValidator(_ending(".csv"))] = Field(
        description="one row a sample: the class explained, then a column for each feature"
    )
    sample: tuple[str, ...] = Field((), description="only this one; may be repeated")
    explained: str | None = Field(None, alias="class", description="if not given, the most likely of each sample")
    method: Method = "auto"
    background: Path | None = Field(
        None, description="table of the baseline's rows, for shapley, ablation and gradient_shap"
    )


class Report(OfTable):
    """One patient under two models that never saw the row, as HTML or PDF."""

    out: Annotated[Path, BeforeValidator(_ending(".html", ".pdf"))] = Field(description="the report")
    sample: str = Field(description="the patient")
    models: CliVariadicArg[tuple[Model, Model]] = Field(
        ("genomap", "pfn"), description=f"two of {', '.join(get_args(Model))}"
    )
    explained: str | None = Field(None, alias="class", description="if not given, the patient's label")
    name: str | None = Field(
        None, description='on the report; if not given, "Patient" and the row\'s number: no identifier'
    )
    folds: Folds = 5
    epochs: Count | None = Field(None, description="of networks, at most")
    max_features: Count = Field(4096, description="on the map")
    weights: str | None = Field(None, description="file of the tabular model; if not given, the first that are found")
    run: Path | None = Field(None, description="folder to keep the comparison in, for more reports")
    device: Device = "auto"


class Growth(Command):
    """The class of brain MRI slices, where the image is like those that the model was trained on."""

    images: CliPositionalArg[tuple[Path, ...]] = Field(min_length=1, description="PNG, JPEG, TIFF, DICOM or NIfTI")
    model: Path | None = Field(None, description="if not given, the one that comes with the program")
    modality: str = Field("", description="MR, CT, ... of images whose files don't say")
    as_json: bool = Field(False, alias="json", description="one line of JSON for each image")
    quiet: bool = Field(False, description="no progress on standard error")


class Licences(Command):
    """The licence of every package that the program uses, as a table."""


class _Study(Command):
    interrupted: ClassVar[str] = "all results so far are in the store. Repeat the command to continue."


class _Chosen(_Study):
    """Which runs of the robustness study are meant."""

    catalogue: Path | None = Field(None, description="TOML file of data sets; if not given, the 22 open sets")
    sets: Names | None = Field(None, description="only these, with commas")
    models: Names | None = Field(None, description="with commas; if not given, the study's eight")
    conditions: Names | None = Field(
        None, description="such as full,rows-20,noise-50,keep-20; if not given, the study's twelve"
    )
    test_noise: bool = Field(False, description="add noise on the test rows only")
    missing: bool = Field(False, description="add features missing in the test rows, by chance and in blocks")
    thinned: bool = Field(False, description="add fewer reads in the test rows (50, 10, 2 %), on sets that hold counts")
    seeds: int = Field(4, description="repetitions of condition full")
    other_seeds: int = Field(1, description="repetitions of every other condition")
    folds: int = Field(5, description="of the cross-validation")
    weights: Path | None = Field(None, description="of TabPFN; if not given, the first that are found")
    option: tuple[str, ...] = Field((), description="MODEL.NAME=VALUE, as JSON or text; may be repeated")
    plugin: str | None = Field(None, description="a module of your own with MODELS = {name: factory}")
    data: Path | None = Field(None, description="folder of Parquet or CSV files; if not given, $GENOMAP_DATA")
    cache: Path | None = Field(None, description="where sets of OpenML are kept")
    store: Path = Field(Path("study"), description="folder of the results")
    shard: str | None = Field(
        None, description="I/N: only every N-th bundle from the I-th on; other machines do the others"
    )
    device: Literal["cpu", "cuda"] = "cpu"


class Plan(_Chosen):
    """What would run, and for how long."""

    as_list: bool = Field(False, alias="list", description="print the name of every run")
    as_json: bool = Field(False, alias="json", description="one JSON object instead of text")


class Run(_Chosen):
    """Do what is missing; repeat the command to continue after anything."""

    engine: Literal["dask", "serial"] = "dask"
    scheduler: str | None = Field(
        None,
        description="address of a Dask scheduler; if not given, $DASK_SCHEDULER_ADDRESS, else this machine alone",
    )
    workers: int | None = Field(None, description="bundles at a time on this machine; if not given, one a core")
    threads: int = Field(1, description="of one bundle")
    memory_limit: float | None = Field(None, description="GB of one run; if not given, 8, or its share of this machine")
    time_limit: float = Field(3600, description="seconds of one run")
    set_aside: Names = Field((), description="do these again: damaged, oom, timeout, crash, refused")
    quiet: bool = Field(False, description="no progress bar")


class Status(_Study):
    """How far a study is, and what failed."""

    store: Path = Field(Path("study"), description="folder of the results")
    as_json: bool = Field(False, alias="json", description="one JSON object instead of text")


class Collect(_Study):
    """Put the records of other machines, or of a file, into one store."""

    sources: CliPositionalArg[tuple[Path, ...]] = Field(
        min_length=1, description="folders of results or Parquet files of records"
    )
    store: Path = Field(Path("study"), description="where they go; `run` then goes on from them")


class _Stored(_Study):
    store: Path | None = Field(
        None, description="folder of results or a Parquet file of records; if not given, the shipped study"
    )
    metric: str = "balanced_accuracy"
    models: Names | None = Field(None, description="only these, with commas")
    sets: Names | None = Field(None, description="only these, with commas")


class StudyReport(_Stored):
    """One HTML file that needs no network."""

    out: Path = Field(Path("report.html"), description="the file to write")
    records: Path | None = Field(None, description="also write the records as one Parquet file")


class Summary(_Stored):
    """Mean ranks, mean scores and counts."""

    condition: str = "full"
    as_json: bool = Field(False, alias="json", description="one JSON object instead of text")


class Benchmark(Command):
    """The robustness study: every model on every set, under subsampling and noise, failures recorded."""

    plan: CliSubCommand[Plan] = Field(description="what would run, and for how long")
    run: CliSubCommand[Run] = Field(description="do what is missing; repeat it to continue after anything")
    status: CliSubCommand[Status] = Field(description="how far a study is, and what failed")
    collect: CliSubCommand[Collect] = Field(description="put the records of other machines into one store")
    report: CliSubCommand[StudyReport] = Field(description="one HTML file that needs no network")
    summary: CliSubCommand[Summary] = Field(description="mean ranks, mean scores and counts")


class Genomap(BaseSettings):
    """GenoMap Studio: files in, files out, or the app. For research use only. Not for use in diagnostic procedures."""

    model_config = SettingsConfigDict(
        cli_prog_name="genomap",
        cli_kebab_case=True,
        cli_implicit_flags="toggle",
        cli_enforce_required=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_parse_none_str=NOTHING,
    )

    app: CliSubCommand[App] = Field(description="start the app in a browser on this machine")
    inspect: CliSubCommand[Inspect] = Field(description="say what is in files, and what is wrong with them")
    layout: CliSubCommand[Layout] = Field(description="a place on the grid for every feature of a table")
    train: CliSubCommand[Train] = Field(description="a network on the maps of a table, tested on held-out rows")
    predict: CliSubCommand[Predict] = Field(description="class probabilities of a table's samples under a saved model")
    explain: CliSubCommand[Explain] = Field(description="what each feature did to a saved model's answers")
    report: CliSubCommand[Report] = Field(description="one patient under two models, as HTML or PDF")
    growth: CliSubCommand[Growth] = Field(description="the class of brain MRI slices, or why there is none")
    benchmark: CliSubCommand[Benchmark] = Field(description="the robustness study: every model on every set")
    licences: CliSubCommand[Licences] = Field(description="the licence of every package that the program uses")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Words of the command line alone: no variable of the environment that is called like a command counts."""
        return (init_settings,)
