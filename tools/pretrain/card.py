"""The card that lies beside the in-house checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from genomap_core.pfn.description import Weights
from tools.pretrain.prior import SHARES, PriorConfig


def card_text(weights: Weights, comparison: Sequence[str] = ()) -> str:
    """Markdown: what the weights are, how they were made, what they are meant for, and how good they are."""
    made = weights.provenance
    limits = weights.limits
    size, prior = made["config"]["size"], made["config"]["prior"]
    command = "python -m tools.pretrain"
    figures = "\n".join(comparison) if comparison else f"Not evaluated yet: `{command} evaluate FILE`."
    curve = "\n".join(
        f"| {line['minutes']} | {line['tables']:,} | {line['val_loss']} | {line['val_accuracy']} |"
        for line in made.get("curve", ())
    )
    config = made["config"]
    options = (
        f"--width {size['width']} --layers {size['layers']} --heads {size['heads']} --rows {prior['max_rows']} "
        f"--features {prior['max_features']} --curriculum {config['curriculum']} --cells {config['cells']} "
        f"--rate {config['learning_rate']} --seed {config['seed']}"
    )
    options += "".join(f" --prior {k}={prior[k]}" for k in SHARES if prior[k] != getattr(PriorConfig(), k))
    made_by = f"`{command} train FOLDER {options}`"
    if config.get("start"):
        made_by = f"`{command} train FOLDER {options} --start FILE` (FILE: {config['start']})"
    return f"""# {made["name"]} {made["version"]}

Weights of a small prior-data fitted network for tables, in the format of the `tabpfn` package (architecture v3), and
run by that package. **Not weights of Prior Labs.** Licence: {made["licence"]}. SHA-256: `{weights.sha256}`.

* **Trained on** {made["trained_on"]}; no real table was used.
* **Size** {weights.path.stat().st_size / 1e6:.1f} MB: width {size["width"]}, {size["layers"]} layers.
* **Compute** {made["minutes"]} minutes on `{made["device"]}`: {made["steps"]:,} steps, {made["tables"]:,} tables.
* **Made by** {made_by}, then `finish` ({made.get("of_these_decaying", 0):,} of the steps with
  a falling learning rate).
* **Meant for** up to {prior["max_rows"]:,} rows and {prior["max_features"]} features, which is what it was trained on,
  and {limits.classes} classes. Tables of more than {limits.features} features are narrowed to {limits.selected} inputs
  inside the fold; up to {limits.rows:,} rows are accepted, but more rows than it was trained on are of unknown quality.
* **Validation** on tables of the prior never trained on: cross-entropy {made["val_loss"]} nats, accuracy
  {made["val_accuracy"]}.

## Learning curve

| minutes | tables | cross-entropy of the validation tables | accuracy |
|---|---|---|---|
{curve}

## Beside logistic regression and random forest

{figures}

For research use only. Not for use in diagnostic procedures.
"""
