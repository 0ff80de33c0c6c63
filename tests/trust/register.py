"""Which tests prove which promise and which threat's answer. A test sees that each of them exists."""

from __future__ import annotations

PROMISES: dict[str, tuple[str, tuple[str, ...]]] = {
    "P1": ("No uploaded byte is executed.", ("trust/test_pickles.py", "trust/test_markup.py", "test_architecture.py")),
    "P2": (
        "No file can end the server or another user's session.",
        (
            "io/test_sandbox.py",
            "io/test_fuzz.py",
            "trust/test_bombs.py",
            "app/test_bad_uploads.py",
            "benchmark/test_uploaded.py",
        ),
    ),
    "P3": ("Every refusal names file, column and row.", ("test_inspect.py", "app/test_bad_uploads.py")),
    "P4": (
        "A result once shown as done survives kill -9.",
        (
            "jobs/test_restart.py",
            "jobs/test_resume.py",
            "trust/test_faults.py",
            "trust/test_kills.py",
            "workflows/test_compare_resume.py",
            "training/test_checkpoint.py",
            "training/test_growth_training.py",
            "browser/test_killed.py",
        ),
    ),
    "P5": (
        "A benchmark grid of n cells gives n rows, whatever happens.",
        ("benchmark/test_bundle_runner.py", "benchmark/test_study.py", "benchmark/test_study_kills.py"),
    ),
    "P6": ("No outbound connection.", ("trust/test_network.py", "browser/conftest.py", "test_config.py")),
    "P7": (
        "No direct identifier in log, store or export.",
        (
            "trust/test_identifiers.py",
            "io/test_dicom_files.py",
            "io/test_nifti_files.py",
            "io/test_archives.py",
            "io/test_imaging_cohort.py",
        ),
    ),
    "P8": (
        "User A never sees user B's data.",
        ("trust/test_sessions.py", "jobs/test_manager.py", "jobs/test_storage.py", "app/test_benchmark_page.py"),
    ),
}

THREATS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("bombs: zip, gzip, Excel, Parquet, HDF5, images, volumes", ("trust/test_bombs.py", "io/test_zips.py")),
    2: ("traversal and links in archives", ("io/test_zips.py", "io/test_archives.py")),
    3: ("pickles in any guise", ("trust/test_pickles.py", "io/test_modelfiles.py", "test_architecture.py")),
    4: ("HDF5: links, external storage, damaged indices", ("io/test_tables_h5ad.py", "io/test_fuzz.py")),
    5: ("formula cells in exports", ("trust/test_formulas.py", "test_config.py")),
    6: ("Excel: macros, XXE, links", ("io/test_tables_excel.py",)),
    7: ("huge images and volumes", ("trust/test_bombs.py", "io/test_images.py", "io/test_nifti_files.py")),
    8: (
        "identifiers in DICOM, tables and names",
        ("trust/test_identifiers.py", "io/test_dicom_files.py", "io/test_imaging_cohort.py"),
    ),
    9: ("sessions and caches mixed up", ("trust/test_sessions.py",)),
    10: ("foreign origins, DNS rebinding, open ports", ("browser/test_server_door.py", "test_config.py")),
    11: ("markup in names", ("trust/test_markup.py", "browser/test_hostile_names.py", "test_architecture.py")),
    12: ("addresses taken for files", ("trust/test_network.py",)),
    13: ("disk full, quotas", ("jobs/test_storage.py", "trust/test_faults.py", "jobs/test_manager.py")),
    14: ("memory by uploads", ("test_config.py", "trust/test_bombs.py")),
    15: ("runaway work", ("jobs/test_endings.py", "jobs/test_manager.py", "jobs/test_restart.py")),
    16: ("telemetry", ("trust/test_network.py", "browser/conftest.py", "test_config.py")),
    17: ("models swapped, damaged or of a later version", ("io/test_modelfiles.py", "training/test_bundle.py")),
    18: ("agent API, static files, file watcher", ("test_config.py",)),
}


def files() -> list[str]:
    """Every test file named here, once, helpers apart."""
    named = [name for _, names in (*PROMISES.values(), *THREATS.values()) for name in names]
    return sorted({name for name in named if "test_" in name})
