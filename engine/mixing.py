"""Join what a classifier and the index say of one individual.

Both give a probability to species, and keep back what they give to anything else: the
classifier its ``background``, the index what its neighbours leave open. A linear opinion
pool (Stone 1961) of the two would halve every species that only one of them can name, so
they are pooled twice: first on whether the classifier has a label for it at all, then,
within and outside its labels, on the species.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.contracts import Group, Taxon
from engine.groups import group_of

Probabilities = Mapping[Taxon, float]

CLASSIFIER_SHARE = 0.5
"""How much the classifier's word counts against the index's."""


def mix(
    classifier: Probabilities,
    index: Probabilities,
    labels: Collection[Taxon],
    *,
    share: float = CLASSIFIER_SHARE,
) -> dict[Taxon, float]:
    """Pool a classifier's probabilities of its ``labels`` with the index's of any taxa.

    Either may sum to less than 1; so does the result.
    """
    inside = {taxon: p for taxon, p in index.items() if taxon in labels}
    outside = {taxon: p for taxon, p in index.items() if taxon not in labels}
    held, seen = sum(classifier.values()), sum(inside.values())
    labelled = share * held + (1 - share) * seen
    pooled: dict[Taxon, float] = {}
    weight = share if seen else 1.0
    for probabilities, total, part in ((classifier, held, weight), (inside, seen, 1 - weight)):
        for taxon, p in probabilities.items():
            pooled[taxon] = pooled.get(taxon, 0.0) + labelled * part * p / total
    # What the classifier leaves to its background is free for what it has no label for.
    free = min(1.0, (1 - labelled) / max(1 - seen, 1e-9))
    for taxon, p in outside.items():
        pooled[taxon] = free * p
    return pooled


def of_group(index: Probabilities, group: Group) -> dict[Taxon, float]:
    """Keep the taxa of ``group``; generic keeps all."""
    if group is Group.GENERIC:
        return dict(index)
    return {taxon: p for taxon, p in index.items() if group_of(taxon) is group}


def route(standings: Mapping[Group, float], index: Probabilities | None) -> Group:
    """Choose the group that answers where nobody named one.

    ``standings`` says, for each group that has a classifier, how far its best species
    stands out from its own ``background``. The index adds, for every group, the
    probability of all taxa of it. Both count the same.
    """
    total = sum(standings.values())
    scores = {group: standing / total for group, standing in standings.items()}
    if index is not None:
        for taxon, p in index.items():
            group = group_of(taxon)
            scores[group] = scores.get(group, 0.0) + p
    return max(scores, key=lambda group: scores[group])
