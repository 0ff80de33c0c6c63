"""Whose images the units are, what they have in common, and their channels side by side: values and messages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from genomap_core.data.message import Message, limited, plural, shown, some
from genomap_core.data.personal import may_name_a_person
from genomap_core.io.images.matching import find_owners
from genomap_core.io.images.prepare import Unit, Units, stem_of
from genomap_core.io.images.tables import CohortTables
from genomap_core.io.kinds import CONVERT, FOREIGN_SUFFIXES, SLIDES

_LISTED = 20
_COLOURS = ("red", "green", "blue")


def shown_name(label: str) -> str:
    """A file's name in a message, where it names nobody."""
    return "An image (name not shown)" if may_name_a_person(label) else label


@dataclass(frozen=True, eq=False)
class Matched:
    """``of``: sample id -> its units as (position, channel), the channel empty without a manifest."""

    of: dict[str, list[tuple[int, str]]]
    messages: tuple[Message, ...]


def match_units(units: Units, tables: CohortTables, sequence: str = "") -> Matched:
    """Find the owner of every readable unit: by the manifest, else by the names of file and folders.

    ``sequence``: see :class:`genomap_core.data.images.patients.ImagingOptions`.
    """
    readable = [k for k, unit in enumerate(units.units) if not unit.refused]
    names = {str(k): _names(units.units[k]) for k in readable}
    said: list[Message] = []
    channel: dict[str, str] = {}
    if tables.manifest is not None:
        given, said = tables.manifest.assign([(units.units[k].label, units.units[k].files) for k in readable])
        labels = {units.units[k].label: str(k) for k in readable}
        for label, (patient, name) in given.items():
            names[labels[label]], channel[labels[label]] = (patient,), name
    found = find_owners(names, tables.ids)
    of: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for place, sample in found.owner.items():
        of[sample].append((int(place), channel.get(place, "")))
    said += _messages_on_owners(found.lost, found.bent, found.without(tables.ids) if readable else [], units)
    if tables.manifest is None:
        of, further = _of_sequence(of, units, sequence)
        said += further
    return Matched(dict(of), tuple(said))


def _of_sequence(
    of: dict[str, list[tuple[int, str]]], units: Units, wanted: str
) -> tuple[dict[str, list[tuple[int, str]]], list[Message]]:
    """Of patients with images of several sequences (as of BIDS and BraTS) those of one, or each as a channel."""
    last = {k: re.split(r"[_\-. ]", _names(units.units[k])[0])[-1].lower() for found in of.values() for k, _ in found}
    counts = Counter(name for found in of.values() for name in {last[k] for k, _ in found})
    common = [name for name, n in counts.items() if n >= max(2, len(of) / 2) and not name.isdigit()]
    several = sum(len({last[k] for k, _ in found} & set(common)) > 1 for found in of.values())
    if len(common) < 2 or 2 * several < len(of):
        return of, []
    order = sorted(common, key=lambda name: (-counts[name], *_rank(name)))
    listed = some((f"{name} ({counts[name]})" for name in order), 12)
    if wanted and wanted.lower() != "all" and wanted.lower() not in common:
        text = f"No sequence is called {shown(wanted)}: the patients have {listed}."
        return of, [Message("error", "no-sequence", text, remedy="Write one of them, or all.")]
    if wanted.lower() == "all":
        text = f"Patients have images of several sequences: {listed}; each is a channel."
        kept = {s: [(k, last[k]) for k, _ in found if last[k] in common] for s, found in of.items()}
    else:
        chosen = wanted.lower() or order[0]
        text = f"Patients have images of several sequences: {listed}; {chosen} is used."
        kept = {s: [(k, "") for k, _ in found if last[k] == chosen] for s, found in of.items()}
    without = [s for s, found in kept.items() if not found]
    if without:
        text += f" {plural(len(without), 'patient')} without it left out: {some(without, 10)}."
    remedy = "Another one can be chosen (Sequence; `sequence` in the library), or all of them as channels."
    return {s: found for s, found in kept.items() if found}, [Message("warn", "sequence", text, remedy=remedy)]


_PREFERRED = ("t1w", "t1ce", "t1c", "t1gd", "t1", "t1n", "flair", "t2f", "t2w", "t2")


def _rank(name: str) -> tuple[int, str]:
    return (_PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)), name


def _names(unit: Unit) -> tuple[str, ...]:
    """The file's stem (or the series' folder), then the folders around it, the nearest first."""
    path = PurePosixPath(unit.label)
    folder_itself = len(unit.files) > 1 and unit.label not in unit.files
    first = path.name if folder_itself else stem_of(unit.label)
    names = (first, *(part for part in reversed(path.parts[:-1])))
    return tuple(_ENTITIES.sub("", name) for name in names) if "sub-" in unit.label else names


_ENTITIES = re.compile(r"(?:^|_)(?:ses|run|acq|ce|rec|dir|echo|part|chunk|space|res|den|desc|task)-[A-Za-z0-9]+")
"""Of BIDS names, what says neither who it is nor which sequence"""


