"""Which photos the models of an engine can name, and which no model at all can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine import EngineSettings, Taxon, TaxonTable
from engine.index.species import IndexSpecies
from engine.index.species_index import SpeciesIndex
from engine.starter import STARTER, starter_index
from tools.manifest import LabelledPhoto


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerable:
    """The ``models`` that are here, with their runtimes, and the species ``indexed``, by name.

    A photo whose species has a label in a network that is not here is neither known nor unknown.
    """

    models: Mapping[str, str]
    indexed: Mapping[str, Taxon]

    @classmethod
    def by(cls, models: Mapping[str, str], settings: EngineSettings) -> Answerable:
        """Look up what the index holds, where one is among the models.

        Raises:
            EngineError: the index cannot be used.
        """
        if not {"index", STARTER} & models.keys():
            return cls(models=models, indexed={})
        folder = starter_index(settings) if STARTER in models else settings.index_folder
        index = SpeciesIndex.open(folder, touch=False)
        species = IndexSpecies.of(index.taxa, TaxonTable.load())
        return cls(models=models, indexed={taxon.scientific_name: taxon for taxon in species.taxa})

    def is_known(self, photo: LabelledPhoto) -> bool:
        """Tell whether a network here has a label for the species, or the index holds it."""
        return photo.label_set in self.models or photo.scientific_name in self.indexed

    def is_unknown(self, photo: LabelledPhoto) -> bool:
        """Tell whether no network has a label for the species, be it here or not, nor the index."""
        return photo.label_set is None and photo.scientific_name not in self.indexed

    def truth(self, photo: LabelledPhoto) -> Taxon | None:
        """Return what a photo shows; None where it is not known."""
        if not self.is_known(photo):
            return None
        return photo.taxon or self.indexed[photo.scientific_name]
