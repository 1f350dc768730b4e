"""Join what a classifier and the index say of one individual.

Both give a probability to species, and keep back what they give to anything else: the
classifier its ``background``, the index what its neighbours leave open. A linear opinion
pool (Stone 1961) of the two would halve every species that the classifier has no label for,
whatever it says. So only labelled species are pooled, and the others share, as the index has
them, what the pool leaves. Nor can an index speak of a species that it lacks: how near the photo
lies to what it holds, and how sure the classifier is of a label, say whether it is one of those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.contracts import Group, Taxon
from engine.taxonomy.groups import group_of

Probabilities = Mapping[Taxon, float]

LACKING = 0.2
"""How likely beforehand a labelled species that the index lacks is, against one that it holds: an
index is made of what lives where its photos are posted (docs/models.md)."""

_NEARLY_NONE = 1e-12
_NEARLY_SURE = 1e-3

CLASSIFIER_SHARE = 0.3
"""How much the classifier's word counts against the index's (docs/models.md)."""

SHARPNESS = 2.0
"""A linear pool of calibrated opinions is less sure than it may be (Ranjan and Gneiting 2010),
so its probabilities are raised to this power, and the rest likewise (docs/models.md)."""


def combine(
    classifier: Probabilities,
    index: Probabilities,
    labels: Collection[Taxon],
    *,
    held: Collection[Taxon],
    background: float,
    knows: float,
    holds: float,
    lacking: float = LACKING,
) -> dict[Taxon, float]:
    """Join the two for a photo of which it is open whether the index holds its species.

    ``background`` is what the classifier gives to none of its labels, and ``knows`` how likely it
    has one for the species. ``held`` are the index's species, and ``holds`` is how likely the
    species is one of them by how near it lies, both as if every second photo showed another. The
    two look in ways of their own, so they are multiplied, and so is where the classifier's
    probability lies. The result sums to at most 1.
    """
    inside, outside = _split(classifier, held)
    pooled = mix(inside, index, labels)
    if not outside:
        return pooled
    total = sum(outside.values())
    share = total / (total + sum(inside.values()))
    # The index may hold a species that the classifier has no label for.
    among_held = holds * (knows * (1 - share) + 1 - knows)
    among_others = lacking * (1 - holds) * knows * share
    odds = among_others / max(among_held + among_others, _NEARLY_NONE)
    joined = {taxon: (1 - odds) * p for taxon, p in pooled.items()}
    joined |= {taxon: odds * p / (total + background) for taxon, p in outside.items()}
    return joined


def mix(
    classifier: Probabilities,
    index: Probabilities,
    labels: Collection[Taxon],
    *,
    share: float = CLASSIFIER_SHARE,
    sharpness: float = SHARPNESS,
) -> dict[Taxon, float]:
    """Pool a classifier's probabilities of its ``labels`` with the index's of any taxa.

    Either may sum to less than 1; so does the result.
    """
    pooled = {taxon: share * p for taxon, p in classifier.items()}
    seen = 0.0
    for taxon, p in index.items():
        if taxon in labels:
            pooled[taxon] = pooled.get(taxon, 0.0) + (1 - share) * p
            seen += p
    # What both leave to other things is free for what the classifier has no label for.
    free = min(1.0, max(0.0, 1 - sum(pooled.values())) / max(1 - seen, 1e-9))
    for taxon, p in index.items():
        if taxon not in labels:
            pooled[taxon] = free * p
    return _sharpen(pooled, sharpness)


def _sharpen(probabilities: Probabilities, power: float) -> dict[Taxon, float]:
    rest = max(0.0, 1 - sum(probabilities.values()))
    raised = {taxon: p**power for taxon, p in probabilities.items()}
    total = sum(raised.values()) + rest**power
    return {taxon: p / total for taxon, p in raised.items()} if total else {}


def of_group(index: Probabilities, group: Group) -> dict[Taxon, float]:
    """Keep the taxa of ``group``; generic keeps all."""
    if group is Group.GENERIC:
        return dict(index)
    return {taxon: p for taxon, p in index.items() if group_of(taxon) is group}


def route(
    index: Probabilities,
    seen: Mapping[Group, float],
    elsewhere: Mapping[Group, float],
    *,
    holds: float,
) -> Group:
    """Choose the group that answers where nobody named one, and an index is asked.

    The photo shows a species that the index holds, which ``holds`` says how likely. Then the index
    says of which group, and a network of that group raises or lowers this by half as it finds
    anything of it ``seen`` or nothing. Or it shows one that the index lacks and a network has a
    label for: how much speaks for that, by the network's group, is ``elsewhere``
    (``outside_odds``). What an index of birds gives to birds says nothing of a photo that is unlike
    all it holds (docs/models.md).
    """
    held = max(holds, _NEARLY_NONE)
    scores = {group: (1 - holds) * odds for group, odds in elsewhere.items()}
    for taxon, p in index.items():
        group = group_of(taxon)
        scores[group] = scores.get(group, 0.0) + held * p * (0.5 + seen.get(group, 0.5))
    return max(scores, key=lambda group: scores[group], default=Group.GENERIC)


def outside_odds(
    classifier: Probabilities, held: Collection[Taxon], *, knows: float, prior: float
) -> float:
    """Return the odds that a classifier has a label for the species, and the index lacks it.

    ``knows`` is how likely the classifier has one, if every second photo showed another, and
    ``prior`` how likely such a species is beforehand, against one that is ``held``.
    """
    inside, outside = _split(classifier, held)
    total = sum(inside.values()) + sum(outside.values())
    odds = knows / max(1 - knows, _NEARLY_SURE)
    return prior * odds * sum(outside.values()) / max(total, _NEARLY_NONE)


def lacking_of_group(species: int) -> float:
    """Return how likely beforehand a labelled species is that an index lacks, against a held one.

    ``species`` is how many of the same group the index holds. If it holds none, it says nothing of
    what is posted, and the more it holds, the rarer is one that is not among them: the rule of
    succession (Laplace 1814) gives a first of its kind 1 in n + 2, of which these are the odds.
    """
    return 1 / (1 + species)


def _split(
    classifier: Probabilities, held: Collection[Taxon]
) -> tuple[dict[Taxon, float], dict[Taxon, float]]:
    inside = {taxon: p for taxon, p in classifier.items() if taxon in held}
    return inside, {taxon: p for taxon, p in classifier.items() if taxon not in held}
