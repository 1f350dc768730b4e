"""The curve of nearness tells photos of species that an index holds from others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import Ancestor, Taxon
from engine.index.projection import TooFewPhotos
from engine.index.spread import usual_angles
from engine.index.vote import Evidence, VoteSettings, vote
from engine.known import trust_in_likeliest
from tools.known_fit import fit_known, name_votes

TAXA = [
    Taxon(scientific_name=f"{genus} alba", rank="species", lineage=(Ancestor("genus", genus),))
    for genus in ("Abies", "Tyto")
]
DEFAULTS = VoteSettings()


def found(cosine: float) -> Evidence:
    return Evidence(
        similarities=np.array([[cosine, 0.1]], np.float32),
        taxa=np.array([[0, 1]], np.int32),
        rows=np.array([[0, 1]], np.int64),
        prototype_similarities=np.array([[cosine, 0.1]], np.float32),
        photos_of_taxon=np.array([10, 10]),
        usual_angles=usual_angles(np.array([8.0, 8.0]), np.array([10, 10])),
    )


def trust(evidence: Evidence, settings: VoteSettings) -> float:
    said = vote(evidence, settings)
    named = name_votes(said, TAXA)
    distances = dict(zip(named, said.distances.tolist(), strict=True))
    given = trust_in_likeliest(named, distances, settings.nearness_curve)
    assert given is not None
    return given


def test_a_fitted_curve_finds_known_species_likelier_than_others() -> None:
    rng = np.random.default_rng(0)
    inside = [found(cosine) for cosine in rng.normal(0.7, 0.1, 60).clip(0.2, 0.99)]
    outside = [found(cosine) for cosine in rng.normal(0.4, 0.1, 20).clip(0.2, 0.99)]
    fitted = fit_known(inside, outside, TAXA, DEFAULTS)
    assert np.mean([trust(evidence, fitted) for evidence in inside]) > 0.85
    assert np.mean([trust(evidence, fitted) for evidence in outside]) < 0.15
    assert replace(fitted, nearness_curve=DEFAULTS.nearness_curve) == DEFAULTS
    with pytest.raises(TooFewPhotos, match="too few"):
        fit_known(inside, outside[:3], TAXA, DEFAULTS)