def _messages_on_owners(lost: Sequence[str], bent: Sequence[str], alone: Sequence[str], units: Units) -> list[Message]:
    said = []
    if alone:
        text = f"{plural(len(alone), 'sample')} without an image left out: {some(alone, 10)}."
        said.append(Message("warn", "no-image", text, remedy="Add the images, named by sample id."))
    if lost:
        stems = (stem_of(units.units[int(k)].label) for k in lost)
        named = [stem for stem in stems if not may_name_a_person(stem)]
        names = f": {some(named)}" if named else " (names not shown)"
        text = f"{plural(len(lost), 'image')} without a row in a table, or with several, left out{names}."
        remedy = "Add rows with their ids, rename the images, or give a manifest (columns patient, file)."
        said.append(Message("warn", "no-row", text, remedy=remedy))
    if bent:
        text = (
            f"{plural(len(bent), 'image')} matched without regard to zeros in front of numbers, capitals, folders and "
            "endings."
        )
        said.append(Message("warn", "near-match", text, remedy="Write the ids alike in names and tables."))
    return said


def messages_on_units(units: Units) -> list[Message]:
    """On files that can't be read, and on what the readable ones have in common."""
    said = [
        Message("error", "image", f"{shown_name(u.label)}: {u.refused}", remedy="Replace or remove it.")
        for u in units.units
        if u.refused
    ]
    # an unreadable image costs its patient, not the cohort
    said = limited([Message("warn", m.code, m.text, remedy=m.remedy) for m in said], _LISTED)
    by_code: dict[tuple[str, str, str], list[tuple[str, Message]]] = defaultdict(list)
    for unit in units.units:
        for m in unit.messages:
            by_code[m.code, m.severity, m.text if m.code == "identifying" else ""].append((unit.label, m))
    for found in by_code.values():
        label, m = found[0]
        more = f" (and {plural(len(found) - 1, 'image')} more of the kind)" if len(found) > 1 else ""
        said.append(Message(m.severity, m.code, f"{shown_name(label)}: {m.text}{more}", remedy=m.remedy))
    if any(may_name_a_person(unit.label) for unit in units.units):
        text = "Names of image files may identify persons: they are not shown, stored or exported."
        said.append(Message("warn", "identifying", text, remedy="Name the images by sample id."))
    if units.masks:
        text = f"{plural(units.masks, 'mask')} beside the images (names ending in _mask or _seg) not used."
        said.append(Message("ok", "masks", text))
    if units.junk:
        said.append(Message("ok", "junk", f"{plural(units.junk, 'file')} that systems leave in archives ignored."))
    slides = [name for name in units.ignored if name.lower().endswith(SLIDES)]
    if slides:
        text = f"{plural(len(slides), 'whole-slide image')} not read: {some(map(shown_name, slides))}."
        remedy = "Export each, or tiles of it, as TIFF or PNG of at most a few thousand pixels (QuPath, OpenSlide)."
        said.append(Message("warn", "slides", text, remedy=remedy))
    kinds = {name: FOREIGN_SUFFIXES.get(PurePosixPath(name.lower()).suffix, "") for name in units.ignored}
    for kind in dict.fromkeys(kinds[name] for name in kinds if kinds[name] and name not in slides):
        unread = [name for name in kinds if kinds[name] == kind and name not in slides]
        text = f"{plural(len(unread), 'file')} not read: {some(map(shown_name, unread))}."
        said.append(Message("warn", "not-read", text, remedy=f"The first is {CONVERT[kind]}"))
    if other := [name for name in kinds if not kinds[name] and name not in slides]:
        text = f"{plural(len(other), 'file')} of other kinds ignored: {some(map(shown_name, other))}."
        said.append(Message("warn", "ignored-members", text, remedy="Remove them."))
    return said + _messages_on_forms([unit for unit in units.units if not unit.refused])


def _messages_on_forms(units: Sequence[Unit]) -> list[Message]:
    if not units:
        return []
    said = [_counted("image-sizes", "sizes (columns x rows x slices)", units, _size)]
    said.append(_counted("spacings", "pixel spacings (height x width in mm)", units, _spacing))
    said.append(_counted("treatment", "scales of intensity", units, lambda u: u.treatment))
    return said


def _counted(code: str, what: str, units: Sequence[Unit], of: Callable[[Unit], str]) -> Message:
    """One message: how many units have which value; a warning where they differ."""
    counts = Counter(of(unit) for unit in units)
    listed = some((f"{value} ({count})" for value, count in counts.most_common()), 8)
    differ = len(counts) > 1
    remedy = {"image-sizes": "They are resized to one size.", "treatment": "Choose one scale for all if this is wrong."}
    text = f"The images differ in {what}: {listed}." if differ else f"All images alike in {what}: {listed}."
    return Message("warn" if differ else "ok", code, text, remedy=remedy.get(code, "") if differ else "")


def _size(unit: Unit) -> str:
    slices, rows, columns = unit.shape
    return f"{columns} x {rows}" + (f" x {slices}" if slices > 1 else "")


