"""What the terms of pages and reports mean, each in a sentence or two; the one place where they are explained."""

from __future__ import annotations

import re
from collections.abc import Iterable

GLOSSARY: dict[str, str] = {
    "95 % interval": (
        "Where the figure would likely lie with other patients of the same kind. A wide one means: few patients."
    ),
    "ablation": "Taking a part away and seeing how far the answer moves.",
    "area under the curve": "See ROC.",
    "attribution": (
        "How much each feature or region moved the model's answer. It says what the model used, not what "
        "causes a disease."
    ),
    "balanced accuracy": (
        "The share of right answers, averaged over the classes, so that a rare class counts as much as a "
        "common one. Guessing gives 1 / number of classes."
    ),
    "baseline": (
        "What a figure is held against: a simple model, or for an attribution the patient who is average in everything."
    ),
    "bootstrap": "Drawing patients anew, with replacement, many times, to see how far a figure moves by chance.",
    "Brier score": "How far stated probabilities lie from what was true: 0 is perfect, lower is better.",
    "calibration": (
        "Whether a stated probability can be taken at its word: of patients given 80 %, are 80 % of that class?"
    ),
    "completeness": "The attributions add up to the change of the answer; what is missing is told as a gap.",
    "conformal prediction": (
        "A way to name a set of classes that holds the truth as often as was asked for, measured on patients left out."
    ),
    "confusion matrix": "Which class was answered for which: right answers lie on the diagonal.",
    "control": "The same work with its supposed cause removed. What survives it was not due to that cause.",
    "convolution": "A small pattern that a network slides over a picture; it sees neighbours together.",
    "correlation": (
        "How far two things rise and fall together: 1 fully, 0 not at all, -1 the other way round (Pearson's r)."
    ),
    "critical difference": "Mean ranks closer than this are not told apart.",
    "CT": "Computed tomography; its values are Hounsfield units.",
    "DeepLift": "An attribution that compares each unit of a network with its value for the baseline.",
    "Dice": "How well two outlines agree: twice the shared area over the sum of both; 1 is the same outline.",
    "diffusion": "How fast tumour cells wander (D).",
    "distortion": (
        "How far distances on the map differ from how differently features vary; lower is better (Gromov- Wasserstein)."
    ),
    "entropy": "In a transport plan: how widely mass is spread. More of it blurs the plan.",
    "epoch": "One pass of the training over all patients.",
    "ER": "Estrogen receptor: the switch that many breast cancers grow by.",
    "false discovery rate": (
        "Of what is called found, the share expected to be found by chance alone (Benjamini-Hochberg)."
    ),
    "FDR": "Short for false discovery rate.",
    "FLAIR": "An MRI sequence in which fluid is dark.",
    "fold": "One part of the patients, answered by a model that was trained on the others.",
    "Friedman": "A test whether models differ at all in their ranks over many data sets.",
    "genomap": (
        "One patient as a picture: every feature has a fixed place, and features that vary together lie side by side."
    ),
    "genoNet": "The network of the original publication.",
    "GMT": "A text file of gene sets: name, description, genes, between tabs.",
    "Grad-CAM": "Where the last convolutions of a network see the class; coarse, without a unit.",
    "GradientShap": "Integrated Gradients averaged over several baselines drawn from patients.",
    "Gromov-Wasserstein": (
        "Finds who is who in two clouds by comparing distances inside each; so features find their cells."
    ),
    "Holm": "A correction of p-values for the number of comparisons made.",
    "hypergeometric": "The chance that so many members of a set would be drawn blindly.",
    "Integrated Gradients": "An attribution: the model's slope, summed on the way from the baseline to the patient.",
    "Jeffreys": "An interval for a share that does not vanish when no error was made.",
    "layout": "The fixed place of every feature on the map.",
    "log-loss": "How surprised the model was by the truth; lower is better.",
    "log-odds": "A probability on a scale without ends: 0 is one half, each step of 0.7 about doubles the odds.",
    "logistic regression": "The plain linear model for classes: a weighted sum of the features. The one to beat.",
    "macro F1": "Balance of missed and false alarms, averaged over the classes; 1 is perfect.",
    "mean rank": "A model's place, 1 for the best, averaged over the data sets.",
    "module": "Genes that vary together.",
    "MRI": "Magnetic resonance imaging.",
    "Nemenyi": "Tells which models' mean ranks differ by more than chance.",
    "occlusion": "Covering a part and seeing how far the answer falls.",
    "optimal transport": "Moving mass from one set of places to another at the least total cost.",
    "out-of-fold": "Answered by a model that never saw that patient.",
    "outlier": "A patient further from the others than they are from each other.",
    "PDE": "An equation of growth in space and time.",
    "percentile": "How rare: the share of the others that lie below.",
    "permutation": "The same figure with patients exchanged at random: what chance alone gives.",
    "PhysNet": "A network whose class is read through a model of tumour growth.",
    "planted": "Put into a simulation on purpose, so that the truth is known.",
    "prediction set": "All classes that can't be ruled out for a patient at the confidence asked for.",
    "r": "Pearson's correlation: 1 fully alike, 0 not at all.",
    "random forest": "Many decision trees whose votes are averaged.",
    "random layout": "The same features at places drawn by lot: the control of the map.",
    "rank correlation": "Correlation of the order alone, not of the sizes (Spearman).",
    "ridge": "The plain linear model for numbers, with its weights held small.",
    "RMSE": "The typical size of an error, in the unit of what is measured.",
    "RNA": "What a cell copies from its genes; its amount is a gene's expression.",
    "ROC": "True against false alarms at every threshold; the area under it (AUC) is 1 for perfect, 0.5 for chance.",
    "seed": "The number that fixes every random choice, so that a run can be repeated.",
    "SHA-256": "A fingerprint of a file: another byte, another fingerprint.",
    "Shapley values": (
        "The change of the answer shared out among the parts, each averaged over all orders of adding them."
    ),
    "standard deviation": "The usual distance of a value from the mean.",
    "Steiger": "A test whether two correlations with the same measurement differ.",
    "stratified": "Every class has the same share in each part.",
    "t-test": "A test whether a mean difference is larger than chance explains.",
    "TabPFN": "A published tabular model; its weights answer only where they are named.",
    "tabular model": (
        "A network taught on a million simulated tables that answers for a new table at once; which weights "
        "answer is named on the Compare page."
    ),
    "Wilcoxon": "A test whether one of two is ahead on most data sets, by ranks.",
    "Wilson": "An interval for a share that holds for small numbers too.",
    "z-score": "How far from the mean, in standard deviations.",
}
"""Term -> explanation, in the order of the alphabet."""

_FORMS = {
    term: re.compile(rf"(?<![\w-]){re.escape(term)}(?:'s|s|es)?(?![\w-])", re.I if len(term) > 3 else 0)
    for term in GLOSSARY
}


def terms_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The glossary's terms that these texts use, in its order."""
    whole = "\n".join(texts)
    return tuple(term for term, form in _FORMS.items() if form.search(whole))
