"""Colours as plain arrays: cividis for values, vik for signed values, grey hatching for what is missing or dropped.

CIVIDIS: Nunez, Anderton & Renslow, PLoS ONE 13 (2018) e0199239, as distributed with matplotlib under CC0.
VIK: Fabio Crameri, Scientific colour maps, doi:10.5281/zenodo.1243862, MIT License, (c) 2020 Fabio Crameri:
    Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
    documentation files (the "Software"), to deal in the Software without restriction, including without limitation
    the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and
    to permit persons to whom the Software is furnished to do so, subject to the following conditions: The above
    copyright notice and this permission notice shall be included in all copies or substantial portions of the
    Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
    LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT
    SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION
    OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER
    DEALINGS IN THE SOFTWARE.

The browser's canvas and the static pictures follow these formulas, so that one value has one colour everywhere.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from genomap_core.errors import InputError

CIVIDIS = (
    "00224e00234f00245100255300255400265600275800285900285b00295d002a5f002a61002b62002c64002c66002d68"
    "002e6a002e6c002f6d00306f0030700031700031710132710533710833700c34700f357012357014367016377018376f"
    "1a386f1c396f1e3a6f203a6f213b6e233c6e243c6e263d6e273e6e293f6e2a3f6d2b406d2d416d2e416d2f426d31436d"
    "32436d33446d34456c35456c36466c38476c39486c3a486c3b496c3c4a6c3d4a6c3e4b6c3f4c6c404c6c414d6c424e6c"
    "434e6c444f6c45506c46516c47516c48526c49536c4a536c4b546c4c556c4d556c4e566c4f576c50576c51586d52596d"
    "535a6d545a6d555b6d555c6d565c6d575d6d585e6d595e6e5a5f6e5b606e5c616e5d616e5e626e5e636f5f636f60646f"
    "61656f62656f636670646770656870656870666970676a71686a71696b716a6c716b6d726c6d726c6e726d6f726e6f73"
    "6f70737071737172747272747273747374757474757575757676767777767777777878777979777a7a787b7a787c7b78"
    "7d7c787e7c787e7d787f7e78807f78817f788280798381798482798582798683798784788885788985788a86788b8778"
    "8c88788d88788e89788f8a78908b78918b78928c78928d78938e78948e77958f779690779791779892779992779a9376"
    "9b94769c95769d95769e96769f9775a09875a19975a29975a39a74a49b74a59c74a69c74a79d73a89e73a99f73aaa073"
    "aba072aca172ada272aea371afa471b0a571b1a570b3a670b4a76fb5a86fb6a96fb7a96eb8aa6eb9ab6dbaac6dbbad6d"
    "bcae6cbdae6cbeaf6bbfb06bc0b16ac1b26ac2b369c3b369c4b468c5b568c6b667c7b767c8b866c9b965cbb965ccba64"
    "cdbb63cebc63cfbd62d0be62d1bf61d2c060d3c05fd4c15fd5c25ed6c35dd7c45cd9c55cdac65bdbc75adcc859ddc858"
    "dec958dfca57e0cb56e1cc55e2cd54e4ce53e5cf52e6d051e7d150e8d24fe9d34eead34cebd44bedd54aeed649efd748"
    "f0d846f1d945f2da44f3db42f5dc41f6dd3ff7de3ef8df3cf9e03afbe138fce236fde334fee434fee535fee636fee838"
)

VIK = (
    "001261011462011563011764011865011a66021c67021d68021f6902206a02226b02236c02256d02276e02286f022a70"
    "022b71022d72022e7302307402317502337602347702367802377902397a023a7b033c7c033e7d033f7e03417f034280"
    "034481034582034783034984034a85044c86044d87044f8805518905528a06548b06568c07578d08598f095b900b5d91"
    "0c5e920e6093106294116496136697156798176999196b9a1c6d9c1e6f9d20719e2373a02575a12877a22b79a42d7ba5"
    "307da6337fa83681a93983ab3c85ac3f87ad4289af458bb0488db24b90b34e92b45194b65496b75798b95a9aba5d9cbb"
    "619ebd64a0be67a2c06aa4c16da6c271a8c474aac577acc67aaec87db0c980b2ca84b4cc87b6cd8ab8ce8dbad090bcd1"
    "94bed297c0d49ac2d59dc4d6a0c5d8a3c7d9a7c9daaacbdcadcdddb0cfdeb3d1dfb6d3e1bad5e2bdd6e3c0d8e4c3dae5"
    "c6dbe6c9dde7ccdfe8cfe0e8d2e1e9d5e3e9d8e4e9dbe5e9dee6e9e0e6e9e2e7e8e5e7e8e7e7e7e8e7e5eae6e4ebe6e2"
    "ece5e0ede4deeee3dceee1daeee0d8eeded5eeddd3eedbd0eed9cdedd7cbedd5c8ecd3c5ecd1c3ebd0c0eacebde9ccba"
    "e9cab8e8c8b5e7c6b2e6c4b0e5c1ade4bfaae4bea8e3bca5e2baa2e1b8a0e0b69ddfb49adfb298deb095ddae93dcac90"
    "dbaa8ddba88bdaa688d9a486d8a283d7a081d69f7ed69d7cd59b79d49977d39774d39572d29470d1926dd0906bcf8e68"
    "cf8c66ce8b64cd8961cc875fcc855dcb835aca8258c98056c97e53c87c51c77b4fc6794cc6774ac57548c47445c37243"
    "c27041c26e3fc16d3cc06b3abf6938be6736be6533bd6431bc622fbb602dba5e2ab85c28b75a26b65824b55521b3531f"
    "b2511db04f1baf4c18ad4a16ab4814a94512a74310a5400fa33e0da13c0b9f390a9c37099a3508983307963107942f06"
    "912d068f2b068d29068b2706892606872406852206832106811f067f1e067e1d067c1b067a1a06781806761706741506"
    "7314067113076f11076d10076c0e076a0d07680c07670a076509076307076206076004085e03085d02085b0108590008"
)


CATEGORICAL = ("#0072b2", "#e69f00", "#56b4e9", "#d55e00", "#cc79a7", "#009e73", "#b3a400", "#6f6f6f")
"""Okabe and Ito (2008), darker yellow, grey for black; in an order that keeps the first six furthest apart under
every common colour vision. Marker and line style always differ too."""
MISSING_RGB = (226, 227, 230)
HATCH_RGB = (150, 153, 160)


def _table(text: str) -> np.ndarray:
    table = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(256, 3)
    table.flags.writeable = False
    return table


@cache
def cividis() -> np.ndarray:
    """For values from low to high: ``(256, 3)`` uint8, lightness rising throughout."""
    return _table(CIVIDIS)


@cache
def vik() -> np.ndarray:
    """For signed values around zero: ``(256, 3)`` uint8, dark blue - white - dark red."""
    return _table(VIK)


def normalise(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Index into a colour table: any shape -> uint8; values outside [low, high] take the ends, NaN takes 0."""
    if not low < high:
        raise InputError(f"A colour scale needs low < high, got {low} and {high}.")
    share = (np.asarray(values, np.float64) - low) / (high - low)
    return np.clip(np.floor(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0) * 256), 0, 255).astype(np.uint8)