def _spacing(unit: Unit) -> str:
    return "unknown" if unit.spacing is None else f"{unit.spacing[1]:.3g} x {unit.spacing[2]:.3g}"


@dataclass(frozen=True, eq=False)
class Stack:
    """``images (n, c, side, side)`` of ``ids``, ``c`` names, ``pixel (n,)`` mm; samples left out are messages."""

    ids: tuple[str, ...]
    images: np.ndarray
    channels: tuple[str, ...]
    pixel: np.ndarray
    messages: tuple[Message, ...]
    patches: np.ndarray | None = None


def stack_channels(units: Units, matched: Matched, tables: CohortTables, ids: Sequence[str]) -> Stack:
    """The channels of every sample's units in one order; ``ids``: samples with an image."""
    starts = np.cumsum([0, *(len(unit.channels) if not unit.refused else 0 for unit in units.units)])
    several = any(channel for found in matched.of.values() for _, channel in found)
    said: list[Message] = []
    planes: dict[str, dict[str, int]] = {}
    doubled = []
    for sample in ids:
        found = matched.of[sample]
        if len(found) > 1 and (not several or len({c for _, c in found}) < len(found)):
            doubled.append(sample)
            found = list({c: (k, c) for k, c in reversed(found)}.values())[::-1] if several else found[:1]
        planes[sample] = {
            _channel(name, channel, len(units.units[k].channels)): int(starts[k]) + c
            for k, channel in found
            for c, name in enumerate(units.units[k].channels)
        }
    if doubled:
        text = f"{plural(len(doubled), 'sample')} have several images, the first by name is used: {some(doubled, 10)}."
        remedy = "Leave one, or give a manifest with a column channel to use them together."
        said.append(Message("warn", "several-images", text, remedy=remedy))
    wished = tables.manifest.channels if several and tables.manifest is not None else ()
    order, kept, channel_said = _common(planes, several, wished)
    images = np.zeros((len(kept), len(order), *units.images.shape[1:]), np.float32)
    for i, sample in enumerate(kept):
        for c, name in enumerate(order):
            if (plane := planes[sample].get(name, planes[sample].get("image") if not several else None)) is not None:
                images[i, c] = units.images[plane]
    first = [units.units[matched.of[sample][0][0]] for sample in kept]
    pixel = np.array([np.nan if unit.pixel is None else unit.pixel for unit in first], np.float32)
    return Stack(tuple(kept), images, order, pixel, (*said, *channel_said), _places(first))


def _places(units: Sequence[Unit]) -> np.ndarray | None:
    """``(n, s, 2)`` of slides' patches, NaN for other images; None where there is no slide."""
    most = max((len(unit.places) for unit in units), default=0)
    if not most:
        return None
    out = np.full((len(units), most, 2), np.nan, np.float32)
    for k, unit in enumerate(units):
        out[k, : len(unit.places)] = np.reshape(unit.places, (-1, 2))
    return out


def _channel(name: str, given: str, count: int) -> str:
    """A channel's name: the manifest's, with the image's own behind it where it has several."""
    if not given:
        return name
    return given if count == 1 else f"{given} {name}"


def _common(
    planes: dict[str, dict[str, int]], several: bool, wished: Sequence[str]
) -> tuple[tuple[str, ...], list[str], list[Message]]:
    """The cohort's channels (in the manifest's order), the samples that have them, and what is filled or left out."""
    counts = Counter(tuple(found) for found in planes.values())
    if not counts:
        return (), [], []
    if several:
        every = dict.fromkeys(name for found, _ in counts.most_common() for name in found)
        rank = {w: k for k, w in enumerate(wished)}
        order = tuple(sorted(every, key=lambda name: rank.get(name, rank.get(name.rpartition(" ")[0], 0))))
        short = [sample for sample, found in planes.items() if len(found) < len(order)]
        if not short:
            return order, list(planes), []
        text = f"{plural(len(short), 'sample')} lack channels, which are filled with 0 (the mean): {some(short, 10)}."
        return order, list(planes), [Message("warn", "channels-filled", text, remedy="Add the images.")]
    main = _COLOURS if _COLOURS in counts and set(counts) <= {_COLOURS, ("image",)} else counts.most_common(1)[0][0]
    grey = [sample for sample, found in planes.items() if main == _COLOURS and tuple(found) == ("image",)]
    odd = [sample for sample, found in planes.items() if tuple(found) != main and sample not in set(grey)]
    said = []
    if grey:
        text = (
            f"{plural(len(grey), 'grey image')} among coloured ones repeated as red, green and blue: {some(grey, 10)}."
        )
        said.append(Message("warn", "grey-repeated", text, remedy="Choose grey for all if the colours mean nothing."))
    if odd:
        text = f"{plural(len(odd), 'sample')} with other channels than {some(main, 8)} left out: {some(odd, 10)}."
        said.append(Message("warn", "other-channels", text, remedy="Give images with the same channels."))
    return main, [sample for sample in planes if sample not in set(odd)], said
