"""Scientific names with more to them than the taxon table knows: an author, a cultivar, a "sp."."""

from __future__ import annotations

from itertools import takewhile

_OPEN = frozenset({"sp", "spp", "cf", "aff"})
_HYBRID_SIGNS = frozenset({"\N{MULTIPLICATION SIGN}", "x"})
_RANKS = frozenset({"subsp.", "ssp.", "var.", "f."})


def without_authorship(name: str) -> str:
    """Return a name without what follows its epithets, or stands between them to say a rank.

    Nothing where there is nothing of that, and of names of no species or of two, as a hybrid's.

    >>> without_authorship("Amanita muscaria (L.) Lam.")
    'Amanita muscaria'
    >>> without_authorship("Malus x domestica Borkh.")
    'Malus x domestica'
    >>> without_authorship("Junco hyemalis subsp. oreganus (Townsend, 1837)")
    'Junco hyemalis oreganus'
    >>> without_authorship("Parus major"), without_authorship("Morus L.")
    ('', '')
    >>> without_authorship("Anas platyrhynchos x Anas rubripes")
    ''
    """
    words = name.split()
    epithets = [word for word in takewhile(_is_epithet, words[1:]) if word not in _RANKS]
    if not 0 < len(epithets) < len(words) - 1 or epithets[-1] in _HYBRID_SIGNS:
        return ""
    return " ".join([words[0], *epithets])


def without_sp(name: str) -> str:
    """Return a name without the "sp." or "cf." that it ends in, or nothing where it has none.

    >>> without_sp("Larus sp."), without_sp("Larus")
    ('Larus', '')
    """
    bare, _, last = name.strip().rpartition(" ")
    return bare if last.rstrip(".").casefold() in _OPEN else ""


def _is_epithet(word: str) -> bool:
    return word in _HYBRID_SIGNS or word[:1].islower()