def robust_range(values: np.ndarray, *, symmetric: bool = False, share: float = 0.99) -> tuple[float, float]:
    """One scale for a cohort: the central `share` of the finite values, symmetric about 0 if asked.

    Never empty: equal ends are moved half a unit apart to each side.
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return (-1.0, 1.0) if symmetric else (0.0, 1.0)
    if symmetric:
        limit = float(np.quantile(np.abs(finite), share)) or float(np.abs(finite).max()) or 1.0
        return -limit, limit
    low, high = (float(q) for q in np.quantile(finite, [(1 - share) / 2, (1 + share) / 2]))
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def blend_overlay(base: np.ndarray, attribution: np.ndarray, limit: float, opacity: float) -> np.ndarray:
    """A picture faded to light grey with a signed attribution in vik on top.

    Parameters
    ----------
    base
        ``(..., 3)`` uint8 colours of the values.
    attribution
        ``(...)`` signed; NaN is drawn as none.
    limit
        Absolute attribution drawn in full colour, > 0.
    opacity
        0 shows the values alone, 1 the attribution on a grey ground.

    Returns
    -------
    ``(..., 3)`` uint8.
    """
    a = np.nan_to_num(np.asarray(attribution, np.float64), nan=0.0)
    grey = 150 + 0.38 * (np.asarray(base, np.float64) @ np.array([0.299, 0.587, 0.114]))
    ground = base + opacity * (grey[..., None] - base)
    strength = opacity * np.sqrt(np.minimum(1.0, np.abs(a) / limit))
    colour = vik()[normalise(a, -limit, limit)]
    return (ground + strength[..., None] * (colour - ground) + 0.5).astype(np.uint8)


def ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """Round numbers within [low, high], steps of 1, 2 or 5 times a power of ten, about `count` of them."""
    if not low < high:
        raise InputError(f"A scale needs low < high, got {low} and {high}.")
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * 0.7)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def label_ticks(values: tuple[float, ...]) -> tuple[str, ...]:
    """Short labels with a true minus sign and one number of decimals; powers of ten below 0.001 and from a million."""
    top = max((abs(v) for v in values), default=0.0)
    if top and not 1e-3 <= top < 1e6:
        return tuple(
            "0" if v == 0 else f"{v:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−") for v in values
        )
    texts = [f"{v:.6f}".rstrip("0") for v in values]
    decimals = max((len(t.split(".")[1]) for t in texts), default=0)
    return tuple(f"{v:.{decimals}f}".replace("-", "−") for v in values)
