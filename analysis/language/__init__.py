"""What the ranking, the warnings and the report say, in another language than English.

The program says everything in English once, in the code that knows it; a catalogue has the same sentences in another
language, with places for names and numbers. Sentences that a trial wrote into its store are read by the same catalogue.
"""

from analysis.language.catalogue import LANGUAGES, Catalogue, catalogue, in_language
from analysis.language.renderables import AsIs, translated

__all__ = ["LANGUAGES", "AsIs", "Catalogue", "catalogue", "in_language", "translated"]
