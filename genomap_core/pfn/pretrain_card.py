"""The card that lies beside the in-house checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from genomap_core.pfn.weights import Weights


def card_text(weights: Weights, comparison: Sequence[str] = ()) -> str:
    """Markdown: what the weights are, how they were made, what they are meant for, and how good they are."""
    made = weights.provenance
    limits = weights.limits
    size = made["config"]["size"]
    command = "python -m genomap_core.pfn.pretrain"
    figures = "\n".join(comparison) if comparison else f"Not evaluated yet: `{command} evaluate FILE`."
    return f"""# {made["name"]} {made["version"]}

Weights of a small prior-data fitted network for tables, in the format of the `tabpfn` package (architecture v3), and
run by that package. **Not weights of Prior Labs.** Licence: {made["licence"]}. SHA-256: `{weights.sha256}`.

* **Trained on** {made["trained_on"]}; no real table was used.
* **Size** {weights.path.stat().st_size / 1e6:.1f} MB: width {size["width"]}, {size["layers"]} layers.
* **Compute** {made["minutes"]} minutes on `{made["device"]}`: {made["steps"]:,} steps, {made["tables"]:,} tables.
* **Made by** `{command}`, seed {made["config"]["seed"]}.
* **Meant for** up to 1,000 training rows, {limits.features} features and {limits.classes} classes. Of wider tables
  {limits.selected} features are selected inside the fold. Up to {limits.rows:,} rows are accepted; beyond 1,000 it was
  never trained.
* **Validation** on tables of the prior never trained on: cross-entropy {made["val_loss"]} nats, accuracy
  {made["val_accuracy"]}.

## Beside logistic regression and random forest

{figures}

For research use only. Not for use in diagnostic procedures.
"""
